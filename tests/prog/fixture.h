/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fixture.h: what every program test does: load once, start each test afresh, and a few phrases.
 * Included once per test program.
 */
#ifndef WEIR_FIXTURE_H
#define WEIR_FIXTURE_H

#include <stdio.h>
#include <string.h>
#include "harness.h"
#include <cmocka.h>

#define EGRESS WEIR_EGRESS
#define INGRESS WEIR_INGRESS
#define MBIT 1000000ULL
#define USEC 1000ULL
#define MSEC 1000000ULL
#define SEC 1000000000ULL

#define TEST(function) cmocka_unit_test_setup(function, fixture_fresh)
#define RUN(tests, flags) (fixture_flags = (flags), \
	cmocka_run_group_tests_name(__FILE__, tests, fixture_load, fixture_free))

static unsigned int fixture_flags;

static int fixture_load(void **state)
{
	*state = harness_new(fixture_flags);
	return *state ? 0 : -1;
}

static int fixture_free(void **state)
{
	harness_free(*state);
	return 0;
}

static int fixture_fresh(void **state)
{
	harness_reset(*state);
	return 0;
}

/* builds and runs one packet; its verdict */
static inline int send_spec(struct harness *h, enum weir_hook hook, const struct spec *spec)
{
	struct frame frame;

	frame_build(&frame, spec);
	return harness_run(h, hook, &frame);
}

/* xorshift: the same numbers in every run */
static inline __u32 random_u32(void)
{
	static __u64 x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x >> 16;
}

/* the codepoint that a frame carries now */
static inline int frame_ecn(const struct frame *frame)
{
	const __u8 *ip = frame->data + frame->l3;

	return ip[0] >> 4 == 4 ? ip[1] & 3 : ip[1] >> 4 & 3;
}

#endif
