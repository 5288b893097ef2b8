// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_lease.c: a rate that an agent has set counts until the very ns at which its lease ends, then
 * the configured one does, with nobody's help; and `observe`, class by class: what pace or police
 * would have done is counted, to the packet, while the packets stay as they were.
 */
#include <bpf/bpf.h>
#include "fixture.h"

static void lease_put(struct harness *h, __u64 rate_bps, __u64 expires_ns, __u64 hold_until)
{
	struct weir_lease value = {
		.rate_bps = rate_bps, .npb_rate = weir_npb(rate_bps),
		.expires_ns = expires_ns, .hold_until_ns = hold_until,
	};
	__u32 slot = 0;

	assert_int_equal(bpf_map_update_elem(harness_map(h, "leases"), &slot, &value, BPF_ANY), 0);
}

static void lease(struct harness *h, __u64 rate_bps, __u64 expires_ns)
{
	lease_put(h, rate_bps, expires_ns, 0);
}

/* nothing that waits leaves before hold_until */
static void lease_hold(struct harness *h, __u64 rate_bps, __u64 hold_until)
{
	lease_put(h, rate_bps, h->now_ns + 100 * SEC, hold_until);
}

static struct weir_class_state state_of(struct harness *h, __u32 slot)
{
	struct weir_class_state state;

	assert_int_equal(bpf_map_lookup_elem(harness_map(h, "class_state"), &slot, &state), 0);
	return state;
}

static __u64 level_bps(struct harness *h, __u32 slot)
{
	return state_of(h, slot).level_bps;
}

/* how long the second of two packets of 1000 bytes waits: a packet's time at the rate in force */
static __u64 gap_at(struct harness *h, __u64 now)
{
	struct spec spec = { .payload = 958 };
	struct frame frame;

	h->now_ns = now;
	assert_int_equal(send_spec(h, EGRESS, &spec), HARNESS_PASS);
	frame_build(&frame, &spec);
	assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
	return frame.skb.tstamp - now;
}

static void paced_class(struct harness *h, bool fair)
{
	struct weir_class *class = harness_class(h, 0);

	class->action = WEIR_PACE;
	class->burst_ns = 0;
	class->drop_at_ns = 10 * SEC;
	class->flags |= WEIR_CLASS_LEASED | (fair ? WEIR_CLASS_FAIR : 0);
	harness_rate(class, 8 * MBIT, 0);
	harness_device(h, EGRESS, WEIR_DEV_EDT);
	harness_commit(h);
	harness_establish(h, EGRESS, &(struct spec){ .payload = 958 });
}

/* the same with flows 1 to n, and a level where it is fair */
static void paced_flows(struct harness *h, bool fair, __u64 drop_at_ns, int n)
{
	int flow;

	paced_class(h, fair);
	harness_class(h, 0)->drop_at_ns = drop_at_ns;
	harness_commit(h);
	for (flow = 1; flow <= n; flow++)
		harness_establish(h, EGRESS, &(struct spec){ .sport = flow, .payload = 958 });
	h->now_ns += 50 * MSEC;
	if (fair)
		harness_tick(h);
}

static void a_lease_ends_at_its_ns(void **state)
{
	struct harness *h = *state;
	__u64 end = h->now_ns + 10 * SEC;

	paced_class(h, false);
	lease(h, 1 * MBIT, end);
	assert_int_equal(gap_at(h, end - SEC), 8 * MSEC);
	assert_int_equal(gap_at(h, end - 1), 8 * MSEC);
	/* past what the two before owe, or the debt would tell */
	lease(h, 1 * MBIT, end + SEC);
	assert_int_equal(gap_at(h, end + SEC), 1 * MSEC);
	lease(h, 80 * MBIT, end + 3 * SEC);
	assert_int_equal(gap_at(h, end + 2 * SEC), 100 * USEC);
	lease(h, 80 * MBIT, end + 3 * SEC + 1);
	assert_int_equal(gap_at(h, end + 3 * SEC), 100 * USEC);
	assert_int_equal(gap_at(h, end + 3 * SEC + 100 * MSEC), 1 * MSEC);
	/* one that says no rate is none; a class that takes no lease looks at none */
	lease(h, 0, end + 100 * SEC);
	assert_int_equal(gap_at(h, end + 4 * SEC), 1 * MSEC);
	lease(h, 80 * MBIT, end + 100 * SEC);
	harness_class(h, 0)->flags &= ~WEIR_CLASS_LEASED;
	harness_commit(h);
	assert_int_equal(gap_at(h, end + 5 * SEC), 1 * MSEC);
}

