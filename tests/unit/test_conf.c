// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_conf.c: the grammar: what is taken, what is refused in which words, files with their quotes
 * and lines.
 */
#include "words.h"

static const struct weir_class *class_of(const struct policy *policy, const char *name)
{
	int slot = policy_class_find(policy, name);

	assert_true(slot >= 0);
	return &policy->classes[slot];
}

static void control_none_takes_all_of_it(void **state)
{
	struct policy *policy = policy_of(
		"class set web rate 1gbit control queue target 5ms law pi min 20mbit max 1gbit\n");
	struct err err = {};

	assert_int_equal(words(policy, "class set web control none", &err), 0);
	if (policy_finish(policy, &err))
		fail_msg("%s", err.text);
	assert_int_equal(class_of(policy, "web")->max_bps, 0);
	assert_int_equal(class_of(policy, "web")->rate_bps, 1000000000);
	free(policy);
}

/* what contradicts itself is refused, what does not is taken, whichever word is first */
static void order_of_the_keys(void **state)
{
	static const struct {
		const char *one, *other;
		bool fits;
	} pairs[] = {
		{ "control none", "target 5ms", false },
		{ "control none", "law pi", false },
		{ "control none", "min 1mbit", false },
		{ "control none", "max 1gbit", false },
		{ "control none", "rate auto", false },
		{ "control none", "rate 1mbit", true },
		{ "control queue target 5ms", "rate auto", true },
	};

	for (unsigned int i = 0; i < 4 * ARRAY_SIZE(pairs); i++) {
		const char *one = pairs[i / 4].one, *other = pairs[i / 4].other;
		struct policy *policy = policy_of("class set old control backlog min 1mbit law pi\n"
						  "class set new\n");
		struct err err = {};
		char line[128];
		int r;

		snprintf(line, sizeof(line), "class set %s %s %s", i & 1 ? "old" : "new",
			 i & 2 ? one : other, i & 2 ? other : one);
		r = words(policy, line, &err) ?: policy_finish(policy, &err);
		if (!r != pairs[i / 4].fits)
			fail_msg("%s: %s", line, err.text);
		free(policy);
	}
}

static void class_keys(void **state)
{
	struct policy *policy = policy_of(
		"class set web rate 2gbit flow-rate 100mbit per src/24 burst 20ms fair off\n"
		"class set web action police ecn off socket off mark-at 1ms overhead -4 mpu 64\n"
		"class set p burst 64kb per dst/56 drop-at 50ms\n"
		"class set q per src/32 burst 64kb\nclass set q burst 20ms\nclass set r per src\nclass set s per dscp\n");
	const struct weir_class *web = class_of(policy, "web"), *p = class_of(policy, "p");

	assert_int_equal(web->rate_bps, 2000000000);
	assert_int_equal(web->flow_rate_bps, 100000000);
	assert_int_equal(web->per, WEIR_PER_SRC);
	assert_int_equal(web->plen4, 24);
	assert_int_equal(web->plen6, 64);
	assert_int_equal(web->burst_ns, 20000000);
	assert_int_equal(web->action, WEIR_POLICE);
	assert_int_equal(web->flags, WEIR_CLASS_USED);
	assert_int_equal(web->mark_at_ns, 1000000);
	assert_int_equal((__s32)web->overhead, -4);
	assert_int_equal(web->mpu, 64);
	assert_int_equal(web->set, WEIR_SET_BURST | WEIR_SET_FAIR | WEIR_SET_ACTION | WEIR_SET_ECN |
			 WEIR_SET_SOCKET | WEIR_SET_MARK_AT);
	assert_int_equal(p->burst_bytes, 64000);
	assert_int_equal(p->per, WEIR_PER_DST);
	assert_int_equal(p->plen4, 32);
	assert_int_equal(p->plen6, 56);
	assert_int_equal(p->drop_at_ns, 50000000);
	assert_int_equal(class_of(policy, "q")->plen4, 32);
	assert_int_equal(class_of(policy, "q")->set, WEIR_SET_BURST);
	assert_int_equal(class_of(policy, "q")->plen6, 64);
	assert_int_equal(class_of(policy, "r")->plen6, 128);
	assert_int_equal(class_of(policy, "s")->per, WEIR_PER_DSCP);
	free(policy);
}

