// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_pace.c: departure times (EDT) where the device keeps them: exact spacing at the rate,
 * never earlier than asked, the horizon, the class's clock beside the flow's. Small packets,
 * which the AQM spares, so that nothing is left to chance.
 */
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <time.h>
#include "fixture.h"

#define PAYLOAD 158			/* 200 bytes on the wire */
#define BYTES 200

static const __u64 rates[] = {
	WEIR_RATE_MIN, 3700000, 10 * MBIT, 100 * MBIT, 1000 * MBIT, 10000 * MBIT,
};

static void pace(struct harness *h, __u64 bps, __u64 flow_bps)
{
	struct weir_class *class = harness_class(h, 0);

	class->action = WEIR_PACE;
	class->burst_ns = 0;
	class->mark_at_ns = 1000 * SEC;
	class->drop_at_ns = 2 * SEC;
	harness_rate(class, bps, flow_bps);
	harness_device(h, EGRESS, WEIR_DEV_EDT);
	harness_commit(h);
}

/* runs one packet; its departure, or 0 where none was set */
static __u64 departure(struct harness *h, const struct spec *spec, __u64 asked)
{
	struct frame frame;

	frame_build(&frame, spec);
	frame.skb.tstamp = asked;
	if (harness_run(h, EGRESS, &frame) != HARNESS_PASS)
		return ~0ULL;
	return frame.skb.tstamp;
}

static void departures_are_spaced_at_the_rate(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	size_t r, i;

	for (r = 0; r < sizeof(rates) / sizeof(*rates); r++) {
		long double gap = BYTES * 8e9L / rates[r];

		harness_reset(h);
		harness_establish(h, EGRESS, &spec);
		pace(h, 0, rates[r]);
		assert_int_equal(departure(h, &spec, 0), 0);	/* at once */
		for (i = 1; i < 8; i++) {
			__u64 want = h->now_ns + (__u64)(gap * i);
			__u64 got = departure(h, &spec, 0);

			/* each packet's time is rounded down to a ns */
			assert_in_range(got, want - i, want);
		}
	}
}

/* offered at five times the rate until the horizon: what passes leaves at the rate, in order */
static void an_overload_leaves_at_the_rate(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	__u64 last = 0, first = 0, bytes = 0, dropped = 0, at, i;

	harness_establish(h, EGRESS, &spec);
	pace(h, 0, 10 * MBIT);
	harness_class(h, 0)->drop_at_ns = 50 * MSEC;
	harness_commit(h);
	for (i = 0; i < 20000; i++) {
		h->now_ns += 32 * USEC;
		at = departure(h, &spec, 0);
		if (at == ~0ULL) {
			dropped++;
			continue;
		}
		at = at ? at : h->now_ns;
		assert_true(at >= last && at >= h->now_ns);
		assert_true(at - h->now_ns <= 50 * MSEC + 160 * USEC);
		bytes += last ? BYTES : 0;
		first = first ? first : at;
		last = at;
	}
	assert_in_range(bytes * 8000 / ((last - first) / 1000), 9990, 10010);	/* kbit/s */
	assert_int_equal(harness_count(h, 0, WEIR_R_DROP_HORIZON), dropped);
	assert_true(dropped > 10000);
}

static void a_later_departure_is_kept(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	__u64 asked = h->now_ns + SEC;

	harness_establish(h, EGRESS, &spec);
	pace(h, 0, 10 * MBIT);
	assert_int_equal(departure(h, &spec, asked), asked);
	assert_int_equal(departure(h, &spec, asked), asked);
	/* an earlier one gives way */
	assert_int_equal(departure(h, &spec, h->now_ns + 1), h->now_ns + 320 * USEC);
}

/* fq drops what would leave in 10 s: at 8 kbit that is six packets, fewer of GSO */
static void nothing_beyond_the_horizon_of_fq(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 1448, .tcp_flags = 0x11 };
	int i, gso, passed;
	__u64 at;

	for (gso = 0; gso <= 1; gso++) {
		harness_reset(h);
		spec.gso_size = gso ? 100 : 0;
		harness_establish(h, EGRESS, &spec);
		h->now_ns += 100 * SEC;
		pace(h, 0, WEIR_RATE_MIN);
		for (i = passed = 0; i < 40; i++) {
			at = departure(h, &spec, 0);
			if (at == ~0ULL)
				continue;
			assert_true(at <= h->now_ns + 10 * SEC);
			passed++;
		}
		assert_in_range(passed, gso ? 3 : 6, 6);
		assert_int_equal(harness_count(h, 0, WEIR_R_DROP_HORIZON),
				 (40 - passed) * (gso ? 15 : 1));
	}
}

