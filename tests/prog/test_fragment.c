// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_fragment.c: later fragments belong to the flow of their first, where that was seen in the
 * last 30 s; else they have a flow without ports. Out of order, repeated, foreign ids do no harm.
 */
#include "tunnel.h"

#define DATAGRAMS 40

/* a fragment on its own, outside of any tunnel */
static void fragment_build(struct frame *frame, const struct packet *p)
{
	int type;
	struct writer *w = frame_begin(frame, p, &type);

	frame->l3 = ETH_HLEN + 4 * p->vlans;
	write_ethernet(w, type, p->vlans);
	frame_end(frame, w);
}

static void send_fragment(struct harness *h, enum weir_hook hook, const struct packet *p)
{
	struct frame frame;

	fragment_build(&frame, p);
	assert_int_equal(harness_run(h, hook, &frame), HARNESS_PASS);
}

static void fragment_key(const struct packet *p, enum weir_hook hook, bool known,
			 struct weir_flow_key *key)
{
	layer_key(&p->inside, hook, key);
	key->proto = p->proto;
	if (known) {
		key->sport = htons(p->sport);
		key->dport = htons(p->dport);
	} else {
		key->flags = WEIR_KEY_FRAG;
	}
}

static __u64 packets(struct harness *h, const struct packet *p, enum weir_hook hook, bool known)
{
	struct weir_flow_key key;
	struct weir_flow flow;

	fragment_key(p, hook, known, &key);
	return harness_flow_at(h, &key, &flow) ? flow.packets : 0;
}

static struct packet datagram(int family)
{
	return (struct packet){
		.inside = { .family = family, .net = 1, .src = 1, .dst = 2, .id = 0x1234 },
		.proto = IPPROTO_UDP, .sport = 1000, .dport = 2000, .payload = 800,
	};
}

static void send_first(struct harness *h, struct packet p)
{
	p.inside.more = true;
	send_fragment(h, EGRESS, &p);
}

static void send_later(struct harness *h, struct packet p)
{
	p.inside.fragment = 101;
	send_fragment(h, EGRESS, &p);
}

static void later_ones_follow_their_first(void **state)
{
	static const int protos[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_SCTP };
	struct harness *h = *state;
	struct packet p;
	int family, options, i;

	for (family = 4; family <= 6; family += 2) {
		for (options = 0; options < 3; options++) {
			for (i = 0; i < 3; i++) {
				harness_reset(h);
				p = datagram(family);
				p.inside.options = options;
				p.proto = protos[i];
				p.vlans = options;
				send_first(h, p);
				send_first(h, p);
				assert_int_equal(packets(h, &p, EGRESS, true), 1);
				send_later(h, p);
				send_later(h, p);
				send_later(h, p);
				assert_int_equal(packets(h, &p, EGRESS, true), 4);
				assert_int_equal(packets(h, &p, EGRESS, false), 0);
			}
		}
	}
}

/* before its first, a fragment has no ports; after it, it has */
static void one_that_comes_too_early_has_no_ports(void **state)
{
	struct harness *h = *state;
	struct packet p = datagram(4);

	send_later(h, p);
	send_later(h, p);
	assert_int_equal(packets(h, &p, EGRESS, false), 1);
	send_first(h, p);
	send_later(h, p);
	assert_int_equal(packets(h, &p, EGRESS, true), 1);
	assert_int_equal(packets(h, &p, EGRESS, false), 1);
}

/* each differs in one part of what tells packets apart */
static void those_of_another_packet_do_not_follow(void **state)
{
	struct harness *h = *state;
	struct packet p, q[5];
	int family, i;

	for (family = 4; family <= 6; family += 2) {
		harness_reset(h);
		p = datagram(family);
		for (i = 0; i < 5; i++)
			q[i] = p;
		q[0].inside.id = family == 4 ? 0x1235 : 0x11234;
		q[1].inside.src = 9;
		q[2].inside.dst = 9;
		q[3].inside.id = 0x3412;
		q[4].inside.id = 0;
		send_first(h, p);
		for (i = 0; i < 5; i++) {
			send_later(h, q[i]);
			send_later(h, q[i]);
			assert_true(packets(h, &q[i], EGRESS, false) >= 1);
		}
		assert_int_equal(packets(h, &p, EGRESS, true), 0);
		/* the other hook */
		p.inside.fragment = 101;
		send_fragment(h, INGRESS, &p);
		send_fragment(h, INGRESS, &p);
		assert_int_equal(packets(h, &p, INGRESS, false), 1);
	}
	/* IPv4 counts ids per protocol */
	p = datagram(4);
	p.inside.src = 20;
	send_first(h, p);
	p.proto = IPPROTO_TCP;
	send_later(h, p);
	send_later(h, p);
	assert_int_equal(packets(h, &p, EGRESS, false), 1);
}

static void after_30_s_the_first_is_forgotten(void **state)
{
	struct harness *h = *state;
	struct packet p = datagram(6);

	send_first(h, p);
	send_later(h, p);
	send_later(h, p);
	assert_int_equal(packets(h, &p, EGRESS, true), 2);
	h->now_ns += 30 * SEC;
	send_later(h, p);
	assert_int_equal(packets(h, &p, EGRESS, true), 3);
	h->now_ns += 1;
	send_later(h, p);
	send_later(h, p);
	assert_int_equal(packets(h, &p, EGRESS, true), 3);
	assert_int_equal(packets(h, &p, EGRESS, false), 1);
}

