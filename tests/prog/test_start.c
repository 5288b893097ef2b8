// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_start.c: many flows that start or leave at once in a fair class: each one's share is known
 * from the packet on that shows it, not some ticks later; requests beside them do not count; it
 * holds through the windows that follow; and who stays has the share of who leaves. A hold stops
 * all of them, and they start again.
 */
#include <bpf/bpf.h>
#include "fixture.h"

#define RATE (100 * MBIT)
#define FLOWS 64
#define FULL 1514

static struct spec flow_of(int i, int bytes)
{
	return (struct spec){ .sport = 1000 + i, .payload = bytes - 42 };
}

static struct weir_class_state state_in(struct harness *h, __u32 slot)
{
	struct weir_class_state state;

	assert_int_equal(bpf_map_lookup_elem(harness_map(h, "class_state"), &slot, &state), 0);
	return state;
}

static struct weir_class_state state_of(struct harness *h)
{
	return state_in(h, 0);
}

/* so many flows with an entry, all silent for two seconds */
static void prepare(struct harness *h, int n)
{
	struct weir_class *class = harness_class(h, 0);
	int i;

	class->action = WEIR_PACE;
	class->flags |= WEIR_CLASS_FAIR;
	class->burst_ns = 0;
	harness_device(h, EGRESS, WEIR_DEV_EDT);
	harness_rate(class, RATE, 0);
	harness_commit(h);
	for (i = 0; i < n; i++) {
		struct spec spec = flow_of(i, 100);

		harness_establish(h, EGRESS, &spec);
	}
	for (i = 0; i < 40; i++) {
		h->now_ns += 50 * MSEC;
		harness_tick(h);
	}
}

static void pass(struct harness *h, int i, int bytes)
{
	struct spec spec = flow_of(i, bytes);

	send_spec(h, EGRESS, &spec);
}

static void an_equal_share_at_once(void **state)
{
	struct harness *h = *state;
	struct weir_class_state now;
	int i, round;

	prepare(h, FLOWS);
	assert_int_equal(state_of(h).npb_level, 0);
	for (i = 0; i < FLOWS; i++)
		pass(h, i, FULL);
	/* no tick has passed */
	assert_in_range(weir_bps(state_of(h).npb_level), RATE / FLOWS, RATE / FLOWS * 101 / 100);
	for (round = 0; round < 50; round++) {
		h->now_ns += 4 * MSEC;
		for (i = 0; i < FLOWS; i++)
			pass(h, i, FULL);
		harness_tick(h);
		now = state_of(h);
		/* half of it while an excess is worked off (weir_level_damped) */
		assert_in_range(now.level_bps, RATE / FLOWS * 85 / 100, RATE / FLOWS * 115 / 100);
		assert_in_range(weir_bps(now.npb_level), RATE / FLOWS / 2,
				RATE / FLOWS * 115 / 100);
	}
	assert_int_equal(now.limited, FLOWS);
}

static void requests_do_not_count(void **state)
{
	struct harness *h = *state;
	int i;

	prepare(h, FLOWS);
	for (i = 0; i < FLOWS; i++)
		pass(h, i, 200);
	for (i = 0; i < 60; i++)
		pass(h, 0, FULL);
	for (i = 0; i < FLOWS; i++)
		pass(h, i, 200);
	assert_in_range(weir_bps(state_of(h).npb_level), RATE * 99 / 100, RATE);
}

/* as long as the class is within its rate, each may have all of it */
static void no_share_without_need(void **state)
{
	struct harness *h = *state;
	int i;

	prepare(h, FLOWS);
	for (i = 0; i < FLOWS; i++) {
		pass(h, i, FULL);
		h->now_ns += 125 * USEC;
		if (i % 32 == 31)
			harness_tick(h);
	}
	assert_in_range(weir_bps(state_of(h).npb_level), RATE * 99 / 100, RATE);
}

/*
 * Eight flows that each send nine tenths of the class's rate were counted while it was within it:
 * none is ahead of a clock that has all of it. Their share is known some ms after the excess.
 */
static void who_was_there_before_the_excess(void **state)
{
	struct harness *h = *state;
	int i;

	prepare(h, 8);
	for (i = 0; i < 8; i++)
		pass(h, i, FULL);
	h->now_ns += 4 * MSEC;
	harness_tick(h);
	assert_in_range(weir_bps(state_of(h).npb_level), RATE * 99 / 100, RATE);
	for (i = 0; i < 2 * 4 * 60; i++) {
		pass(h, i % 8, FULL);
		h->now_ns += 17 * USEC;
		if (i % 240 == 239)
			harness_tick(h);
	}
	assert_in_range(state_of(h).level_bps, RATE / 8 * 99 / 100, RATE / 8);
}

