// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_parse.c: what the programs make of a packet: the flow key, the bytes, and for what cannot
 * be parsed, that it passes under its reason. Both hooks, with and without Ethernet.
 */
#include <linux/if_ether.h>
#include "fixture.h"

static const struct spec well_formed[] = {
	{ .proto = IPPROTO_UDP, .payload = 100 },
	{ .proto = IPPROTO_TCP, .payload = 100 },
	{ .proto = IPPROTO_TCP, .payload = 1, .options = 10 },
	{ .proto = IPPROTO_ICMP, .payload = 56 },
	{ .proto = IPPROTO_SCTP, .payload = 40 },
	{ .proto = IPPROTO_ESP, .payload = 64 },
	{ .proto = IPPROTO_UDP, .payload = 100, .vlans = 1 },
	{ .proto = IPPROTO_TCP, .payload = 100, .vlans = 2 },
	{ .proto = IPPROTO_TCP, .payload = 100, .fragment = 1 },
	{ .proto = IPPROTO_UDP, .payload = 100, .fragment = 1 },
	{ .proto = IPPROTO_UDP, .payload = 100, .fragment = 2 },
	{ .proto = IPPROTO_TCP, .payload = 3000 },
	{ .family = 6, .proto = IPPROTO_UDP, .payload = 100 },
	{ .family = 6, .proto = IPPROTO_TCP, .payload = 100 },
	{ .family = 6, .proto = IPPROTO_TCP, .payload = 100, .exts = 3 },
	{ .family = 6, .proto = IPPROTO_UDP, .payload = 100, .exts = 7, .fragment = 1 },
	{ .family = 6, .proto = IPPROTO_UDP, .payload = 100, .exts = 1, .fragment = 2 },
	{ .family = 6, .proto = IPPROTO_ICMPV6, .payload = 56 },
	{ .family = 6, .proto = IPPROTO_TCP, .payload = 100, .vlans = 2, .exts = 2 },
};

/* the first packet of a flow is a newcomer, the second has an entry of its own */
static void expect_flow(struct harness *h, enum weir_hook hook, const struct spec *spec)
{
	struct weir_flow flow = {};
	struct frame frame;

	frame_build(&frame, spec);
	assert_int_equal(send_spec(h, hook, spec), HARNESS_PASS);
	assert_int_equal(send_spec(h, hook, spec), HARNESS_PASS);
	assert_true(harness_flow(h, spec, hook, &flow));
	assert_int_equal(flow.packets, 1);
	assert_int_equal(flow.bytes, frame.len);
	assert_int_equal(flow.last_reason, WEIR_R_UNLIMITED);
	assert_int_equal(flow.last_seen_ns, h->now_ns);
}

static void keys_of_well_formed_packets(void **state)
{
	struct spec spec;
	size_t i;
	int hook;

	for (i = 0; i < sizeof(well_formed) / sizeof(*well_formed); i++) {
		for (hook = 0; hook < WEIR_HOOK_COUNT; hook++) {
			spec = well_formed[i];
			spec.src = 10 + i;
			expect_flow(*state, hook, &spec);
		}
	}
}

static void keys_without_ethernet(void **state)
{
	struct spec spec;
	size_t i;
	int hook;

	for (i = 0; i < sizeof(well_formed) / sizeof(*well_formed); i++) {
		for (hook = 0; hook < WEIR_HOOK_COUNT; hook++) {
			spec = well_formed[i];
			spec.src = 10 + i;
			spec.l3 = true;
			spec.vlans = 0;
			expect_flow(*state, hook, &spec);
		}
	}
}

/*
 * What IPsec has unpacked on a device of its own (xfrm) still has the Ethernet header before it
 * that ESP came in. On the real clock: in virtual time a packet lies as a capture has it.
 */
static void what_ipsec_unpacked(void **state)
{
	static const struct spec unpacked[] = {
		{ .payload = 100 }, { .family = 6, .proto = IPPROTO_TCP, .payload = 100 },
	};
	struct harness *h = harness_new(HARNESS_REAL_CLOCK | HARNESS_L3);
	struct weir_flow flow = {};
	struct frame frame;
	size_t i;
	int round;

	(void)state;
	assert_non_null(h);
	for (i = 0; i < sizeof(unpacked) / sizeof(*unpacked); i++) {
		for (round = 0; round < 2; round++) {
			frame_build(&frame, &unpacked[i]);
			frame.l3 = 0;	/* the device has no such header */
			assert_int_equal(harness_run(h, INGRESS, &frame), HARNESS_PASS);
		}
		assert_true(harness_flow(h, &unpacked[i], INGRESS, &flow));
		assert_int_equal(flow.bytes, frame.len - ETH_HLEN);
	}
	harness_free(h);
}