static void class_takes_back(void **state)
{
	struct policy *policy = policy_of(
		"class set web rate 2gbit flow-rate 1mbit burst 64kb fair off action police ecn off "
		"mark-at 1ms socket off\n"
		"class set web rate none flow-rate none burst default fair default action default "
		"ecn default mark-at default socket default\nclass set plain\n");
	struct weir_class web = *class_of(policy, "web");

	strcpy(web.name, "plain");
	assert_memory_equal(&web, class_of(policy, "plain"), sizeof(web));
	free(policy);
}

static void match_keys(void **state)
{
	struct policy *policy = policy_of(
		"class set web\n"
		"match add web proto tcp,136 dport 80,443,8000-8100 sport 1024-65535 src 10.0.0.0/8,"
		"2001:db8::/32 dst 0.0.0.0/0,::/0 dscp ef,af11,8-10 mark 0x10/0xff dev eth0 hook egress "
		"cgroup a/b pref 7\n");
	const struct weir_rule *r = policy->matches;
	static const __u8 addr[16] = { [10] = 0xff, [11] = 0xff, [12] = 10 };
	static const __u8 mask[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				       0xff, 0xff, 0xff };

	assert_int_equal(policy->n_matches, 1);
	assert_int_equal(r->fields, 0x3ff);
	assert_int_equal(r->pref, 7);
	assert_int_equal(r->n_proto, 2);
	assert_int_equal(r->proto[0], 6);
	assert_int_equal(r->proto[1], 136);
	assert_int_equal(r->n_dport, 3);
	assert_int_equal(r->dport[2].lo, 8000);
	assert_int_equal(r->dport[2].hi, 8100);
	assert_int_equal(r->dport[0].lo, 80);
	assert_int_equal(r->dport[0].hi, 80);
	assert_int_equal(r->n_src, 2);
	assert_memory_equal(r->src[0].addr, addr, 16);
	assert_memory_equal(r->src[0].mask, mask, 16);
	assert_int_equal(r->src[1].addr[0], 0x20);
	assert_int_equal(r->n_dst, 2);
	assert_int_equal(r->dscp, 1ULL << 46 | 1ULL << 10 | 7ULL << 8);
	assert_int_equal(r->mark, 0x10);
	assert_int_equal(r->mark_mask, 0xff);
	assert_string_equal(r->dev, "eth0");
	assert_int_equal(r->hook, WEIR_EGRESS);
	assert_string_equal(r->cgroup, "a/b");
	free(policy);
}

