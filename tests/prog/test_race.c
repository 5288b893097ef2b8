// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_race.c: two CPUs run the program at once on one flow, on one class, on the real clock: no
 * byte passes twice on one credit, none is lost: passed + dropped = offered, to the byte, by the
 * class's counters and by the flows' own; and what passed keeps within the rate and the burst.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <bpf/bpf.h>
#include "fixture.h"

#define BURST_NS (100 * USEC)
#define THREADS 2

static __u64 rate_bps;			/* a quarter of what this machine can offer */

struct racer {
	struct harness *h;
	struct frame frame;
	unsigned int repeat;
	pthread_barrier_t *ready;
	__u64 start_ns, end_ns, ran_ns;
	pthread_t thread;
};

static __u64 clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * SEC + t.tv_nsec;
}

static void *race(void *arg)
{
	struct racer *racer = arg;
	__u64 before_ns;

	pthread_barrier_wait(racer->ready);
	before_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	racer->start_ns = clock_ns(CLOCK_MONOTONIC);
	harness_repeat(racer->h, EGRESS, &racer->frame, racer->repeat);
	racer->end_ns = clock_ns(CLOCK_MONOTONIC);
	racer->ran_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns;
	return NULL;
}

/* small, full, two that are many; 1 in 4 each */
static const struct spec sizes[] = {
	{ .payload = 22 }, { .payload = 1472 },
	{ .payload = 3000, .gso_size = 500 }, { .payload = 2999, .gso_size = 1400 },
};

struct tally {
	__u64 packets, bytes, passed_bytes, dropped, dropped_bytes;
};

static struct tally class_tally(struct harness *h)
{
	struct weir_class_stats sum;
	struct tally t = {};
	int r;

	harness_stats(h, 0, &sum);
	for (r = 0; r < WEIR_R_COUNT; r++) {
		t.packets += sum.packets[r];
		t.bytes += sum.bytes[r];
		if (r < WEIR_R_FIRST_DROP) {
			t.passed_bytes += sum.bytes[r];
		} else {
			t.dropped += sum.packets[r];
			t.dropped_bytes += sum.bytes[r];
		}
	}
	return t;
}

static struct tally flow_tally(struct harness *h, int flows)
{
	struct tally t = {};
	struct weir_flow flow;
	int i;

	for (i = 0; i < flows; i++) {
		struct spec spec = { .sport = 1 + i };

		assert_true(harness_flow(h, &spec, EGRESS, &flow));
		t.packets += flow.packets;
		t.bytes += flow.bytes;
		t.dropped += flow.dropped;
		t.dropped_bytes += flow.dropped_bytes;
	}
	return t;
}

/* what a frame is on the wire, computed apart */
static void offer(struct tally *t, const struct frame *frame, __u64 times)
{
	__u64 payload = frame->len - frame->headers, n = 1;

	if (frame->skb.gso_size)
		n = (payload + frame->skb.gso_size - 1) / frame->skb.gso_size;
	t->packets += n * times;
	t->bytes += (payload + n * frame->headers) * times;
}

/* both CPUs at once; ns from the first packet to the last, and *ran_ns of them one of both ran */
static __u64 race_all(struct harness *h, int flows, struct tally *offered, __u64 *ran_ns)
{
	__u64 start = ~0ULL, end = 0;
	struct racer racers[THREADS];
	pthread_barrier_t ready;
	int i;

	*ran_ns = 0;
	pthread_barrier_init(&ready, NULL, THREADS);
	for (i = 0; i < THREADS; i++) {
		struct spec spec = sizes[random_u32() % 4];

		spec.sport = 1 + i % flows;
		racers[i].h = h;
		racers[i].ready = &ready;
		racers[i].repeat = 2000 + random_u32() % 8000;
		frame_build(&racers[i].frame, &spec);
		offer(offered, &racers[i].frame, racers[i].repeat);
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(racers[i].thread, NULL);
		start = racers[i].start_ns < start ? racers[i].start_ns : start;
		end = racers[i].end_ns > end ? racers[i].end_ns : end;
		*ran_ns = racers[i].ran_ns > *ran_ns ? racers[i].ran_ns : *ran_ns;
	}
	pthread_barrier_destroy(&ready);
	return end - start;
}