/* ports apart, addresses apart, hooks apart: flows apart */
static void no_two_flows_share_a_key(void **state)
{
	struct spec spec[] = {
		{ .sport = 1 }, { .sport = 256 }, { .dport = 1 }, { .src = 7 }, { .dst = 7 },
		{ .proto = IPPROTO_TCP, .sport = 1 }, { .family = 6, .sport = 1 },
	};
	struct weir_flow flow;
	size_t i;
	int round;

	for (round = 0; round < 3; round++)
		for (i = 0; i < sizeof(spec) / sizeof(*spec); i++)
			send_spec(*state, EGRESS, &spec[i]);
	for (i = 0; i < sizeof(spec) / sizeof(*spec); i++) {
		assert_true(harness_flow(*state, &spec[i], EGRESS, &flow));
		assert_int_equal(flow.packets, 2);
		assert_false(harness_flow(*state, &spec[i], INGRESS, &flow));
	}
}

/*
 * Cut anywhere, a packet passes; short of its ports it is unparsed and no flow is made. Newer
 * kernels run no packet that is shorter than an IP header.
 */
static void truncated_packets_pass(void **state)
{
	struct harness *h = *state;
	struct weir_class_stats sum;
	struct frame frame;
	struct spec spec;
	__u32 cut, ran = 0;
	int verdict;
	size_t i;

	for (i = 0; i < sizeof(well_formed) / sizeof(*well_formed); i++) {
		spec = well_formed[i];
		if (spec.fragment == 2 || spec.proto == IPPROTO_ESP)
			continue;
		frame_build(&frame, &spec);
		for (cut = ETH_HLEN; cut < frame.headers - 12; cut++) {
			spec.cut = cut;
			verdict = send_spec(h, EGRESS, &spec);
			assert_true(verdict == HARNESS_PASS || verdict == HARNESS_REFUSED);
			ran += verdict == HARNESS_PASS;
		}
	}
	assert_true(ran > 100);
	assert_int_equal(harness_count(h, 0, WEIR_R_UNPARSED), ran);
	harness_stats(h, 0, &sum);
	assert_int_equal(sum.flows, 0);
}

static void malformed_headers_pass(void **state)
{
	struct harness *h = *state;
	struct spec v4 = { .payload = 100 }, v6 = { .family = 6, .payload = 100 };
	static const __u8 v4_first[] = { 0x00, 0x40, 0x44, 0x35, 0x65, 0xff };
	struct frame frame;
	size_t i;

	for (i = 0; i < sizeof(v4_first); i++) {
		frame_build(&frame, &v4);
		frame.data[frame.l3] = v4_first[i];
		assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
	}
	frame_build(&frame, &v6);
	frame.data[frame.l3] = 0x45;
	assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
	assert_int_equal(harness_count(h, 0, WEIR_R_UNPARSED), sizeof(v4_first) + 1);
}

static void not_ip_passes_uncharged(void **state)
{
	struct harness *h = *state;
	static const __u16 types[] = { ETH_P_ARP, ETH_P_LLDP, ETH_P_PPP_SES, 0x88b5, 100 };
	size_t i;

	harness_rate(harness_class(h, 0), 8000, 8000);
	harness_commit(h);
	for (i = 0; i < 100; i++) {
		struct spec spec = { .ethertype = types[i % 5] };

		assert_int_equal(send_spec(h, i & 1, &spec), HARNESS_PASS);
	}
	assert_int_equal(harness_count(h, 0, WEIR_R_NOT_IP), 100);
}

/* more tags than are looked through: not known to be IP, so not touched */
static void three_tags_are_not_ip(void **state)
{
	struct spec spec = { .payload = 100, .vlans = 3 };

	assert_int_equal(send_spec(*state, EGRESS, &spec), HARNESS_PASS);
	assert_int_equal(harness_count(*state, 0, WEIR_R_NOT_IP), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys_of_well_formed_packets),
		TEST(keys_without_ethernet),
		TEST(what_ipsec_unpacked),
		TEST(no_two_flows_share_a_key),
		TEST(truncated_packets_pass),
		TEST(malformed_headers_pass),
		TEST(not_ip_passes_uncharged),
		TEST(three_tags_are_not_ip),
	};

	return RUN(tests, HARNESS_L3);
}