/* when a rate was cut is known of every class that an agent moves: sockets have time from then */
static void a_cut_is_noted(void **state)
{
	struct harness *h = *state;
	__u64 cut;
	int fair;

	for (fair = 0; fair < 2; fair++) {
		harness_reset(h);
		paced_class(h, fair);
		lease(h, 8 * MBIT, h->now_ns + 100 * SEC);
		harness_tick(h);
		h->now_ns += 20 * MSEC;
		harness_establish(h, EGRESS, &(struct spec){ .payload = 958 });
		lease(h, 4 * MBIT, h->now_ns + 100 * SEC);
		harness_tick(h);
		cut = h->now_ns;
		assert_int_equal(state_of(h, 0).cut_at, cut);
		h->now_ns += 20 * MSEC;
		lease(h, 3500000, h->now_ns + 100 * SEC);
		harness_tick(h);
		assert_int_equal(state_of(h, 0).cut_at, cut);
		assert_int_equal(state_of(h, 0).rate_bps, 3500000);
	}
}

/* when a packet of that flow leaves; now: at once */
static __u64 departure(struct harness *h, int sport, __u32 payload)
{
	struct spec spec = { .sport = sport, .payload = payload };
	struct frame frame;

	frame_build(&frame, &spec);
	assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
	return frame.skb.tstamp ? frame.skb.tstamp : h->now_ns;
}

/*
 * A hold: nothing but small packets leaves before its end, what waits for it goes within a packet's
 * time at the flow's rate and in order, nothing is dropped; past its end all is as before.
 */
static void a_hold_lets_nothing_through(void **state)
{
	struct harness *h = *state;
	__u64 end, at, before, packet = 8 * MSEC;
	int flow, i;

	paced_flows(h, true, 40 * MSEC, 8);
	h->now_ns += SEC;
	end = h->now_ns + 100 * MSEC;
	lease_hold(h, 8 * MBIT, end);
	assert_int_equal(departure(h, 1000, 20), h->now_ns);
	for (flow = 1; flow <= 8; flow++)
		for (i = 0, before = 0; i < 3; i++, before = at) {
			at = departure(h, flow, 958);
			assert_in_range(at, end, end + 3 * 8 * MSEC + packet);
			assert_true(at >= before);
			assert_true(i || at <= end + packet);
		}
	/* void past its end, and nowhere else than where departures are kept */
	lease_hold(h, 8 * MBIT, h->now_ns);
	h->now_ns += 300 * MSEC;
	assert_int_equal(departure(h, 1, 958), h->now_ns);
	lease_hold(h, 8 * MBIT, h->now_ns + 100 * MSEC);
	harness_device(h, EGRESS, 0);
	harness_commit(h);
	h->now_ns += 20 * MSEC;
	assert_int_equal(departure(h, 1000, 958), h->now_ns);
	harness_device(h, EGRESS, WEIR_DEV_EDT);
}

static void no_hold_goes_beyond_the_horizon(void **state)
{
	struct spec spec = { .payload = 958 };
	struct weir_class_state now;
	struct harness *h = *state;
	struct frame frame;
	__u32 slot = 0;
	int i;

	paced_class(h, true);
	for (i = 0; i < 20; i++) {
		h->now_ns += 100 * SEC;
		now = state_of(h, slot);
		now.npb_level = weir_npb(1000);	/* a packet is 12 s */
		bpf_map_update_elem(harness_map(h, "class_state"), &slot, &now, BPF_ANY);
		lease_hold(h, WEIR_RATE_MIN, h->now_ns + 80 * MSEC);
		frame_build(&frame, &spec);
		assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
		assert_in_range(frame.skb.tstamp, h->now_ns + 80 * MSEC, h->now_ns + 9 * SEC);
	}
}