/* every byte is accounted for */
static void account(struct harness *h, int flows, const struct tally *offered)
{
	struct tally by_class = class_tally(h), by_flow = flow_tally(h, flows);

	assert_int_equal(by_class.packets, offered->packets);
	assert_int_equal(by_class.bytes, offered->bytes);
	assert_int_equal(by_class.passed_bytes + by_class.dropped_bytes, offered->bytes);
	assert_int_equal(by_flow.packets, offered->packets);
	assert_int_equal(by_flow.bytes, offered->bytes);
	assert_int_equal(by_flow.dropped, by_class.dropped);
	assert_int_equal(by_flow.dropped_bytes, by_class.dropped_bytes);
}

struct how {
	bool fair;
	int flows;
	unsigned int rate, flow_rate;	/* times rate_bps; 0: none */
	__u64 burst_ns;			/* that the class may have; a fair one's is deeper */
};

/* a flow's first packet had no entry to be counted in: let both sides start equal */
static void count_first(struct harness *h, const struct spec *spec, __u32 bytes)
{
	struct weir_flow_key key;
	struct weir_flow flow;

	assert_true(harness_flow(h, spec, EGRESS, &flow));
	flow.packets++;
	flow.bytes += bytes;
	frame_key(spec, EGRESS, &key);
	assert_int_equal(bpf_map_update_elem(harness_map(h, "flows"), &key, &flow, BPF_EXIST), 0);
}

/* one round: what passed is what the rate and the burst allow, and hardly less */
static void one_round(struct harness *h, const struct how *how, struct tally *offered)
{
	__u64 before = offered->bytes, passed = class_tally(h).passed_bytes, ns, ran_ns, most;

	ns = race_all(h, how->flows, offered, &ran_ns);
	account(h, how->flows, offered);
	passed = class_tally(h).passed_bytes - passed;
	most = rate_bps / 8 * (ns + how->burst_ns) / SEC;
	if (passed > most + THREADS * 3300)
		fail_msg("in %llu ns %llu bytes passed, %llu may", ns, passed, most);
	/* while others have the CPUs nothing is offered, and a burst is all that is kept */
	most = rate_bps / 8 * ran_ns / SEC;
	if (offered->bytes - before > 3 * most && passed < most / 8)
		fail_msg("in %llu ns only %llu bytes passed, %llu may", ran_ns, passed, most);
}

/* an emulated machine is a hundred times slower */
static void calibrate(struct harness *h, int flows, struct tally *offered)
{
	__u64 before = offered->bytes, ns = 0, ran_ns;
	int i;

	for (i = 0; i < 10; i++)
		ns += race_all(h, flows, offered, &ran_ns);
	rate_bps = (offered->bytes - before) * 2 * SEC / ns;
}

static void run(struct harness *h, const struct how *how)
{
	int i, rounds = getenv("WEIR_TEST_SHORT") ? 30 : 200;
	struct tally offered = {}, sum;
	struct frame frame;

	harness_reset(h);
	harness_class(h, 0)->burst_ns = BURST_NS;
	harness_class(h, 0)->flags |= how->fair ? WEIR_CLASS_FAIR : 0;
	for (i = 0; i < how->flows; i++) {
		struct spec spec = { .sport = 1 + i };

		harness_establish(h, EGRESS, &spec);
		frame_build(&frame, &spec);
		offer(&offered, &frame, 2);
		count_first(h, &spec, frame.len);
	}
	calibrate(h, how->flows, &offered);
	harness_rate(harness_class(h, 0), how->rate * rate_bps, how->flow_rate * rate_bps);
	harness_commit(h);
	for (i = 0; i < rounds; i++)
		one_round(h, how, &offered);
	sum = class_tally(h);
	assert_true(sum.dropped_bytes > sum.bytes / 10);
	assert_true(sum.passed_bytes > sum.bytes / 100);
}

static void one_flow(void **state)
{
	run(*state, &(struct how){ .flows = 1, .flow_rate = 1, .burst_ns = BURST_NS });
}

static void one_class(void **state)
{
	run(*state, &(struct how){ .flows = 2, .rate = 1, .burst_ns = BURST_NS });
}

/* a class's clock takes its bucket's charge back when it refuses */
static void one_flow_in_one_class(void **state)
{
	run(*state, &(struct how){ .flows = 1, .rate = 1, .flow_rate = 2,
				   .burst_ns = 2 * BURST_NS });
}

static void a_fair_class(void **state)
{
	run(*state, &(struct how){ .flows = 2, .rate = 1, .fair = true, .burst_ns = SEC });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_flow),
		TEST(one_class),
		TEST(one_flow_in_one_class),
		TEST(a_fair_class),
	};

	return RUN(tests, HARNESS_REAL_CLOCK);
}
