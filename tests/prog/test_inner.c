// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_inner.c: packets in tunnels: whose flow they are, how many bytes they make on the wire, and
 * where a mark goes (RFC 6040). The packets and what is expected come from tunnel.h.
 */
#include <errno.h>
#include "tunnel.h"

#define ROUNDS 3000

static void inner_class(struct harness *h, unsigned int slot)
{
	harness_class(h, slot)->flags |= WEIR_CLASS_INNER;
	harness_commit(h);
}

static int send_packet(struct harness *h, enum weir_hook hook, const struct packet *p)
{
	struct frame frame;

	packet_build(&frame, p);
	return harness_run(h, hook, &frame);
}

static void fail_packet(const struct packet *p, const char *what)
{
	fail_msg("%s: tunnel %d id %x families %d in %d proto %d vlans %d in %d options %d %d %d",
		 what, p->tunnel, p->id, p->inside.family, p->outer.family, p->proto,
		 p->inside_vlans, p->vlans, p->outer.options, p->inside.options, p->tunnel_options);
}

/* the flow inside has the packet, the outer has an entry that counts nothing */
static void the_key_is_the_inner_flows(void **state)
{
	struct harness *h = *state;
	struct weir_flow_key inside, outer;
	struct weir_flow flow;
	struct packet p;
	struct frame frame;
	int i, hook;

	for (i = 0; i < ROUNDS; i++) {
		if (i % 500 == 0) {
			harness_reset(h);
			inner_class(h, 0);
		}
		hook = i & 1;
		random_packet(&p);
		packet_build(&frame, &p);
		inside_key(&p, hook, &inside);
		outer_key(&p, hook, &outer);
		assert_int_equal(send_packet(h, hook, &p), HARNESS_PASS);
		assert_int_equal(send_packet(h, hook, &p), HARNESS_PASS);
		if (!harness_flow_at(h, &inside, &flow))
			fail_packet(&p, "no inner flow");
		assert_int_equal(flow.packets, 1);
		assert_int_equal(flow.bytes, frame.len);
		if (!harness_flow_at(h, &outer, &flow))
			fail_packet(&p, "no outer flow");
		assert_int_equal(flow.packets, 0);
	}
}

static void without_inner_the_key_is_the_outers(void **state)
{
	struct weir_flow_key inside, outer;
	struct weir_flow flow;
	struct packet p;
	int i;

	for (i = 0; i < 500; i++) {
		random_packet(&p);
		inside_key(&p, EGRESS, &inside);
		outer_key(&p, EGRESS, &outer);
		send_packet(*state, EGRESS, &p);
		send_packet(*state, EGRESS, &p);
		assert_false(harness_flow_at(*state, &inside, &flow));
		assert_true(harness_flow_at(*state, &outer, &flow));
		assert_true(flow.packets >= 1);
	}
}

static const struct packet usual = {
	.outer = { .family = 4, .net = 1, .src = 1, .dst = 2, .ecn = WEIR_ECT0 },
	.inside = { .family = 4, .net = 2, .src = 3, .dst = 4, .ecn = WEIR_ECT0 },
	.tunnel = VXLAN, .id = 42, .proto = IPPROTO_TCP, .sport = 4000, .dport = 80,
	.payload = 1000, .cover = 50000,
};

/* the rules see the outer headers; what is inside shares the class, whatever its own ports say */
static void the_outer_chooses_the_class(void **state)
{
	struct harness *h = *state;
	struct packet p = usual;
	struct weir_flow_key key;
	struct weir_flow flow;
	struct weir_rule *rule;

	rule = harness_rule(h, 2);
	rule->fields = WEIR_M_DPORT;
	rule->n_dport = 1;
	rule->dport[0] = (struct weir_range){ 80, 80 };
	rule = harness_rule(h, 1);
	rule->fields = WEIR_M_DPORT;
	rule->n_dport = 1;
	rule->dport[0] = (struct weir_range){ 4789, 4789 };
	harness_class(h, 2);
	inner_class(h, 1);
	send_packet(h, EGRESS, &p);
	send_packet(h, EGRESS, &p);
	inside_key(&p, EGRESS, &key);
	assert_true(harness_flow_at(h, &key, &flow));
	assert_int_equal(flow.class_slot, 1);
	/* a new policy, another class: at the next packet */
	h->rules[1].class_slot = 3;
	inner_class(h, 3);
	send_packet(h, EGRESS, &p);
	assert_true(harness_flow_at(h, &key, &flow));
	assert_int_equal(flow.class_slot, 3);
	assert_int_equal(flow.packets, 2);
}

