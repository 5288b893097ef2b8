// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_bytes.c: bytes on the wire: GSO packets count each segment with its own headers, forged
 * GSO fields cannot inflate or hide bytes, `overhead` and `mpu` count per wire packet.
 */
#include <stdlib.h>
#include <linux/if_ether.h>
#include "fixture.h"

static void count_one(struct harness *h, enum weir_hook hook, const struct spec *spec,
		      struct weir_flow *ret_flow)
{
	harness_establish(h, hook, spec);
	assert_true(harness_flow(h, spec, hook, ret_flow));
	assert_int_equal(send_spec(h, hook, spec), HARNESS_PASS);
}

/* packets and bytes that one more packet adds to its flow */
static void expect(struct harness *h, enum weir_hook hook, const struct spec *spec,
		   __u64 packets, __u64 bytes)
{
	struct weir_flow before, after;

	count_one(h, hook, spec, &before);
	assert_true(harness_flow(h, spec, hook, &after));
	assert_int_equal(after.packets - before.packets, packets);
	assert_int_equal(after.bytes - before.bytes, bytes);
}

static void gso_counts_each_segment(void **state)
{
	struct spec spec[] = {
		{ .proto = IPPROTO_TCP, .payload = 3000, .gso_size = 1000 },
		{ .proto = IPPROTO_TCP, .payload = 3001, .gso_size = 1000 },
		{ .proto = IPPROTO_UDP, .payload = 2999, .gso_size = 1000 },
		{ .family = 6, .proto = IPPROTO_TCP, .payload = 2500, .gso_size = 500 },
		{ .family = 6, .proto = IPPROTO_UDP, .payload = 2501, .gso_size = 500 },
		{ .proto = IPPROTO_TCP, .payload = 3000, .gso_size = 100, .options = 5 },
		{ .proto = IPPROTO_TCP, .payload = 3000, .gso_size = 1000, .vlans = 2 },
	};
	struct frame frame;
	size_t i;
	int hook;

	for (i = 0; i < sizeof(spec) / sizeof(*spec); i++) {
		for (hook = 0; hook < WEIR_HOOK_COUNT; hook++) {
			__u32 n = (spec[i].payload + spec[i].gso_size - 1) / spec[i].gso_size;

			spec[i].src = 10 + i;
			frame_build(&frame, &spec[i]);
			expect(*state, hook, &spec[i], n, spec[i].payload + n * frame.headers);
		}
	}
}

/* the hop-by-hop header of a BIG TCP packet is not on the wire; another one is */
static void a_jumbo_header_is_not_on_the_wire(void **state)
{
	struct spec spec = {
		.family = 6, .proto = IPPROTO_TCP, .payload = 3000, .exts = 1, .gso_size = 1000,
	};
	struct weir_flow before, after;
	struct frame frame;
	__u8 *jumbo;
	int i;

	for (i = 0; i < 2; i++) {
		count_one(*state, EGRESS, &spec, &before);
		assert_true(harness_flow(*state, &spec, EGRESS, &before));
		frame_build(&frame, &spec);
		jumbo = frame.data + ETH_HLEN + 40;
		memset(frame.data + ETH_HLEN + 4, 0, 2);	/* no length: it is in the option */
		frame.data[ETH_HLEN + 6] = IPPROTO_HOPOPTS;
		if (i)
			memcpy(jumbo + 2, "\xc2\x04\0\0\x0b\xcc", 6);
		assert_int_equal(harness_run(*state, EGRESS, &frame), HARNESS_PASS);
		assert_true(harness_flow(*state, &spec, EGRESS, &after));
		assert_int_equal(after.packets - before.packets, 3);
		assert_int_equal(after.bytes - before.bytes, 3000 + 3 * (frame.headers - 8 * i));
	}
}

/* a gso_size that cuts nothing is one packet; a tiny one is many, but bounded */
static void forged_gso_is_bounded(void **state)
{
	struct spec one = { .proto = IPPROTO_TCP, .payload = 1000, .gso_size = 65535 };
	struct spec equal = { .proto = IPPROTO_TCP, .payload = 1000, .gso_size = 1000, .src = 5 };
	struct spec tiny = { .proto = IPPROTO_TCP, .payload = 3000, .gso_size = 1, .src = 6 };
	struct weir_flow before, after;
	struct frame frame;

	expect(*state, EGRESS, &one, 1, 1054);
	expect(*state, EGRESS, &equal, 1, 1054);
	count_one(*state, EGRESS, &tiny, &before);
	assert_true(harness_flow(*state, &tiny, EGRESS, &after));
	assert_int_equal(after.packets - before.packets, 3000);
	assert_true(after.bytes - before.bytes <= WEIR_BYTES_MAX);
	/* headers that claim more than the packet has */
	frame_build(&frame, &tiny);
	frame.data[frame.l3 + 20 + 12] = 0xf0;
	frame.len = frame.l3 + 20 + 20;
	assert_int_equal(harness_run(*state, EGRESS, &frame), HARNESS_PASS);
	before = after;
	assert_true(harness_flow(*state, &tiny, EGRESS, &after));
	assert_int_equal(after.packets - before.packets, 1);
	assert_int_equal(after.bytes - before.bytes, frame.len);
}

static void overhead_and_mpu(void **state)
{
	static const struct { int overhead; __u32 mpu; } how[] = {
		{ 24, 0 }, { 24, 84 }, { 0, 64 }, { -14, 0 }, { -14, 64 }, { -1000, 0 },
		{ 4, 1500 },
	};
	static const __u32 payloads[] = { 0, 1, 6, 22, 23, 1000, 3000 };
	struct harness *h = *state;
	struct spec spec = {};
	struct frame frame;
	size_t i, j;

	for (i = 0; i < sizeof(how) / sizeof(*how); i++) {
		harness_class(h, 0)->overhead = how[i].overhead;
		harness_class(h, 0)->mpu = how[i].mpu;
		harness_commit(h);
		for (j = 0; j < sizeof(payloads) / sizeof(*payloads); j++) {
			__s64 want;

			spec.payload = payloads[j];
			frame_build(&frame, &spec);
			want = (__s64)frame.len + how[i].overhead;
			if (want < (__s64)how[i].mpu)
				want = how[i].mpu;
			if (want < 1)
				want = 1;
			expect(h, EGRESS, &spec, 1, want);
		}
	}
}

/* each segment gets the overhead, and each is at least mpu bytes */
static void overhead_and_mpu_of_segments(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 2010, .gso_size = 1000 };
	__u32 headers = 14 + 20 + 20;

	harness_class(h, 0)->overhead = 24;
	harness_class(h, 0)->mpu = 300;
	harness_commit(h);
	expect(h, EGRESS, &spec, 3, 2 * (1000 + headers + 24) + 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gso_counts_each_segment),
		TEST(a_jumbo_header_is_not_on_the_wire),
		TEST(forged_gso_is_bounded),
		TEST(overhead_and_mpu),
		TEST(overhead_and_mpu_of_segments),
	};

	return RUN(tests, 0);
}
