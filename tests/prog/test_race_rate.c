// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_race_rate.c: two CPUs pass a packet each of one flow when a span of its rate has ended: one
 * of them closes the span, and the rate is what was sent in it.
 */
#include <pthread.h>
#include <stdlib.h>
#include "fixture.h"

#define CPUS 2
#define SPAN_NS (251 * MSEC)
#define PAYLOAD 1000

struct cpu {
	struct harness h;		/* its own clock, the same maps */
	pthread_t thread;
};

static const struct spec spec = { .payload = PAYLOAD };
static unsigned int rounds = 5000, there, gone_on;
static __u64 worst_bps;

/* nobody sleeps: a packet takes less time than to be woken up */
static void meet(unsigned int round)
{
	if (__atomic_add_fetch(&there, 1, __ATOMIC_ACQ_REL) == CPUS * round)
		__atomic_store_n(&gone_on, round, __ATOMIC_RELEASE);
	while (__atomic_load_n(&gone_on, __ATOMIC_ACQUIRE) < round)
		;
}

static void *run(void *arg)
{
	struct cpu *cpu = arg;
	struct weir_flow flow;
	struct frame frame;
	unsigned int i, n = 0;

	for (i = 0; i < rounds; i++) {
		frame_build(&frame, &spec);
		cpu->h.now_ns += SPAN_NS;
		meet(++n);
		harness_run(&cpu->h, EGRESS, &frame);
		meet(++n);
		/* both look, and go on together */
		if (harness_flow(&cpu->h, &spec, EGRESS, &flow) && flow.rate_bps > worst_bps)
			worst_bps = flow.rate_bps;
	}
	return NULL;
}

static void one_closes_the_span(void **state)
{
	static struct cpu cpus[CPUS];
	__u64 most = CPUS * (PAYLOAD + 42) * 8 * SEC / SPAN_NS;
	struct weir_flow flow;
	int i;

	if (getenv("WEIR_TEST_SHORT"))
		rounds /= 10;
	harness_establish(*state, EGRESS, &spec);
	for (i = 0; i < CPUS; i++) {
		cpus[i].h = *(struct harness *)*state;
		assert_int_equal(pthread_create(&cpus[i].thread, NULL, run, &cpus[i]), 0);
	}
	for (i = 0; i < CPUS; i++)
		pthread_join(cpus[i].thread, NULL);
	assert_true(harness_flow(*state, &spec, EGRESS, &flow));
	assert_in_range(flow.packets, CPUS * rounds, CPUS * rounds + 2);
	/* a span may have one packet more of the one before it */
	if (worst_bps > 2 * most)
		fail_msg("a rate of %llu bit/s, where %llu were sent", worst_bps, most);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_closes_the_span),
	};

	return RUN(tests, 0);
}