/* each of n flows offers twice its share of the rate, in steps of 4 ms; the bytes that passed */
static __u64 run(struct harness *h, int n, int ms)
{
	static __u64 owed[FLOWS];
	__u64 passed = 0;
	int i;

	for (; ms > 0; ms -= 4) {
		for (i = 0; i < n; i++)
			for (owed[i] += RATE / n / 1000; owed[i] >= FULL; owed[i] -= FULL) {
				struct spec spec = flow_of(i, FULL);

				if (send_spec(h, EGRESS, &spec) == HARNESS_PASS)
					passed += FULL;
			}
		h->now_ns += 4 * MSEC;
		harness_tick(h);
	}
	return passed;
}

/* nobody waits for the end of a window that was made for 64 */
static void who_stays_has_the_share_of_who_leaves(void **state)
{
	struct harness *h = *state;
	__u64 passed;
	int ms;

	prepare(h, FLOWS);
	harness_device(h, EGRESS, 0);
	harness_class(h, 0)->action = WEIR_PACE;
	harness_commit(h);
	run(h, FLOWS, 4000);
	assert_in_range(state_of(h).level_bps, RATE / FLOWS * 90 / 100, RATE / FLOWS * 112 / 100);
	for (ms = 0; state_of(h).level_bps < RATE / (FLOWS / 8) * 85 / 100; ms += 4) {
		assert_true(ms < 400);
		run(h, FLOWS / 8, 4);
	}
	print_message("# seven of eight have left: %d ms\n", ms);
	passed = run(h, FLOWS / 8, 1000);
	assert_in_range(passed * 8, RATE * 90 / 100, RATE * 110 / 100);
	assert_in_range(state_of(h).level_bps, RATE / (FLOWS / 8) * 85 / 100,
			RATE / (FLOWS / 8) * 112 / 100);
}

/* flows that ran without a rate are counted anew when the class gets one */
static void a_rate_that_comes_later(void **state)
{
	struct harness *h = *state;
	int i, round;

	prepare(h, FLOWS);
	harness_rate(harness_class(h, 0), 0, 0);
	harness_commit(h);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < FLOWS; i++)
			pass(h, i, FULL);
		h->now_ns += 50 * MSEC;
		harness_tick(h);
	}
	harness_rate(harness_class(h, 0), RATE, 0);
	harness_commit(h);
	for (i = 0; i < FLOWS; i++)
		pass(h, i, FULL);
	assert_in_range(weir_bps(state_of(h).npb_level), RATE / FLOWS, RATE / FLOWS * 101 / 100);
}

/* windows are numbered by class: what a flow did in one of another class is not reported here */
static void who_comes_from_another_class(void **state)
{
	struct harness *h = *state;
	struct spec spec = flow_of(0, FULL), other = flow_of(50, FULL);
	struct weir_class_state now;
	struct weir_rule *rule;
	struct weir_flow flow;
	__u32 slot = 1;
	int ms;

	prepare(h, 1);
	*harness_class(h, 1) = *harness_class(h, 0);
	rule = harness_rule(h, 1);
	rule->fields = WEIR_M_SPORT;
	rule->sport[0] = (struct weir_range){ 1050, 1050 };
	rule->n_sport = 1;
	harness_commit(h);
	harness_establish(h, EGRESS, &other);
	now = state_in(h, 1);
	now.window = state_of(h).window;	/* as those of classes that began together */
	bpf_map_update_elem(harness_map(h, "class_state"), &slot, &now, BPF_ANY);
	/* until a window has just begun */
	for (ms = 1; ms < 200 || flow.bucket.window != now.window - 1; ms++) {
		assert_true(ms < 400);
		h->now_ns += MSEC;
		pass(h, 0, FULL);
		pass(h, 50, FULL);
		assert_true(harness_flow(h, &spec, EGRESS, &flow));
		if (ms % 4 == 0)
			harness_tick(h);
		now = state_in(h, 1);
	}
	rule->sport[0].lo = 1000;
	harness_commit(h);
	pass(h, 0, FULL);
	assert_true(harness_flow(h, &spec, EGRESS, &flow));
	assert_int_equal(flow.class_slot, 1);
	assert_int_equal(state_in(h, 1).windows[now.window & 1].active, 0);
	/* but it is one of those who are there now */
	assert_int_equal(state_in(h, 1).windows[now.window & 1].now_active, 1);
}

