// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_aqm.c: the marking laws against floating point and in a closed loop. Probabilities are in
 * units of 2^-32.
 */
#include "unit.h"
#include <math.h>
#include <weir/aqm.h>

#define ONE 4294967296.0L
#define MS 1000000ULL

static void ramp_is_linear(void **state)
{
	__u32 last = 0;

	assert_int_equal(weir_ramp(0, 5, 10), 0);
	assert_int_equal(weir_ramp(5, 5, 10), 0);
	assert_int_equal(weir_ramp(10, 5, 10), 0xffffffff);
	assert_int_equal(weir_ramp(~0ULL, 5, 10), 0xffffffff);
	for (__u64 delay = 0; delay < 2 * MS; delay += 997) {
		__u32 p = weir_ramp(delay, WEIR_L4S_LOW_NS, WEIR_L4S_HIGH_NS);
		long double want = ((long double)delay - WEIR_L4S_LOW_NS) /
				   (WEIR_L4S_HIGH_NS - WEIR_L4S_LOW_NS);

		want = want < 0 ? 0 : want > 1 ? 1 : want;
		assert_true(fabsl(p - want * ONE) <= 1.0L);
		assert_true(p >= last);
		last = p;
	}
}

static void l4s_waits_for_two_packets(void **state)
{
	/* fast: 0.8 to 1.2 ms */
	assert_int_equal(weir_l4s(800000, 12112), 0);
	assert_true(weir_l4s(800001, 12112) > 0);
	assert_int_equal(weir_l4s(1200000, 12112), 0xffffffff);
	assert_in_range(weir_l4s(1000000, 12112), 0x7fffff00, 0x80000100);
	/* 1 mbit: a full packet takes 12.112 ms; two of them are no queue */
	assert_int_equal(weir_l4s(24224000, 12112000), 0);
	assert_true(weir_l4s(24224001, 12112000) > 0);
	assert_int_equal(weir_l4s(24624000, 12112000), 0xffffffff);
}

static void targets_follow_the_rate(void **state)
{
	assert_int_equal(weir_mark_target(5 * MS, 121120), 5 * MS);
	assert_int_equal(weir_mark_target(5 * MS, 12112000), 48448000);
	assert_int_equal(weir_drop_target(200 * MS, 121120), 100 * MS);
	assert_int_equal(weir_drop_target(200 * MS, 12112000), 193792000);
}

/* RFC 9332, figure 2, in its own units: seconds, Hz */
static void pi_is_the_rfc_s(void **state)
{
	for (int i = 0; i < 200000; i++) {
		__u32 p = unit_below(WEIR_PI_MAX + 1ULL), target = unit_scale(100, 100000);
		__u32 old = unit_scale(0, 300000), delay = unit_scale(0, 300000), got;
		__u64 elapsed = unit_scale(1 * MS, 1000 * MS);
		long double steps = elapsed / (long double)WEIR_PI_UPDATE_NS, want;

		steps = steps > 8 ? 8 : steps;
		want = p / ONE + 0.16L * steps * ((long double)delay - target) / 1e6L +
		       3.2L * ((long double)delay - old) / 1e6L;
		want = want < 0 ? 0 : want > 0.5L ? 0.5L : want;
		got = weir_pi(p, old, delay, target, elapsed);
		/* gains rounded to 3e-4 of themselves, steps to 1/256 */
		if (fabsl(got / ONE - want) > 2e-3L)
			fail_msg("p %u old %u delay %u target %u elapsed %llu: %.6Lf, want %.6Lf",
				 p, old, delay, target, elapsed, got / ONE, want);
	}
	/* the gains, without the rounding of steps: one update */
	assert_true(fabsl(weir_pi(0x40000000, 10000, 10000, 5000, WEIR_PI_UPDATE_NS) / ONE -
			  (0.25L + 0.16L * 5e-3L)) < 1e-6L);
	assert_true(fabsl(weir_pi(0x40000000, 10000, 12000, 12000, WEIR_PI_UPDATE_NS) / ONE -
			  (0.25L + 3.2L * 2e-3L)) < 1e-5L);
}

static void pi_stays_in_bounds(void **state)
{
	assert_int_equal(weir_pi(WEIR_PI_MAX, 0, ~0U, 0, ~0ULL), WEIR_PI_MAX);
	assert_int_equal(weir_pi(0, ~0U, 0, ~0U, ~0ULL), 0);
	assert_int_equal(weir_pi(WEIR_PI_MAX, ~0U, 0, ~0U, ~0ULL), 0);
	assert_int_equal(weir_square(0), 0);
	assert_int_equal(weir_square(WEIR_PI_MAX), 0x40000000);
	assert_int_equal(weir_square(0x10000), 1);
	/* at rest an idle spell, however long, is worth eight updates */
	assert_int_equal(weir_pi(0x40000000, 0, 0, 15000, 8 * WEIR_PI_UPDATE_NS),
			 weir_pi(0x40000000, 0, 0, 15000, ~0ULL));
}

/*
 * Reno flows as a fluid (a window of 1.22 / sqrt(p) packets) over a link whose queue is the delay:
 * the law brings the delay to its target and keeps it there.
 */
