// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_metrics.c: metrics of hand-made snapshots against a strict reader of OpenMetrics 1.0 and of
 * the plain form, and the arithmetic between two snapshots. With a file as its word it reads that
 * instead (a live server's answer) and says what is wrong with it.
 */
#include "unit.h"
#include <ctype.h>
#include <math.h>
#include "metrics.h"

#define SERIES 65536

struct reader {
	bool open;			/* OpenMetrics, else plain */
	const char *line;
	unsigned int number;
	char family[128], type[32], unit[64];
	bool has_type, has_help, ended;
	char families[256][128];
	unsigned int n_families;
	char *series[SERIES];
	unsigned int n_series;
	/* the histogram that is being read */
	char group[512];
	double last_le, last_count;
	bool has_inf;
	char why[512];
};

static bool wrong(struct reader *r, const char *why)
{
	snprintf(r->why, sizeof(r->why), "line %u: %s: %.300s", r->number, why, r->line);
	return false;
}

static size_t name_length(const char *text, bool colon)
{
	size_t n = 0;

	while (isalpha(text[n]) || text[n] == '_' || (colon && text[n] == ':') ||
	       (n && isdigit(text[n])))
		n++;
	return n;
}

static bool family_open(struct reader *r, const char *name, size_t n)
{
	if (strlen(r->family) == n && !strncmp(r->family, name, n))
		return true;
	if (!n || n >= sizeof(r->family) || r->n_families == 256)
		return wrong(r, "no name, or too many families");
	memcpy(r->family, name, n);
	r->family[n] = '\0';
	for (unsigned int i = 0; i < r->n_families; i++)
		if (!strcmp(r->families[i], r->family))
			return wrong(r, "a family in two places");
	strcpy(r->families[r->n_families++], r->family);
	strcpy(r->type, "unknown");
	r->unit[0] = r->group[0] = '\0';
	r->has_type = r->has_help = false;
	return true;
}

static bool read_comment(struct reader *r, const char *line)
{
	const char *at = line + strnlen(line, 7);
	size_t n = name_length(at, true), f = strlen(r->family), u;

	if (r->open && !strcmp(line, "# EOF"))
		return r->ended = true;
	if (strncmp(line, "# TYPE ", 7) && strncmp(line, "# HELP ", 7) &&
	    (!r->open || strncmp(line, "# UNIT ", 7)))
		return wrong(r, "want # TYPE, # HELP or # UNIT");
	if (f == n && !strncmp(at, r->family, n) && r->n_series && !r->has_type)
		return wrong(r, "metadata behind samples");
	if (!family_open(r, at, n) || at[n] != ' ')
		return r->why[0] ? false : wrong(r, "want a name and a text");
	at += n + 1;
	if (line[2] == 'H') {
		if (r->has_help || !*at)
			return wrong(r, "HELP twice or empty");
		return r->has_help = true;
	}
	if (line[2] == 'T') {
		if (r->has_type)
			return wrong(r, "TYPE twice");
		snprintf(r->type, sizeof(r->type), "%s", at);
		return r->has_type = true;
	}
	u = strlen(at);
	if (n <= u || strcmp(r->family + n - u, at) || r->family[n - u - 1] != '_')
		return wrong(r, "the unit does not end the name");
	return true;
}

static bool has_suffix(struct reader *r, const char *name, size_t n)
{
	static const struct { const char *type, *suffixes[4]; bool open, plain; } types[] = {
		{ "counter", { "_total" }, true, false }, { "counter", { "" }, false, true },
		{ "gauge", { "" }, true, true }, { "info", { "_info" }, true, false },
		{ "stateset", { "" }, true, false },
		{ "histogram", { "_bucket", "_count", "_sum" }, true, true },
	};
	size_t f = strlen(r->family);

	if (n < f || strncmp(name, r->family, f))
		return wrong(r, "a sample of another family");
	for (unsigned int t = 0; t < ARRAY_SIZE(types); t++)
		for (unsigned int s = 0; s < 4 && types[t].suffixes[s]; s++)
			if (!strcmp(types[t].type, r->type) &&
			    (r->open ? types[t].open : types[t].plain) &&
			    strlen(types[t].suffixes[s]) == n - f &&
			    !strncmp(types[t].suffixes[s], name + f, n - f))
				return true;
	return wrong(r, "a name that its type does not have");
}

/* one label: its name and value; where it ends, or NULL */
static const char *read_label(struct reader *r, const char *at, char name[64], char value[256])
{
	size_t n = name_length(at, false), v = 0;

	if (!n || n >= 64 || at[n] != '=' || at[n + 1] != '"')
		return wrong(r, "want name=\"value\""), NULL;
	memcpy(name, at, n);
	name[n] = '\0';
	for (at += n + 2; *at != '"'; at++) {
		if (!*at || v + 1 >= 256)
			return wrong(r, "a label without an end"), NULL;
		if (*at == '\\' && !strchr("\\\"n", *++at))
			return wrong(r, "an unknown escape"), NULL;
		value[v++] = *at;
	}
	value[v] = '\0';
	return at + 1;
}

struct labels {
	char names[32][64], le[256], state[256];
	char rest[512];			/* all of them but le */
	unsigned int n;
	bool has_le;
};

static const char *read_labels(struct reader *r, const char *at, struct labels *labels)
{
	do {
		char *name = labels->names[labels->n], value[256];

		at = labels->n < 31 ? read_label(r, at + 1, name, value) : NULL;
		if (!at)
			return NULL;
		for (unsigned int i = 0; i < labels->n; i++)
			if (!strcmp(labels->names[i], name))
				return wrong(r, "a label twice"), NULL;
		labels->n++;
		if (!strcmp(name, "le")) {
			labels->has_le = true;
			strcpy(labels->le, value);
			continue;
		}
		if (!strcmp(name, r->family))
			strcpy(labels->state, value);
		snprintf(labels->rest + strlen(labels->rest), 512 - strlen(labels->rest), "%s=%s,",
			 name, value);
	} while (*at == ',');
	return *at == '}' ? at + 1 : (wrong(r, "want , or }"), NULL);
}

static bool check_histogram(struct reader *r, char suffix, const struct labels *labels,
			    double value)
{
	double le;

	if (suffix == 's')
		return true;
	if (suffix == 'c')
		return strcmp(r->group, labels->rest) || !r->has_inf || r->last_count != value ?
		       wrong(r, "a count that is not its last bucket's") : true;
	if (!labels->has_le)
		return wrong(r, "a bucket without le");
	le = !strcmp(labels->le, "+Inf") ? INFINITY : strtold(labels->le, NULL);
	if (strcmp(r->group, labels->rest)) {
		strcpy(r->group, labels->rest);
		r->last_le = -INFINITY;
		r->last_count = 0;
	}
	if (le <= r->last_le || value < r->last_count)
		return wrong(r, "buckets that are not in order");
	r->last_le = le;
	r->last_count = value;
	r->has_inf = isinf(le);
	return true;
}

static bool read_sample(struct reader *r, const char *line)
{
	_cleanup_free_ struct labels *labels = calloc(1, sizeof(*labels));
	size_t n = name_length(line, true);
	const char *at = line + n;
	char *end;
	double value;

	if (!has_suffix(r, line, n))
		return false;
	if (*at == '{')
		at = read_labels(r, at, labels);
	if (!at || *at != ' ' || !(isdigit(at[1]) || at[1] == '-' || at[1] == 'N' || at[1] == '+'))
		return r->why[0] ? false : wrong(r, "want one blank and a number");
	for (unsigned int i = 0; i < r->n_series; i++)
		if (!strncmp(r->series[i], line, at - line) && !r->series[i][at - line])
			return wrong(r, "a series twice");
	r->series[r->n_series++] = strndup(line, at - line);
	value = strtold(at + 1, &end);
	if (*end)
		return wrong(r, "want a number and nothing behind it");
	if (!strcmp(r->type, "counter") && !(value >= 0))
		return wrong(r, "a counter below 0");
	if (!strcmp(r->type, "info") && value != 1)
		return wrong(r, "an info that is not 1");
	if (!strcmp(r->type, "stateset") && (!labels->state[0] || (value != 0 && value != 1)))
		return wrong(r, "a state without its name, or neither 0 nor 1");
	if (!strcmp(r->type, "histogram"))
		return check_histogram(r, line[strlen(r->family) + 1], labels, value);
	return labels->has_le ? wrong(r, "le outside a histogram") : true;
}

/* "" or what is wrong with the text; the caller frees it */
static char *read_metrics(const char *text, bool open)
{
	_cleanup_free_ struct reader *r = calloc(1, sizeof(*r));
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *line, *why;
	bool good = *text && text[strlen(text) - 1] == '\n';

	r->open = open;
	while (good && (line = strsep(&rest, "\n")) && rest) {
		r->line = line;
		r->number++;
		if (r->ended || !*line)
			good = wrong(r, "an empty line, or one behind the end");
		else if (*line == '#')
			good = read_comment(r, line);
		else if (!strncmp(line, "weir_", 5))
			good = read_sample(r, line);
		else
			good = wrong(r, "a name that is not weir's");
	}
	if (good && open && !r->ended)
		good = wrong(r, "no # EOF");
	for (unsigned int i = 0; i < r->n_series; i++)
		free(r->series[i]);
	why = strdup(good ? "" : r->why[0] ? r->why : "no end of line");
	return why;
}

static void assert_metrics(const char *text, bool open)
{
	_cleanup_free_ char *why = read_metrics(text, open);

	assert_string_equal(why, "");
}

static void the_reader_is_strict(void **state)
{
	static const char *const bad[] = {
		"", "# EOF", "weir_a 1\n# EOF\n", "# TYPE weir_a gauge\nweir_a 1\n",
		"# TYPE weir_a gauge\nweir_b 1\n# EOF\n", "# TYPE weir_a counter\nweir_a 1\n# EOF\n",
		"# TYPE weir_a gauge\n\n# EOF\n", "# TYPE weir_a gauge\nweir_a 1\nweir_a 2\n# EOF\n",
		"# TYPE weir_a gauge\nweir_a{b=\"\\x\"} 1\n# EOF\n",
		"# TYPE weir_a gauge\nweir_a{b=\"1\",b=\"2\"} 1\n# EOF\n",
		"# TYPE weir_a gauge\nweir_a{b=\"1\"}  1\n# EOF\n",
		"# TYPE weir_a gauge\nweir_a{b=\"1} 1\n# EOF\n",
		"# TYPE weir_a gauge\n# UNIT weir_a bytes\nweir_a 1\n# EOF\n",
		"# TYPE weir_a counter\nweir_a_total -1\n# EOF\n",
		"# TYPE weir_a gauge\nweir_a 1\n# EOF\nweir_a 2\n",
		"# TYPE weir_a gauge\nweir_a 1x\n# EOF\n",
		"# TYPE weir_a histogram\nweir_a_bucket{le=\"1\"} 2\nweir_a_bucket{le=\"+Inf\"} 1\n# EOF\n",
		"# TYPE weir_a histogram\nweir_a_bucket{le=\"+Inf\"} 1\nweir_a_count 2\n# EOF\n",
		"# TYPE weir_a stateset\nweir_a{b=\"c\"} 1\n# EOF\n",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_free_ char *why = read_metrics(bad[i], true);

		assert_string_not_equal(why, "");
	}
	assert_metrics("# TYPE weir_a counter\n# HELP weir_a b\nweir_a_total{b=\"\\\\\"} 1\n# EOF\n",
		       true);
}

static struct snapshot_class one_class(const char *name)
{
	struct snapshot_class class = {
		.conf = { .flags = WEIR_CLASS_USED, .rate_bps = 100000000,
			  .flow_rate_bps = 20000000 },
		.limit_bps = 100000000, .level_bps = 12345679,
	};

	strcpy(class.conf.name, name);
	return class;
}

static void both_forms_are_well_formed(void **state)
{
	struct snapshot_class classes[2] = { one_class("default"), one_class("web") };
	struct snapshot_flow flows[METRICS_FLOWS + 5] = {};
	struct snapshot_device device = { .name = "a\"\\\xff\n" };
	struct snapshot snapshot = { .instance = "host", .classes = classes, .n_classes = 2,
		.flows = flows, .n_flows = ARRAY_SIZE(flows), .devices = &device, .n_devices = 1,
		.took_ns = 1500000 };
	struct text open = {}, plain = {};

	for (unsigned int i = 0; i < WEIR_HIST; i++)
		classes[1].total.delay_hist[i] = i % 3;
	classes[1].total.delay_ns = 1234567890123;
	classes[1].steered = true;
	classes[1].steering = (struct weir_decision){ .flags = WEIR_D_TIME | WEIR_D_VALUE,
		.value = 5100000, .target = 5000000, .reason = WEIR_C_BEHIND };
	strcpy(classes[1].conf.signal, "backlog");
	for (unsigned int i = 0; i < ARRAY_SIZE(flows); i++) {
		flows[i].key.family = i % 2 ? 4 : 6;
		flows[i].key.proto = i;
		flows[i].rate_bps = 1000 + i;
	}
	assert_int_equal(metrics_write(&open, &snapshot, METRICS_OPEN), 0);
	assert_int_equal(metrics_write(&plain, &snapshot, METRICS_PLAIN), 0);
	assert_metrics(open.data, true);
	assert_metrics(plain.data, false);
	assert_non_null(strstr(open.data, "weir_class_limit_bytes_per_second{class=\"web\"} 12500000\n"));
	assert_non_null(strstr(open.data, "weir_class_level_bytes_per_second{class=\"web\"} 1543209.875\n"));
	assert_non_null(strstr(open.data, "weir_class_delay_seconds_sum{class=\"web\"} 1234.567890123\n"));
	assert_non_null(strstr(open.data, "signal=\"backlog\",unit=\"seconds\"} 0.0051\n"));
	assert_non_null(strstr(open.data, "le=\"0.000002048\"} 0\n"));
	assert_non_null(strstr(open.data, "dev=\"a\\\"\\\\\\\\xff\\\\x0a\""));
	assert_null(strstr(open.data, "proto=\"20\""));	/* no more than the foremost */
	text_free(&open);
	text_free(&plain);
}

static void only_what_is_on_its_hook_is_attached(void **state)
{
	struct snapshot_device devices[3] = { { .name = "on" }, { .name = "gone", .gone = true },
					      { .name = "lost", .lost = true } };
	struct snapshot snapshot = { .instance = "host", .devices = devices, .n_devices = 3 };
	struct text text = {};

	assert_int_equal(metrics_write(&text, &snapshot, METRICS_PLAIN), 0);
	for (unsigned int i = 0; i < 3; i++) {
		char start[64];
		const char *line;

		snprintf(start, sizeof(start), "weir_device_attached{dev=\"%s\"", devices[i].name);
		line = strstr(text.data, start);
		assert_non_null(line);
		assert_memory_equal(strstr(line, "} "), i ? "} 0\n" : "} 1\n", 4);
	}
	text_free(&text);
}

/* they would be told apart by nothing, and a scrape that has a sample twice is no good */
static void flows_of_devices_that_are_gone_are_left_out(void **state)
{
	struct snapshot_flow flows[3] = { { .dev = "-" }, { .dev = "eth0" }, { .dev = "-" } };
	struct snapshot snapshot = { .instance = "host", .flows = flows, .n_flows = 3 };
	struct text text = {};

	assert_int_equal(metrics_write(&text, &snapshot, METRICS_OPEN), 0);
	assert_metrics(text.data, true);
	assert_non_null(strstr(text.data, "dev=\"eth0\""));
	text_free(&text);
}

static void the_form_follows_accept(void **state)
{
	assert_int_equal(metrics_form_of(NULL), METRICS_PLAIN);
	assert_int_equal(metrics_form_of("*/*"), METRICS_PLAIN);
	assert_int_equal(metrics_form_of("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
			 METRICS_OPEN);
}

static void percentiles_lie_in_their_bucket(void **state)
{
	__u64 hist[WEIR_HIST] = {};

	assert_int_equal(snapshot_percentile(hist, 50), 0);
	hist[0] = 100;
	assert_int_equal(snapshot_percentile(hist, 99), 0);
	hist[0] = 98;
	hist[10] = 2;
	assert_int_equal(snapshot_percentile(hist, 50), 0);
	assert_in_range(snapshot_percentile(hist, 99), 1 << 20, 2 << 20);
	hist[WEIR_HIST - 1] = ~0ULL >> 20;
	assert_in_range(snapshot_percentile(hist, 99), 2048ULL << (WEIR_HIST - 2),
			2048ULL << WEIR_HIST);
}

static void rates_and_state_follow_from_two_pictures(void **state)
{
	struct snapshot_class was = one_class("web"), is = one_class("web");
	struct snapshot before = { .now_ns = 5000000000, .classes = &was, .n_classes = 1 };
	struct snapshot now = { .now_ns = 7000000000, .classes = &is, .n_classes = 1 };

	was.total.bytes[WEIR_R_CONFORM] = 1000;
	is.total.bytes[WEIR_R_CONFORM] = 1000;
	snapshot_compare(&now, &before);
	assert_int_equal(is.state, SNAPSHOT_IDLE);
	assert_false(is.rates.has_delay);
	is.total.bytes[WEIR_R_CONFORM] += 25000000;
	is.total.packets[WEIR_R_CONFORM] += 20001;
	snapshot_compare(&now, &before);
	assert_int_equal(is.rates.passed_bps, 100000000);
	assert_int_equal(is.rates.packets, 10001);	/* rounded up */
	assert_int_equal(is.state, SNAPSHOT_FREE);
	is.total.delayed = 1;
	snapshot_compare(&now, &before);
	assert_int_equal(is.rates.delayed, 1);
	assert_int_equal(is.state, SNAPSHOT_CLASS);
	is.leased = true;
	snapshot_compare(&now, &before);
	assert_int_equal(is.state, SNAPSHOT_LEASE);
	is.total.bytes[WEIR_R_CONFORM] -= 10000000;	/* well below the class's rate */
	snapshot_compare(&now, &before);
	assert_int_equal(is.state, SNAPSHOT_FLOWS);
	is.conf.action = WEIR_OBSERVE;
	snapshot_compare(&now, &before);
	assert_int_equal(is.state, SNAPSHOT_OBSERVED);
	is.limit_bps = is.conf.flow_rate_bps = 0;
	snapshot_compare(&now, &before);
	assert_int_equal(is.state, SNAPSHOT_UNLIMITED);
	/* counters that were cleared, or another class in the slot: no rate of 2^64 */
	was.total.bytes[WEIR_R_CONFORM] = 50000000;
	snapshot_compare(&now, &before);
	assert_in_range(is.rates.passed_bps, 1, 64000000);
}

/* the word is a file: reads it and says what is wrong; the last line tells the form */
static int read_file(const char *path)
{
	static char text[1 << 24];
	_cleanup_free_ char *why = NULL;
	FILE *file = fopen(path, "r");
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file)
		fclose(file);
	why = read_metrics(text, n > 6 && !strcmp(text + n - 6, "# EOF\n"));
	if (*why || !n)
		fprintf(stderr, "%s: %s\n", path, n ? why : "empty, or cannot be read");
	return *why || !n;
}

/* by what the datapath has noted: when a packet came, was held back, by whose clock */
static void one_picture_has_a_state_too(void **state)
{
	struct snapshot_class is = one_class("web");
	struct snapshot now = { .now_ns = 7000000000, .classes = &is, .n_classes = 1 };

	snapshot_compare(&now, NULL);
	assert_int_equal(is.state, SNAPSHOT_IDLE);
	is.moved.last_ns = 6500000000;
	snapshot_compare(&now, NULL);
	assert_int_equal(is.state, SNAPSHOT_FREE);
	is.moved.held_at = 6500000000;
	snapshot_compare(&now, NULL);
	assert_int_equal(is.state, SNAPSHOT_FLOWS);
	is.moved.tat = 7000000001;
	snapshot_compare(&now, NULL);
	assert_int_equal(is.state, SNAPSHOT_CLASS);
	is.moved.tat = 0;
	is.conf.flow_rate_bps = 0;
	snapshot_compare(&now, NULL);
	assert_int_equal(is.state, SNAPSHOT_CLASS);
	is.moved.held_at = 5500000000;
	snapshot_compare(&now, NULL);
	assert_int_equal(is.state, SNAPSHOT_FREE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reader_is_strict),
		cmocka_unit_test(both_forms_are_well_formed),
		cmocka_unit_test(only_what_is_on_its_hook_is_attached),
		cmocka_unit_test(flows_of_devices_that_are_gone_are_left_out),
		cmocka_unit_test(the_form_follows_accept),
		cmocka_unit_test(percentiles_lie_in_their_bucket),
		cmocka_unit_test(rates_and_state_follow_from_two_pictures),
		cmocka_unit_test(one_picture_has_a_state_too),
	};

	if (argc > 1)
		return read_file(argv[1]);
	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
