// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_skew.c: packets of several CPUs, and the timer on yet another, do not come in the order of
 * the times that they have read: one that is some ns behind is no reason to forget anything.
 */
#include <bpf/bpf.h>
#include "fixture.h"

static const struct spec spec = { .payload = 958 };

static struct weir_class_state class_state(struct harness *h, __u32 slot)
{
	struct weir_class_state state;

	assert_int_equal(bpf_map_lookup_elem(harness_map(h, "class_state"), &slot, &state), 0);
	return state;
}

/* its pass began before a packet that was quicker */
static void the_timer_is_behind_a_packet(void **state)
{
	struct harness *h = *state;
	struct weir_class *class = harness_class(h, 0);
	__u64 level;

	class->flags |= WEIR_CLASS_FAIR;
	harness_rate(class, 8 * MBIT, 0);
	harness_commit(h);
	harness_establish(h, EGRESS, &spec);
	harness_tick(h);
	level = class_state(h, 0).npb_level;
	assert_int_not_equal(level, 0);
	h->now_ns += 20 * MSEC;
	send_spec(h, EGRESS, &spec);
	h->now_ns -= 100;
	harness_tick(h);
	assert_int_equal(class_state(h, 0).npb_level, level);
}

/* a packet of another CPU, 100 ns behind the one that began a new span of the rate */
static void a_packet_is_behind_another(void **state)
{
	struct harness *h = *state;
	struct weir_flow flow;
	__u64 rate;

	harness_establish(h, EGRESS, &spec);
	for (int i = 0; i < 26; i++) {
		h->now_ns += 10 * MSEC;
		send_spec(h, EGRESS, &spec);
	}
	assert_true(harness_flow(h, &spec, EGRESS, &flow));
	rate = flow.rate_bps;
	assert_int_not_equal(rate, 0);
	h->now_ns = flow.rate_at_ns - 100;
	send_spec(h, EGRESS, &spec);
	assert_true(harness_flow(h, &spec, EGRESS, &flow));
	assert_int_equal(flow.rate_bps, rate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_timer_is_behind_a_packet),
		TEST(a_packet_is_behind_another),
	};

	return RUN(tests, 0);
}
