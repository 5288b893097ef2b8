// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_policy.c: which class a packet gets: each field of a rule, the first match, the switch of
 * generations; and what is safe by default: no policy, a class that is gone, `observe`.
 */
#include "fixture.h"

static int class_of(struct harness *h, enum weir_hook hook, const struct spec *spec)
{
	struct weir_flow flow;

	harness_establish(h, hook, spec);
	assert_int_equal(send_spec(h, hook, spec), HARNESS_PASS);
	assert_true(harness_flow(h, spec, hook, &flow));
	return flow.class_slot;
}

static struct weir_rule *one_rule(struct harness *h, __u32 fields)
{
	struct weir_rule *rule;

	harness_reset(h);
	harness_class(h, 1);
	rule = harness_rule(h, 1);
	rule->fields = fields;
	return rule;
}

#define MATCHES(h, ...) assert_int_equal(class_of(h, EGRESS, &(struct spec){ __VA_ARGS__ }), 1)
#define MISSES(h, ...) assert_int_equal(class_of(h, EGRESS, &(struct spec){ __VA_ARGS__ }), 0)

static void ports(void **state)
{
	struct harness *h = *state;
	struct weir_rule *rule = one_rule(h, WEIR_M_DPORT);
	int i;

	for (i = 0; i < WEIR_PORT_RANGES; i++)
		rule->dport[i] = (struct weir_range){ 1000 * i + 10, 1000 * i + 20 };
	rule->n_dport = WEIR_PORT_RANGES;
	harness_commit(h);
	MATCHES(h, .dport = 10);
	MATCHES(h, .dport = 20, .proto = IPPROTO_TCP);
	MATCHES(h, .dport = 7015, .family = 6, .proto = IPPROTO_SCTP);
	MISSES(h, .dport = 21);
	MISSES(h, .dport = 9);
	MISSES(h, .sport = 10, .dport = 65535);
	MISSES(h, .sport = 10, .proto = IPPROTO_ICMP);
	MISSES(h, .dport = 10, .fragment = 2);

	rule = one_rule(h, WEIR_M_SPORT);
	rule->sport[0] = (struct weir_range){ 80, 80 };
	rule->n_sport = 1;
	harness_commit(h);
	MATCHES(h, .sport = 80);
	MISSES(h, .sport = 81, .dport = 80);
}

static void prefix(struct weir_prefix *p, const struct weir_flow_key *key, bool dst, int bits)
{
	int i;

	for (i = 0; i < 16; i++) {
		int n = bits - 8 * i;

		p->mask[i] = n >= 8 ? 0xff : n > 0 ? 0xff << (8 - n) : 0;
		p->addr[i] = (dst ? key->dst : key->src)[i] & p->mask[i];
	}
}

static void prefixes(void **state)
{
	struct harness *h = *state;
	struct weir_rule *rule = one_rule(h, WEIR_M_DST);
	struct weir_flow_key v4, v6;

	frame_key(&(struct spec){ .dst = 8 }, EGRESS, &v4);
	frame_key(&(struct spec){ .dst = 8, .family = 6 }, EGRESS, &v6);
	prefix(&rule->dst[0], &v4, true, 96 + 29);
	prefix(&rule->dst[1], &v6, true, 128);
	rule->n_dst = 2;
	harness_commit(h);
	MATCHES(h, .dst = 8);
	MATCHES(h, .dst = 15);
	MISSES(h, .dst = 16);
	MISSES(h, .dst = 7, .src = 8);
	MATCHES(h, .dst = 8, .family = 6);
	MISSES(h, .dst = 9, .family = 6);

	rule = one_rule(h, WEIR_M_SRC);
	prefix(&rule->src[0], &v4, false, 96);		/* any IPv4 */
	rule->n_src = 1;
	harness_commit(h);
	MATCHES(h, .src = 200);
	MISSES(h, .src = 200, .family = 6);

	rule = one_rule(h, WEIR_M_SRC);
	prefix(&rule->src[0], &v6, false, 0);		/* any IPv6 */
	rule->n_src = 1;
	harness_commit(h);
	MATCHES(h, .src = 200, .family = 6);
	MISSES(h, .src = 200);
}