/* the same flow by another tunnel, which is of another class: counted there, at its rate */
static void a_flow_goes_by_another_tunnel(void **state)
{
	struct harness *h = *state;
	struct packet p = usual, q = usual;
	struct weir_flow_key key;
	struct weir_flow flow;
	int slot;

	q.outer.src = 9;
	for (slot = 1; slot <= 2; slot++) {
		const struct ip_layer *outer = slot == 1 ? &p.outer : &q.outer;
		struct weir_rule *rule = harness_rule(h, slot);

		rule->fields = WEIR_M_SRC;
		rule->n_src = 1;
		memset(rule->src[0].mask, 0xff, 16);
		layer_address(outer, outer->src, rule->src[0].addr);
		inner_class(h, slot);
	}
	send_packet(h, EGRESS, &p);
	send_packet(h, EGRESS, &p);
	send_packet(h, EGRESS, &q);
	send_packet(h, EGRESS, &q);
	inside_key(&p, EGRESS, &key);
	assert_true(harness_flow_at(h, &key, &flow));
	assert_int_equal(flow.class_slot, 2);
	for (slot = 1; slot <= 2; slot++)
		assert_int_equal(harness_count(h, slot, WEIR_R_NEWCOMER) +
				 harness_count(h, slot, WEIR_R_UNLIMITED), 2);
	send_packet(h, EGRESS, &p);
	assert_true(harness_flow_at(h, &key, &flow));
	assert_int_equal(flow.class_slot, 1);
}

/* two tenants with the same addresses: two flows, and two buckets where the class is per src */
static void the_same_addresses_in_two_tunnels(void **state)
{
	struct harness *h = *state;
	struct packet p = usual, q;
	struct weir_class *class = harness_class(h, 0);
	int i, dropped[2] = {};

	p.outer.ecn = p.inside.ecn = WEIR_NOT_ECT;
	q = p;
	q.id = 43;
	harness_rate(class, 0, 8 * MBIT);
	class->per = WEIR_PER_SRC;
	class->plen4 = 32;
	class->plen6 = 128;
	inner_class(h, 0);
	for (i = 0; i < 50; i++)
		dropped[0] += send_packet(h, EGRESS, &p) == HARNESS_DROP;
	assert_true(dropped[0] > 20);
	dropped[1] = send_packet(h, EGRESS, &q) == HARNESS_DROP;
	assert_int_equal(dropped[1], 0);
	q.id = 42;
	q.inside.dst = 77;			/* the same source, another flow */
	assert_int_equal(send_packet(h, EGRESS, &q), HARNESS_DROP);
}

/* each inner flow has a bucket of its own, though the tunnel is one flow outside */
static void each_inner_flow_has_its_bucket(void **state)
{
	struct harness *h = *state;
	struct packet p = usual;
	int i, flow, passed[2] = {};

	p.tunnel = GRE;
	p.payload = 910;
	p.outer.ecn = p.inside.ecn = WEIR_NOT_ECT;
	harness_rate(harness_class(h, 0), 0, 8 * MBIT);
	inner_class(h, 0);
	for (i = 0; i < 4000; i++) {
		flow = i & 1;
		p.sport = 4000 + flow;
		passed[flow] += send_packet(h, EGRESS, &p) == HARNESS_PASS;
		h->now_ns += 250 * USEC;	/* 16 Mbit/s of 1 ms packets each */
	}
	for (flow = 0; flow < 2; flow++)
		assert_in_range(passed[flow], 1000, 1025);	/* a second, and the burst */
}

