// SPDX-License-Identifier: GPL-2.0-only
/*
 * out.c: text tables and JSON from the same calls. Owns stdout. Text from outside (device, class
 * and cgroup names) is escaped here: control characters never reach a terminal, and bytes that
 * are no UTF-8 never reach JSON. Knows nothing of maps or policy. A million rows pass through here:
 * fields are written as they come, with no object and no allocation for each.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <jansson.h>
#include "out.h"
#include "quantity.h"
#include "screen.h"
#include "table.h"
#include "text.h"
#include "util.h"

#define DEPTH 2
#define BUFFER 65536
#define PIPE (1 << 20)			/* bytes: who reads need not be woken for each buffer */
#define SHORT OUT_PLAIN			/* bytes of a text with its end */
#define LABEL 48			/* bytes of a JSON name with all that is about it */
#define LABELS 32

/* the fields of a row are those of the row before: `, "name": ` is put together once */
struct label {
	const char *name;
	bool begun;
	unsigned int n;
	char text[LABEL];
};

struct out {
	FILE *to;
	bool json, in_group, in_list;
	enum out_form form;
	int failed;			/* -errno of the first failure */
	unsigned int lists, rows;	/* so far in the group, in the list */

	struct screen screen;		/* no columns: as much as there is */
	char buffer[BUFFER];		/* on its way to the stream */
	size_t filled;

	bool begun[DEPTH + 2];		/* JSON: the object of that depth has a field */
	unsigned int depth, field;	/* field: number in the row */
	struct label labels[LABELS];

	struct table *table;		/* NULL: JSON */
};

static void fail(struct out *out, int code)
{
	if (!out->failed)
		out->failed = -code;
}

static void write_bytes(struct out *out, const char *text, size_t n)
{
	errno = 0;
	if (!out->failed && n && fwrite(text, n, 1, out->to) != 1)
		fail(out, errno ? errno : EIO);
}

static void pass_on(struct out *out)
{
	write_bytes(out, out->buffer, out->filled);
	out->filled = 0;
}

static void put_raw(void *arg, const char *text, size_t n)
{
	struct out *out = arg;

	if (n > BUFFER - out->filled)
		pass_on(out);
	if (n > BUFFER)
		return write_bytes(out, text, n);
	memcpy(out->buffer + out->filled, text, n);
	out->filled += n;
}

static void put_bytes(void *arg, const char *text, size_t n)
{
	struct out *out = arg;

	if (out->screen.columns)
		screen_put(&out->screen, text, n);
	else
		put_raw(out, text, n);
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

/* what is written is whole buffers already; where it is no pipe, nothing is lost */
struct out *out_open(bool json)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE);
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
		out->table = table_new(put_bytes, out);
	if (!json && !out->table) {
		free(out);
		return NULL;
	}
	return out;
}

void out_screen(struct out *out, unsigned int lines, unsigned int columns)
{
	out->screen = (struct screen){ put_raw, out, lines, columns, 0 };
	screen_begin(&out->screen);
}

int out_close(struct out *out, struct err *err)
{
	int r;

	if (!out)
		return -ENOMEM;
	if (out->screen.columns)
		screen_end(&out->screen);
	pass_on(out);
	errno = 0;
	if (fflush(out->to) == EOF)
		fail(out, errno ? errno : EIO);
	r = out->failed;
	if (r && r != -EPIPE && err && !err->text[0])
		err_set(err, -r, "cannot write the output: %s", strerror(-r));
	table_free(out->table);
	free(out);
	return r;
}