/*
 * Two flows under one class: each at most at its own rate, together at the class's. A bucket that
 * is within its rate (here each flow's first packet) does not wait for the class.
 */
static void class_clock_beside_the_flows(void **state)
{
	struct harness *h = *state;
	struct spec spec[2] = {
		{ .payload = PAYLOAD, .sport = 1 }, { .payload = PAYLOAD, .sport = 2 },
	};
	__u64 at, last[2] = {}, i;

	harness_establish(h, EGRESS, &spec[0]);
	harness_establish(h, EGRESS, &spec[1]);
	pace(h, 10 * MBIT, 8 * MBIT);
	for (i = 0; i < 200; i++) {
		at = departure(h, &spec[i & 1], 0);
		if (!i) {
			assert_int_equal(at, 0);
			continue;
		}
		/* the class (not fair): a packet each 160 us, whichever flow's */
		assert_in_range(at, h->now_ns + i * 160 * USEC - i, h->now_ns + i * 160 * USEC);
		assert_true(!last[i & 1] || at - last[i & 1] >= 200 * USEC - 1);
		last[i & 1] = at;
	}
}

/* a burst passes undelayed, and only what exceeds it waits */
static void burst_passes_at_once(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	int i;

	harness_establish(h, EGRESS, &spec);
	pace(h, 0, 10 * MBIT);
	harness_class(h, 0)->burst_ns = 10 * 160 * USEC;
	harness_commit(h);
	for (i = 0; i <= 10; i++)
		assert_int_equal(departure(h, &spec, 0), 0);
	assert_int_equal(departure(h, &spec, 0), h->now_ns + 160 * USEC);
}

/* a faster rate counts at once; a debt is time and is not rescaled */
static void retune(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	__u64 first, second;

	harness_establish(h, EGRESS, &spec);
	pace(h, 0, 1 * MBIT);
	departure(h, &spec, 0);
	first = departure(h, &spec, 0);
	pace(h, 0, 100 * MBIT);
	second = departure(h, &spec, 0);
	assert_int_equal(second - first, 1600 * USEC);
	assert_int_equal(departure(h, &spec, 0) - second, 16 * USEC);
}

/* without fq below nothing is delayed: a remote sender's packets are policed instead */
static void no_departure_without_fq(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	int passed = 0;

	harness_establish(h, EGRESS, &spec);
	pace(h, 0, 1 * MBIT);
	harness_device(h, EGRESS, 0);
	harness_class(h, 0)->burst_bytes = 20 * BYTES;
	harness_commit(h);
	while (departure(h, &spec, 0) == 0)
		passed++;
	assert_int_equal(passed, 21);
	assert_int_equal(harness_count(h, 0, WEIR_R_DELAYED), 0);
}

static void delays_are_counted(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	struct weir_class_stats sum;
	struct weir_flow flow;
	__u64 hist = 0;
	int i;

	harness_establish(h, EGRESS, &spec);
	pace(h, 0, 10 * MBIT);
	for (i = 0; i < 11; i++)
		departure(h, &spec, 0);
	harness_stats(h, 0, &sum);
	assert_int_equal(sum.packets[WEIR_R_DELAYED], 10);
	assert_int_equal(sum.delayed, 10);
	assert_int_equal(sum.delay_ns, 55 * 160 * USEC);
	for (i = 0; i < WEIR_HIST; i++)
		hist += sum.delay_hist[i];
	assert_int_equal(hist, 11);
	assert_true(harness_flow(h, &spec, EGRESS, &flow));
	assert_int_equal(flow.delayed, 10);
	assert_int_equal(flow.delay_ns, 55 * 160 * USEC);
}

