// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_keys.c: which packets share a bucket, and what each bucket lets pass, for every `per`, both
 * families, both hooks: random packets against a model that knows neither hash nor virtual clock:
 * a list of keys made from the packet's own words, each with a bucket of tokens that drips in whole
 * numbers (bit-nanoseconds).
 */
#include <bpf/bpf.h>
#include "fixture.h"

#define BUCKETS 512

struct model_key {
	int family, per;
	__u8 bytes[48];
};

/* tokens in units of 1 bit * 1 ns: a rate of R bit/s adds R a ns, a byte takes 8e9 */
struct model_bucket {
	struct model_key key;
	__int128 tokens, depth;
	__u64 at_ns;
	unsigned int since_full;	/* packets, each of which the program rounds by a ns */
};

struct model {
	struct weir_class class;
	struct model_bucket buckets[BUCKETS];
	int n;
};

static void put_address(const struct spec *spec, bool src, int plen, __u8 to[16])
{
	struct weir_flow_key key;
	const __u8 *from;
	int i;

	frame_key(spec, EGRESS, &key);
	from = (src ? key.src : key.dst) + (spec->family == 6 ? 0 : 12);
	memset(to, 0, 16);
	for (i = 0; i < plen; i++)
		to[i / 8] |= from[i / 8] & (0x80 >> i % 8);
}

static void model_key(const struct weir_class *class, const struct spec *spec, int hook,
		      struct model_key *key)
{
	int plen = spec->family == 6 ? class->plen6 : class->plen4;

	memset(key, 0, sizeof(*key));
	key->per = class->per;
	key->bytes[47] = hook;
	switch (class->per) {
	case WEIR_PER_FLOW:
		key->family = spec->family;
		put_address(spec, true, spec->family == 6 ? 128 : 32, key->bytes);
		put_address(spec, false, spec->family == 6 ? 128 : 32, key->bytes + 16);
		memcpy(key->bytes + 32, &spec->sport, 2);
		memcpy(key->bytes + 34, &spec->dport, 2);
		key->bytes[36] = spec->proto;
		break;
	case WEIR_PER_SRC:
	case WEIR_PER_DST:
		key->family = spec->family;
		put_address(spec, class->per == WEIR_PER_SRC, plen, key->bytes);
		break;
	case WEIR_PER_DSCP:
		key->bytes[0] = spec->dscp;
		break;
	}
}

static struct model_bucket *model_bucket(struct model *m, const struct model_key *key, __u64 now)
{
	struct model_bucket *b;
	int i;

	for (i = 0; i < m->n; i++)
		if (!memcmp(&m->buckets[i].key, key, sizeof(*key)))
			return &m->buckets[i];
	assert_true(m->n < BUCKETS);
	b = &m->buckets[m->n++];
	b->key = *key;
	b->depth = (__int128)m->class.flow_rate_bps * m->class.burst_ns;
	b->tokens = b->depth;
	b->at_ns = now;
	b->since_full = 0;
	return b;
}

static __s64 model_bytes(const struct weir_class *class, const struct spec *spec, int headers)
{
	__s64 bytes = 0, left = spec->payload, part, one;

	do {
		part = spec->gso_size && left > spec->gso_size ? spec->gso_size : left;
		one = part + headers + (__s32)class->overhead;
		one = one < (__s64)class->mpu ? class->mpu : one;
		bytes += one < 1 ? 1 : one;
		left -= part;
	} while (left > 0);
	return bytes;
}

/* one packet; program and model must agree, but where rounding may tell */
static void step(struct harness *h, struct model *m, int hook, const struct spec *spec)
{
	struct model_bucket *b;
	struct model_key key;
	struct frame frame;
	__int128 cost, close;
	bool pass, want;

	frame_build(&frame, spec);
	model_key(&m->class, spec, hook, &key);
	b = model_bucket(m, &key, h->now_ns);
	b->tokens += (__int128)m->class.flow_rate_bps * (h->now_ns - b->at_ns);
	b->at_ns = h->now_ns;
	if (b->tokens > b->depth) {
		b->tokens = b->depth;
		b->since_full = 0;
	}
	cost = (__int128)model_bytes(&m->class, spec, frame.headers) * 8000000000LL;
	close = (__int128)m->class.flow_rate_bps * (b->since_full + 2);
	want = b->tokens >= 0;
	pass = harness_run(h, hook, &frame) == HARNESS_PASS;
	if (pass != want && (b->tokens > close || b->tokens < -close))
		fail_msg("per %d, hook %d, family %d: %lld bytes of tokens, but %s", m->class.per,
			 hook, spec->family, (long long)(b->tokens / 8000000000LL),
			 pass ? "passed" : "dropped");
	if (pass) {
		b->tokens -= cost;
		b->since_full++;
	}
}

static void random_spec(struct spec *spec)
{
	static const int protos[] = { IPPROTO_UDP, IPPROTO_SCTP };

	memset(spec, 0, sizeof(*spec));
	spec->family = random_u32() & 1 ? 6 : 4;
	spec->proto = protos[random_u32() & 1];
	spec->src = 1 + random_u32() % 12;
	spec->dst = 1 + random_u32() % 12;
	spec->sport = 1 + random_u32() % 2;
	spec->dport = 1 + random_u32() % 2;
	spec->dscp = random_u32() % 6 * 9;
	spec->payload = random_u32() % 2800;
	if (spec->payload > 1400)
		spec->gso_size = 100 + random_u32() % 1300;
}

struct key_case {
	__u8 per, plen4, plen6;
	__s32 overhead;
	__u32 mpu;
};

/* establishes all that the packets will be of, so that no packet is a stranger's */
static void warm_up(struct harness *h, const struct spec *specs, int n)
{
	int i, hook;

	for (i = 0; i < n; i++)
		for (hook = 0; hook < WEIR_HOOK_COUNT; hook++)
			harness_establish(h, hook, &specs[i]);
}