static void other_fields(void **state)
{
	struct harness *h = *state;
	struct weir_rule *rule = one_rule(h, WEIR_M_PROTO);

	memcpy(rule->proto, (__u8[]){ IPPROTO_TCP, IPPROTO_ICMP }, 2);
	rule->n_proto = 2;
	harness_commit(h);
	MATCHES(h, .proto = IPPROTO_ICMP);
	MATCHES(h, .proto = IPPROTO_TCP, .family = 6);
	MISSES(h, .proto = IPPROTO_UDP);
	MISSES(h, .proto = IPPROTO_ICMPV6, .family = 6);

	rule = one_rule(h, WEIR_M_DSCP);
	rule->dscp = 1ULL << 46 | 1ULL << 63;
	harness_commit(h);
	MATCHES(h, .dscp = 46, .ecn = WEIR_ECT0);
	MATCHES(h, .dscp = 63, .family = 6);
	MISSES(h, .dscp = 47, .src = 3);

	rule = one_rule(h, WEIR_M_MARK);
	rule->mark = 0x10;
	rule->mark_mask = 0xf0;
	harness_commit(h);
	MATCHES(h, .mark = 0x1f);
	MISSES(h, .mark = 0x20, .src = 3);
	MISSES(h, .src = 4);

	rule = one_rule(h, WEIR_M_DEV);
	rule->ifindex = HARNESS_IFINDEX;
	harness_commit(h);
	MATCHES(h, .src = 1);
	rule = one_rule(h, WEIR_M_DEV);
	rule->ifindex = HARNESS_IFINDEX + 1;
	harness_commit(h);
	MISSES(h, .src = 1);

	rule = one_rule(h, WEIR_M_HOOK);
	rule->hook = WEIR_INGRESS;
	harness_commit(h);
	MISSES(h, .src = 1);
	assert_int_equal(class_of(h, INGRESS, &(struct spec){ .src = 1 }), 1);
}

/* 1,024 rules, of which each matches one port and all beyond it */
static void the_first_match_wins(void **state)
{
	static const __u16 tries[] = { 1, 2, 500, 1023, 1024 };
	struct harness *h = *state;
	struct weir_rule *rule;
	size_t i;
	int n;

	harness_reset(h);
	for (n = 1; n <= WEIR_MAX_RULES; n++) {
		rule = harness_rule(h, harness_class(h, n % WEIR_MAX_CLASSES) - h->classes);
		rule->fields = WEIR_M_DPORT;
		rule->dport[0] = (struct weir_range){ n, n == 1 ? 1 : 65535 };
		rule->n_dport = 1;
		if (n > 2)
			rule->dport[0].lo = rule->dport[0].hi = n;
		if (n == 2)
			rule->dport[0].hi = 2;
	}
	harness_commit(h);
	for (i = 0; i < sizeof(tries) / sizeof(*tries); i++)
		assert_int_equal(class_of(h, EGRESS, &(struct spec){ .dport = tries[i] }),
				 tries[i] % WEIR_MAX_CLASSES);
	MISSES(h, .dport = 1025);

	one_rule(h, 0);
	harness_class(h, 2);
	harness_rule(h, 2);
	harness_commit(h);
	MATCHES(h, .dport = 5);
}

/* an established flow moves to its new class, with its counts, at the first packet after commit */
static void a_new_generation_reclassifies(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 958 };
	struct weir_flow flow;

	assert_int_equal(class_of(h, EGRESS, &spec), 0);
	harness_class(h, 3);
	harness_rule(h, 3);
	/* the other bank is filled, but nobody looks there yet: nothing has changed */
	assert_int_equal(class_of(h, EGRESS, &spec), 0);
	harness_commit(h);
	assert_int_equal(class_of(h, EGRESS, &spec), 3);
	assert_true(harness_flow(h, &spec, EGRESS, &flow));
	assert_int_equal(flow.packets, 4);
	assert_int_equal(flow.generation, h->generation);
	assert_int_equal(harness_count(h, 3, WEIR_R_UNLIMITED), 1);
	h->n_rules = 0;
	harness_commit(h);
	assert_int_equal(class_of(h, EGRESS, &spec), 0);
}

static void a_class_that_is_gone_lets_pass(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 958 };
	int i;

	harness_rate(harness_class(h, 1), 8000, 8000);
	harness_rule(h, 1);
	harness_commit(h);
	harness_class(h, 1)->flags &= ~WEIR_CLASS_USED;
	harness_commit(h);
	for (i = 0; i < 100; i++)
		assert_int_equal(send_spec(h, EGRESS, &spec), HARNESS_PASS);
	assert_int_equal(harness_count(h, 0, WEIR_R_NO_POLICY), 100);
}

/* verdicts are computed and counted, packets are not touched */
static void observe_touches_nothing(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 958, .ecn = WEIR_ECT0 };
	struct weir_class *class = harness_class(h, 0);
	struct weir_class_stats sum;
	struct frame frame, before;
	int i, edt;

	for (edt = 0; edt < 2; edt++) {
		harness_reset(h);
		class = harness_class(h, 0);
		harness_rate(class, 0, 1 * MBIT);
		class->action = WEIR_OBSERVE;
		class->drop_at_ns = 50 * MSEC;
		harness_device(h, EGRESS, edt ? WEIR_DEV_EDT : 0);
		harness_commit(h);
		for (i = 0; i < 200; i++) {
			frame_build(&frame, &spec);
			before = frame;
			assert_int_equal(harness_run(h, EGRESS, &frame), HARNESS_PASS);
			assert_memory_equal(frame.data, before.data, before.len);
			assert_int_equal(frame.skb.tstamp, 0);
		}
		harness_stats(h, 0, &sum);
		assert_true(sum.packets[WEIR_R_DROP_RATE] + sum.packets[WEIR_R_DROP_HORIZON] > 100);
	}
}

