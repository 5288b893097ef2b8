// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_police.c: what passes and what is dropped, against an independent model: a bucket of bytes
 * that leaks in real numbers (the program keeps a virtual clock in integers). Random packets at
 * random times, in virtual time.
 */
#include <math.h>
#include <pthread.h>
#include "fixture.h"

struct model {
	long double level;		/* bytes */
	long double rate;		/* bytes per ns */
	long double depth;		/* bytes */
	__u64 at_ns;
	unsigned int busy;		/* packets since it was last empty */
};

static struct model model(__u64 bps, __u64 burst_ns, __u64 now)
{
	struct model m = { .rate = bps / 8e9L, .at_ns = now };

	m.depth = m.rate * burst_ns;
	return m;
}

static void model_leak(struct model *m, __u64 now)
{
	m->level -= m->rate * (now - m->at_ns);
	m->at_ns = now;
	if (m->level < 0) {
		m->level = 0;
		m->busy = 0;
	}
}

/* the program rounds each packet down to a ns: so far apart may the two be */
static bool model_is_close(const struct model *m)
{
	return fabsl(m->level - m->depth) <= 2 + m->rate * (m->busy + 2);
}

/* one packet; asserts that program and model agree, returns whether it passed */
static bool step(struct harness *h, struct model *m, const struct spec *spec, __u32 bytes)
{
	bool want = m->level <= m->depth;
	bool pass = send_spec(h, EGRESS, spec) == HARNESS_PASS;

	if (pass != want && !model_is_close(m))
		fail_msg("at %llu ns: level %.3Lf of %.3Lf bytes, but %s", h->now_ns, m->level,
			 m->depth, pass ? "passed" : "dropped");
	if (pass) {
		m->level += bytes;
		m->busy++;
	}
	return pass;
}

/* load: offered bytes per byte of the rate, in percent */
static void compare(struct harness *h, __u64 bps, unsigned int load, unsigned int packets)
{
	struct spec spec = { .payload = 18 };
	__u64 passed = 0, offered = 0, start, limit, i;
	struct model m;

	harness_reset(h);
	harness_rate(harness_class(h, 0), 0, bps);
	harness_commit(h);
	harness_establish(h, EGRESS, &spec);
	h->now_ns += 10 * SEC * (8000000000ULL / bps + 1);
	start = h->now_ns;
	m = model(bps, harness_class(h, 0)->burst_ns, h->now_ns);
	for (i = 0; i < packets; i++) {
		__u32 bytes = 60 + random_u32() % 1455;

		spec.payload = bytes - 42;
		model_leak(&m, h->now_ns);
		offered += bytes;
		if (step(h, &m, &spec, bytes))
			passed += bytes;
		/* mean gap of a packet at the load, doubled or nothing */
		h->now_ns += (random_u32() % 2000) * (__u64)(bytes / m.rate) / 1000 * 100 / load;
	}
	limit = m.rate * (h->now_ns - start) + m.depth + 1514;
	assert_true(passed <= limit);
	if (load < 50 && m.depth > 10 * 1514)
		assert_int_equal(passed, offered);
	if (load >= 150 && m.depth > 10 * 1514)
		assert_true(passed >= m.rate * (h->now_ns - start) * 0.98L);
}

static void agrees_with_the_model(void **state)
{
	static const __u64 rates[] = {
		WEIR_RATE_MIN, 12345, 1 * MBIT, 3700000, 100 * MBIT, 999999937, 10000 * MBIT,
		WEIR_RATE_MAX,
	};
	size_t i;

	for (i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		compare(*state, rates[i], 30, 1000);
		compare(*state, rates[i], 100, 2000);
		compare(*state, rates[i], 500, 5000);
	}
}