enum { SPECS = 120, PACKETS = 6000 };

static void run_case(struct harness *h, const struct key_case *c, __u64 bps)
{
	static struct model m;
	static struct spec specs[SPECS];
	struct weir_class *class;
	int i, n;

	harness_reset(h);
	for (i = 0; i < SPECS; i++)
		random_spec(&specs[i]);
	class = harness_class(h, 0);
	class->per = c->per;
	class->plen4 = c->plen4;
	class->plen6 = c->plen6;
	class->overhead = c->overhead;
	class->mpu = c->mpu;
	harness_commit(h);
	warm_up(h, specs, SPECS);
	harness_rate(class, 0, bps);
	harness_commit(h);
	memset(&m, 0, sizeof(m));
	m.class = *class;
	for (n = 0; n < PACKETS; n++) {
		h->now_ns += random_u32() % (400 * USEC);
		step(h, &m, random_u32() & 1, &specs[random_u32() % SPECS]);
	}
}

static const struct key_case cases[] = {
	{ .per = WEIR_PER_FLOW },
	{ .per = WEIR_PER_FLOW, .overhead = 24, .mpu = 84 },
	{ .per = WEIR_PER_SRC, .plen4 = 32, .plen6 = 128 },
	{ .per = WEIR_PER_DST, .plen4 = 32, .plen6 = 128, .overhead = -14 },
	{ .per = WEIR_PER_SRC, .plen4 = 30, .plen6 = 125, .mpu = 1000 },
	{ .per = WEIR_PER_DST, .plen4 = 29, .plen6 = 126 },
	{ .per = WEIR_PER_SRC, .plen4 = 24, .plen6 = 64 },
	{ .per = WEIR_PER_DST, .plen4 = 1, .plen6 = 1 },
	{ .per = WEIR_PER_SRC, .plen4 = 31, .plen6 = 127 },
	{ .per = WEIR_PER_DSCP },
	{ .per = WEIR_PER_CLASS },
};
#define CASES (int)(sizeof(cases) / sizeof(*cases))

static void every_key_agrees_with_the_model(void **state)
{
	int i;

	/* about half of what is offered to each: 57 Mbit/s over some 4 to 400 buckets */
	for (i = 0; i < CASES; i++) {
		run_case(*state, &cases[i], cases[i].per == WEIR_PER_FLOW ? 100000 : 1 * MBIT);
		run_case(*state, &cases[i], 30 * MBIT);
	}
}

static void set_key(struct harness *h, const struct key_case *c, __u64 bps)
{
	struct weir_class *class = harness_class(h, 0);

	class->per = c->per;
	class->plen4 = c->plen4;
	class->plen6 = c->plen6;
	harness_rate(class, 0, bps);
	harness_commit(h);
}

/*
 * The key changes with traffic running: from the next packet on the new key's buckets count, which
 * are there with all their tokens when they are new, and with what they had when the key comes back
 */
static void a_key_is_changed_live(void **state)
{
	struct harness *h = *state;
	static struct spec specs[SPECS];
	static struct model models[CASES];
	static bool seen[CASES];
	int i, n, at;

	memset(seen, 0, sizeof(seen));
	for (i = 0; i < SPECS; i++)
		random_spec(&specs[i]);
	warm_up(h, specs, SPECS);
	for (n = 0; n < 60; n++) {
		do
			at = random_u32() % CASES;
		while (cases[at].overhead || cases[at].mpu);
		/* keys that differ in length alone would share buckets in the program */
		if (cases[at].plen4 && cases[at].plen4 != 32 && cases[at].plen4 != 29)
			continue;
		set_key(h, &cases[at], 2 * MBIT);
		if (!seen[at])
			memset(&models[at], 0, sizeof(models[at]));
		seen[at] = true;
		models[at].class = *harness_class(h, 0);
		for (i = 0; i < 300; i++) {
			h->now_ns += random_u32() % (400 * USEC);
			step(h, &models[at], random_u32() & 1, &specs[random_u32() % SPECS]);
		}
	}
}

/* two classes with the same key never share a bucket; nor do hooks */
static void classes_do_not_share_buckets(void **state)
{
	struct spec web = { .dport = 80, .payload = 958 }, dns = { .dport = 53, .payload = 958 };
	struct harness *h = *state;
	struct weir_rule *rule;
	int i, hook, passed;

	for (i = 1; i <= 2; i++) {
		harness_class(h, i)->per = WEIR_PER_SRC;
		harness_class(h, i)->plen4 = 32;
		harness_rate(harness_class(h, i), 0, 8 * MBIT);	/* 10 ms: ten packets, and one */
		rule = harness_rule(h, i);
		rule->fields = WEIR_M_DPORT;
		rule->n_dport = 1;
		rule->dport[0].lo = rule->dport[0].hi = i == 1 ? 80 : 53;
	}
	harness_commit(h);
	for (hook = 0; hook < WEIR_HOOK_COUNT; hook++) {
		warm_up(h, &web, 1);
		warm_up(h, &dns, 1);
	}
	h->now_ns += SEC;
	for (hook = 0; hook < WEIR_HOOK_COUNT; hook++) {
		for (passed = 0; send_spec(h, hook, &web) == HARNESS_PASS; passed++)
			;
		assert_int_equal(passed, 11);
		for (passed = 0; send_spec(h, hook, &dns) == HARNESS_PASS; passed++)
			;
		assert_int_equal(passed, 11);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_key_agrees_with_the_model),
		TEST(a_key_is_changed_live),
		TEST(classes_do_not_share_buckets),
	};

	return RUN(tests, 0);
}
