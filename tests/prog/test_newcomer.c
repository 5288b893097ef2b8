// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_newcomer.c: what a flow gets that comes to a busy fair class, where nothing can delay or
 * pace it: its share from the first packet on and hardly more, nor are those that are there already
 * refused what is theirs; and all that it wants, where that is less. In virtual time.
 */
#include <bpf/bpf.h>
#include "fixture.h"

#define RATE (10 * MBIT)
#define FLOWS 9				/* that are there already; with the newcomer ten */
#define SHARE (RATE / (FLOWS + 1))
#define WIRE 1514
#define STEP (4 * MSEC)			/* the level's tick */

struct source {
	struct spec spec;
	__u64 bps, next_ns;
	unsigned int train;		/* packets at once */
	__u64 passed, dropped;		/* packets */
};

static struct source sources[FLOWS + 1];
static struct source *const newcomer = &sources[FLOWS];

static void source_start(struct harness *h, struct source *s, __u64 bps, unsigned int train)
{
	s->bps = bps;
	s->train = train;
	s->passed = s->dropped = 0;
	s->next_ns = h->now_ns + (s - sources) * 100 * USEC;
}

static void source_send(struct harness *h, struct source *s, unsigned int n)
{
	while (n--) {
		if (send_spec(h, EGRESS, &s->spec) == HARNESS_PASS)
			s->passed++;
		else
			s->dropped++;
	}
}

static void advance(struct harness *h, __u64 ns)
{
	__u64 end = h->now_ns + ns;

	for (; h->now_ns < end; h->now_ns += STEP) {
		for (unsigned int i = 0; i < FLOWS + 1; i++) {
			struct source *s = &sources[i];

			while (s->bps && s->next_ns <= h->now_ns) {
				source_send(h, s, s->train);
				s->next_ns += WIRE * 8 * SEC / s->bps * s->train;
			}
		}
		harness_tick(h);
	}
}

/* nine greedy flows, for three seconds */
static void busy(struct harness *h)
{
	struct weir_class *class = harness_class(h, 0);

	class->action = WEIR_PACE;
	class->flags |= WEIR_CLASS_FAIR;
	class->burst_ns = 0;
	class->drop_at_ns = 200 * MSEC;
	harness_rate(class, RATE, 0);
	harness_commit(h);
	for (unsigned int i = 0; i < FLOWS + 1; i++) {
		sources[i] = (struct source){
			.spec = { .sport = 1000 + i, .payload = WIRE - 42 },
		};
		if (i < FLOWS)
			source_start(h, &sources[i], 3 * MBIT, 1);
	}
	advance(h, 3 * SEC);
}

static __u64 fair_packets(__u64 ns)
{
	return SHARE * (ns / USEC) / 1000000 / 8 / WIRE;
}

static void no_burst_on_top(void **state)
{
	struct harness *h = *state;
	__u64 fair = fair_packets(2 * SEC), mean = 0;

	busy(h);
	for (unsigned int i = 0; i < FLOWS; i++)
		sources[i].passed = 0;
	source_start(h, newcomer, 8 * MBIT, 1);
	advance(h, 2 * SEC);
	for (unsigned int i = 0; i < FLOWS; i++)
		mean += sources[i].passed;
	mean /= FLOWS;
	print_message("# newcomer %llu, the others %llu, fair %llu\n", newcomer->passed, mean,
		      fair);
	assert_in_range(newcomer->passed, fair * 95 / 100, fair * 110 / 100);
	assert_in_range(mean, fair * 98 / 100, fair * 102 / 100);
}

/* half of its share, in trains of eight packets */
static void all_it_wants_below_its_share(void **state)
{
	struct harness *h = *state;

	busy(h);
	source_start(h, newcomer, SHARE / 2, 8);
	advance(h, 2 * SEC);
	print_message("# passed %llu\n", newcomer->passed);
	assert_true(newcomer->passed > fair_packets(2 * SEC) / 3);
	assert_int_equal(newcomer->dropped, 0);
}

/* the share that nine had is not that of who comes when they have gone */
static void nothing_is_kept_of_those_who_left(void **state)
{
	struct harness *h = *state;
	struct weir_class_state class;
	__u32 slot = 0;

	busy(h);
	for (unsigned int i = 0; i < FLOWS; i++)
		sources[i].bps = 0;
	advance(h, 1200 * MSEC);
	assert_int_equal(bpf_map_lookup_elem(harness_map(h, "class_state"), &slot, &class), 0);
	assert_int_equal(class.active, 0);
	assert_int_equal(class.npb_level, 0);
	assert_int_equal(class.mean_bucket, 0);
}

/* what a fair class used tells nothing once it is not fair any more, and idle */
static void fair_no_more(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 22, .src = 99 };

	busy(h);
	harness_class(h, 0)->flags &= ~WEIR_CLASS_FAIR;
	harness_commit(h);
	for (int i = 0; i < FLOWS; i++)
		sources[i].bps = 0;
	advance(h, 500 * MSEC);
	h->now_ns += 60 * SEC;
	for (int i = 0; i < 200; i++) {
		spec.sport = 3000 + i;
		assert_int_equal(send_spec(h, EGRESS, &spec), HARNESS_PASS);
	}
	assert_int_equal(harness_count(h, 0, WEIR_R_NEWCOMER), 200 + FLOWS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_burst_on_top),
		TEST(all_it_wants_below_its_share),
		TEST(nothing_is_kept_of_those_who_left),
		TEST(fair_no_more),
	};

	return RUN(tests, 0);
}