/* a packet that the AQM drops has waited for nothing: the delays are those of what passed */
static void early_drops_are_no_delays(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 1458 };
	__u64 delayed = 0, delay_ns = 0, hist = 0, at;
	struct weir_class_stats sum;
	struct weir_flow flow;
	int i;

	harness_establish(h, EGRESS, &spec);
	pace(h, 0, 10 * MBIT);
	harness_class(h, 0)->drop_at_ns = 200 * MSEC;
	harness_commit(h);
	for (i = 0; i < 5000; i++) {
		h->now_ns += 1000 * USEC;
		at = departure(h, &spec, 0);
		if (at == ~0ULL || at <= h->now_ns)
			continue;
		delayed++;
		delay_ns += at - h->now_ns;
	}
	harness_stats(h, 0, &sum);
	assert_true(sum.packets[WEIR_R_DROP_AQM] > 100);
	assert_int_equal(sum.delayed, delayed);
	assert_int_equal(sum.delay_ns, delay_ns);
	for (i = 1; i < WEIR_HIST; i++)
		hist += sum.delay_hist[i];
	assert_int_equal(hist, delayed);
	assert_true(harness_flow(h, &spec, EGRESS, &flow));
	assert_int_equal(flow.delayed, delayed);
	assert_int_equal(flow.delay_ns, delay_ns);
}

/* TCP goes on for two packets, then sends again what was dropped: that is no early drop, too */
static void a_retransmission_waits(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 1446 };
	__u32 next = 1000, lost = 0;
	int i, after;

	harness_establish(h, EGRESS, &spec);
	pace(h, 0, 10 * MBIT);
	harness_class(h, 0)->drop_at_ns = 200 * MSEC;
	harness_commit(h);
	for (i = 0; i < 5000; i++) {
		h->now_ns += 1100 * USEC;	/* each is 1.2 ms */
		spec.seq = next;
		next += 1446;
		if (send_spec(h, EGRESS, &spec) == HARNESS_PASS)
			continue;
		for (after = 0; after < 2; after++, next += 1446) {
			spec.seq = next;
			send_spec(h, EGRESS, &spec);
		}
		spec.seq = next - 3 * 1446;
		assert_int_equal(send_spec(h, EGRESS, &spec), HARNESS_PASS);
		h->now_ns += 3 * 1100 * USEC;
		lost++;
	}
	assert_in_range(lost, 100, 1000);
}

/* SO_TXTIME asks by a stamp without a type before kernel 6.11, as here; arrivals have such, too */
static void one_without_a_type_is_kept_where_it_leaves(void **state)
{
	static const enum weir_hook hooks[] = { EGRESS, INGRESS };
	struct harness *h = harness_new(HARNESS_REAL_CLOCK);
	const __u64 realtime = 1700000000 * SEC;
	struct spec spec = { .payload = PAYLOAD };
	struct frame frame;
	struct timespec ts;
	__u64 asked;

	assert_non_null(h);
	pace(h, 0, 100000);		/* 16 ms for each packet */
	harness_device(h, INGRESS, WEIR_DEV_EDT);
	for (int i = 0; i < 2; i++) {
		harness_establish(h, hooks[i], &spec);
		harness_establish(h, hooks[i], &spec);
		clock_gettime(CLOCK_MONOTONIC, &ts);
		asked = ts.tv_sec * SEC + 5 * SEC;
		frame_build(&frame, &spec);
		frame.skb.tstamp = asked;
		assert_int_equal(harness_run(h, hooks[i], &frame), HARNESS_PASS);
		if (hooks[i] == EGRESS)
			assert_int_equal(frame.skb.tstamp, asked);
		else
			assert_true(frame.skb.tstamp < asked);
		/* another clock's: the kernel would not keep it */
		frame_build(&frame, &spec);
		frame.skb.tstamp = realtime;
		assert_int_equal(harness_run(h, hooks[i], &frame), HARNESS_PASS);
		assert_true(frame.skb.tstamp < asked);
	}
	harness_free(h);
}

static void local_flow(struct harness *h, int i)
{
	struct spec spec = { .proto = IPPROTO_TCP, .sport = 1000 + i, .payload = 1400 };
	struct weir_flow_key key;
	struct weir_flow flow;

	harness_establish(h, EGRESS, &spec);
	frame_key(&spec, EGRESS, &key);
	assert_true(harness_flow(h, &spec, EGRESS, &flow));
	flow.flags |= WEIR_FLOW_LOCAL | WEIR_FLOW_ACTUATED;
	assert_int_equal(bpf_map_update_elem(harness_map(h, "flows"), &key, &flow, BPF_EXIST), 0);
}

