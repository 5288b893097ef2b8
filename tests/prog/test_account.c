// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_account.c: nothing gets lost: whatever the packets and the policy, every packet is counted
 * once under one reason, and bytes in = bytes passed + bytes dropped, per class and per flow.
 */
#include "fixture.h"

struct tally {
	__u64 packets, bytes, dropped, dropped_bytes;
};

static struct tally tally_class(struct harness *h, unsigned int slot)
{
	struct weir_class_stats sum;
	struct tally t = {};
	int r;

	harness_stats(h, slot, &sum);
	for (r = 0; r < WEIR_R_COUNT; r++) {
		t.packets += sum.packets[r];
		t.bytes += sum.bytes[r];
		if (r >= WEIR_R_FIRST_DROP) {
			t.dropped += sum.packets[r];
			t.dropped_bytes += sum.bytes[r];
		}
	}
	return t;
}

static void random_spec(struct spec *spec)
{
	static const int protos[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_SCTP };

	memset(spec, 0, sizeof(*spec));
	spec->family = random_u32() % 4 ? 4 : 6;
	spec->proto = protos[random_u32() % 3];
	spec->sport = 1 + random_u32() % 16;
	spec->ecn = random_u32() % 4;
	spec->payload = random_u32() % 3000;
	spec->vlans = random_u32() % 3;
	spec->fragment = random_u32() % 20 ? 0 : 2;
	if (spec->payload > 1400)
		spec->gso_size = 200 + random_u32() % 1200;
	/* SCTP's chunks differ: so many of them */
	if (spec->gso_size && spec->proto == IPPROTO_SCTP && random_u32() % 2) {
		spec->gso_size = 0xffff;
		spec->gso_segs = 2 + random_u32() % 8;
	}
}

/* what the program must make of it, computed apart: wire packets and bytes */
static void expect(const struct spec *spec, const struct frame *frame, struct tally *t, int verdict)
{
	__u64 packets = 1, bytes = frame->len;

	if (spec->gso_segs) {
		packets = spec->gso_segs;
		bytes += (packets - 1) * frame->headers;
	} else if (spec->gso_size && spec->payload > spec->gso_size) {
		packets = (spec->payload + spec->gso_size - 1) / spec->gso_size;
		bytes += (packets - 1) * frame->headers;
	}
	t->packets += packets;
	t->bytes += bytes;
	if (verdict == HARNESS_DROP) {
		t->dropped += packets;
		t->dropped_bytes += bytes;
	}
}

static void classes_of_each_kind(struct harness *h)
{
	static const __u8 per[] = {
		WEIR_PER_FLOW, WEIR_PER_SRC, WEIR_PER_DST, WEIR_PER_DSCP, WEIR_PER_CLASS,
	};
	unsigned int i;

	for (i = 0; i < 8; i++) {
		struct weir_class *class = harness_class(h, i + 1);
		struct weir_rule *rule = harness_rule(h, i + 1);

		class->per = per[i % 5];
		class->plen4 = 24;
		class->plen6 = 64;
		class->action = i & 1 ? WEIR_PACE : WEIR_POLICE;
		class->drop_at_ns = 20 * MSEC;
		harness_rate(class, i & 2 ? 20 * MBIT : 0, i & 4 ? 5 * MBIT : 2 * MBIT);
		rule->fields = WEIR_M_SPORT;
		rule->sport[0] = (struct weir_range){ 2 * i + 1, 2 * i + 1 };
		rule->n_sport = 1;
	}
}

static void in_is_passed_plus_dropped(struct harness *h, __u32 device)
{
	struct tally want = {}, got = {}, one;
	struct frame frame;
	struct spec spec;
	unsigned int i;

	harness_reset(h);
	classes_of_each_kind(h);
	harness_device(h, EGRESS, device);
	harness_commit(h);
	for (i = 0; i < 20000; i++) {
		h->now_ns += random_u32() % (100 * USEC);
		random_spec(&spec);
		frame_build(&frame, &spec);
		expect(&spec, &frame, &want, send_spec(h, i & 1, &spec));
		if (i % 5000 == 2500)
			harness_commit(h);
	}
	for (i = 0; i < h->n_classes; i++) {
		one = tally_class(h, i);
		got.packets += one.packets;
		got.bytes += one.bytes;
		got.dropped += one.dropped;
		got.dropped_bytes += one.dropped_bytes;
	}
	assert_int_equal(got.packets, want.packets);
	assert_int_equal(got.bytes, want.bytes);
	assert_int_equal(got.dropped, want.dropped);
	assert_int_equal(got.dropped_bytes, want.dropped_bytes);
	assert_true(want.dropped > 1000 && want.packets - want.dropped > 1000);
}

static void classes_without_fq(void **state)
{
	in_is_passed_plus_dropped(*state, 0);
}

static void classes_with_fq(void **state)
{
	in_is_passed_plus_dropped(*state, WEIR_DEV_EDT);
}

/* a flow's own counters agree with the verdicts that its packets got */
static void flows(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .proto = IPPROTO_TCP, .payload = 2000, .gso_size = 700 };
	struct weir_flow before, after;
	struct tally want = {};
	struct frame frame;
	int i;

	harness_rate(harness_class(h, 0), 0, 10 * MBIT);
	harness_commit(h);
	harness_establish(h, EGRESS, &spec);
	assert_true(harness_flow(h, &spec, EGRESS, &before));
	frame_build(&frame, &spec);
	for (i = 0; i < 1000; i++) {
		h->now_ns += 100 * USEC;
		expect(&spec, &frame, &want, send_spec(h, EGRESS, &spec));
	}
	assert_true(harness_flow(h, &spec, EGRESS, &after));
	assert_int_equal(after.packets - before.packets, want.packets);
	assert_int_equal(after.bytes - before.bytes, want.bytes);
	assert_int_equal(after.dropped - before.dropped, want.dropped);
	assert_int_equal(after.dropped_bytes - before.dropped_bytes, want.dropped_bytes);
	assert_true(want.dropped > 1000);
}

/* a flood of one-packet flows evicts nobody, and every packet of it is counted */
static void a_flood_of_new_flows(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 100 };
	struct weir_flow flow;
	struct tally t;
	__u32 i;

	harness_establish(h, EGRESS, &spec);
	for (i = 0; i < 20000; i++) {
		struct spec stranger = { .src = 10 + i % 200, .sport = 1 + i / 200, .dst = 9 };

		h->now_ns += 10 * USEC;
		assert_int_equal(send_spec(h, EGRESS, &stranger), HARNESS_PASS);
	}
	assert_true(harness_flow(h, &spec, EGRESS, &flow));
	t = tally_class(h, 0);
	assert_int_equal(t.packets, 20000 + 2);
	assert_true(harness_count(h, 0, WEIR_R_NEWCOMER) + harness_count(h, 0, WEIR_R_UNLIMITED) ==
		    t.packets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(classes_without_fq),
		TEST(classes_with_fq),
		TEST(flows),
		TEST(a_flood_of_new_flows),
	};

	return RUN(tests, 0);
}