/* each is refused, with these words somewhere in the error; before a '#', at its end */
static const struct {
	const char *line;
	int code;
	const char *says;
} refused[] = {
	{ "class set web rate 12x", EINVAL, "web: rate '12x': want a rate such as 10mbit" },
	{ "class set web rate -1", EINVAL, "web: rate '-1': want a rate" },
	{ "class set web rate nan", EINVAL, "web: rate 'nan': want a rate" },
	{ "class set web rate 1000000000000000000000000000000", EINVAL, "out of range" },
	{ "class set web rate 10mbps", EINVAL, "mbps means megabytes" },
	{ "class set web flow-rate 12x", EINVAL, "web: flow-rate '12x'" },
	{ "class set web rate 1mbit rate 2mbit", EINVAL, "web: rate: given twice" },
	{ "class set web rate", EINVAL, "web: rate: a value is missing; want RATE|none|auto" },
	{ "class set web rat 1mbit", EINVAL, "unknown word 'rat'; did you mean 'rate'?" },
	{ "class set web flow 1mbit", EINVAL, "unknown word 'flow'; did you mean 'flow-rate'?" },
	{ "class set web zzzz 1mbit", EINVAL, "web: unknown word 'zzzz'; want rate, flow-rate, per, " },
	/* a word of which most is another is not near */
	{ "match add web foo 1", EINVAL, "web: unknown word 'foo'; want dev, hook, " },
	{ "class set web rate auto", ENOENT, "no control" },
	{ "class set web per net", EINVAL, "web: per 'net': want flow, src" },
	{ "class set web per src/0", EINVAL, "per 'src/0'" },
	{ "class set web per src/129", EINVAL, "per 'src/129'" },
	{ "class set web per flow/24", EINVAL, "per 'flow/24'" },
	{ "class set web per src/", EINVAL, "per 'src/'" },
	{ "class set web fair yes", EINVAL, "web: fair 'yes': want off or on" },
	{ "class set web action drop", EINVAL, "want pace, police or observe" },
	{ "class set web burst 20", EINVAL, "want a time such as 20ms or a size such as 64kb" },
	{ "class set web burst 11s", EINVAL, "out of range" },
	{ "class set web burst 17mib", EINVAL, "out of range" },
	{ "class set web mark-at 5", EINVAL, "mark-at '5': want a time" },
	{ "class set web drop-at 6s", EINVAL, "out of range; want 1us to 5s" },
	{ "class set web overhead 300", EINVAL, "want a whole number from -64 to 256" },
	{ "class set web mpu -1", EINVAL, "want a whole number from 0 to 2048" },
	{ "class set web control", EINVAL, "web: control: a value is missing" },
	{ "class set web control psi", EINVAL, "web: control 'psi': want psi cpu" },
	{ "class set web control psi disk", EINVAL, "web: control 'psi disk': want psi cpu" },
	{ "class set web control https://a:1/b", EINVAL, "want http://HOST:PORT/NAME" },
	{ "class set web control http://a/b", EINVAL, "want http://HOST:PORT/NAME" },
	{ "class set web control http://a\x1b[31m:1/b", EINVAL, "want http://HOST:PORT/NAME" },
	{ "class set web control http://a\"b:1/b", EINVAL, "want http://HOST:PORT/NAME" },
	{ "class set web control http://[fe80::1%\x01]:1/b", EINVAL, "want http://HOST:PORT/NAME" },
	{ "class set web control psi cpu cgroup", EINVAL, "want cgroup PATH" },
	{ "class set web control psi cpu cgroup a\x1b[31m", EINVAL, "want cgroup PATH" },
	{ "class set web control psi cpu cgroup a\xc2\x9b", EINVAL, "want cgroup PATH" },
	{ "class set web control backlog target 0ms", EINVAL, "want more than 0" },
	{ "class set web control backlog target nan", EINVAL, "web: target 'nan': want a time" },
	{ "class set web control backlog law magic", EINVAL, "want ff, aimd or pi" },
	{ "class set web inner yes", EINVAL, "web: inner 'yes': want off or on" },
	{ "class set web conn-rate 5", EINVAL, "web: conn-rate '5': want" },
	{ "class set web conn-rate 0/s", EINVAL, "web: conn-rate '0/s': " },
	{ "class set web conn-rate 2000000000/s", EINVAL, "web: conn-rate '2000000000/s': " },
	{ "class set -web", EINVAL, "class name '-web'" },
	{ "class set we/b", EINVAL, "class name 'we/b'" },
	{ "class set aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", EINVAL, "longer than 31" },
	{ "class set", EINVAL, "name of a class is missing" },
	{ "class", EINVAL, "class: a word is missing; want set or del" },
	{ "class add web", EINVAL, "class: unknown word 'add'; want set or del" },
	{ "klass set web", EINVAL, "unknown word 'klass'; want class or match" },
	{ "class del wbe", ENOENT, "no class 'wbe'; did you mean 'web'?" },
	{ "class del nothing", ENOENT, "no class 'nothing'#" },
	{ "match del nothing", ENOENT, "no class 'nothing'#" },
	{ "class del default", EPERM, "always exists" },
	{ "class del web now", EINVAL, "nothing may follow, not 'now'" },
	{ "class del used", EBUSY, "class 'used' has 1 match" },
	{ "match add nothing dport 80", ENOENT, "no class 'nothing'; make it first" },
	{ "match add a dport 80", ENOENT, "no class 'a'; make it first" },
	{ "match add web dport 65536", EINVAL, "web: dport '65536': want a number or a range" },
	{ "match add web dport 90-80", EINVAL, "from low to high" },
	{ "match add web dport 80,,90", EINVAL, "dport '80,,90': an item" },
	{ "match add web dport 80,", EINVAL, "dport '80,': an item of the list is empty" },
	{ "match add web dport http", EINVAL, "dport 'http'" },
	{ "match add web dport 80-", EINVAL, "dport '80-'" },
	{ "match add web dport 1-2-3", EINVAL, "dport '1-2-3'" },
	{ "match add web dport 1,2,3,4,5,6,7,8,9", E2BIG,
	  "web: dport '1,2,3,4,5,6,7,8,9': more than 8" },
	{ "match add web proto tcp,udp,gre,esp,sctp", E2BIG, "more than 4" },
	{ "match add web proto tpc", EINVAL, "proto 'tpc': want tcp" },
	{ "match add web proto 256", EINVAL, "proto '256'" },
	{ "match add web proto icmp dport 80", EINVAL,
	  "dport with proto icmp: only tcp, udp and sctp have ports" },
	{ "match add web proto tcp,1 sport 80", EINVAL, "sport with proto icmp: " },
	{ "match add web proto 89 dport 80", EINVAL, "dport with proto 89: " },
	{ "match add web src 10.0.0.1/8", EINVAL, "has bits beyond its length; want 10.0.0.0/8" },
	{ "match add web src 2001:db8::1/32", EINVAL, "want 2001:db8::/32" },
	{ "match add web src 10.0.0.0/33", EINVAL, "src '10.0.0.0/33'" },
	{ "match add web src 10.0.0", EINVAL, "src '10.0.0': want an address or a prefix" },
	{ "match add web src 10.0.0.256", EINVAL, "src '10.0.0.256'" },
	{ "match add web src 1.1.1.1,2.2.2.2,3.3.3.3,4.4.4.4,5.5.5.5", E2BIG, "more than 4" },
	{ "match add web src 10.0.0.0/8 dst 2001:db8::/32", EINVAL,
	  "web: src and dst are of different families; no packet can match" },
	{ "match add web proto icmp6 src 10.0.0.0/8", EINVAL, "no packet can match" },
	{ "match add web proto icmp dst 2001:db8::/32", EINVAL, "no packet can match" },
	{ "match add web hook ingress cgroup a", EINVAL, "web: cgroup with hook ingress: " },
	{ "match add web hook both", EINVAL, "want egress or ingress" },
	{ "match add web dscp 64", EINVAL, "dscp '64'" },
	{ "match add web dscp af14", EINVAL, "dscp 'af14'" },
	{ "match add web dscp cs8", EINVAL, "dscp 'cs8'" },
	{ "match add web dscp af51", EINVAL, "dscp 'af51'" },
	{ "match add web mark 0x100/0xff", EINVAL, "outside its mask" },
	{ "match add web mark 0/0", EINVAL, "mark '0/0': an empty mask" },
	{ "match add web mark 0x100000000", EINVAL, "mark '0x100000000'" },
	{ "match add web mark 00000000000000000000000000000000000007", EINVAL, "want a mark" },
	{ "match add web dev a/b", EINVAL, "dev 'a/b'" },
	{ "match add web dev 1234567890123456", EINVAL, "1 to 15 printable characters" },
	{ "class set web control psi io cgroup a/..", EINVAL, "want cgroup PATH behind" },
	{ "class set web control psi io cgroup ..", EINVAL, "want cgroup PATH behind" },
	{ "match add web cgroup a/..", EINVAL, "without . and .." },
	{ "match add web cgroup ./a", EINVAL, "without . and .." },
	{ "match add web cgroup ..", EINVAL, "without . and .." },
	{ "match add web dev e\x1b[31m", EINVAL, "want the name of a device" },
	{ "match add web cgroup a\xc2\x9b/b", EINVAL, "want a path" },
	{ "match add web pref 0", EINVAL, "pref '0'" },
	{ "match add web dport 80 dport 81", EINVAL, "dport: given twice" },
	{ "match add web dports 80", EINVAL, "did you mean 'dport'?" },
	{ "match add web dport", EINVAL, "dport: a value is missing" },
	{ "match del web", ENOENT, "class 'web' has no match" },
	{ "match del used pref 11", ENOENT, "no match with pref 11" },
	{ "match del used dport 80", EINVAL, "unknown word 'dport'" },
	{ "match set web", EINVAL, "want add or del" },
};

