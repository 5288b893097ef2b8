// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic_spec.c: the words of `traffic run` into options, events and flows. Opens nothing.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "traffic.h"

enum type { T_NAME, T_TEXT, T_TIME, T_RATE, T_U32, T_U64, T_ADDR, T_PORT, T_SWITCH, T_FLAG };

struct unit {
	const char *suffix;
	uint64_t factor;
};

static const struct unit time_units[] = {
	{"s", SEC}, {"ms", MSEC}, {"us", 1000}, {"ns", 1}, {NULL, 0}};
static const struct unit rate_units[] = {{"bit", 1},	       {"kbit", 1000}, {"mbit", 1000000},
					 {"gbit", 1000000000}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

#define FIELD(type, field) type, offsetof(struct spec, field)
static const struct key {
	const char *word;
	enum type type;
	size_t offset;
} spec_keys[] = {
	{"name", FIELD(T_NAME, name)},
	{"group", FIELD(T_NAME, group)},
	{"from", FIELD(T_TEXT, from)},
	{"to", FIELD(T_TEXT, to)},
	{"addr", FIELD(T_ADDR, addr)},
	{"src", FIELD(T_ADDR, src)},
	{"port", FIELD(T_PORT, addr)},
	{"cc", FIELD(T_TEXT, cc)},
	{"n", FIELD(T_U32, n)},
	{"start", FIELD(T_TIME, start_ns)},
	{"stop", FIELD(T_TIME, stop_ns)},
	{"rate", FIELD(T_RATE, rate_bps)},
	{"packets", FIELD(T_U64, packets)},
	{"interval", FIELD(T_TIME, interval_ns)},
	{"write", FIELD(T_U32, write_bytes)},
	{"size", FIELD(T_U32, size_bytes)},
	{"reply", FIELD(T_U32, reply_bytes)},
	{"spray", FIELD(T_U32, spray)},
	{"tos", FIELD(T_U32, tos)},
	{"ecn", FIELD(T_SWITCH, ecn)},
	{"gaps", FIELD(T_FLAG, gaps)},
	{0},
}, run_keys[] = {
	{"step", T_TIME, offsetof(struct run, step_ns)},
	{"window", T_TIME, offsetof(struct run, window_ns)},
	{"after", T_TIME, offsetof(struct run, after_ns)},
	{"series", T_FLAG, offsetof(struct run, series)},
	{"arrivals", T_FLAG, offsetof(struct run, arrivals)},
	{0},
};

/* decimal with at most nine digits after the point, and a unit */
static int number(const char *text, const struct unit *units, uint64_t *ret)
{
	uint64_t whole = 0, part = 0, scale = 1;
	const char *p = text;

	if (!isdigit((unsigned char)*p))
		return -1;
	for (; isdigit((unsigned char)*p); p++) {
		if (whole > 1000000000000ULL)
			return -1;
		whole = whole * 10 + (*p - '0');
	}
	if (*p == '.')
		for (p++; isdigit((unsigned char)*p) && scale < 1000000000; p++) {
			part = part * 10 + (*p - '0');
			scale *= 10;
		}
	for (; units->suffix; units++)
		if (!strcmp(p, units->suffix)) {
			*ret = whole * units->factor + part * units->factor / scale;
			return 0;
		}
	return -1;
}

static int address(const char *text, struct sockaddr_storage *addr)
{
	struct sockaddr_in6 *a6 = (void *)addr;
	struct sockaddr_in *a4 = (void *)addr;

	if (inet_pton(AF_INET, text, &a4->sin_addr) == 1)
		addr->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &a6->sin6_addr) == 1)
		addr->ss_family = AF_INET6;
	else
		return -1;
	return 0;
}

static int set_switch(const char *text, int *ret)
{
	if (strcmp(text, "on") && strcmp(text, "off"))
		return -1;
	*ret = !strcmp(text, "on");
	return 0;
}

/* the port lies at the same place in both families */
static int set_port(const char *text, struct sockaddr_in *addr)
{
	uint64_t v;

	if (number(text, no_units, &v) || v < 1 || v > 65535)
		return -1;
	addr->sin_port = htons(v);
	return 0;
}

static int set_value(enum type type, const char *text, void *field)
{
	uint64_t v;
	int on;

	switch (type) {
	case T_NAME:
		if (strlen(text) >= sizeof(((struct spec *)0)->name))
			return -1;
		strcpy(field, text);
		return 0;
	case T_TEXT:
		*(const char **)field = text;
		return 0;
	case T_TIME:
		return number(text, time_units, field);
	case T_RATE:
		return number(text, rate_units, field);
	case T_U64:
		return number(text, no_units, field);
	case T_U32:
		if (number(text, no_units, &v) || v > INT32_MAX)
			return -1;
		*(uint32_t *)field = v;
		return 0;
	case T_ADDR:
		return address(text, field);
	case T_PORT:
		return set_port(text, field);
	case T_SWITCH:
		return set_switch(text, field);
	case T_FLAG:
		if (set_switch(text, &on))
			return -1;
		*(bool *)field = on;
		return 0;
	}
	return -1;
}

