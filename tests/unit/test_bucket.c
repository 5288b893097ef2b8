// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_bucket.c: the arithmetic of the virtual clock against 128-bit numbers over the whole
 * range of rates and sizes; conformance of what passes over every window, by a model of its own;
 * the clock under threads.
 */
#include "unit.h"
#include <pthread.h>
#include <weir/bucket.h>

typedef unsigned __int128 wide;

/* charged as the datapath does: what meets a debt beyond the limit is refused, and refunded */
static __u64 charge(__u64 *tat, __u64 now, __u64 cost, __u64 limit)
{
	__u64 debt = weir_charge(tat, now, cost);

	if (debt > limit)
		weir_refund(tat, cost);
	return debt;
}

static const __u64 rates[] = {
	WEIR_RATE_MIN, 8001, 9600, 64000, 999999, 1000000, 3700000, 10000000, 99999999, 100000000,
	1000000000, 2500000000, 9999999999, 10000000000, 25000000000, 100000000000, 399999999999,
	WEIR_RATE_MAX,
};
static const __u32 sizes[] = { 1, 40, 64, 576, 1500, 1514, 1518, 9018, 65535, 65536, 65549,
			       262144, 524288, 524288 + 512 * 90, WEIR_BYTES_MAX };

/* what many packets are charged is what they take, to 0.1 %, however short and regular */
static void charges_are_exact_in_the_mean(void **state)
{
	static const __u64 gaps_ns[] = { 1, 2, 64, 100, 1000, 1024, 4096, 65536, 1000000 };
	const unsigned int n = 20000;

	for (unsigned int r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
		/* no frame has one byte */
		for (unsigned int s = 1; s < sizeof(sizes) / sizeof(sizes[0]); s++)
			for (unsigned int g = 0; g < sizeof(gaps_ns) / sizeof(gaps_ns[0]); g++) {
				__u64 now = unit_random(), npb = weir_npb(rates[r]);
				wide sum = 0, exact = (wide)sizes[s] * npb * n, off;

				for (unsigned int i = 0; i < n; i++, now += gaps_ns[g])
					sum += weir_cost_mean(sizes[s], npb, now);
				sum <<= WEIR_NPB_SHIFT;
				off = sum > exact ? sum - exact : exact - sum;
				assert_true(off * 1000 <= exact);
			}
}

/* |npb / exact - 1|, in units of 10^-15 */
static __u64 npb_error(__u64 bps)
{
	/* exact = 8e9 * 2^20 / bps; compare npb * bps with 8e9 * 2^20 */
	wide exact = (wide)8000000000ULL << WEIR_NPB_SHIFT, have = (wide)weir_npb(bps) * bps;

	return (have > exact ? have - exact : exact - have) * 1000000000000000ULL / exact;
}

static void npb_is_exact(void **state)
{
	for (unsigned int i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		/* half a unit in npb */
		assert_true(npb_error(rates[i]) <=
			    1000000000000000ULL / (2 * weir_npb(rates[i]) - 1) + 1);
	assert_true(npb_error(WEIR_RATE_MAX) < 24000000000ULL);
	assert_true(npb_error(WEIR_RATE_MIN) < 1000);
	for (int i = 0; i < 1000000; i++) {
		__u64 bps = unit_scale(WEIR_RATE_MIN, WEIR_RATE_MAX), back;

		assert_true(npb_error(bps) < 24000000000ULL);
		/* and back: as near as npb allows */
		back = weir_bps(weir_npb(bps));
		assert_true((back > bps ? back - bps : bps - back) <= bps / weir_npb(bps) + 1);
	}
	assert_int_equal(weir_npb(0), 0);
	assert_int_equal(weir_bps(0), 0);
	/* a rate above another never takes longer */
	for (__u64 bps = WEIR_RATE_MIN; bps < WEIR_RATE_MAX; bps += bps / 1000 + 1)
		assert_true(weir_npb(bps + bps / 1000 + 1) <= weir_npb(bps));
}

static void cost_is_exact(void **state)
{
	for (unsigned int r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
		for (unsigned int s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			__u64 npb = weir_npb(rates[r]), cost = weir_cost(sizes[s], npb);
			wide product = (wide)sizes[s] * npb;
			/* what the bytes really take, in 2^-20 ns */
			wide exact = ((wide)sizes[s] * 8000000000ULL << WEIR_NPB_SHIFT) / rates[r];
			wide got = (wide)cost << WEIR_NPB_SHIFT, off;

			assert_true(product >> 64 == 0);
			assert_true(cost == (__u64)(product >> WEIR_NPB_SHIFT));
			assert_true(cost < 1ULL << 61);
			off = got > exact ? got - exact : exact - got;
			/* a ns of truncation, and half a unit of npb for each byte */
			assert_true(off <= ((wide)1 << WEIR_NPB_SHIFT) + sizes[s] / 2 + 1);
		}
}

/*
 * Random arrivals; then, by sums of its own, for every pair of passed packets: the bytes that
 * passed from one to the other, both included, are within rate * time + burst + one packet.
 */
struct passed {
	__u64 at;
	__u32 bytes;
};

static void check_windows(const struct passed *list, unsigned int n, __u64 bps, __u64 limit)
{
	for (unsigned int i = 0; i < n; i++) {
		wide bytes = 0;
		__u32 last = 0;

		for (unsigned int j = i; j < n; j++) {
			wide may, slack;

			bytes += list[j].bytes;
			last = list[j].bytes;
			may = (wide)bps * (list[j].at - list[i].at + limit) / 8000000000ULL + last;
			/* rounding: a ns for each packet, and npb's error over the window */
			slack = (wide)(j - i + 1) * bps / 8000000000ULL + may / 40000 + 2;
			if (bytes > may + slack)
				fail_msg("%llu bit/s: %llu bytes in %llu ns, limit %llu ns", bps,
					 (__u64)bytes, list[j].at - list[i].at, limit);
		}
	}
}

static void conforms(void **state)
{
	static struct passed list[1000];
	unsigned long passed = 0, refused = 0;

	for (int round = 0; round < 120; round++) {
		__u64 bps = unit_scale(WEIR_RATE_MIN, WEIR_RATE_MAX), npb = weir_npb(bps);
		__u32 most = round % 2 ? 1514 : 65549;
		__u64 limit = unit_scale(1, 1000000000), now = unit_below(1ULL << 50), tat = 0;
		__u64 mean = weir_cost(most / 2, npb) / (1 + unit_below(8)) + 1;
		unsigned int n = 0;

		for (int i = 0; i < 4000 && n < 1000; i++) {
			__u32 bytes = 40 + unit_below(most - 40);
			__u64 debt;

			/* mostly close together, now and then a pause */
			now += unit_below(20) ? unit_below(2 * mean) : unit_below(50 * mean);
			debt = charge(&tat, now, weir_cost(bytes, npb), limit);
			if (debt > limit) {
				refused++;
				continue;
			}
			list[n++] = (struct passed){ now, bytes };
		}
		check_windows(list, n, bps, limit);
		passed += n;
	}
	/* both happen, or nothing was tested; that it is no miser, the next test shows */
	assert_true(passed > 10000 && refused > 10000);
}

/* the same arrivals through a second model: a counter of tokens, as the textbook has it */
static void agrees_with_tokens(void **state)
{
	for (int round = 0; round < 200; round++) {
		/* rates that divide 8e9, so that both are exact: npb is whole */
		static const __u64 exact[] = { 8000, 1000000, 8000000, 100000000, 1000000000,
					       8000000000 };
		__u64 bps = exact[unit_below(6)], ns_per_byte = 8000000000ULL / bps;
		__u64 npb = weir_npb(bps), limit = unit_scale(1000, 1000000000), tat = 0, now = 1;
		__u64 drained_at = 1;
		__int128 backlog_ns = 0;	/* of a queue that drains at the rate */

		assert_int_equal(npb, ns_per_byte << WEIR_NPB_SHIFT);
		for (int i = 0; i < 2000; i++) {
			__u32 bytes = 1 + unit_below(3000);
			__u64 cost = bytes * ns_per_byte, debt;

			now += unit_below(2 * cost);
			backlog_ns -= now - drained_at;
			drained_at = now;
			if (backlog_ns < 0)
				backlog_ns = 0;
			debt = charge(&tat, now, weir_cost(bytes, npb), limit);
			assert_true(debt == (__u64)backlog_ns);
			if (backlog_ns <= limit)
				backlog_ns += cost;
			assert_true(weir_debt(tat, now) == (__u64)backlog_ns);
		}
	}
}

static void idle_earns_nothing(void **state)
{
	__u64 npb = weir_npb(10000000), cost = weir_cost(1500, npb), tat = 0, now = 1000;
	unsigned int passed = 0;

	/* an hour of silence is worth no more than a moment's */
	charge(&tat, now, cost, 0);
	now += 3600000000000ULL;
	while (charge(&tat, now, cost, 10000000) <= 10000000)
		passed++;
	/* 10 ms at 1.2 ms a packet: those that find a debt of 0 to 9.6 ms */
	assert_int_equal(passed, 9);
	/* a refused packet leaves nothing behind */
	assert_int_equal(weir_debt(tat, now), 9 * cost);
	weir_refund(&tat, cost);
	assert_int_equal(weir_debt(tat, now), 8 * cost);
}

static void large_packet_passes_once(void **state)
{
	__u64 npb = weir_npb(1000000), cost = weir_cost(524288, npb), tat = 0, now = 5;

	assert_int_equal(charge(&tat, now, cost, 1000000), 0);
	assert_int_equal(weir_debt(tat, now), cost);
	assert_true(charge(&tat, now, cost, 1000000) > 1000000);
	assert_int_equal(weir_debt(tat, now), cost);
	assert_int_equal(charge(&tat, now + cost, cost, 1000000), 0);
}

/* threads share a clock: nothing is lost, and no more passes than the bound with CPUs in it */
#define THREADS 4
#define CHARGES 5000000
static __u64 shared_tat;
static pthread_barrier_t start;

static void *charge_many(void *arg)
{
	__u64 *passed = arg;

	pthread_barrier_wait(&start);
	for (int i = 0; i < CHARGES; i++)
		*passed += charge(&shared_tat, 1000000, 100, ~0ULL) != ~0ULL;
	return NULL;
}

static void *charge_limited(void *arg)
{
	__u64 *passed = arg;

	pthread_barrier_wait(&start);
	for (int i = 0; i < CHARGES; i++)
		*passed += charge(&shared_tat, 1000000, 100, 50000) <= 50000;
	return NULL;
}

static __u64 run_threads(void *(*run)(void *))
{
	pthread_t threads[THREADS];
	__u64 passed[THREADS] = {}, sum = 0;

	pthread_barrier_init(&start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, &passed[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		sum += passed[i];
	}
	return sum;
}

static void threads_lose_nothing(void **state)
{
	__u64 passed;

	shared_tat = 1000000;
	assert_int_equal(run_threads(charge_many), THREADS * CHARGES);
	assert_int_equal(shared_tat, 1000000 + 100ULL * THREADS * CHARGES);

	shared_tat = 1000000;
	passed = run_threads(charge_limited);
	/* 501 find a debt of 0 to 50000; a transient charge of another may refuse, never admit */
	assert_in_range(passed, 501 - THREADS, 501);
	assert_int_equal(shared_tat, 1000000 + 100 * passed);
}

static void the_slowest_rate_is_kept_while_in_debt(void **state)
{
	__u64 fast = weir_npb(WEIR_RATE_MAX), slow = weir_npb(WEIR_RATE_MIN);
	__u32 kept;

	assert_in_range(weir_slow(fast), 1, weir_slow(slow));
	assert_int_equal(weir_slow(slow), slow >> WEIR_SLOW_SHIFT);
	/* beyond 32 bits it is the largest */
	assert_int_equal(weir_slow(1ULL << (32 + WEIR_SLOW_SHIFT)), 0xffffffff);
	assert_int_equal(weir_slow(~0ULL), 0xffffffff);
	kept = weir_slowest(0, 0, fast);
	assert_int_equal(kept, weir_slow(fast));
	kept = weir_slowest(kept, 1, slow);
	assert_int_equal(kept, weir_slow(slow));
	assert_int_equal(weir_slowest(kept, 1, fast), weir_slow(slow));
	assert_int_equal(weir_slowest(kept, 1ULL << 62, fast), weir_slow(slow));
	assert_int_equal(weir_slowest(kept, 0, fast), weir_slow(fast));
}

/* of a socket that was asked: on a CPU whose clock reading is behind, and in any of the 52 days */
static void asked_just_now_is_not_long_ago(void **state)
{
	static const __u64 units[] = { 1, 1000, 0xffffffff, 0x100000000, 0x1234567890 };

	for (unsigned int i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		__u64 at = units[i] << WEIR_ASKED_SHIFT;
		__u32 asked_at = units[i];

		assert_int_equal(weir_asked_ago(asked_at, at), 0);
		assert_int_equal(weir_asked_ago(asked_at, at - 1), 0);
		assert_int_equal(weir_asked_ago(asked_at, at + (200ULL << WEIR_ASKED_SHIFT)), 200);
		assert_int_equal(weir_asked_ago(asked_at, at + (20000000ULL << WEIR_ASKED_SHIFT)),
				 20000000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(npb_is_exact),
		cmocka_unit_test(cost_is_exact),
		cmocka_unit_test(charges_are_exact_in_the_mean),
		cmocka_unit_test(conforms),
		cmocka_unit_test(agrees_with_tokens),
		cmocka_unit_test(idle_earns_nothing),
		cmocka_unit_test(large_packet_passes_once),
		cmocka_unit_test(threads_lose_nothing),
		cmocka_unit_test(the_slowest_rate_is_kept_while_in_debt),
		cmocka_unit_test(asked_just_now_is_not_long_ago),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
