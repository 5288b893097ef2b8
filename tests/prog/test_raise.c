// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_raise.c: a rate that is raised is in force from the next packet on: what a bucket or a class
 * owes is bytes, and does not outlive the rate that made a long time of them. By departure time
 * and by police, for a new flow-rate, a new class rate and a flow that moves to another class; and
 * no rate that is raised again and again lets more than its bytes through.
 */
#include <bpf/bpf.h>
#include <stdlib.h>
#include "fixture.h"

#define PAYLOAD 158			/* 200 bytes on the wire: the AQM spares them */
#define BYTES 200

static const __u64 slow[] = { 16000, 128000, 1 * MBIT, 10 * MBIT };
#define FAST (100 * MBIT)
#define FULL 1514
static const struct spec packet = { .payload = PAYLOAD };

static void prepare(struct harness *h, int action)
{
	struct weir_class *class;
	int slot;

	harness_reset(h);
	for (slot = 0; slot < 2; slot++) {
		class = harness_class(h, slot);
		class->action = action;
		class->burst_ns = 0;
	}
	harness_device(h, EGRESS, action == WEIR_PACE ? WEIR_DEV_EDT : 0);
	harness_commit(h);
	harness_establish(h, EGRESS, &packet);
}

/* as much as passes at once; how many packets did */
static int fill(struct harness *h)
{
	int n = 0;

	while (send_spec(h, EGRESS, &packet) == HARNESS_PASS)
		assert_true(++n < 20000);
	return n;
}

/* 1 s offered at nine tenths of the rate: nothing of it is lost, and nothing waits for long */
static void at_the_new_rate(struct harness *h, __u64 bps)
{
	__u64 end = h->now_ns + (getenv("WEIR_TEST_SHORT") ? SEC / 4 : SEC);
	__u64 gap = BYTES * 8000000000ULL / bps * 10 / 9;
	struct frame frame;

	for (; h->now_ns < end; h->now_ns += gap) {
		frame_build(&frame, &packet);
		assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
		if (frame.skb.tstamp)
			assert_in_range(frame.skb.tstamp, h->now_ns, h->now_ns + 100 * MSEC);
	}
}

static void each(struct harness *h, void (*set)(struct harness *h, __u64 bps))
{
	int action;
	size_t i;

	for (action = WEIR_PACE; action <= WEIR_POLICE; action++)
		for (i = 0; i < sizeof(slow) / sizeof(*slow); i++) {
			prepare(h, action);
			set(h, slow[i]);
			assert_true(fill(h) > 0);
			set(h, FAST);
			at_the_new_rate(h, FAST);
		}
}

static void set_flow_rate(struct harness *h, __u64 bps)
{
	harness_rate(harness_class(h, 0), 0, bps);
	harness_commit(h);
}

static void set_rate(struct harness *h, __u64 bps)
{
	harness_rate(harness_class(h, 0), bps, 0);
	harness_commit(h);
}

/* the second class is the fast one, and a rule moves all flows there */
static void set_class(struct harness *h, __u64 bps)
{
	harness_rate(harness_class(h, bps == FAST), 0, bps);
	if (bps == FAST)
		harness_rule(h, 1);
	harness_commit(h);
}

static void a_flow_rate(void **state) { each(*state, set_flow_rate); }
static void a_class_rate(void **state) { each(*state, set_rate); }
static void another_class(void **state) { each(*state, set_class); }

/* a flow that is over its rate stays so, wherever the rate goes: its bytes and some bursts */
static void no_more_than_the_bytes(void **state)
{
	const struct spec full = { .payload = FULL - 42 };
	struct harness *h = *state;
	__u64 allowed = 0, passed = 0, bps = 0, step;
	int i, raises = 0;

	prepare(h, WEIR_POLICE);
	harness_class(h, 0)->burst_bytes = 20 * FULL;
	for (i = 0; i < 400; i++) {
		step = 1 * MBIT << random_u32() % 8;
		raises += step > bps;
		bps = step;
		set_flow_rate(h, bps);
		for (step = h->now_ns + 50 * MSEC; h->now_ns < step; h->now_ns += 100 * USEC)
			passed += FULL * (send_spec(h, EGRESS, &full) == HARNESS_PASS);
		allowed += bps / 8 * 50 / 1000;
	}
	assert_true(raises > 100);
	assert_in_range(passed, allowed * 95 / 100, allowed + (raises + 1) * 21 * FULL);
}

/* a first packet each 100 ms for a second, behind a burst that keeps the class busy; who passed */
static int newcomers(struct harness *h)
{
	const struct spec old = { .sport = 7, .payload = 1472 };
	int i, k, passed = 0;

	for (i = 0; i < 10; i++, h->now_ns += 100 * MSEC) {
		for (k = 0; k < 100; k++)
			send_spec(h, EGRESS, &old);
		passed += send_spec(h, EGRESS, &(struct spec){ .sport = 20000 + i,
				    .payload = 100 }) == HARNESS_PASS;
	}
	return passed;
}