/* `burst` as a size: exactly so many bytes and one packet at once */
static void burst_in_bytes(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 958 };
	int passed = 0;

	harness_establish(h, EGRESS, &spec);
	harness_rate(harness_class(h, 0), 0, 10 * MBIT);
	harness_class(h, 0)->burst_bytes = 100000;
	harness_commit(h);
	while (send_spec(h, EGRESS, &spec) == HARNESS_PASS)
		passed++;
	assert_int_equal(passed, 100 + 1);
}

/* the class's rate holds for all its flows together, whatever each of them may */
static void class_rate_holds_for_all_flows(void **state)
{
	struct harness *h = *state;
	struct weir_class_stats sum;
	__u64 start, bytes = 0, i;
	int reason;

	harness_rate(harness_class(h, 0), 10 * MBIT, 5 * MBIT);
	harness_commit(h);
	for (i = 0; i < 8; i++)
		harness_establish(h, EGRESS, &(struct spec){ .payload = 958, .sport = 100 + i });
	h->now_ns += SEC;
	start = h->now_ns;
	/* each of 8 flows offers 10 Mbit/s */
	for (i = 0; i < 8 * 2500; i++) {
		struct spec spec = { .payload = 958, .sport = 100 + i % 8 };

		h->now_ns = start + i * 100 * USEC;
		if (send_spec(h, EGRESS, &spec) == HARNESS_PASS)
			bytes += 1000;
	}
	/* 2 s at 10 Mbit/s, a burst of 10 ms, and twice that for a flow within its own rate */
	assert_in_range(bytes, 2475000, 2500000 + 2 * 12500 + 1000);
	harness_stats(h, 0, &sum);
	assert_true(sum.packets[WEIR_R_DROP_CLASS] > 0);
	for (reason = 0, bytes = 0; reason < WEIR_R_COUNT; reason++)
		bytes += sum.packets[reason];
	assert_true(bytes >= 8 * 2500);
}

/* a packet that the class refuses costs its own bucket nothing */
static void refused_by_the_class_is_not_charged(void **state)
{
	struct harness *h = *state;
	struct spec hog = { .payload = 958, .sport = 1 }, small = { .payload = 958, .sport = 2 };
	struct weir_flow before, after;
	__u64 i;

	harness_establish(h, EGRESS, &hog);
	harness_establish(h, EGRESS, &small);
	harness_rate(harness_class(h, 0), 1 * MBIT, 100 * MBIT);
	harness_commit(h);
	for (i = 0; i < 100; i++)
		send_spec(h, EGRESS, &hog);
	/* the first may pass: a bucket within its rate goes deeper at the class's clock */
	while (send_spec(h, EGRESS, &small) == HARNESS_PASS)
		;
	assert_true(harness_flow(h, &small, EGRESS, &before));
	assert_int_equal(before.last_reason, WEIR_R_DROP_CLASS);
	for (i = 0; i < 100; i++)
		assert_int_equal(send_spec(h, EGRESS, &small), HARNESS_DROP);
	assert_true(harness_flow(h, &small, EGRESS, &after));
	assert_int_equal(after.bucket.tat, before.bucket.tat);
	assert_int_equal(after.dropped - before.dropped, 100);
}

/* SYN, FIN, RST and pure ACK still pass when everything else is dropped */
static void control_packets_are_dropped_last(void **state)
{
	static const __u8 flags[] = { 0x02, 0x12, 0x11, 0x04, 0x10 };
	struct harness *h = *state;
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 946 };
	size_t i;

	harness_establish(h, EGRESS, &spec);
	harness_rate(harness_class(h, 0), 0, 1 * MBIT);
	harness_commit(h);
	while (send_spec(h, EGRESS, &spec) == HARNESS_PASS)
		;
	for (i = 0; i < sizeof(flags); i++) {
		struct spec control = { .proto = IPPROTO_TCP, .tcp_flags = flags[i] };

		assert_int_equal(send_spec(h, EGRESS, &control), HARNESS_PASS);
		assert_int_equal(send_spec(h, EGRESS, &spec), HARNESS_DROP);
	}
	assert_true(harness_count(h, 0, WEIR_R_SPARED) > 0);
}