/* ns of a packet: the least of many, which no pause of the machine reaches */
static int least_ns(struct harness *h, struct frame *frame)
{
	int i, ns, least = 1 << 30;

	for (i = 0; i < 30; i++) {
		ns = harness_repeat(h, EGRESS, frame, 300);
		least = ns < least ? ns : least;
	}
	return least;
}

/* a flow's first packet walks the rules, and is charged to the last class; the others do not */
static void the_cost_of_rules_falls_on_the_first_packet(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = 100, .dport = 5000 };
	struct frame frame, stranger;
	int n, established[2], first[2], many;
	struct weir_rule *rule;
	__be16 port = htons(999);

	for (many = 0; many < 2; many++) {
		harness_reset(h);
		for (n = 1; n < (many ? WEIR_MAX_CLASSES : 1); n++)
			harness_class(h, n);
		for (n = 0; n < (many ? WEIR_MAX_RULES : 1); n++) {
			rule = harness_rule(h, many ? n % (WEIR_MAX_CLASSES - 1) + 1 : 0);
			rule->fields = WEIR_M_DPORT | WEIR_M_PROTO;
			rule->n_dport = rule->n_proto = 1;
			rule->proto[0] = IPPROTO_UDP;
			rule->dport[0] = (struct weir_range){ 6000 + n, 6000 + n };
		}
		harness_commit(h);
		assert_int_equal(class_of(h, EGRESS, &spec), 0);
		frame_build(&frame, &spec);
		established[many] = least_ns(h, &frame);
		/* two that share a slot at the door would do; a virtual clock that is long past
		 * what the door remembers is simpler: each one is a stranger */
		stranger = frame;
		memcpy(stranger.data + stranger.l3 + 20, &port, 2);
		for (first[many] = 1 << 30, n = 0; n < 30; n++) {
			int ns;

			h->now_ns += 100 * SEC;
			ns = harness_repeat(h, EGRESS, &stranger, 1);
			first[many] = ns < first[many] ? ns : first[many];
		}
	}
	/* microseconds for 1,024 rules, none of them for a packet of a known flow */
	if (first[1] < 4 * first[0] || established[1] > 2 * established[0] + 100)
		fail_msg("first packet %d and %d ns, established %d and %d, with 1 rule and 1024",
			 first[0], first[1], established[0], established[1]);
}

/* a mark that the firewall sets later, a codepoint that an application changes: of each packet */
static void a_packet_has_a_mark_of_its_own(void **state)
{
	static const struct { __u32 mark; int dscp; unsigned int class; } packets[] = {
		{ 0, 0, 0 }, { 0x10, 0, 1 }, { 0x10, 46, 1 }, { 0, 46, 2 }, { 0x1f, 46, 1 },
		{ 0x20, 46, 2 }, { 0x20, 0, 0 }, { 0, 1, 0 }, { 0, 46, 2 }, { 0, 0, 0 },
	};
	struct harness *h = *state;

	for (int i = 0; i < 4; i++) {
		enum weir_hook hook = i & 1 ? INGRESS : EGRESS;
		struct spec spec = { .family = i & 2 ? 6 : 4 };
		struct weir_rule *rule = one_rule(h, WEIR_M_MARK);
		struct weir_flow flow;

		rule->mark = 0x10;
		rule->mark_mask = 0xf0;
		harness_class(h, 2);
		rule = harness_rule(h, 2);
		rule->fields = WEIR_M_DSCP;
		rule->dscp = 1ULL << 46;
		harness_commit(h);
		harness_establish(h, hook, &spec);
		for (size_t k = 0; k < sizeof(packets) / sizeof(*packets); k++) {
			unsigned int class = packets[k].class;
			__u64 before = harness_count(h, class, WEIR_R_UNLIMITED);

			spec.mark = packets[k].mark;
			spec.dscp = packets[k].dscp;
			assert_int_equal(send_spec(h, hook, &spec), HARNESS_PASS);
			assert_true(harness_flow(h, &spec, hook, &flow));
			assert_int_equal(flow.class_slot, class);
			assert_int_equal(harness_count(h, class, WEIR_R_UNLIMITED), before + 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ports),
		TEST(prefixes),
		TEST(other_fields),
		TEST(a_packet_has_a_mark_of_its_own),
		TEST(the_first_match_wins),
		TEST(a_new_generation_reclassifies),
		TEST(the_cost_of_rules_falls_on_the_first_packet),
		TEST(a_class_that_is_gone_lets_pass),
		TEST(observe_touches_nothing),
	};

	return RUN(tests, 0);
}
