// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_sample.c: from counters to queueing times and drain rates: what a consumer takes while it is
 * busy, that idling is not slowness, and that a standstill is no rate.
 */
#include "unit.h"
#include "sample.h"

#define MS 1000000ULL

static struct sample_state sampler;
static struct sample_counters now;
static struct control_sample sample;

static int start(void **state)
{
	memset(&sampler, 0, sizeof(sampler));
	memset(&sample, 0, sizeof(sample));
	now = (struct sample_counters){ .at_ns = 1000 * MS };
	sample_step(&sampler, &now, &sample);
	return 0;
}

/* 10 ms on: so many bytes came and were read */
static void look(__u64 received, __u64 read)
{
	now.at_ns += 10 * MS;
	now.received_bytes += received;
	now.served_bytes += read;
	now.unread_bytes = now.received_bytes - now.served_bytes;
	assert_true(sample_step(&sampler, &now, &sample));
	assert_int_equal(sample.at_ns, now.at_ns);
}

static void near(__u64 value, double want, double part)
{
	if (value < want * (1 - part) || value > want * (1 + part))
		fail_msg("%llu, want %.0f", value, want);
}

static void the_first_look_says_nothing(void **state)
{
	struct sample_state fresh = {};
	struct sample_counters first = { .at_ns = 5 * MS, .unread_bytes = 1000 };

	assert_false(sample_step(&fresh, &first, &sample));
	assert_false(sample_step(&fresh, &first, &sample));	/* nor one at the same time */
}

/* nobody looked, since there were no sockets: what waits now is not what waited then */
static void a_gap_between_looks_is_no_standstill(void **state)
{
	look(25000, 0);
	for (int i = 0; i < 50; i++)
		look(12500, 12500);
	now.at_ns += 9000 * MS;
	assert_false(sample_step(&sampler, &now, &sample));
	look(12500, 12500);
	near(sample.drain_bps, 10e6, 0.001);
	near(sample.value, 20 * MS, 0.001);
	assert_false(sample.stalled);
}

/* 12,500 bytes each 10 ms: 10 mbit */
static void drain_and_queueing_time(void **state)
{
	look(25000, 0);
	for (int i = 0; i < 50; i++)
		look(12500, 12500);
	near(sample.drain_bps, 10e6, 0.001);
	near(sample.value, 20 * MS, 0.001);
	assert_true(sample.is_time && !sample.clear && !sample.stalled);
}

static void idling_is_not_slowness(void **state)
{
	look(25000, 0);
	for (int i = 0; i < 20; i++)
		look(12500, 12500);
	look(0, 25000);
	/* all that comes, a tenth of what it could take, is read at once */
	for (int i = 0; i < 200; i++)
		look(1250, 1250);
	assert_true(sample.clear);
	assert_int_equal(sample.value, 0);
	assert_true(sample.drain_bps > 9.9e6);
}

/* a consumer that reads all that comes is at least that fast with each look: no part of a mean */
static void what_may_have_idled_is_no_mean(void **state)
{
	look(25000, 0);
	for (int i = 0; i < 20; i++)
		look(12500, 12500);
	look(18000, 43000);
	for (int i = 0; i < 3; i++)
		look(50000, 50000);
	look(75000, 62500);
	look(62500, 62500);
	near(sample.drain_bps, 50e6, 0.01);
}

static void a_change_is_taken_at_once(void **state)
{
	look(200000, 0);
	for (int i = 0; i < 50; i++)
		look(62500, 62500 + (i % 2 ? 600 : -600));
	near(sample.drain_bps, 50e6, 0.01);
	look(0, 12500);
	look(0, 12500);
	near(sample.drain_bps, 10e6, 0.05);
}

/* what was read in part before a change is not averaged with what is read after it */
static void a_change_between_two_looks(void **state)
{
	look(200000, 0);
	for (int i = 0; i < 50; i++)
		look(62500, 62500);
	look(62500, 40000);
	look(12500, 12500);
	look(12500, 12500);
	near(sample.drain_bps, 10e6, 0.01);
}

/* less waits than is read between two looks */
static void a_short_queue_tells_too(void **state)
{
	look(20000, 0);
	look(62500, 62500);
	for (int i = 0; i < 50; i++)
		look(59500, 59500);
	near(sample.drain_bps, 59500 * 800, 0.01);
	for (int i = 0; i < 50; i++)
		look(62000, 62000);
	near(sample.drain_bps, 62000 * 800, 0.01);
}

static void a_batch_reader_has_one_rate(void **state)
{
	look(100000, 0);
	for (int i = 0; i < 100; i++)
		look(12500, i % 5 == 4 ? 62500 : 0);
	near(sample.drain_bps, 10e6, 0.1);
	assert_false(sample.stalled);
}

/* with long pauses, too, wherever it begins: within some of them that is known */
static void a_slow_batch_reader_has_not_stopped(void **state)
{
	for (int period = 12; period <= 80; period += 4) {
		int stalled = 0;

		start(NULL);
		for (int i = 1; i <= 100 * period; i++) {
			look(12500, i % period ? 0 : now.unread_bytes + 12500);
			stalled += i > 50 * period && sample.stalled;
		}
		assert_int_equal(stalled, 0);
		near(sample.drain_bps, 10e6, 0.1);
	}
}