/* whether the class looks inside or not, a segment has the headers of both */
static void segments_have_all_headers(void **state)
{
	struct harness *h = *state;
	struct weir_flow_key key;
	struct weir_flow before, after;
	struct packet p;
	struct frame frame;
	__u32 segments;
	int i, enter, hook;

	for (i = 0; i < ROUNDS / 3; i++) {
		enter = i & 1;
		hook = i >> 1 & 1;
		if (i % 250 < 2) {
			harness_reset(h);
		}
		harness_class(h, 0)->flags &= ~WEIR_CLASS_INNER;
		if (enter)
			inner_class(h, 0);
		else
			harness_commit(h);
		random_packet(&p);
		p.proto = random_u32() & 1 ? IPPROTO_TCP : IPPROTO_UDP;
		p.gso_size = 100 + random_u32() % 1000;
		if (p.payload < p.gso_size)
			p.payload = p.gso_size;
		packet_build(&frame, &p);
		(enter ? inside_key : outer_key)(&p, hook, &key);
		send_packet(h, hook, &p);
		send_packet(h, hook, &p);
		assert_true(harness_flow_at(h, &key, &before));
		send_packet(h, hook, &p);
		assert_true(harness_flow_at(h, &key, &after));
		segments = (p.payload + p.gso_size - 1) / p.gso_size;
		assert_int_equal(after.packets - before.packets, segments);
		if (after.bytes - before.bytes != p.payload + segments * frame.headers)
			fail_packet(&p, "bytes of segments");
	}
}

/* a UDP socket that sends several VXLAN packets at once: cut outside, each with its own inside */
static void segments_of_a_tunnel_in_user_space(void **state)
{
	struct harness *h = *state;
	struct weir_flow_key key;
	struct weir_flow before, after;
	struct packet p = usual;
	struct frame frame;
	__u32 one;

	p.payload = 400;
	packet_build(&frame, &p);
	one = frame.len - 42;			/* payload of the outer UDP */
	memcpy(frame.data + frame.len, frame.data + 42, one);
	memcpy(frame.data + frame.len + one, frame.data + 42, one);
	frame.len += 2 * one;
	frame.skb.gso_size = one;
	put16(frame.data + 16, frame.len - 14);
	put16(frame.data + 38, frame.len - 34);
	outer_key(&p, EGRESS, &key);
	send_packet(h, EGRESS, &p);
	send_packet(h, EGRESS, &p);
	assert_true(harness_flow_at(h, &key, &before));
	assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
	assert_true(harness_flow_at(h, &key, &after));
	assert_int_equal(after.packets - before.packets, 3);
	assert_int_equal(after.bytes - before.bytes, 3 * (42 + one));
}

/* cut anywhere: passes, is counted once; whole inner headers or the outer flow */
static void truncated_tunnels_pass(void **state)
{
	struct harness *h = *state;
	struct weir_class_stats sum;
	struct packet p;
	struct frame frame;
	__u32 cut, ran = 0;
	__u64 counted = 0;
	int i, reason, verdict;

	inner_class(h, 0);
	for (i = 0; i < 60; i++) {
		random_packet(&p);
		p.tunnel = i % TUNNELS;
		p.payload = 20;
		packet_build(&frame, &p);
		for (cut = ETH_HLEN; cut <= frame.len; cut++) {
			struct frame part = frame;

			part.len = cut;
			verdict = harness_run(h, i & 1, &part);
			assert_true(verdict == HARNESS_PASS || verdict == HARNESS_REFUSED);
			ran += verdict == HARNESS_PASS;
		}
	}
	harness_stats(h, 0, &sum);
	for (reason = 0; reason < WEIR_R_COUNT; reason++)
		counted += sum.packets[reason];
	assert_true(ran > 4000);
	assert_int_equal(counted, ran);
}

/* what says it is a tunnel's and is not, or holds no IP: the outer flow */
static void what_is_not_understood_is_the_outers(void **state)
{
	struct harness *h = *state;
	struct packet p = usual;
	struct weir_flow_key key;
	struct weir_flow flow;
	struct frame frame;
	static const struct { enum tunnel tunnel; int at, value; } broken[] = {
		{ VXLAN, 42, 0 },		/* the VNI is not valid */
		{ VXLAN, 62, 0x08 },		/* ARP inside */
		{ VXLAN, 64, 0x44 },		/* inner header too short */
		{ GENEVE, 42, 0x40 },		/* version 1 */
		{ GENEVE, 42, 0x3f },		/* options beyond the packet */
		{ GENEVE, 44, 0x12 },		/* neither Ethernet nor IP */
		{ GRE, 34, 0x40 },		/* routing */
		{ GRE, 35, 0x01 },		/* PPTP */
		{ GRE, 36, 0x88 },		/* something else inside */
		{ IPIP, 34, 0x65 },		/* says IPv4, is not */
	};
	size_t i;

	inner_class(h, 0);
	for (i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		p.tunnel = broken[i].tunnel;
		p.cover = 100 + i;
		p.outer.src = 100 + i;
		p.payload = 100;
		packet_build(&frame, &p);
		frame.data[broken[i].at] = broken[i].value;
		if (p.tunnel == VXLAN && broken[i].at == 62)
			frame.data[63] = 6;
		assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
		assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
		outer_key(&p, EGRESS, &key);
		assert_true(harness_flow_at(h, &key, &flow));
		if (flow.packets != 1)
			fail_msg("case %zu: %llu packets", i, flow.packets);
	}
}

