// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_queue.c: what arrives and is to be delayed goes to the device's ifb, with the departure
 * that it would have at egress; what is not stays out of it, and so does everything when the ifb
 * is not there. What the ifb then does is seen in tests/vm/ingress.sh.
 */
#include "fixture.h"

#define PAYLOAD 158			/* 200 bytes on the wire: 160 us at 10 mbit */
#define NO_DEVICE 0x7ffffff0		/* an index that no device has */

static const __u32 ways[] = { WEIR_DEV_TCX, 0 };
static const struct spec small = { .payload = PAYLOAD };

static void pace(struct harness *h, __u32 flags, __u32 ifb)
{
	struct weir_class *class = harness_class(h, 0);

	class->action = WEIR_PACE;
	class->burst_ns = 0;
	class->mark_at_ns = 1000 * SEC;
	class->drop_at_ns = 50 * MSEC;
	harness_rate(class, 0, 10 * MBIT);
	harness_ifb(h, flags | WEIR_DEV_IFB | WEIR_DEV_EDT, ifb);
	harness_commit(h);
}

/* the verdict of one packet and its departure; by clsact the second filter has its say too */
static int arrive(struct harness *h, __u32 way, __u64 asked, __u64 *ret_departure)
{
	struct frame frame;
	int verdict;

	frame_build(&frame, &small);
	frame.skb.tstamp = asked;
	verdict = harness_run(h, INGRESS, &frame);
	*ret_departure = frame.skb.tstamp;
	if (!way && verdict == HARNESS_PASS && harness_run(h, HARNESS_WAITS, &frame) == -1)
		verdict = HARNESS_REDIRECT;
	return verdict;
}

static void queued_at_the_rate(void **state)
{
	struct harness *h = *state;
	__u64 at, want;

	for (int w = 0; w < 2; w++) {
		harness_reset(h);
		harness_establish(h, INGRESS, &small);
		pace(h, ways[w], HARNESS_IFINDEX);
		/* the first need not wait, but it must not be overtaken either */
		assert_int_equal(arrive(h, ways[w], 0, &at), HARNESS_REDIRECT);
		assert_int_equal(at, ways[w] ? 0 : h->now_ns);
		for (int i = 1; i < 300; i++) {
			want = h->now_ns + i * 160 * USEC;
			assert_int_equal(arrive(h, ways[w], 0, &at), HARNESS_REDIRECT);
			assert_in_range(at, want - i, want);
		}
		/* beyond drop-at */
		for (int i = 0; i < 100; i++)
			arrive(h, ways[w], 0, &at);
		assert_int_equal(arrive(h, ways[w], 0, &at), HARNESS_DROP);
		/* one that has been asked to leave later is */
		h->now_ns += SEC;
		assert_int_equal(arrive(h, ways[w], h->now_ns + SEC, &at), HARNESS_REDIRECT);
		assert_int_equal(at, h->now_ns + SEC);
	}
}

/* without the ifb it passes; the horizon still holds the rate, as a policer with drop-at's burst */
static void no_ifb_no_queue(void **state)
{
	struct harness *h = *state;
	int passed = 0;
	__u64 at;

	for (int w = 0; w < 2; w++) {
		harness_reset(h);
		harness_establish(h, INGRESS, &small);
		pace(h, ways[w], w ? 0 : NO_DEVICE);
		for (passed = 0; arrive(h, ways[w], 0, &at) == HARNESS_PASS; passed++)
			assert_true(passed < 1000);
		assert_int_equal(passed, 50 * MSEC / (160 * USEC) + 1);
	}
}

/* what no class delays stays out of the queue, a local sender's packet with its departure, too */
static void only_what_is_delayed(void **state)
{
	struct harness *h = *state;
	__u64 at;

	for (int w = 0; w < 2; w++) {
		harness_reset(h);
		harness_ifb(h, ways[w] | WEIR_DEV_IFB | WEIR_DEV_EDT, HARNESS_IFINDEX);
		for (int i = -2; i < 3; i++) {
			assert_int_equal(arrive(h, ways[w], h->now_ns + i * USEC, &at),
					 HARNESS_PASS);
			assert_int_equal(at, h->now_ns + i * USEC);
		}
		for (int i = 0; i < 5; i++)
			assert_int_equal(arrive(h, ways[w], 0, &at), HARNESS_PASS);
		pace(h, ways[w], HARNESS_IFINDEX);
		harness_class(h, 0)->action = WEIR_POLICE;
		harness_class(h, 0)->burst_ns = SEC;
		harness_commit(h);
		for (int i = 0; i < 5; i++)
			assert_int_equal(arrive(h, ways[w], 0, &at), HARNESS_PASS);
		harness_class(h, 0)->action = WEIR_OBSERVE;
		harness_commit(h);
		for (int i = 0; i < 1000; i++)
			assert_int_equal(arrive(h, ways[w], 0, &at), HARNESS_PASS);
		/* a newcomer has no queue yet */
		harness_reset(h);
		pace(h, ways[w], HARNESS_IFINDEX);
		assert_int_equal(arrive(h, ways[w], 0, &at), HARNESS_PASS);
		assert_int_equal(arrive(h, ways[w], 0, &at), HARNESS_REDIRECT);
	}
}

/* the record counts, not what the flow remembers: a queue that is taken away is not used */
static void the_record_counts(void **state)
{
	struct harness *h = *state;
	__u64 at;

	harness_establish(h, INGRESS, &small);
	pace(h, WEIR_DEV_TCX, HARNESS_IFINDEX);
	assert_int_equal(arrive(h, WEIR_DEV_TCX, 0, &at), HARNESS_REDIRECT);
	harness_ifb(h, WEIR_DEV_TCX, 0);
	assert_int_equal(arrive(h, WEIR_DEV_TCX, 0, &at), HARNESS_PASS);
	/* egress never has one */
	harness_device(h, EGRESS, WEIR_DEV_EDT);
	assert_int_equal(send_spec(h, EGRESS, &small), HARNESS_PASS);
	assert_int_equal(send_spec(h, EGRESS, &small), HARNESS_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(queued_at_the_rate),
		TEST(no_ifb_no_queue),
		TEST(only_what_is_delayed),
		TEST(the_record_counts),
	};

	return RUN(tests, 0);
}