static const struct key *key_find(const struct key *keys, const char *word)
{
	for (; keys->word; keys++)
		if (!strcmp(keys->word, word))
			return keys;
	return NULL;
}

static int spec_check(struct spec *spec)
{
	const char *wrong = NULL;

	if (!spec->addr.ss_family)
		wrong = "addr is missing";
	else if (!spec->stop_ns || spec->stop_ns <= spec->start_ns)
		wrong = "stop must be after start";
	else if (spec->stop_ns > 3600 * SEC)
		wrong = "stop must be within an hour";
	else if (!spec->n || spec->n > 4096)
		wrong = "n must be 1 to 4096";
	else if (!spec->write_bytes || spec->write_bytes > TRAFFIC_BUF)
		wrong = "write must be 1 to 1048576";
	else if (spec->size_bytes < 1 || spec->size_bytes > 65000)
		wrong = "size must be 1 to 65000";
	else if (spec->reply_bytes < 1 || spec->reply_bytes > TRAFFIC_BUF)
		wrong = "reply must be 1 to 1048576";
	else if (spec->kind == KIND_UDP && !spec->rate_bps)
		wrong = "udp needs a rate";
	if (wrong)
		fprintf(stderr, "traffic: %s: %s\n", spec->name, wrong);
	return wrong ? -1 : 0;
}

static struct spec *spec_new(struct run *run, enum kind kind, const char *word)
{
	struct spec *spec;

	run->specs = realloc(run->specs, (run->n_specs + 1) * sizeof(*spec));
	if (!run->specs)
		return NULL;
	spec = &run->specs[run->n_specs++];
	*spec = (struct spec){.kind = kind, .from = "-", .to = "-", .n = 1, .stop_ns = 10 * SEC};
	spec->write_bytes = 16384;
	spec->size_bytes = 64;
	spec->reply_bytes = 64;
	spec->tos = spec->ecn = spec->listen_fd = -1;
	snprintf(spec->name, sizeof(spec->name), "%s%u", word, run->n_specs);
	return spec;
}

static int event_add(struct run *run, const char *at, const char *word, const char *command)
{
	struct event *event = &run->events[run->n_events];

	if (run->n_events == TRAFFIC_EVENTS || strcmp(word, "exec") ||
	    number(at, time_units, &event->at_ns)) {
		fprintf(stderr, "traffic: at '%s' '%s': want `at TIME exec COMMAND`, at most %d\n",
			at, word, TRAFFIC_EVENTS);
		return -1;
	}
	event->command = command;
	run->n_events++;
	return 0;
}

int spec_parse(struct run *run, int argc, char **argv)
{
	static const char *const kinds[] = {"tcp", "udp", "rr"};
	struct spec *spec = NULL;
	unsigned int k;
	int i;

	for (i = 0; i < argc; i++) {
		const struct key *key;
		char *target;

		for (k = 0; k < 3 && strcmp(argv[i], kinds[k]); k++)
			;
		if (k < 3) {
			spec = spec_new(run, k, argv[i]);
			if (!spec)
				return -1;
			continue;
		}
		if (!spec && !strcmp(argv[i], "at") && i + 3 < argc) {
			if (event_add(run, argv[i + 1], argv[i + 2], argv[i + 3]))
				return -1;
			i += 3;
			continue;
		}
		key = key_find(spec ? spec_keys : run_keys, argv[i]);
		if (!key || i + 1 == argc) {
			fprintf(stderr, "traffic: '%s': unknown word or no value\n", argv[i]);
			return -1;
		}
		i++;
		target = spec ? (char *)spec : (char *)run;
		if (set_value(key->type, argv[i], target + key->offset)) {
			fprintf(stderr, "traffic: %s '%s': not understood\n", key->word, argv[i]);
			return -1;
		}
	}
	for (k = 0; k < run->n_specs; k++) {
		if (!*run->specs[k].group)
			strcpy(run->specs[k].group, run->specs[k].name);
		if (spec_check(&run->specs[k]))
			return -1;
	}
	if (!run->n_specs || !run->step_ns || !run->window_ns) {
		fputs("traffic: no flows, or a step or window of 0\n", stderr);
		return -1;
	}
	return 0;
}