/*
 * First packets share a clock while the class is busy: what a flood of them owes at 1 Mbit/s, some
 * 20 s at a part of it, is a thousandth at 1 Gbit/s.
 */
static void first_packets(void **state)
{
	const struct spec old = { .sport = 7, .payload = 1472 };
	struct harness *h = *state;
	int i;

	prepare(h, WEIR_PACE);
	harness_rate(harness_class(h, 0), 1 * MBIT, 0);
	harness_commit(h);
	harness_establish(h, EGRESS, &old);
	for (i = 0; i < 3000; i++, h->now_ns += MSEC) {
		send_spec(h, EGRESS, &old);
		send_spec(h, EGRESS, &(struct spec){ .sport = 2000 + i, .payload = 1472 });
	}
	harness_rate(harness_class(h, 0), 1000 * MBIT, 0);
	harness_commit(h);
	h->now_ns += 10 * MSEC;
	assert_in_range(newcomers(h), 9, 10);
}

/* an agent's rate: in force for the level with the timer's next pass, however far it moves */
static void lease(struct harness *h, __u64 bps)
{
	struct weir_lease value = {
		.rate_bps = bps, .npb_rate = weir_npb(bps), .expires_ns = h->now_ns + 100 * SEC,
	};
	__u32 slot = 0;

	assert_int_equal(bpf_map_update_elem(harness_map(h, "leases"), &slot, &value, BPF_ANY), 0);
	h->now_ns += 4 * MSEC;
	send_spec(h, EGRESS, &packet);
	harness_tick(h);
}

/* policed by an agent: what is marked may go deep at a low rate, and is not silent after it */
static void a_lease(void **state)
{
	static const struct spec marked = { .payload = 1472, .ecn = WEIR_ECT0 };
	struct harness *h = *state;
	struct weir_class_stats sum;
	int n = 0, i;

	prepare(h, WEIR_POLICE);
	harness_class(h, 0)->flags |= WEIR_CLASS_FAIR | WEIR_CLASS_LEASED | WEIR_CLASS_ECN;
	harness_commit(h);
	lease(h, 1 * MBIT);
	while (send_spec(h, EGRESS, &marked) == HARNESS_PASS)
		assert_true(++n < 20000);
	harness_stats(h, 0, &sum);
	assert_true(sum.marked > 0);
	lease(h, FAST);
	for (i = 0; i < 100; i++, h->now_ns += MSEC)
		assert_int_equal(send_spec(h, EGRESS, &marked), HARNESS_PASS);
}

static void a_level(void **state)
{
	static const __u64 rates[] = { 64000, 400 * MBIT, 8000, 400000 * MBIT, 16000, 10 * MBIT };
	struct harness *h = *state;
	struct weir_class_state now;
	__u32 slot = 0;
	size_t i;

	prepare(h, WEIR_PACE);
	harness_class(h, 0)->flags |= WEIR_CLASS_FAIR | WEIR_CLASS_LEASED;
	harness_commit(h);
	for (i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		lease(h, rates[i]);
		lease(h, rates[i]);
		assert_int_equal(bpf_map_lookup_elem(harness_map(h, "class_state"), &slot, &now),
				 0);
		assert_in_range(now.level_bps, rates[i] * 9 / 10, rates[i]);
	}
}

/* two were limited by an agent's rate and have gone: a thousand others do not get their level */
static void a_level_of_others(void **state)
{
	struct harness *h = *state;
	struct weir_class_state now;
	__u64 rate = 24 * MBIT;
	__u32 slot = 0;

	prepare(h, WEIR_PACE);
	harness_class(h, 0)->flags |= WEIR_CLASS_FAIR | WEIR_CLASS_LEASED;
	harness_commit(h);
	lease(h, rate);
	assert_int_equal(bpf_map_lookup_elem(harness_map(h, "class_state"), &slot, &now), 0);
	now.tat = h->now_ns + 70 * MSEC;	/* no part of the rate is unused */
	now.limited = 2;
	now.level_bps = rate / 6;
	now.npb_level = weir_npb(now.level_bps);
	now.span_ns = 50 * MSEC;
	now.windows[now.window & 1] = (struct weir_window){
		.bytes = 2700000, .free_bytes = 2700000, .active = 1000,
	};
	assert_int_equal(bpf_map_update_elem(harness_map(h, "class_state"), &slot, &now, BPF_ANY),
			 0);
	h->now_ns += 50 * MSEC;
	lease(h, rate);
	assert_int_equal(bpf_map_lookup_elem(harness_map(h, "class_state"), &slot, &now), 0);
	assert_in_range(now.level_bps, rate / 1000 * 98 / 100, rate / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flow_rate),
		TEST(a_class_rate),
		TEST(another_class),
		TEST(no_more_than_the_bytes),
		TEST(first_packets),
		TEST(a_lease),
		TEST(a_level),
		TEST(a_level_of_others),
	};

	return RUN(tests, 0);
}