static bool says(const char *text, const char *words)
{
	size_t n = strcspn(words, "#"), length = strlen(text);

	return words[n] ? length >= n && !strncmp(text + length - n, words, n) :
			  !!strstr(text, words);
}

static void refuses(void **state)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(refused); i++) {
		struct policy *policy = policy_of("class set web\nclass set used\nclass set q\n"
						  "match add used dport 80 pref 10\n");
		struct err err = {};
		int r = words(policy, refused[i].line, &err);

		if (r != -refused[i].code || !says(err.text, refused[i].says))
			fail_msg("%s: %d %s", refused[i].line, r, err.text);
		free(policy);
	}
}

/* keys are no keys where they stand for a value, the last word of all as well */
static void a_value_that_is_called_as_a_key(void **state)
{
	struct policy *policy = policy_of("class set web rate 1gbit control rate target 5\n"
					  "class set web target 5 control rate\n"
					  "match add web cgroup pref dev r\xc4\x9bt\n");
	struct err err = {};

	assert_string_equal(class_of(policy, "web")->signal, "rate");
	assert_int_equal(words(policy, "class set web rate 2gbit", &err), 0);
	assert_true(class_of(policy, "web")->flags & WEIR_CLASS_FROZEN);
	assert_int_equal(words(policy, "class set web control psi io cgroup rate", &err), 0);
	assert_int_equal(words(policy, "class set web control psi io cgroup a..b/..c", &err), 0);
	assert_false(class_of(policy, "web")->flags & WEIR_CLASS_FROZEN);
	free(policy);
}