/* a class of 8 mbit that learns its depth: a packet of 1000 bytes is 1 ms */
static void police_learning(struct harness *h, const struct spec *spec, __u64 burst_ns)
{
	harness_establish(h, EGRESS, spec);
	harness_rate(harness_class(h, 0), 0, 8 * MBIT);
	harness_class(h, 0)->burst_ns = burst_ns;
	harness_commit(h);
	h->now_ns += SEC;
}

/* 5 % too fast: above 16 full packets (24 ms) one packet alone for each 5 ms and more of debt */
static void a_rise_costs_one_packet(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 958 };
	int i, first = 0, last = -2, dropped = 0;

	police_learning(h, &spec, 0);
	for (i = 0; i < 900; i++) {
		h->now_ns += 950 * USEC;
		if (send_spec(h, EGRESS, &spec) == HARNESS_PASS)
			continue;
		assert_true(i > last + 50);
		first = first ? first : i;
		last = i;
		dropped++;
	}
	assert_in_range(first, 480, 500);
	/* at 24 ms; the depth is 36 ms then, as the debt came from nothing; at 41 of 45 ms */
	assert_int_equal(dropped, 3);
	assert_int_equal(harness_count(h, 0, WEIR_R_DROP_AQM), dropped);
}

static int send_seq(struct harness *h, __u32 seq)
{
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 946, .seq = seq };

	return send_spec(h, EGRESS, &spec);
}

/* what TCP sends again is no early drop, and goes twice as deep; a burst that was set holds */
static void a_retransmission_is_spared(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 946 };
	__u32 set, seq, wraps, passed, again;

	for (set = 0; set < 2; set++) {
		for (wraps = 0; wraps < 2; wraps++) {
			harness_reset(h);
			police_learning(h, &spec, set ? 100 * MSEC : 0);
			seq = wraps ? -20 * 946 : 1000;
			send_seq(h, seq - (32 << 20));	/* farther back than any window */
			h->now_ns += SEC;
			for (passed = 0; passed < 1000; seq += 946)
				passed += send_seq(h, seq) == HARNESS_PASS ? 1 : 1000;
			/* early drops end the loop, or the burst of 100 ms */
			assert_in_range(passed % 1000, set ? 100 : 24, set ? 101 : 25);
			for (again = 0; send_seq(h, seq - 946) == HARNESS_PASS; again++)
				assert_true(again < 1000);
			if (set)
				assert_int_equal(again, 0);
			else	/* up to twice the limit of 2 * 36 ms */
				assert_in_range(again + passed % 1000, 140, 150);
		}
	}
}

/* packets of 1 ms, 5 % too fast: how many pass before the first early drop */
static int until_drop(struct harness *h, __u32 seq)
{
	int passed = 0;

	h->now_ns += SEC;
	for (; send_seq(h, seq) == HARNESS_PASS; seq += 946, passed++) {
		assert_true(passed < 2000);
		h->now_ns += 950 * USEC;
	}
	return passed;
}

/*
 * A sender that has waited for its time-out sends again first: the debt that this finds, next to
 * nothing, says that the depth was too shallow, though it is new data that gets the next signal.
 */
static void a_time_out_deepens(void **state)
{
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 946 };
	struct harness *h = *state;
	struct weir_flow flow;
	__u32 seq = 1000, depth, i;

	police_learning(h, &spec, 0);
	seq += until_drop(h, seq) * 946;
	assert_true(harness_flow(h, &spec, EGRESS, &flow));
	depth = flow.bucket.depth_us;
	h->now_ns += SEC;
	for (i = 0; i < 30; i++)	/* 1 ms each, at once: below the depth */
		assert_int_equal(send_seq(h, seq - (30 - i) * 946), HARNESS_PASS);
	for (; send_seq(h, seq += 946) == HARNESS_PASS; i++)
		assert_true(i < 100);
	assert_true(harness_flow(h, &spec, EGRESS, &flow));
	assert_in_range(flow.bucket.depth_us, depth * 3 / 2 - 1, depth * 3 / 2 + 1);
}

