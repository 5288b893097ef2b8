// SPDX-License-Identifier: GPL-2.0-only
/*
 * out.c: text tables and JSON from the same calls. Owns stdout. Text from outside (device, class
 * and cgroup names) is escaped here: control characters never reach a terminal, and bytes that
 * are no UTF-8 never reach JSON. Knows nothing of maps or policy. A million rows pass through here:
 * fields are written as they come, with no object and no allocation for each.
 */
#include <stdio.h>
#include <string.h>
#include <jansson.h>
#include "out.h"
#include "quantity.h"
#include "table.h"
#include "util.h"

#define DEPTH 2
#define BUFFER 65536
#define SHORT 64			/* bytes of a text with its end */

struct out {
	FILE *to;
	bool json, in_group, in_list;
	enum out_form form;
	int failed;			/* -errno of the first failure */
	unsigned int lists, rows;	/* so far in the group, in the list */

	char buffer[BUFFER];		/* on its way to the stream */
	size_t filled;

	bool begun[DEPTH + 2];		/* JSON: the object of that depth has a field */
	unsigned int depth;

	struct table *table;		/* NULL: JSON */
};

static void fail(struct out *out, int code)
{
	if (!out->failed)
		out->failed = -code;
}

static void pass_on(struct out *out)
{
	errno = 0;
	if (!out->failed && out->filled && fwrite(out->buffer, out->filled, 1, out->to) != 1)
		fail(out, errno ? errno : EIO);
	out->filled = 0;
}

static void put_bytes(struct out *out, const char *text, size_t n)
{
	while (n > BUFFER - out->filled) {
		size_t part = BUFFER - out->filled;

		memcpy(out->buffer + out->filled, text, part);
		out->filled = BUFFER;
		pass_on(out);
		text += part;
		n -= part;
	}
	memcpy(out->buffer + out->filled, text, n);
	out->filled += n;
}

static void put(struct out *out, const char *text)
{
	put_bytes(out, text, strlen(text));
}

/* so many bytes at once, to be written to; at most BUFFER */
static char *room(struct out *out, size_t n)
{
	if (n > BUFFER - out->filled)
		pass_on(out);
	return out->buffer + out->filled;
}

static void put_line(void *arg, const char *text, size_t n)
{
	put_bytes(arg, text, n);
}

struct out *out_open(bool json)
{
	return out_open_to(stdout, json);
}

struct out *out_open_to(FILE *to, bool json)
{
	struct out *out = calloc(1, sizeof(*out));

	if (!out)
		return NULL;
	out->to = to;
	out->json = json;
	if (!json)
		out->table = table_new(put_line, out);
	if (!json && !out->table) {
		free(out);
		return NULL;
	}
	return out;
}

int out_close(struct out *out)
{
	int r;

	if (!out)
		return -ENOMEM;
	pass_on(out);
	errno = 0;
	if (fflush(out->to) == EOF)
		fail(out, errno ? errno : EIO);
	r = out->failed;
	table_free(out->table);
	free(out);
	return r;
}

void out_group(struct out *out)
{
	out->in_group = true;
	out->lists = 0;
	if (out->json)
		put(out, "{");
}

void out_group_end(struct out *out)
{
	out->in_group = false;
	if (out->json)
		put(out, "}\n");
}

void out_list(struct out *out, const char *name)
{
	out->in_list = true;
	out->rows = 0;
	if (out->in_group) {
		if (out->json) {
			put(out, out->lists ? ",\n\"" : "\"");
			put(out, name);
			put(out, "\": ");
		} else {
			put(out, out->lists ? "\n" : "");
			put(out, name);
			put(out, "\n");
		}
		out->lists++;
	}
	if (out->json)
		put(out, "[");
}

void out_list_end(struct out *out)
{
	if (out->json)
		put(out, out->in_group ? "]" : "]\n");
	else if (table_end(out->table))
		fail(out, ENOMEM);
	out->in_list = false;
}

void out_row(struct out *out)
{
	out->form = OUT_BOTH;
	out->depth = 0;
	if (!out->json) {
		if (out->in_list)
			table_row(out->table);
		return;
	}
	if (out->in_list)
		put(out, out->rows ? ",\n" : "");
	put(out, "{");
	out->begun[0] = false;
}

void out_row_end(struct out *out)
{
	out->rows++;
	if (out->json)
		put(out, out->in_list ? "}" : "}\n");
	else if (out->in_list && table_row_end(out->table))
		fail(out, ENOMEM);
}

void out_only(struct out *out, enum out_form form)
{
	out->form = form;
}

/* control characters as \xNN; to be freed, NULL where memory is out */
static char *escape(const char *text)
{
	char *ret = malloc(4 * strlen(text) + 1), *to = ret, before = 0;

	for (; ret && *text; before = *text++) {
		if (is_control(before, *text))
			to += sprintf(to, "\\x%02x", (unsigned char)*text);
		else
			*to++ = *text;
	}
	if (ret)
		*to = '\0';
	return ret;
}

/* text from outside, and the end of its line */
static void line_end(struct out *out, const char *text)
{
	_cleanup_free_ char *shown = escape(text);

	if (!shown)
		fail(out, ENOMEM);
	put(out, shown ?: "");
	put(out, "\n");
}

