// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_conf_print.c: the round trip: any policy prints as a file that makes the same bytes, and
 * the form of what is printed.
 */
#include "words.h"

static char file[4 << 20];

static int append(const char *line, void *arg)
{
	size_t *at = arg;

	*at += snprintf(file + *at, sizeof(file) - *at, "%s\n", line);
	return 0;
}

#define PICK(...) (((const char *const[]){ __VA_ARGS__ })[unit_below( \
	sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))])

static void add(char *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(char *line, const char *format, ...)
{
	size_t n = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(line + n, 1024 - n, format, args);
	va_end(args);
}

static bool sometimes(void)
{
	return unit_below(3) == 0;
}

static void random_class(char *line, unsigned int name)
{
	sprintf(line, "class set c%u", name);
	if (sometimes())
		add(line, " rate %llubit", unit_scale(WEIR_RATE_MIN, WEIR_RATE_MAX));
	else if (sometimes())
		add(line, " rate none");
	if (sometimes())
		add(line, " flow-rate %llubit", unit_scale(WEIR_RATE_MIN, WEIR_RATE_MAX));
	if (sometimes())
		add(line, " per %s/%llu", PICK("src", "dst"), 1 + unit_below(128));
	else if (sometimes())
		add(line, " per %s", PICK("flow", "src", "dst", "dscp", "cgroup", "class"));
	if (sometimes())
		add(line, " burst %lluns", unit_scale(0, 10000000000));
	else if (sometimes())
		add(line, " burst %llub", unit_scale(1, 16 << 20));
	else if (sometimes())
		add(line, " burst default");
	if (sometimes())
		add(line, " fair %s", PICK("on", "off", "default"));
	if (sometimes())
		add(line, " ecn %s", PICK("on", "off", "default"));
	if (sometimes())
		add(line, " socket %s", PICK("on", "off", "default"));
	if (sometimes())
		add(line, " action %s", PICK("pace", "police", "observe", "default"));
	if (sometimes())
		add(line, " mark-at %lluns", unit_scale(1000, 5000000000));
	if (sometimes())
		add(line, " drop-at %lluns", unit_scale(1000, 5000000000));
	if (sometimes())
		add(line, " overhead %lld", (long long)unit_below(321) - 64);
	if (sometimes())
		add(line, " mpu %llu", unit_below(2049));
	if (sometimes())
		add(line, " conn-rate %llu/s", unit_scale(1, 1000000000));
}

static void random_prefixes(char *line, const char *key, unsigned int families)
{
	unsigned int n = 1 + unit_below(WEIR_PREFIXES);

	add(line, " %s ", key);
	for (unsigned int i = 0; i < n; i++) {
		bool v4 = families == 1 || (families == 3 && unit_below(2));
		__u32 plen = unit_below(33), addr = unit_random();

		addr &= plen ? ~0U << (32 - plen) : 0;
		if (v4)
			add(line, "%s%u.%u.%u.%u/%u", i ? "," : "", addr >> 24, addr >> 16 & 255,
			    addr >> 8 & 255, addr & 255, plen);
		else
			add(line, "%s2%03llx:%x:%x::/%llu", i ? "," : "", unit_below(4096),
			    addr >> 16, addr & 0xffff, 48 + unit_below(81));
	}
}

static void random_ranges(char *line, const char *key, unsigned int most, unsigned int max)
{
	unsigned int n = 1 + unit_below(most);

	add(line, " %s ", key);
	for (unsigned int i = 0; i < n; i++) {
		unsigned int lo = unit_below(max + 1), hi = lo + unit_below(max + 1 - lo);

		add(line, unit_below(2) ? "%s%u-%u" : "%s%u", i ? "," : "", lo, hi);
	}
}

static void random_match(char *line, unsigned int name)
{
	unsigned int families = 1 + unit_below(3);

	sprintf(line, "match add c%u", name);
	if (sometimes())
		random_prefixes(line, "src", families);
	if (sometimes())
		random_prefixes(line, "dst", families);
	if (sometimes())
		add(line, " proto %s", PICK("tcp", "udp,tcp", "tcp,udp,sctp", "17", "136"));
	if (sometimes())
		random_ranges(line, "sport", WEIR_PORT_RANGES, 65535);
	if (sometimes())
		random_ranges(line, "dport", WEIR_PORT_RANGES, 65535);
	if (sometimes())
		random_ranges(line, "dscp", 3, 63);
	if (sometimes())
		add(line, " mark %u", (__u32)unit_random());
	else if (sometimes())
		add(line, " mark 0x%x/0xffff", (__u32)unit_below(65536));
	if (sometimes())
		add(line, " dev %s", PICK("eth0", "wlp3s0", "br-lan", "a:b", "veth@x", "\"q'\\"));
	if (sometimes())
		add(line, " hook %s", PICK("egress", "ingress"));
	if (sometimes())
		add(line, " cgroup %s", PICK("system.slice/nginx.service", "/", "a\\x2db", "#c",
					     "it's", "\"", "\xc3\xa9", "a\tb"));
	if (sometimes())
		add(line, " pref %llu", 1 + unit_below(50));
}

static struct policy *random_policy(void)
{
	struct policy *policy = policy_new();
	struct policy *before = malloc(sizeof(*before));
	unsigned int lines = unit_below(40);
	char line[1024];
	struct err err;

	assert_non_null(policy);
	assert_non_null(before);
	for (unsigned int i = 0; i < lines; i++) {
		unsigned int name = unit_below(12);

		memcpy(before, policy, sizeof(*before));
		line[0] = '\0';
		if (unit_below(8) == 0)
			sprintf(line, "class del c%u", name);
		else if (unit_below(8) == 0)
			sprintf(line, "match del c%u", name);
		else if (unit_below(2))
			random_class(line, name);
		else
			random_match(line, name);
		/* what goes together is the business of finish: keep what it takes */
		if (words(policy, line, &err) || policy_finish(policy, &err))
			memcpy(policy, before, sizeof(*policy));
	}
	assert_int_equal(policy_finish(policy, &err), 0);
	free(before);
	return policy;
}

static void round_trip(void **state)
{
	unsigned long classes = 0, matches = 0;

	for (int i = 0; i < 600; i++) {
		struct policy *made = random_policy(), *read = policy_new();
		struct err err = {};
		size_t size = 0;

		assert_int_equal(conf_lines(made, append, &size), 0);
		if (conf_text(read, "printed", file, size, &err) || policy_finish(read, &err) ||
		    policy_align(read, made, &err))
			fail_msg("%s\n%s", err.text, file);
		for (unsigned int c = 0; c < WEIR_MAX_CLASSES; c++) {
			classes += made->classes[c].flags & WEIR_CLASS_USED;
			assert_memory_equal(&made->classes[c], &read->classes[c],
					    sizeof(made->classes[c]));
		}
		matches += made->n_matches;
		assert_int_equal(made->n_matches, read->n_matches);
		assert_memory_equal(made->matches, read->matches, sizeof(made->matches));
		free(made);
		free(read);
	}
	/* the generator makes something: a test of nothing would pass as well */
	assert_in_range(classes, 2000, 10000);
	assert_in_range(matches, 600, 24000);
}

static void prints_canonically(void **state)
{
	static const char in[] =
		"class set web  rate 2000mbit fair on per flow burst 65536b\n"
		"match add web dport 80,443 proto 6\n"
		"match add default dscp 12,8,34,47-48,0-3,ef,62,11,50 src ::ffff:10.0.0.0/104,fe80::/10\n"
		"match add web dscp 46,40,0,14\n"
		"match add web dscp 5,1\n"
		"class set half control psi cpu target 0.5\n"
		"class set own control queue target 0.5\n";
	static const char out[] =
		"class set web rate 2gbit burst 64kib fair on\n"
		"class set half control \"psi cpu\" target 0.5%\n"
		"class set own control queue target 0.5\n"
		"match add web proto tcp dport 80,443 pref 10\n"
		"match add default src 10.0.0.0/8,fe80::/10 dscp 0-3,cs1,11-12,af41,46-48,50,62 pref 20\n"
		"match add web dscp cs0,af13,cs5,ef pref 30\n"
		"match add web dscp le,5 pref 40\n";
	struct policy *policy = policy_of(in);
	size_t size = 0;

	assert_int_equal(conf_lines(policy, append, &size), 0);
	assert_string_equal(file, out);
	free(policy);
}

/* each code point by itself comes back by the name that it has, and as its number to programs */
static void dscp_by_name(void **state)
{
	static const char *const names[64] = {
		[0] = "cs0", [1] = "le", [8] = "cs1", [10] = "af11", [12] = "af12", [14] = "af13",
		[16] = "cs2", [18] = "af21", [20] = "af22", [22] = "af23", [24] = "cs3",
		[26] = "af31", [28] = "af32", [30] = "af33", [32] = "cs4", [34] = "af41",
		[36] = "af42", [38] = "af43", [40] = "cs5", [46] = "ef", [48] = "cs6", [56] = "cs7",
	};
	const struct opts_key *key = conf_match_keys;
	struct opts_text name, number;
	char digits[8];

	while (!key->plain)
		key++;
	for (unsigned int code = 0; code < 64; code++) {
		struct weir_rule rule = { .fields = WEIR_M_DSCP, .dscp = 1ULL << code };

		sprintf(digits, "%u", code);
		assert_true(key->get(key, &rule, &name) > 0);
		assert_string_equal(name.text, names[code] ?: digits);
		assert_true(key->plain(key, &rule, &number) > 0);
		assert_string_equal(number.text, digits);
	}
}

/* the longest of everything fits into a line */
static void longest_line(void **state)
{
	struct policy *policy = policy_of("class set aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
	char cgroup[WEIR_PATH_LEN], line[2048], *argv[32], *save;
	struct opts_text ret;
	struct err err = {};
	int argc = 0;

	memset(cgroup, '"', sizeof(cgroup) - 1);
	cgroup[sizeof(cgroup) - 1] = '\0';
	strcpy(line, "match add aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa src ");
	for (int i = 0; i < 8; i++) {
		strcat(line, i == 4 ? " dst " : i ? "," : "");
		strcat(line, "2001:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa");
	}
	for (int i = 0; i < 16; i++) {
		strcat(line, i == 8 ? " dport " : i ? "," : " sport ");
		strcat(line, "10000-65535");
	}
	strcat(line, " proto 253,254,255,252 mark 0xf0f0f0f0/0xfffffff0 dev abcdefghijklmno hook "
	       "egress pref 4294967295 dscp 0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30,32,34");
	for (char *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc++] = (char *)"cgroup";
	argv[argc++] = cgroup;
	/* ports want a protocol that has them */
	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], "proto"))
			argv[i + 1] = (char *)"tcp,udp,sctp,136";
	if (conf_words(policy, argc, argv, &err))
		fail_msg("%s", err.text);
	assert_int_equal(conf_match_line(policy, policy->matches, &ret), 0);
	assert_non_null(strstr(ret.text, "pref 4294967295"));
	free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(prints_canonically),
		cmocka_unit_test(dscp_by_name),
		cmocka_unit_test(longest_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