/* the addresses and ports of one before it: what that one's rises have taught is not its own */
static void a_new_connection_learns_anew(void **state)
{
	/* of who opens it, and of who answers */
	static const __u8 begins[] = { 0x02, 0x12 };
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 946 };
	struct harness *h = *state;
	int first, learned;
	unsigned int i;

	police_learning(h, &spec, 0);
	first = until_drop(h, -(8U << 20));	/* before 0, and so far before none */
	learned = until_drop(h, 64 << 20);
	assert_true(learned > first * 5 / 4);
	for (i = 0; i < 2; i++) {
		struct spec syn = { .proto = IPPROTO_TCP, .tcp_flags = begins[i] };

		h->now_ns += SEC;
		assert_int_equal(send_spec(h, EGRESS, &syn), HARNESS_PASS);
		assert_int_equal(until_drop(h, (60 - i) << 20), first);
	}
}

/* what was kept of a real queue, the time of its last update, is no debt of a phantom queue */
static void a_class_that_paced(void **state)
{
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 946 };
	struct harness *h = *state;
	struct weir_flow flow;
	int i;

	harness_device(h, EGRESS, WEIR_DEV_EDT);
	police_learning(h, &spec, 0);
	harness_class(h, 0)->action = WEIR_PACE;
	harness_commit(h);
	for (i = 0; i < 50; i++)
		send_seq(h, i * 946);
	assert_true(harness_flow(h, &spec, EGRESS, &flow));
	assert_true(flow.bucket.pi_at_us > 0);
	harness_class(h, 0)->action = WEIR_POLICE;
	harness_commit(h);
	assert_in_range(until_drop(h, i * 946), 480, 500);
}

/* where a class paces and nothing can: TCP loses one packet for each rise as well */
static void tcp_that_cannot_be_paced(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 946 };
	__u32 i, last = 0, dropped = 0;

	harness_class(h, 0)->action = WEIR_PACE;
	police_learning(h, &spec, 0);
	for (i = 1; i <= 900; i++) {
		h->now_ns += 950 * USEC;	/* each packet is 1 ms */
		if (send_seq(h, i * 946) == HARNESS_PASS)
			continue;
		assert_true(!dropped || i > last + 50);
		last = i;
		dropped++;
	}
	assert_in_range(dropped, 2, 4);
	assert_int_equal(harness_count(h, 0, WEIR_R_DROP_AQM), dropped);
}

/* so do those that keep a network going: ND, MLD, IGMP, DHCP */
static void the_networks_own_packets_are_dropped_last(void **state)
{
	static const struct { int family, proto, port, type, verdict; } kinds[] = {
		{ 4, IPPROTO_UDP, 67, 0, HARNESS_PASS }, { 4, IPPROTO_UDP, 68, 0, HARNESS_PASS },
		{ 6, IPPROTO_UDP, 546, 0, HARNESS_PASS }, { 6, IPPROTO_UDP, 547, 0, HARNESS_PASS },
		{ 4, IPPROTO_UDP, 2000, 0, HARNESS_DROP }, { 4, IPPROTO_IGMP, 0, 0, HARNESS_PASS },
		{ 6, IPPROTO_ICMPV6, 0, 130, HARNESS_PASS },
		{ 6, IPPROTO_ICMPV6, 0, 132, HARNESS_PASS },
		{ 6, IPPROTO_ICMPV6, 0, 135, HARNESS_PASS },
		{ 6, IPPROTO_ICMPV6, 0, 136, HARNESS_PASS },
		{ 6, IPPROTO_ICMPV6, 0, 143, HARNESS_PASS },
		{ 6, IPPROTO_ICMPV6, 0, 128, HARNESS_DROP },
	};
	struct harness *h = *state;
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 946 };
	struct frame frame;
	size_t i;

	harness_establish(h, EGRESS, &spec);
	harness_class(h, 0)->per = WEIR_PER_CLASS;
	harness_class(h, 0)->burst_ns = 500 * MSEC;
	harness_rate(harness_class(h, 0), 1 * MBIT, 0);
	harness_commit(h);
	while (send_spec(h, EGRESS, &spec) == HARNESS_PASS)
		;
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		spec = (struct spec){ .family = kinds[i].family, .proto = kinds[i].proto,
				      .dport = kinds[i].port, .payload = 400 };
		harness_establish(h, EGRESS, &spec);
		frame_build(&frame, &spec);
		if (kinds[i].type)
			frame.data[frame.headers - 8] = kinds[i].type;
		if (harness_run(h, EGRESS, &frame) != kinds[i].verdict)
			fail_msg("case %zu", i);
	}
}