/* eight local flows of a class whose rate an agent moves; what it has set holds until told anew */
static void local_flows(struct harness *h)
{
	struct weir_control control;
	__u32 zero = 0;

	pace(h, 0, 0);
	harness_class(h, 0)->flags |= WEIR_CLASS_LEASED | WEIR_CLASS_FAIR | WEIR_CLASS_SOCKET;
	harness_class(h, 0)->drop_at_ns = 200 * MSEC;
	harness_device(h, EGRESS, 0);
	harness_commit(h);
	assert_int_equal(bpf_map_lookup_elem(harness_map(h, "control"), &zero, &control), 0);
	control.can |= WEIR_CAN_SOCKET;
	bpf_map_update_elem(harness_map(h, "control"), &zero, &control, BPF_ANY);
	for (int i = 0; i < 8; i++)
		local_flow(h, i);
	harness_tick(h);
}

static void lease(struct harness *h, __u64 rate_bps)
{
	struct weir_lease lease = { .rate_bps = rate_bps, .npb_rate = weir_npb(rate_bps),
				    .expires_ns = h->now_ns + 1000 * SEC };
	__u32 zero = 0;

	bpf_map_update_elem(harness_map(h, "leases"), &zero, &lease, BPF_ANY);
}

/* so many packets of the eight in turn, with so much between two and a tick each 4 ms: all pass */
static void all_pass(struct harness *h, int packets, __u64 gap_ns)
{
	static __u32 seq;
	__u64 tick_at = h->now_ns + 4 * MSEC;

	for (int i = 0; i < packets; i++) {
		struct spec spec = { .proto = IPPROTO_TCP, .sport = 1000 + i % 8, .payload = 1400,
				     .seq = seq / 8 * 1400 };

		assert_int_equal(send_spec(h, EGRESS, &spec), HARNESS_PASS);
		seq++;
		h->now_ns += gap_ns;
		if (h->now_ns >= tick_at) {
			harness_tick(h);
			tick_at = h->now_ns + 4 * MSEC;
		}
	}
}

/*
 * Sockets without a rate, at 4 gbit between them, whose class gets its first one from an agent.
 * They go on by none until they know of it, for some ticks of the timer: nothing is refused.
 */
static void a_first_rate_spares_what_is_sent(void **state)
{
	struct harness *h = *state;

	local_flows(h);
	lease(h, 45 * MBIT);
	all_pass(h, 4000, 3 * USEC);
}

/*
 * Likewise where the rate they follow is cut, however deep and wherever the timer is: until each
 * has met the new one and been answered, it goes on by the old one.
 */
static void a_deep_cut_spares_what_is_sent(void **state)
{
	struct harness *h = *state;

	local_flows(h);
	for (int i = 0; i < 40; i++) {
		lease(h, 1000 * MBIT);
		all_pass(h, 20000, 12 * USEC);
		lease(h, 10 * MBIT);
		all_pass(h, 800 + 8 * i, 12 * USEC);
		all_pass(h, 800, 2 * MSEC);
	}
}

/*
 * Of what a low rate has made its buckets owe, nothing tells of the next one, which comes when it
 * has expired: none of them is ahead of its clock, but all of them together are of the class's.
 */
static void a_rate_that_has_expired_is_forgotten(void **state)
{
	struct harness *h = *state;

	local_flows(h);
	lease(h, 3 * MBIT);
	all_pass(h, 500, 2 * MSEC);
	lease(h, 0);
	all_pass(h, 200, 2 * MSEC);
	lease(h, 27 * MBIT);
	all_pass(h, 220, 54 * USEC);
	lease(h, 12 * MBIT);
	all_pass(h, 1000, 120 * USEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(departures_are_spaced_at_the_rate),
		TEST(an_overload_leaves_at_the_rate),
		TEST(nothing_beyond_the_horizon_of_fq),
		TEST(a_later_departure_is_kept),
		TEST(one_without_a_type_is_kept_where_it_leaves),
		TEST(a_first_rate_spares_what_is_sent),
		TEST(a_deep_cut_spares_what_is_sent),
		TEST(a_rate_that_has_expired_is_forgotten),
		TEST(class_clock_beside_the_flows),
		TEST(burst_passes_at_once),
		TEST(retune),
		TEST(no_departure_without_fq),
		TEST(delays_are_counted),
		TEST(early_drops_are_no_delays),
		TEST(a_retransmission_waits),
	};

	return RUN(tests, 0);
}