bool out_failed(const struct out *out)
{
	return out->failed;
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
	out->depth = out->field = 0;
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

static void label_make(struct out *out, struct label *label, const char *name, bool begun)
{
	label->name = name;
	label->begun = begun;
	label->n = snprintf(label->text, LABEL, "%s\"%s\": ", begun ? ", " : "", name);
	if (label->n >= LABEL)
		fail(out, ENAMETOOLONG);
}

/* JSON: the name, and room for n bytes behind it */
static char *label_put(struct out *out, const char *name, size_t n)
{
	struct label *label = &out->labels[out->field++ % LABELS];
	bool *begun = &out->begun[out->depth];
	char *to = room(out, LABEL + n);

	if (label->name != name || label->begun != *begun)
		label_make(out, label, name, *begun);
	*begun = true;
	memcpy(to, label->text, LABEL);
	out->filled += label->n;
	return to + label->n;
}

/*
 * A field: its name, and room for a value of n bytes, which field_end() then is told of. NULL where
 * it is not meant for this form. A value that is put() instead needs no field_end() in JSON.
 */
static inline char *field(struct out *out, const char *name, size_t n)
{
	char *to;

	if (out->json)
		return out->form == OUT_TEXT ? NULL : label_put(out, name, n);
	if (out->form == OUT_JSON || out->depth)
		return NULL;
	if (out->in_list) {
		to = table_room(out->table, n);
		if (!to)
			fail(out, ENOMEM);
		return to;
	}
	to = room(out, 64 + n + 1);
	out->filled += snprintf(to, 64, "%-16.60s", name);
	return out->buffer + out->filled;
}

static inline void field_end(struct out *out, const char *name, char *value, size_t n, bool right)
{
	if (!out->json && out->in_list) {
		if (table_cell(out->table, name, n, right))
			fail(out, ENOMEM);
		return;
	}
	if (!out->json)
		value[n++] = '\n';
	out->filled += n;
}

/* a short text; how many bytes, -1 where it is longer or something in it may need an escape */
static int plain_put(char *to, const char *text)
{
	for (int i = 0; i < SHORT; i++) {
		unsigned char c = text[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			return c ? -1 : i;
		to[i] = c;
	}
	return -1;
}

/* any other */
static void text_odd(struct out *out, const char *name, const char *value)
{
	_cleanup_free_ char *shown = escape(value);
	size_t n = shown ? strlen(shown) : 0;
	char *to;

	if (!out->in_list)
		return line_end(out, value);
	to = shown ? table_room(out->table, n) : NULL;
	if (!to)
		return fail(out, ENOMEM);
	memcpy(to, shown, n);
	field_end(out, name, to, n, false);
}

/* what has to be escaped, or may be no UTF-8 */
static void json_odd(struct out *out, const char *value)
{
	json_t *string = json_string(value);
	char *shown = string ? NULL : text_ascii(value), *dump;

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
	char *to;
	int n;

	if (!value)
		return out_null(out, name);
	to = field(out, name, SHORT + 2);
	if (!to)
		return;
	n = plain_put(to + out->json, value);
	if (n < 0)
		return out->json ? json_odd(out, value) : text_odd(out, name, value);
	if (out->json) {
		to[0] = to[n + 1] = '"';
		n += 2;
	}
	field_end(out, name, to, n, false);
}

void out_plain(struct out *out, const char *name, const char text[OUT_PLAIN], size_t n)
{
	char *to = field(out, name, OUT_PLAIN + 2);

	if (!to)
		return;
	if (out->json)
		to[0] = '"';
	memcpy(to + out->json, text, OUT_PLAIN);
	if (out->json) {
		to[n + 1] = '"';
		n += 2;
	}
	field_end(out, name, to, n, false);
}

void out_u64(struct out *out, const char *name, __u64 value)
{
	char *to = field(out, name, 24);

	if (to)
		field_end(out, name, to, quantity_digits(to, value), true);
}

/* what nothing in has to be escaped, 8 bytes at most */
static void out_word(struct out *out, const char *name, const char *word, bool right)
{
	char *to = field(out, name, 8);

	if (to)
		field_end(out, name, to, stpcpy(to, word) - to, right);
}

void out_bool(struct out *out, const char *name, bool value)
{
	out_word(out, name, out->json ? (value ? "true" : "false") : value ? "yes" : "no", false);
}

static void out_quantity(struct out *out, const char *name, struct quantity_text quantity)
{
	char *to = field(out, name, sizeof(quantity.text));

	if (!to)
		return;
	memcpy(to, quantity.text, sizeof(quantity.text));
	field_end(out, name, to, quantity.n, true);
}

void out_rate(struct out *out, const char *name, __u64 bps)
{
	if (out->json)
		out_u64(out, name, bps);
	else if (bps)
		out_quantity(out, name, quantity_rate_show(bps));
	else
		out_word(out, name, "-", true);
}

void out_time(struct out *out, const char *name, __u64 ns)
{
	if (out->json)
		out_u64(out, name, ns);
	else if (ns)
		out_quantity(out, name, quantity_time_show(ns));
	else
		out_word(out, name, "-", true);
}

void out_size(struct out *out, const char *name, __u64 bytes)
{
	if (out->json)
		out_u64(out, name, bytes);
	else
		out_quantity(out, name, quantity_size_show(bytes));
}

void out_null(struct out *out, const char *name)
{
	out_word(out, name, out->json ? "null" : "-", false);
}

void out_sub(struct out *out, const char *name)
{
	char *to = out->json ? field(out, name, 1) : NULL;

	if (to) {
		*to = '{';
		field_end(out, name, to, 1, false);
	}
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