/* what is wanted stands behind the word, however long that is */
static void a_long_word_hides_nothing(void **state)
{
	char line[4200] = "";
	struct policy *policy = policy_new();
	struct err err = {};
	char *words[] = { "class", "set", "web", "rate", line };

	memset(line, 'x', 4096);
	assert_int_equal(conf_words(policy, 5, words, &err), -EINVAL);
	assert_ptr_equal(strstr(err.text, "web: rate 'xxx"), err.text);
	assert_non_null(strstr(err.text, "x': want a rate such as 10mbit"));
	free(policy);
}

static int text(const char *file, struct policy **ret, struct err *err)
{
	struct policy *policy = policy_new();
	int r = conf_text(policy, "f", file, strlen(file), err);

	if (ret)
		*ret = policy;
	else
		free(policy);
	return r;
}

static void reads_files(void **state)
{
	struct policy *policy;
	struct err err = {};

	assert_int_equal(text("# a comment\n\n  class set web \\\n  rate 2gbit \\\r\n\tflow-rate 1gbit"
			      " # rest\r\nclass\tset 'a.b' rate \"8\"kbit\n"
			      "match add web cgroup \"a \\\"b\\\\x\" dev et\\h0\nclass set last",
			      &policy, &err), 0);
	assert_int_equal(class_of(policy, "web")->flow_rate_bps, 1000000000);
	assert_int_equal(class_of(policy, "a.b")->rate_bps, 8000);
	assert_string_equal(policy->matches[0].cgroup, "a \"b\\x");
	assert_string_equal(policy->matches[0].dev, "eth0");
	assert_true(policy_class_find(policy, "last") > 0);
	free(policy);
	assert_int_equal(text("", NULL, &err), 0);
	assert_int_equal(text("\n\n#", NULL, &err), 0);
	assert_int_equal(text("\xef\xbb\xbf", NULL, &err), 0);
	assert_int_equal(text("\xef\xbb\xbf" "class set a rate 8kbit\n", NULL, &err), 0);
	assert_int_equal(text("class set a\n\xef\xbb\xbf" "class set b\n", NULL, &err), -EINVAL);
	assert_int_equal(text("\\\n\\\nclass set a\\\n", NULL, &err), 0);
}

