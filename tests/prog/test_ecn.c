// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_ecn.c: who is marked, by codepoint, and what a mark does to the packet: CE and a correct
 * checksum, nothing else; only marks that weir made are counted.
 */
#include "fixture.h"

/*
 * Packets of 1 ms: the seventh is the first above mark-at (5 ms), and marked; the debt has risen by
 * another 5 ms, the least step from mark to mark, when the twelfth comes. None is dropped (50 ms).
 */
static void police_and_fill(struct harness *h, const struct spec *spec)
{
	struct weir_class *class = harness_class(h, 0);
	int i;

	harness_establish(h, EGRESS, spec);
	harness_rate(class, 0, 8 * MBIT);
	class->burst_ns = 50 * MSEC;
	class->mark_at_ns = 5 * MSEC;
	harness_commit(h);
	for (i = 0; i < 11; i++)
		assert_int_equal(send_spec(h, EGRESS, spec), HARNESS_PASS);
}

static int codepoint_after(struct harness *h, const struct spec *spec)
{
	struct frame frame;

	frame_build(&frame, spec);
	assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
	return frame_ecn(&frame);
}

static void each_codepoint_when_policed(void **state)
{
	static const int after[] = {
		[WEIR_NOT_ECT] = WEIR_NOT_ECT, [WEIR_ECT1] = WEIR_CE, [WEIR_ECT0] = WEIR_CE,
		[WEIR_CE] = WEIR_CE,
	};
	struct harness *h = *state;
	struct weir_flow flow;
	int family, ecn, vlans;

	for (family = 4; family <= 6; family += 2) {
		for (vlans = 0; vlans < 3; vlans++) {
			for (ecn = 0; ecn < 4; ecn++) {
				struct spec spec = { .family = family, .ecn = ecn, .vlans = vlans };

				spec.payload = family == 4 ? 958 - 4 * vlans : 938 - 4 * vlans;
				harness_reset(h);
				police_and_fill(h, &spec);
				assert_int_equal(codepoint_after(h, &spec), after[ecn]);
				assert_true(harness_flow(h, &spec, EGRESS, &flow));
				if (ecn == WEIR_ECT0 || ecn == WEIR_ECT1)
					assert_true(flow.marked > 0);
				else
					assert_int_equal(flow.marked, 0);
			}
		}
	}
}

/* one mark for each 5 ms that a steady overload of 5 % adds to the debt in 1000 packets */
static void marks_are_counted_once(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 958, .ecn = WEIR_ECT0 };
	struct weir_class_stats sum;
	struct frame frame;
	__u64 marked = 0;
	int i;

	police_and_fill(h, &spec);
	for (i = 0; i < 1000; i++) {
		h->now_ns += 950 * USEC;	/* 5 % over the rate */
		frame_build(&frame, &spec);
		if (harness_run(h, EGRESS, &frame) == HARNESS_PASS)
			marked += frame_ecn(&frame) == WEIR_CE;
	}
	harness_stats(h, 0, &sum);
	assert_in_range(marked, 9, 11);
	assert_int_equal(sum.marked, marked + 1);	/* one while filling */
	assert_int_equal(sum.packets[WEIR_R_MARKED], sum.marked);
}

static void a_marked_segment_counts_each_packet(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 946, .ecn = WEIR_ECT0 };
	struct weir_flow before, after;

	police_and_fill(h, &spec);
	spec.payload = 3000;
	spec.gso_size = 1000;
	assert_true(harness_flow(h, &spec, EGRESS, &before));
	assert_int_equal(codepoint_after(h, &spec), WEIR_CE);
	assert_true(harness_flow(h, &spec, EGRESS, &after));
	assert_int_equal(after.marked - before.marked, 3);
}

static void no_mark_below_mark_at(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 958, .ecn = WEIR_ECT0 };
	int i;

	police_and_fill(h, &spec);
	h->now_ns += SEC;
	for (i = 0; i < 1000; i++) {
		h->now_ns += 1010 * USEC;	/* 1 % below the rate */
		assert_int_equal(codepoint_after(h, &spec), WEIR_ECT0);
	}
}

static void ecn_off_marks_nothing(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 958, .ecn = WEIR_ECT0 };

	harness_class(h, 0)->flags &= ~WEIR_CLASS_ECN;
	police_and_fill(h, &spec);
	assert_int_equal(codepoint_after(h, &spec), WEIR_ECT0);
}