static void a_standstill_is_no_rate(void **state)
{
	look(25000, 0);
	for (int i = 0; i < 20; i++)
		look(12500, 12500);
	for (int i = 0; i < 50; i++)
		look(0, 0);
	assert_true(sample.stalled);
	near(sample.drain_bps, 10e6, 0.001);
	assert_true(sample.value >= 500 * MS);		/* its head has waited that long */
	look(0, 12500);
	assert_false(sample.stalled);
}

/* it is the producers who pause where nothing waits: their pause is not the consumer's */
static void an_idle_consumer_does_not_pause(void **state)
{
	look(25000, 0);
	for (int i = 0; i < 20; i++)
		look(12500, 12500);
	look(0, 25000);
	for (int i = 0; i < 6000; i++)
		look(0, 0);
	for (int i = 0; i < 5; i++)
		look(12500, i ? 12500 : 0);
	for (int i = 0; i < 20; i++)
		look(12500, 0);
	assert_true(sample.stalled);
	near(sample.value, 220 * MS, 0.1);
}

/* the little that was read before it stopped is no rate either */
static void a_standstill_between_two_looks(void **state)
{
	look(25000, 0);
	for (int i = 0; i < 20; i++)
		look(12500, 12500);
	look(0, 100);
	for (int i = 0; i < 50; i++)
		look(0, 0);
	assert_true(sample.stalled);
	near(sample.drain_bps, 10e6, 0.001);
}

static void counts_that_run_backwards_are_nothing(void **state)
{
	look(25000, 0);
	for (int i = 0; i < 20; i++)
		look(12500, 12500);
	now.served_bytes = now.received_bytes = 0;	/* the sockets have gone */
	look(0, 0);
	look(12500, 12500);
	near(sample.drain_bps, 10e6, 0.2);
}

static void headers_count(void **state)
{
	look(25000, 0);
	for (int i = 0; i < 100; i++) {
		now.wire_bytes += 12500 * 1514 / 1448;
		look(12500, 12500);
	}
	near(sample.drain_bps, 10e6 * 1514 / 1448, 0.01);
}

static void connections_wait_too(void **state)
{
	for (int i = 0; i < 50; i++) {
		now.waiting = 10;
		now.accepted += 5;	/* five each 10 ms: ten take 20 ms */
		look(0, 0);
	}
	near(sample.value, 20 * MS, 0.01);
	assert_false(sample.clear);
}

/* who reads and does not accept, or accepts and does not read, has not stopped */
static void one_queue_that_moves_is_no_standstill(void **state)
{
	now.waiting = 10;
	look(25000, 0);
	for (int i = 0; i < 50; i++)
		look(12500, 12500);
	assert_false(sample.stalled);
	assert_true(sample.value >= 490 * MS);		/* but the first of ten waits */
	for (int i = 0; i < 50; i++) {
		now.accepted += 5;
		look(0, 0);
	}
	assert_false(sample.stalled);
	for (int i = 0; i < 50; i++)
		look(0, 0);
	assert_true(sample.stalled);
	now.unread_bytes = 0;
	look(0, 0);
	assert_true(sample.stalled);			/* ten still wait */
}

static void shares(void **state)
{
	__u64 value = 7;

	assert_false(sample_share(0, 5, 0, 10, &value));
	assert_int_equal(value, 7);
	assert_true(sample_share(10, 15, 100, 200, &value));
	assert_int_equal(value, 5000000);		/* 5 % */
	assert_true(sample_share(0, 500, 100, 200, &value));
	assert_int_equal(value, 100000000);
}

static void looks_are_rarer_where_they_cost(void **state)
{
	assert_int_equal(sample_interval_ns(0), 10 * MS);
	assert_int_equal(sample_interval_ns(100000), 10 * MS);
	for (__u64 cost = 200000; cost < 12 * MS; cost += 100000)
		assert_true(sample_interval_ns(cost) >= 50 * cost &&
			    sample_interval_ns(cost) <= 1000 * MS);
	assert_int_equal(sample_interval_ns(~0ULL), 1000 * MS);
}

#define TEST(f) cmocka_unit_test_setup(f, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_look_says_nothing),
		TEST(a_gap_between_looks_is_no_standstill), TEST(drain_and_queueing_time),
		TEST(idling_is_not_slowness), TEST(what_may_have_idled_is_no_mean),
		TEST(a_change_is_taken_at_once),
		TEST(a_change_between_two_looks), TEST(a_short_queue_tells_too),
		TEST(a_standstill_between_two_looks), TEST(an_idle_consumer_does_not_pause),
		TEST(a_batch_reader_has_one_rate), TEST(a_slow_batch_reader_has_not_stopped),
		TEST(a_standstill_is_no_rate),
		TEST(counts_that_run_backwards_are_nothing), TEST(headers_count),
		TEST(connections_wait_too), TEST(one_queue_that_moves_is_no_standstill),
		TEST(shares),
		TEST(looks_are_rarer_where_they_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