/* a path of a cgroup as long as it may be, and longer */
static void takes_long_paths(void **state)
{
	char line[512], path[WEIR_PATH_LEN + 1];

	for (size_t n = WEIR_PATH_LEN - 1; n <= WEIR_PATH_LEN; n++) {
		struct policy *policy = policy_new();
		struct err err = {};
		int r = n < WEIR_PATH_LEN ? 0 : -EINVAL;

		memset(path, 'a', n);
		path[n] = '\0';
		snprintf(line, sizeof(line), "match add default cgroup %s", path);
		assert_int_equal(words(policy, line, &err), r);
		snprintf(line, sizeof(line), "class set a target 5%% control psi memory cgroup %s",
			 path);
		assert_int_equal(words(policy, line, &err), r);
		assert_true(!r == !!strstr(policy->classes[1].signal, path));
		assert_true(!r || strstr(err.text, "at most 255 characters"));
		free(policy);
	}
}

static void names_the_line(void **state)
{
	static const struct {
		const char *file, *says;
	} table[] = {
		{ "class set web\n\nclass set web rate 12x\n", "f:3: web: rate '12x': want" },
		{ "class set a \\\n rate 1mbit \\\n rate 2mbit\n", "f:1: a: rate: given twice" },
		{ "#\n\\\n\nclass set a 'b\nc'\n", "f:4: a quote is not closed" },
		{ "class set a \"b", "f:1: a quote is not closed" },
		{ "class set a\\", "f:1: the file ends in a backslash" },
		{ "match add web dport 80\nclass set web\n", "f:1: no class 'web'" },
		{ "class set ''\n", "f:1: class name ''" },
		{ "class set web rate ''\n", "f:1: web: rate '': want" },
	};
	struct policy *policy = policy_new();
	char many[1024] = "";
	struct err err = {};

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		assert_true(text(table[i].file, NULL, &err) < 0);
		if (strstr(err.text, table[i].says) != err.text)
			fail_msg("%s: %s", table[i].file, err.text);
	}
	for (int i = 0; i < 200; i++)
		strcat(many, "x ");
	assert_int_equal(text(many, NULL, &err), -E2BIG);
	assert_int_equal(conf_text(policy, "f", "class set a\0b\n", 14, &err), -EINVAL);
	assert_non_null(strstr(err.text, "NUL"));
	free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_none_takes_all_of_it),
		cmocka_unit_test(order_of_the_keys),
		cmocka_unit_test(class_keys),
		cmocka_unit_test(class_takes_back),
		cmocka_unit_test(match_keys),
		cmocka_unit_test(refuses),
		cmocka_unit_test(a_value_that_is_called_as_a_key),
		cmocka_unit_test(a_long_word_hides_nothing),
		cmocka_unit_test(reads_files),
		cmocka_unit_test(takes_long_paths),
		cmocka_unit_test(names_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