/*
 * Everything but the codepoint and the checksum that covers it stays as it was. Where tags are in
 * the frame, the kernel's idea of where the IP header is may be wrong: VLAN 102 looks as ECT(0).
 */
static void a_mark_changes_nothing_else(void **state)
{
	struct harness *h = *state;
	struct frame frame, want;
	int family, vlans;

	for (family = 4; family <= 6; family += 2) {
		for (vlans = 0; vlans < 3; vlans++) {
			struct spec spec = {
				.family = family, .vlans = vlans, .ecn = WEIR_ECT0, .dscp = 46,
			};

			spec.payload = (family == 4 ? 958 : 938) - 4 * vlans;
			harness_reset(h);
			police_and_fill(h, &spec);
			frame_build(&frame, &spec);
			harness_run(h, EGRESS, &frame);
			spec.ecn = WEIR_CE;
			frame_build(&want, &spec);
			assert_int_equal(frame.len, want.len);
			assert_memory_equal(frame.data, want.data, want.len);
		}
	}
}

/* a real queue, L4S: certain above the ramp, none below it; Not-ECT is never marked */
static void l4s_ramp_when_paced(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 958, .ecn = WEIR_ECT1 };
	struct weir_class *class = harness_class(h, 0);
	int i;

	harness_establish(h, EGRESS, &spec);
	harness_rate(class, 0, 800 * MBIT);	/* 10 us a packet: 0.8 ms are 80 of them */
	class->action = WEIR_PACE;
	class->burst_ns = 0;
	harness_device(h, EGRESS, WEIR_DEV_EDT);
	harness_commit(h);
	for (i = 0; i < 80; i++)
		assert_int_equal(codepoint_after(h, &spec), WEIR_ECT1);
	for (; i < 120; i++)
		codepoint_after(h, &spec);
	for (; i < 200; i++)
		assert_int_equal(codepoint_after(h, &spec), WEIR_CE);
	spec.ecn = WEIR_NOT_ECT;
	spec.payload = 100;			/* small: nor is it dropped */
	for (i = 0; i < 100; i++)
		assert_int_equal(codepoint_after(h, &spec), WEIR_NOT_ECT);
}

/* a real queue, classic: the probability rises while the queue stands above its target */
static void classic_law_when_paced(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 958, .ecn = WEIR_ECT0 };
	struct weir_class *class = harness_class(h, 0);
	unsigned int marked[2] = {}, i;

	harness_establish(h, EGRESS, &spec);
	harness_rate(class, 0, 8 * MBIT);
	class->action = WEIR_PACE;
	class->burst_ns = 0;
	class->mark_at_ns = 5 * MSEC;
	class->drop_at_ns = SEC;
	harness_device(h, EGRESS, WEIR_DEV_EDT);
	harness_commit(h);
	for (i = 0; i < 40; i++)		/* 40 ms of queue */
		codepoint_after(h, &spec);
	for (i = 0; i < 2000; i++) {
		h->now_ns += 1 * MSEC;		/* and it stands */
		marked[i / 1000] += codepoint_after(h, &spec) == WEIR_CE;
	}
	assert_true(marked[1] > marked[0]);
	assert_in_range(marked[1], 50, 400);	/* p at most 1/4 */
}

/* a burst of more than 2^32 us: what is far below it is not marked */
static void no_mark_far_below_a_long_burst(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .ecn = WEIR_ECT0, .payload = 958 };
	struct weir_class *class = harness_class(h, 0);
	struct weir_flow flow;
	int i;

	harness_establish(h, EGRESS, &spec);
	harness_rate(class, 0, WEIR_RATE_MIN);
	class->burst_ns = 0;
	class->burst_bytes = 4300000;	/* 4300 s; in the field that is at a level */
	class->mark_at_ns = 0;		/* the burst */
	harness_commit(h);
	for (i = 0; i < 100; i++)	/* 100 s */
		assert_int_equal(send_spec(h, EGRESS, &spec), HARNESS_PASS);
	assert_true(harness_flow(h, &spec, EGRESS, &flow));
	assert_int_equal(flow.marked, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_mark_far_below_a_long_burst),
		TEST(each_codepoint_when_policed),
		TEST(marks_are_counted_once),
		TEST(a_marked_segment_counts_each_packet),
		TEST(no_mark_below_mark_at),
		TEST(ecn_off_marks_nothing),
		TEST(a_mark_changes_nothing_else),
		TEST(l4s_ramp_when_paced),
		TEST(classic_law_when_paced),
	};

	return RUN(tests, 0);
}