/* the next packet is the first above mark-at: a byte is a us */
static void fill(struct harness *h, const struct packet *p)
{
	struct weir_class *class = harness_class(h, 0);
	struct frame frame;
	__u32 i;

	harness_rate(class, 0, 8 * MBIT);
	class->burst_ns = 50 * MSEC;
	class->mark_at_ns = 5 * MSEC;
	inner_class(h, 0);
	packet_build(&frame, p);
	for (i = 0; i < 3; i++)		/* both flows have their entries */
		send_packet(h, EGRESS, p);
	h->now_ns += SEC;
	for (i = 0; i <= 5000 / frame.len; i++)
		send_packet(h, EGRESS, p);
}

/* RFC 6040, and this project's rule for an outer header that is not ECN-capable */
static void expected_codepoints(const struct packet *p, int *outer, int *inside)
{
	int covered = p->checksum && p->tunnel != IPIP;

	*outer = p->outer.ecn;
	*inside = p->inside.ecn;
	if (*inside == WEIR_NOT_ECT || *inside == WEIR_CE || *outer == WEIR_CE)
		return;
	if (*outer != WEIR_NOT_ECT)
		*outer = WEIR_CE;
	else if (p->inside.family == 4 || !covered)
		*inside = WEIR_CE;
}

/* the packet after a mark is, to the byte, the packet built with that codepoint */
static void a_mark_reaches_the_inner_flow(void **state)
{
	struct harness *h = *state;
	struct weir_flow_key key;
	struct weir_flow before, after;
	struct packet p, q;
	struct frame frame, want;
	int i, changed, marked = 0;

	for (i = 0; i < 1500; i++) {
		random_packet(&p);
		p.outer.ecn = i & 3;
		p.inside.ecn = i >> 2 & 3;
		p.payload = 900;
		if (i % 100 == 0)
			harness_reset(h);
		fill(h, &p);
		inside_key(&p, EGRESS, &key);
		assert_true(harness_flow_at(h, &key, &before));
		packet_build(&frame, &p);
		q = p;
		expected_codepoints(&p, &q.outer.ecn, &q.inside.ecn);
		packet_build(&want, &q);
		assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
		assert_int_equal(frame.len, want.len);
		if (memcmp(frame.data, want.data, want.len))
			fail_packet(&p, "not the expected bytes");
		assert_true(harness_flow_at(h, &key, &after));
		changed = q.outer.ecn != p.outer.ecn || q.inside.ecn != p.inside.ecn;
		assert_int_equal(after.marked - before.marked, changed);
		marked += changed;
	}
	assert_true(marked > 500);
}

/* a packet of which only the first bytes are linear; older kernels' test runs make none */
static void nothing_has_to_be_linear(void **state)
{
	struct harness *h = *state;
	struct weir_flow_key key;
	struct weir_flow flow;
	struct packet p = usual;
	struct frame frame;
	int i;

	inner_class(h, 0);
	for (i = 0; i < 2; i++) {
		packet_build(&frame, &p);
		frame.skb.data_end = 42;
		if (harness_run(h, EGRESS, &frame) == HARNESS_REFUSED && errno == EINVAL) {
			skip();
			return;
		}
	}
	inside_key(&p, EGRESS, &key);
	assert_true(harness_flow_at(h, &key, &flow));
	assert_int_equal(flow.packets, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_key_is_the_inner_flows),
		TEST(without_inner_the_key_is_the_outers),
		TEST(the_outer_chooses_the_class),
		TEST(a_flow_goes_by_another_tunnel),
		TEST(the_same_addresses_in_two_tunnels),
		TEST(each_inner_flow_has_its_bucket),
		TEST(segments_have_all_headers),
		TEST(segments_of_a_tunnel_in_user_space),
		TEST(truncated_tunnels_pass),
		TEST(what_is_not_understood_is_the_outers),
		TEST(a_mark_reaches_the_inner_flow),
		TEST(nothing_has_to_be_linear),
	};

	return RUN(tests, 0);
}
