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
#include "util.h"

#define COLUMNS 32
#define BLOCK_ROWS 1024			/* column widths are found over so many rows */
#define DEPTH 2
#define BUFFER 65536

struct cell {
	unsigned int at, length;	/* in the block's text */
	bool right;
};

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

	char *headings[COLUMNS];
	bool headings_done;
	unsigned int widths[COLUMNS], n_columns, column;
	struct cell (*block)[COLUMNS];
	unsigned int block_rows;
	char *text;			/* of the block's cells */
	size_t text_size, text_room;
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
		out->block = calloc(BLOCK_ROWS, sizeof(*out->block));
	if (!json && !out->block) {
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
	free(out->block);
	free(out->text);
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

static void put_padded(struct out *out, const char *text, size_t length, unsigned int width,
		       bool right, bool last)
{
	static const char blanks[] = "                                                                ";
	size_t pad = width > length ? width - length : 0;

	if (pad > sizeof(blanks) - 1)
		pad = sizeof(blanks) - 1;
	if (right)
		put_bytes(out, blanks, pad);
	put_bytes(out, text, length);
	if (!right && !last)
		put_bytes(out, blanks, pad);
	put(out, last ? "\n" : "  ");
}

/* writes the rows that are waiting; a column is as wide as its widest cell so far */
static void flush_block(struct out *out)
{
	for (unsigned int c = 0; c < out->n_columns && !out->headings_done; c++)
		put_padded(out, out->headings[c], strlen(out->headings[c]), out->widths[c],
			   out->block_rows && out->block[0][c].right, c + 1 == out->n_columns);
	out->headings_done = true;
	for (unsigned int r = 0; r < out->block_rows; r++)
		for (unsigned int c = 0; c < out->n_columns; c++) {
			const struct cell *cell = &out->block[r][c];

			put_padded(out, out->text + cell->at, cell->length, out->widths[c],
				   cell->right, c + 1 == out->n_columns);
		}
	out->block_rows = 0;
	out->text_size = 0;
}

void out_list_end(struct out *out)
{
	if (out->json) {
		put(out, out->in_group ? "]" : "]\n");
	} else {
		if (out->n_columns)
			flush_block(out);
		for (unsigned int c = 0; c < out->n_columns; c++)
			free(out->headings[c]);
		memset(out->widths, 0, sizeof(out->widths));
		out->n_columns = 0;
		out->headings_done = false;
	}
	out->in_list = false;
}

void out_row(struct out *out)
{
	out->form = OUT_BOTH;
	out->column = 0;
	out->depth = 0;
	if (!out->json) {
		/* a cell that is not written in this row is an empty one */
		if (out->in_list)
			memset(out->block[out->block_rows], 0, sizeof(*out->block));
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
	else if (out->in_list && ++out->block_rows == BLOCK_ROWS)
		flush_block(out);
}

void out_only(struct out *out, enum out_form form)
{
	out->form = form;
}

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* control characters as \xNN: at most four times as long */
static size_t escape(char *to, const char *text)
{
	char *start = to;

	for (; *text; text++) {
		if (is_control(*text))
			to += sprintf(to, "\\x%02x", (unsigned char)*text);
		else
			*to++ = *text;
	}
	*to = '\0';
	return to - start;
}

/* rate_bps: RATE, delay_ns: DELAY, last_seen_ns: LAST-SEEN */
static char *heading(const char *name)
{
	char *ret = strdup(name);
	size_t n = ret ? strlen(ret) : 0;

	if (n > 4 && !strcmp(ret + n - 4, "_bps"))
		ret[n - 4] = '\0';
	else if (n > 3 && !strcmp(ret + n - 3, "_ns"))
		ret[n - 3] = '\0';
	for (char *p = ret; p && *p; p++)
		*p = *p == '_' ? '-' : *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p;
	return ret;
}

/* room for n bytes more in the block's text */
static char *text_room(struct out *out, size_t n)
{
	size_t room = out->text_room ?: BUFFER;
	char *text;

	while (room - out->text_size < n)
		room *= 2;
	if (room != out->text_room) {
		text = realloc(out->text, room);
		if (!text) {
			fail(out, ENOMEM);
			return NULL;
		}
		out->text = text;
		out->text_room = room;
	}
	return out->text + out->text_size;
}

/* text from outside, and the end of its line */
static void line_end(struct out *out, const char *text)
{
	char *to = text_room(out, 4 * strlen(text) + 1);

	if (to)
		put_bytes(out, to, escape(to, text));
	put(out, "\n");
}

static bool column_ready(struct out *out, const char *name)
{
	if (out->column == COLUMNS)
		return false;
	if (out->column < out->n_columns)
		return true;
	out->headings[out->n_columns] = heading(name);
	if (!out->headings[out->n_columns]) {
		fail(out, ENOMEM);
		return false;
	}
	out->widths[out->n_columns] = strlen(out->headings[out->n_columns]);
	out->n_columns++;
	return true;
}

static void text_field(struct out *out, const char *name, const char *value, bool right)
{
	struct cell *cell;
	char buf[64], *to;

	if (out->form == OUT_JSON || out->depth)
		return;
	if (!out->in_list) {
		snprintf(buf, sizeof(buf), "%-16s", name);
		put(out, buf);
		return line_end(out, value);
	}
	if (!column_ready(out, name))
		return;
	to = text_room(out, 4 * strlen(value) + 1);
	if (!to)
		return;
	cell = &out->block[out->block_rows][out->column];
	cell->at = out->text_size;
	cell->length = escape(to, value);
	cell->right = right;
	out->text_size += cell->length;
	if (cell->length > out->widths[out->column])
		out->widths[out->column] = cell->length;
	out->column++;
}

/* the name of a field; false where it is not meant for JSON */
static bool json_name(struct out *out, const char *name)
{
	if (out->form == OUT_TEXT)
		return false;
	put(out, out->begun[out->depth] ? ", \"" : "\"");
	out->begun[out->depth] = true;
	put(out, name);
	put(out, "\": ");
	return true;
}

static void json_word(struct out *out, const char *name, const char *word)
{
	if (json_name(out, name))
		put(out, word);
}

/* decimal digits, without the way through a format */
static size_t digits(char text[24], __u64 value)
{
	char *end = text + 23, *at = end;
	size_t n;

	do {
		*--at = '0' + value % 10;
		value /= 10;
	} while (value);
	n = end - at;
	memmove(text, at, n);
	text[n] = '\0';
	return n;
}

static void json_number(struct out *out, const char *name, __u64 value)
{
	char text[24];

	if (json_name(out, name))
		put_bytes(out, text, digits(text, value));
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (is_control(*text) || *text & 0x80 || *text == '"' || *text == '\\')
			return false;
	return true;
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
	if (!out->json)
		return text_field(out, name, value ?: "-", false);
	if (!value)
		return out_null(out, name);
	if (!json_name(out, name))
		return;
	if (!is_plain(value))
		return json_odd(out, value);
	put(out, "\"");
	put(out, value);
	put(out, "\"");
}

void out_u64(struct out *out, const char *name, __u64 value)
{
	char text[24];

	if (out->json)
		return json_number(out, name, value);
	digits(text, value);
	text_field(out, name, text, true);
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