static void loop_settles(void **state)
{
	static const struct {
		double mbit, rtt_ms;
		int flows;
	} table[] = { { 10, 20, 4 }, { 100, 20, 10 }, { 100, 100, 30 }, { 20, 10, 8 } };
	const double target_s = 0.015, step_s = 0.016;

	for (unsigned int i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		double packets_s = table[i].mbit * 1e6 / (1514 * 8), queue_s = 0, sum = 0;
		double window = 10;
		__u32 p = 0, old_us = 0;
		int n = 0;

		for (int k = 0; k < 60 / step_s; k++) {
			double rtt = table[i].rtt_ms / 1e3 + queue_s, mark;

			p = weir_pi(p, old_us, queue_s * 1e6, target_s * 1e6, step_s * 1e9);
			old_us = queue_s * 1e6;
			mark = weir_square(p) / (double)ONE;
			/* dW/dt = 1/RTT - W/2 * (W * p / RTT) */
			window += step_s * (1 - window * window * mark / 2) / rtt;
			window = window < 2 ? 2 : window;
			queue_s += step_s * (table[i].flows * window / rtt / packets_s - 1);
			queue_s = queue_s < 0 ? 0 : queue_s;
			if (k * step_s > 30) {
				sum += queue_s;
				n++;
			}
		}
		if (fabs(sum / n - target_s) > 0.15 * target_s)
			fail_msg("%.0f mbit, %d flows: %.1f ms", table[i].mbit, table[i].flows,
				 1e3 * sum / n);
	}
}

/*
 * One Reno flow as a fluid over a phantom queue: it halves a round trip after a signal. Whatever
 * its round trip, the depth that is learned keeps the queue from running empty for long, so that
 * the flow has its rate: three quarters of it without a queue.
 */
static double reno_share(double mbit, double rtt_ms, int learns, __u32 *depth)
{
	const double packet_us = 1514 * 8 / mbit, n = rtt_ms * 1e3 / packet_us, step_us = 200;
	const __u32 base = 16 * packet_us > 5000 ? 16 * packet_us : 5000;
	double window = n, debt = 0, answer = -1, now, sent = 0, calm = 0;
	__u32 low = 0;

	*depth = base;
	for (now = 0; now < 120e6; now += step_us) {
		__u32 top = learns ? *depth : base;

		debt += (window / n - 1) * step_us;
		debt = debt < 0 ? 0 : debt;
		sent += now > 60e6 ? window / n * step_us / 60e6 : 0;
		window += step_us / (rtt_ms * 1e3);
		if (weir_rise(depth, &low, debt, top, base, packet_us) && answer < 0 && now > calm)
			answer = now + rtt_ms * 1e3;
		if (answer >= 0 && now >= answer) {
			window = window / 2 > 2 ? window / 2 : 2;
			answer = -1;
			calm = now + rtt_ms * 1e3;
		}
	}
	return sent;
}

static void rise_gives_reno_its_rate(void **state)
{
	static const struct { double mbit, rtt_ms; } table[] = {
		{ 50, 20 }, { 100, 20 }, { 10, 20 }, { 33, 20 }, { 10, 100 }, { 100, 10 },
	};
	__u32 depth;
	double share;

	for (unsigned int i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		share = reno_share(table[i].mbit, table[i].rtt_ms, 1, &depth);
		if (share < 0.96 || share > 1.01 || depth > WEIR_DEPTH_MAX_US)
			fail_msg("%.0f mbit, %.0f ms: %.3f of the rate at %u us", table[i].mbit,
				 table[i].rtt_ms, share, depth);
	}
	/* the model can tell: a depth that stays is too shallow for 83 packets in flight */
	assert_true(reno_share(50, 20, 0, &depth) < 0.9);
}

/* one signal for each rise, none while the debt falls or stands */
static void rise_signals_once(void **state)
{
	__u32 depth = 0, low = 0, debt, signals = 0;

	for (debt = 0; debt <= 10000; debt += 100)
		assert_false(weir_rise(&depth, &low, debt, 10000, 10000, 300));
	assert_true(weir_rise(&depth, &low, 10100, 10000, 10000, 300));
	assert_int_equal(depth, 15000);		/* it came from nothing: too shallow */
	for (debt = 10100; debt < 15100; debt += 100)
		signals += weir_rise(&depth, &low, debt, 10000, 10000, 300);
	assert_int_equal(signals, 0);
	for (; debt > 12000; debt -= 100)
		signals += weir_rise(&depth, &low, debt, 14000, 10000, 300);
	assert_int_equal(signals, 1);		/* 5 ms above the last one */
	assert_in_range(depth, 13000, 13999);	/* it never fell to half: too deep */
	assert_false(weir_rise(&depth, &low, 12000 + 4900, 14000, 10000, 300));
	assert_true(weir_rise(&depth, &low, 12000 + 5100, 14000, 10000, 300));
	weir_rise(&depth, &low, 600000, 490000, 10000, 300);
	assert_in_range(depth, 1, WEIR_DEPTH_MAX_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ramp_is_linear),
		cmocka_unit_test(l4s_waits_for_two_packets),
		cmocka_unit_test(targets_follow_the_rate),
		cmocka_unit_test(pi_is_the_rfc_s),
		cmocka_unit_test(pi_stays_in_bounds),
		cmocka_unit_test(loop_settles),
		cmocka_unit_test(rise_gives_reno_its_rate),
		cmocka_unit_test(rise_signals_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