static void cell(struct out *out, const char *name, const char *value, size_t n, bool right)
{
	if (table_cell(out->table, name, value, n, right))
		fail(out, ENOMEM);
}

static void text_field(struct out *out, const char *name, const char *value, bool right)
{
	size_t n = 0;

	if (out->form == OUT_JSON || out->depth)
		return;
	if (!out->in_list) {
		char buf[64];

		snprintf(buf, sizeof(buf), "%-16s", name);
		put(out, buf);
		return line_end(out, value);
	}
	while (value[n] && !is_control(n ? value[n - 1] : 0, value[n]))
		n++;
	if (value[n]) {
		_cleanup_free_ char *shown = escape(value);

		return cell(out, name, shown ?: "", shown ? strlen(shown) : 0, right);
	}
	cell(out, name, value, n, right);
}

/*
 * The name of a field and room for `more` bytes behind it, where `filled` then is to be moved to;
 * NULL where it is not meant for JSON. Names are the program's own: short, and of letters.
 */
static char *json_name(struct out *out, const char *name, size_t more)
{
	size_t n = strlen(name);
	char *to;

	if (out->form == OUT_TEXT)
		return NULL;
	to = room(out, n + more + 6);
	if (out->begun[out->depth]) {
		*to++ = ',';
		*to++ = ' ';
	}
	out->begun[out->depth] = true;
	*to++ = '"';
	memcpy(to, name, n);
	to += n;
	*to++ = '"';
	*to++ = ':';
	*to++ = ' ';
	out->filled = to - out->buffer;
	return to;
}

static void json_word(struct out *out, const char *name, const char *word)
{
	if (json_name(out, name, 0))
		put(out, word);
}

static void json_number(struct out *out, const char *name, __u64 value)
{
	char *to = json_name(out, name, 24);

	if (to)
		out->filled += quantity_digits(to, value);
}

/* a short text between quotes; how many bytes, 0 where something needs an escape */
static size_t short_put(char *to, const char *text)
{
	for (size_t i = 0; i < SHORT; i++) {
		unsigned char c = text[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
			to[0] = to[i + 1] = '"';
			return c ? 0 : i + 2;
		}
		to[i + 1] = c;
	}
	return 0;
}

/* what has to be escaped, or may be no UTF-8: then every byte beyond ASCII is shown as \xNN */
static void json_odd(struct out *out, const char *value)
{
	json_t *string = json_string(value);
	char *shown = string ? NULL : malloc(4 * strlen(value) + 1), *dump;

	for (char *to = shown; to && (*to = *value); value++) {
		if ((unsigned char)*value < 0x80)
			to++;
		else
			to += sprintf(to, "\\x%02x", (unsigned char)*value);
	}
	if (shown)
		string = json_string(shown);
	dump = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
	if (!dump)
		fail(out, ENOMEM);
	put(out, dump ?: "null");
	free(dump);
	free(shown);
	json_decref(string);
}

void out_str(struct out *out, const char *name, const char *value)
{
	size_t n;
	char *to;

	if (!out->json)
		return text_field(out, name, value ?: "-", false);
	if (!value)
		return out_null(out, name);
	to = json_name(out, name, SHORT + 2);
	if (!to)
		return;
	n = short_put(to, value);
	out->filled += n;
	if (!n)
		json_odd(out, value);
}

/* digits and units: nothing that has to be escaped */
static void number_field(struct out *out, const char *name, const char *value, size_t n)
{
	if (out->in_list && out->form != OUT_JSON && !out->depth)
		cell(out, name, value, n, true);
	else
		text_field(out, name, value, true);
}

void out_u64(struct out *out, const char *name, __u64 value)
{
	char text[24];

	if (out->json)
		return json_number(out, name, value);
	if (out->form != OUT_JSON)
		number_field(out, name, text, quantity_digits(text, value));
}

void out_bool(struct out *out, const char *name, bool value)
{
	if (out->json)
		return json_word(out, name, value ? "true" : "false");
	text_field(out, name, value ? "yes" : "no", false);
}

void out_rate(struct out *out, const char *name, __u64 bps)
{
	if (out->json)
		return json_number(out, name, bps);
	text_field(out, name, bps ? quantity_rate_show(bps).text : "-", true);
}

void out_time(struct out *out, const char *name, __u64 ns)
{
	if (out->json)
		return json_number(out, name, ns);
	text_field(out, name, ns ? quantity_time_show(ns).text : "-", true);
}

void out_size(struct out *out, const char *name, __u64 bytes)
{
	if (out->json)
		return json_number(out, name, bytes);
	text_field(out, name, quantity_size_show(bytes).text, true);
}

void out_null(struct out *out, const char *name)
{
	if (out->json)
		return json_word(out, name, "null");
	text_field(out, name, "-", false);
}

void out_sub(struct out *out, const char *name)
{
	if (out->json)
		json_word(out, name, "{");
	if (out->depth <= DEPTH)
		out->begun[++out->depth] = false;
}

void out_sub_end(struct out *out)
{
	if (out->json)
		put(out, "}");
	if (out->depth)
		out->depth--;
}

void out_line(struct out *out, const char *name, const char *text)
{
	if (!out->json)
		return line_end(out, text);
	out_row(out);
	out_str(out, name, text);
	out_row_end(out);
}