/*
 * What belongs to one flow leaves in the order in which it came: what is too small to be held, and
 * what comes after the hold was cut short. Where no bucket has a clock, nothing is held.
 */
static void a_hold_keeps_the_order(void **state)
{
	struct harness *h = *state;
	__u64 start, before, at;
	int fair, i;

	for (fair = 0; fair <= 1; fair++) {
		harness_reset(h);
		harness_class(h, 0)->mark_at_ns = 10 * MSEC;
		paced_flows(h, fair, 200 * MSEC, 1);
		h->now_ns += SEC;
		start = h->now_ns;
		for (i = 0, before = 0; i < 8; i++, before = at) {
			lease_hold(h, 8 * MBIT, start + (i < 4 ? 100 : 20) * MSEC);
			at = departure(h, 1, i % 2 ? 20 : 958);
			assert_true(at >= before);
			if (!fair)
				assert_in_range(at, start, start + 8 * MSEC);
			h->now_ns += MSEC;
		}
	}
}

/* a hold that ends early leaves departures that stand: no law takes them for a queue */
static void what_a_hold_leaves_is_no_queue(void **state)
{
	struct harness *h = *state;
	struct weir_class_stats sum;
	struct frame frame;
	int ecn, i;

	for (ecn = 0; ecn < 4; ecn += 2) {
		harness_reset(h);
		harness_class(h, 0)->mark_at_ns = 10 * MSEC;
		paced_flows(h, true, 200 * MSEC, 1);
		h->now_ns += SEC;
		for (i = 0; i < 40; i++) {
			lease_hold(h, 8 * MBIT, i < 20 ? h->now_ns + 240 * MSEC : 0);
			frame_build(&frame, &(struct spec){ .sport = 1, .payload = 958,
							    .ecn = ecn });
			assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
			h->now_ns += (i < 20 ? 1 : 5) * MSEC + 100 * USEC;
		}
		harness_stats(h, 0, &sum);
		assert_int_equal(sum.marked, 0);
		assert_int_equal(sum.packets[WEIR_R_DELAYED], 40);
	}
}

/*
 * A flow that sends little is held, too, and is not limited for that: after a hold, one that takes
 * what 49 such leave has as much as before.
 */
static void a_hold_limits_nobody(void **state)
{
	struct harness *h = *state;
	__u64 start, hold;
	int flow, ms;

	paced_flows(h, true, 200 * MSEC, 50);
	start = h->now_ns;
	hold = start + 1100 * MSEC;
	for (ms = 0; ms < 1300; ms++) {
		h->now_ns = start + ms * MSEC;
		lease_hold(h, 80 * MBIT, ms >= 1000 && h->now_ns < hold ? hold : 0);
		send_spec(h, EGRESS, &(struct spec){ .sport = 2 + ms % 49, .payload = 958 });
		for (flow = 0; flow < 9; flow++)
			send_spec(h, EGRESS, &(struct spec){ .sport = 1, .payload = 958 });
		if (!(ms % 4))
			harness_tick(h);
		if (ms > 500)
			assert_in_range(level_bps(h, 0), 60 * MBIT, 80 * MBIT);
	}
}

/* the level is a share of the rate in force, from the timer's next pass on */
static void the_level_follows_a_lease(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 958 };
	__u64 start, at, end;

	paced_class(h, true);
	start = h->now_ns;
	end = start + 2 * SEC;
	lease(h, 1 * MBIT, end);
	for (at = start; at < start + 4 * SEC; at += 4 * MSEC) {
		h->now_ns = at;
		send_spec(h, EGRESS, &spec);
		harness_tick(h);
		if (at > start + 4 * MSEC && at < end)
			assert_in_range(level_bps(h, 0), 1, 1 * MBIT);
		else if (at > end + SEC)
			assert_in_range(level_bps(h, 0), 7 * MBIT, 8 * MBIT);
	}
}