static void lease(struct harness *h, __u64 rate_bps, __u64 hold_until)
{
	__u32 slot = 0;
	struct weir_lease lease = {
		.rate_bps = rate_bps, .npb_rate = weir_npb(rate_bps),
		.expires_ns = h->now_ns + 100 * SEC, .hold_until_ns = hold_until,
	};

	bpf_map_update_elem(harness_map(h, "leases"), &slot, &lease, BPF_ANY);
}

/*
 * For so long, six of eight send what is to leave in the next 6 ms and two what is to leave now, 8
 * packets a ms at most; until late_ms are over nobody does, then one after the other.
 */
static void eight_send(struct harness *h, __u64 *departs, int ms, int late_ms)
{
	struct frame frame;
	__u64 until;
	int i, n;

	for (; ms > 0; ms--, late_ms--) {
		for (i = 0; i < 8; i++) {
			until = i * 2 < late_ms ? 0 : h->now_ns + (i < 6 ? 6 * MSEC : 1);
			for (n = 0; n < 8 && departs[i] < until; n++) {
				struct spec spec = flow_of(i, 1066);

				frame_build(&frame, &spec);
				assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
				departs[i] = frame.skb.tstamp ?: h->now_ns;
			}
		}
		h->now_ns += MSEC;
		harness_tick(h);
	}
}

/*
 * An agent holds all eight for 100 ms, at a fifth of the rate, at any time in a window, and they
 * come again at once or by and by. Each has an eighth of the rate from then on.
 */
static void a_hold_changes_no_share(void **state)
{
	const __u64 rate = 53 * MBIT;
	struct harness *h = *state;
	int phase, late, ms;
	__u64 hold;

	for (phase = 0; phase < 40; phase += 4)
		for (late = 0; late <= 40; late += 20) {
			__u64 departs[8] = {};

			harness_reset(h);
			prepare(h, 8);
			harness_class(h, 0)->flags |= WEIR_CLASS_LEASED;
			harness_class(h, 0)->drop_at_ns = 2 * SEC;
			harness_commit(h);
			lease(h, rate, 0);
			eight_send(h, departs, 400 + phase, 0);
			hold = h->now_ns + 100 * MSEC;
			lease(h, rate / 5, hold);
			/* what is sent until the senders hear nothing more */
			for (eight_send(h, departs, 4, 0); h->now_ns < hold; h->now_ns += MSEC)
				harness_tick(h);
			for (ms = 0; ms < 500; ms += 2) {
				eight_send(h, departs, 2, late - ms);
				assert_in_range(state_of(h).level_bps * 8, rate / 5 * 98 / 100,
						rate / 5 * 102 / 100);
			}
		}
}

/*
 * Four flows that want more than their shares, and one whose packets belong to the class and to
 * another in turn: it is one of five, not one more at each turn. The other has a level, or none.
 */
static void who_is_of_two_classes_in_turn(void **state)
{
	struct harness *h = *state;
	struct weir_class_state now;
	struct weir_rule *rule;
	int fair, i, k;

	for (fair = 0; fair < 2; fair++) {
		harness_reset(h);
		harness_class(h, 1)->action = WEIR_PACE;
		if (fair) {
			h->classes[1].flags |= WEIR_CLASS_FAIR;
			harness_rate(&h->classes[1], RATE, 0);
		}
		rule = harness_rule(h, 1);
		rule->fields = WEIR_M_DSCP;
		rule->dscp = 1ULL << 46;
		prepare(h, 5);
		for (i = 0; i < 250; i++) {
			for (k = 0; k < 80; k++) {
				struct spec spec = flow_of(k % 5, FULL);

				spec.dscp = k % 5 || k / 5 % 2 ? 0 : 46;
				send_spec(h, EGRESS, &spec);
				h->now_ns += 4 * MSEC / 80;
			}
			harness_tick(h);
		}
		now = state_of(h);
		print_message("# %s: level %.1f mbit, %u active, %u limited\n",
			      fair ? "fair" : "none", now.level_bps / 1e6, now.active, now.limited);
		assert_in_range(now.level_bps, RATE / 5 * 85 / 100, RATE / 4 * 115 / 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_equal_share_at_once),
		TEST(requests_do_not_count),
		TEST(no_share_without_need),
		TEST(who_was_there_before_the_excess),
		TEST(a_rate_that_comes_later),
		TEST(who_stays_has_the_share_of_who_leaves),
		TEST(who_comes_from_another_class),
		TEST(a_hold_changes_no_share),
		TEST(who_is_of_two_classes_in_turn),
	};

	return RUN(tests, 0);
}