/* another CPU has read the clock some ns before the one that saw the first */
static void a_clock_that_is_behind_is_no_other_year(void **state)
{
	struct harness *h = *state;
	struct packet p = datagram(4);

	send_first(h, p);
	send_later(h, p);
	h->now_ns -= 100;
	send_later(h, p);
	assert_int_equal(packets(h, &p, EGRESS, true), 2);
}

/* an id that is used again: the later fragments are the newer packet's */
static void a_reused_id_is_the_newer_packets(void **state)
{
	struct harness *h = *state;
	struct packet p = datagram(4), q = p;

	q.sport = 7777;
	send_first(h, p);
	send_first(h, q);
	send_later(h, p);
	send_later(h, p);
	assert_int_equal(packets(h, &p, EGRESS, true), 0);
	assert_int_equal(packets(h, &q, EGRESS, true), 2);
}

/* IPv6: the fragment header may name an options header, which only the first has */
static void options_behind_the_fragment_header(void **state)
{
	struct harness *h = *state;
	struct packet p = datagram(6);
	struct frame frame;
	__u8 *options;
	int i;

	for (i = 0; i < 2; i++) {
		p.inside.more = true;
		fragment_build(&frame, &p);
		options = frame.data + 14 + 40 + 8;
		memmove(options + 8, options, frame.len - 62);
		memset(options, 0, 8);
		options[0] = IPPROTO_UDP;
		options[2] = 1;
		options[3] = 4;
		frame.data[14 + 40] = IPPROTO_DSTOPTS;
		frame.len += 8;
		put16(frame.data + 18, frame.len - 54);
		assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
	}
	p.inside.more = false;
	p.inside.fragment = 101;
	fragment_build(&frame, &p);
	frame.data[14 + 40] = IPPROTO_DSTOPTS;
	assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
	assert_int_equal(packets(h, &p, EGRESS, true), 2);
}

/* one whose only fragment is the first (RFC 6946) is none: it says nothing of others */
static void an_atomic_fragment_is_whole(void **state)
{
	struct harness *h = *state;
	struct packet p = datagram(6);
	struct frame frame;
	int i;

	for (i = 0; i < 2; i++) {
		p.inside.more = true;
		fragment_build(&frame, &p);
		frame.data[14 + 40 + 3] = 0;
		assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
	}
	assert_int_equal(packets(h, &p, EGRESS, true), 1);
	send_later(h, p);
	send_later(h, p);
	assert_int_equal(packets(h, &p, EGRESS, false), 1);
}

/* in a tunnel that is looked into, the fragments inside; else the tunnel's own flow */
static void fragments_inside_a_tunnel(void **state)
{
	struct harness *h = *state;
	struct packet p;
	struct frame frame;
	struct weir_flow_key key;
	struct weir_flow flow;
	int tunnel, i;

	for (tunnel = 0; tunnel < TUNNELS; tunnel++) {
		harness_reset(h);
		harness_class(h, 0)->flags |= WEIR_CLASS_INNER;
		harness_commit(h);
		p = datagram(tunnel & 1 ? 6 : 4);
		p.tunnel = tunnel;
		p.outer = (struct ip_layer){ .family = 4, .net = 8, .src = 1, .dst = 2 };
		p.id = 5;
		for (i = 0; i < 4; i++) {
			p.inside.more = i < 2;
			p.inside.fragment = i < 2 ? 0 : 101;
			packet_build(&frame, &p);
			assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
		}
		inside_key(&p, EGRESS, &key);
		assert_true(harness_flow_at(h, &key, &flow));
		assert_int_equal(flow.packets, 3);
	}
}

/* many packets' fragments in any order; the model remembers who came first, and when */
static void fragments_in_any_order(void **state)
{
	struct harness *h = *state;
	struct packet p[DATAGRAMS];
	__u64 first[DATAGRAMS] = {}, seen[DATAGRAMS][2] = {};
	int i, at;

	for (i = 0; i < DATAGRAMS; i++) {
		p[i] = datagram(i & 1 ? 6 : 4);
		p[i].inside.src = 1 + i / 4;	/* four ids of one pair of addresses */
		p[i].inside.id = 100 + i;
		p[i].inside.dst = 100 + i % 4;
		p[i].sport = 3000 + i;
		/* both flows get their entries */
		send_later(h, p[i]);
		send_later(h, p[i]);
		send_first(h, p[i]);
		send_first(h, p[i]);
		first[i] = h->now_ns;
		seen[i][0] = seen[i][1] = 2;
	}
	for (i = 0; i < 20000; i++) {
		at = random_u32() % DATAGRAMS;
		h->now_ns += random_u32() % (100 * MSEC);
		if (random_u32() % 30) {
			send_later(h, p[at]);
			seen[at][first[at] && h->now_ns - first[at] <= 30 * SEC]++;
		} else {
			send_first(h, p[at]);
			first[at] = h->now_ns;
			seen[at][1]++;
		}
	}
	for (i = 0; i < DATAGRAMS; i++) {
		assert_true(seen[i][0] > 5 && seen[i][1] > 5);
		assert_int_equal(packets(h, &p[i], EGRESS, true), seen[i][1] - 1);
		assert_int_equal(packets(h, &p[i], EGRESS, false), seen[i][0] - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(later_ones_follow_their_first),
		TEST(one_that_comes_too_early_has_no_ports),
		TEST(those_of_another_packet_do_not_follow),
		TEST(after_30_s_the_first_is_forgotten),
		TEST(a_clock_that_is_behind_is_no_other_year),
		TEST(a_reused_id_is_the_newer_packets),
		TEST(options_behind_the_fragment_header),
		TEST(an_atomic_fragment_is_whole),
		TEST(fragments_inside_a_tunnel),
		TEST(fragments_in_any_order),
	};

	return RUN(tests, 0);
}