/* eight flows of 1.5 mbit each through 8 mbit, and one of 80 kbit; the sum of what waits */
static __u64 nine_flows(struct harness *h)
{
	__u64 waits = 0;
	int ms, flow;

	for (ms = 0; ms < 2000; ms += 4) {
		for (flow = 1; flow <= 9; flow++) {
			struct spec spec = { .sport = flow, .payload = 958 };
			struct frame frame;

			if (flow == 9 ? ms % 100 : ms * flow % 16 >= 12)
				continue;
			frame_build(&frame, &spec);
			if (harness_run(h, EGRESS, &frame) == HARNESS_PASS && frame.skb.tstamp)
				waits += frame.skb.tstamp - h->now_ns;
		}
		h->now_ns += 4 * MSEC;
		harness_tick(h);
	}
	return waits;
}

/* a class without a rate of its own has its maximum while there is no agent, as if it were that */
static void a_maximum_is_a_rate(void **state)
{
	struct weir_class_stats stats[2];
	struct harness *h = *state;
	__u64 waits[2], level[2];
	int i;

	for (i = 0; i < 2; i++) {
		harness_reset(h);
		paced_flows(h, true, 200 * MSEC, 9);
		harness_class(h, 0)->max_bps = 8 * MBIT;
		if (i)
			harness_class(h, 0)->rate_bps = 0;
		harness_commit(h);
		waits[i] = nine_flows(h);
		level[i] = level_bps(h, 0);
		harness_stats(h, 0, &stats[i]);
	}
	assert_true(waits[0] > SEC);
	assert_int_equal(waits[1], waits[0]);
	assert_int_equal(level[1], level[0]);
	assert_memory_equal(&stats[1], &stats[0], sizeof(stats[0]));
}

/* of 1000 packets of 1000 bytes, one each 100 us: how many pass */
static int pass_of_flood(struct harness *h)
{
	struct spec spec = { .payload = 958 };
	int i, passed = 0;

	for (i = 0; i < 1000; i++) {
		h->now_ns += 100 * USEC;
		passed += send_spec(h, EGRESS, &spec) == HARNESS_PASS;
	}
	return passed;
}

/*
 * What can be neither paced nor delayed: at once passes what the consumer takes in the target, and
 * each rate is in force from its first ns on, whatever the one before.
 */
static void a_flood_gets_each_rate(void **state)
{
	struct harness *h = *state;
	int i;

	paced_class(h, false);
	harness_class(h, 0)->set |= WEIR_SET_TARGET_TIME;
	harness_class(h, 0)->target = 10 * MSEC;
	harness_device(h, EGRESS, 0);
	harness_commit(h);
	harness_establish(h, EGRESS, &(struct spec){ .payload = 958 });
	h->now_ns += SEC;
	lease(h, 8 * MBIT, h->now_ns + 10 * SEC);
	assert_in_range(pass_of_flood(h), 109, 112);
	for (i = 0; i < 3; i++) {
		lease(h, 40 * MBIT, h->now_ns + 10 * SEC);
		assert_in_range(pass_of_flood(h), 498, 502);
		lease(h, 8 * MBIT, h->now_ns + 10 * SEC);
		assert_in_range(pass_of_flood(h), 98, 102);
	}
}

/* the same packets through classes that differ in their action alone */
static void same_load(struct harness *h, enum weir_action action, __u32 device,
		      struct weir_class_stats *ret_sum, int *ret_touched)
{
	struct weir_class *class;
	struct frame frame, before;
	struct spec spec;
	__u64 seed = 1;
	int i;