static void a_new_rate_counts_from_the_next_packet(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 958 };
	__u64 rates[] = { 200 * MBIT, 50 * MBIT, 200 * MBIT, 1 * MBIT }, passed, r, i;

	harness_establish(h, EGRESS, &spec);
	for (r = 0; r < 4; r++) {
		harness_rate(harness_class(h, 0), 0, rates[r]);
		harness_class(h, 0)->burst_ns = 1 * MSEC;
		harness_commit(h);
		for (i = 0, passed = 0; i < 10000; i++) {	/* 100 ms at 800 Mbit/s */
			h->now_ns += 10 * USEC;
			passed += send_spec(h, EGRESS, &spec) == HARNESS_PASS;
		}
		assert_in_range(passed, rates[r] / 80000, rates[r] / 80000 * 101 / 100 + 2);
	}
}

struct racer {
	struct harness *h;
	struct spec spec;
	unsigned int packets, passed;
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	unsigned int i;

	for (i = 0; i < racer->packets; i++)
		racer->passed += send_spec(racer->h, EGRESS, &racer->spec) == HARNESS_PASS;
	return NULL;
}

/* CPUs that charge one clock at once lose no update and grant no byte twice */
static void many_cpus_on_one_bucket(void **state)
{
	enum { THREADS = 4, PACKETS = 5000 };
	struct racer racers[THREADS];
	struct harness *h = *state;
	struct spec spec = { .payload = 958 };
	pthread_t threads[THREADS];
	unsigned int i, passed = 0;
	struct weir_flow before, after;

	harness_establish(h, EGRESS, &spec);
	assert_true(harness_flow(h, &spec, EGRESS, &before));
	harness_rate(harness_class(h, 0), 0, 100 * MBIT);
	harness_class(h, 0)->burst_bytes = 10000000;	/* half of what is offered */
	harness_commit(h);
	for (i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){ .h = h, .spec = spec, .packets = PACKETS };
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		passed += racers[i].passed;
	}
	assert_in_range(passed, 10000 + 1 - THREADS, 10000 + THREADS);
	assert_true(harness_flow(h, &spec, EGRESS, &after));
	assert_int_equal(after.packets - before.packets, THREADS * PACKETS);
	assert_int_equal(after.dropped - before.dropped, THREADS * PACKETS - passed);
	assert_int_equal(after.bucket.tat - h->now_ns, passed * 80 * USEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(agrees_with_the_model),
		TEST(burst_in_bytes),
		TEST(class_rate_holds_for_all_flows),
		TEST(refused_by_the_class_is_not_charged),
		TEST(control_packets_are_dropped_last),
		TEST(a_rise_costs_one_packet),
		TEST(a_retransmission_is_spared),
		TEST(a_time_out_deepens),
		TEST(a_new_connection_learns_anew),
		TEST(a_class_that_paced),
		TEST(tcp_that_cannot_be_paced),
		TEST(the_networks_own_packets_are_dropped_last),
		TEST(a_new_rate_counts_from_the_next_packet),
		TEST(many_cpus_on_one_bucket),
	};

	return RUN(tests, 0);
}