	harness_reset(h);
	class = harness_class(h, 1);
	class->action = action;
	class->drop_at_ns = 50 * MSEC;
	class->burst_ns = action == WEIR_POLICE ? 10 * MSEC : 0;
	harness_rule(h, 1);
	harness_device(h, EGRESS, device);
	for (i = 0; i < 16; i++)
		harness_establish(h, EGRESS, &(struct spec){ .sport = 1 + i % 4, .payload = 1,
							     .proto = i & 8 ? IPPROTO_TCP : 0 });
	harness_rate(class, 20 * MBIT, 8 * MBIT);
	harness_commit(h);
	*ret_touched = 0;
	for (i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		spec = (struct spec){ .sport = 1 + (seed >> 33) % 4, .ecn = (seed >> 40) % 4,
				      .payload = (seed >> 45) % 1400,
				      .proto = (seed >> 60) & 1 ? IPPROTO_TCP : 0 };
		h->now_ns += (seed >> 50) % (300 * USEC);
		frame_build(&frame, &spec);
		frame.skb.tstamp = h->now_ns - 1;
		before = frame;
		if (harness_run(h, EGRESS, &frame) != HARNESS_PASS ||
		    frame.len != before.len || memcmp(frame.data, before.data, before.len) ||
		    frame.skb.tstamp != before.skb.tstamp || frame.skb.mark != before.skb.mark)
			++*ret_touched;
	}
	harness_stats(h, 1, ret_sum);
}

/* observe computes what pace would do, and counts it to the packet */
static void observe_counts_what_pace_does(void **state)
{
	static const __u32 devices[] = { 0, WEIR_DEV_EDT };
	struct weir_class_stats paced, observed;
	int touched, i;

	for (i = 0; i < 2; i++) {
		same_load(*state, WEIR_PACE, devices[i], &paced, &touched);
		assert_true(touched > 1000);
		same_load(*state, WEIR_OBSERVE, devices[i], &observed, &touched);
		assert_int_equal(touched, 0);
		assert_memory_equal(observed.packets, paced.packets, sizeof(paced.packets));
		assert_memory_equal(observed.bytes, paced.bytes, sizeof(paced.bytes));
		assert_int_equal(observed.marked, paced.marked);
		assert_int_equal(observed.delayed, paced.delayed);
		assert_int_equal(observed.delay_ns, paced.delay_ns);
	}
}

/* a class that acts beside one that observes */
static void observe_is_a_matter_of_one_class(void **state)
{
	struct harness *h = *state;
	struct weir_rule *rule;
	int i, dropped[3] = {};

	for (i = 1; i <= 2; i++) {
		harness_rate(harness_class(h, i), 0, 1 * MBIT);
		rule = harness_rule(h, i);
		rule->fields = WEIR_M_DPORT;
		rule->dport[0] = (struct weir_range){ i, i };
		rule->n_dport = 1;
	}
	harness_class(h, 1)->action = WEIR_OBSERVE;
	harness_commit(h);
	for (i = 0; i < 400; i++) {
		struct spec spec = { .payload = 958, .dport = 1 + i % 2 };

		dropped[1 + i % 2] += send_spec(h, EGRESS, &spec) == HARNESS_DROP;
	}
	assert_int_equal(dropped[1], 0);
	assert_true(dropped[2] > 150);
	assert_int_equal(harness_count(h, 1, WEIR_R_DROP_RATE),
			 harness_count(h, 2, WEIR_R_DROP_RATE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lease_ends_at_its_ns),
		TEST(a_cut_is_noted),
		TEST(a_hold_lets_nothing_through),
		TEST(no_hold_goes_beyond_the_horizon),
		TEST(a_hold_keeps_the_order),
		TEST(what_a_hold_leaves_is_no_queue),
		TEST(a_hold_limits_nobody),
		TEST(the_level_follows_a_lease),
		TEST(a_maximum_is_a_rate),
		TEST(a_flood_gets_each_rate),
		TEST(observe_counts_what_pace_does),
		TEST(observe_is_a_matter_of_one_class),
	};

	return RUN(tests, 0);
}
