// SPDX-License-Identifier: GPL-2.0-only
/*
 * out.c: text tables and JSON from the same calls. Owns stdout. Text from outside (device, class
 * and cgroup names) is escaped here: control characters never reach a terminal, and bytes that
 * are no UTF-8 never reach JSON. Knows nothing of maps or policy.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "out.h"
#include "quantity.h"
#include "util.h"

#define COLUMNS 32
#define BLOCK_ROWS 1024			/* column widths are found over so many rows */
#define DEPTH 2

struct cell {
	char *text;
	bool right;
};

struct out {
	FILE *to;
	bool json, in_group, in_list, in_row;
	enum out_form form;
	int failed;			/* -errno of the first failure */
	unsigned int lists, rows;	/* so far in the group, in the list */

	json_t *objects[DEPTH + 1];	/* the row and the objects open in it */
	unsigned int depth;

	char *headings[COLUMNS];
	bool headings_done;
	unsigned int widths[COLUMNS], n_columns, column;
	struct cell (*block)[COLUMNS];
	unsigned int block_rows;
};

static void fail(struct out *out, int code)
{
	if (!out->failed)
		out->failed = -code;
}

static void put(struct out *out, const char *text)
{
	errno = 0;
	if (!out->failed && fputs(text, out->to) == EOF)
		fail(out, errno ? errno : EIO);
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
	errno = 0;
	if (fflush(out->to) == EOF)
		fail(out, errno ? errno : EIO);
	r = out->failed;
	free(out->block);
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

static void put_padded(struct out *out, const char *text, unsigned int width, bool right, bool last)
{
	static const char blanks[] = "                                                                ";
	size_t length = strlen(text), pad = width > length ? width - length : 0;

	if (pad > sizeof(blanks) - 1)
		pad = sizeof(blanks) - 1;
	if (right)
		put(out, blanks + sizeof(blanks) - 1 - pad);
	put(out, text);
	if (!right && !last)
		put(out, blanks + sizeof(blanks) - 1 - pad);
	put(out, last ? "\n" : "  ");
}

/* writes the rows that are waiting; a column is as wide as its widest cell so far */
static void flush_block(struct out *out)
{
	for (unsigned int r = 0; r < out->block_rows; r++)
		for (unsigned int c = 0; c < out->n_columns; c++) {
			const char *text = out->block[r][c].text;
			unsigned int width = text ? strlen(text) : 0;

			if (width > out->widths[c])
				out->widths[c] = width;
		}
	for (unsigned int c = 0; c < out->n_columns && !out->headings_done; c++)
		put_padded(out, out->headings[c], out->widths[c],
			   out->block_rows && out->block[0][c].right, c + 1 == out->n_columns);
	out->headings_done = true;
	for (unsigned int r = 0; r < out->block_rows; r++)
		for (unsigned int c = 0; c < out->n_columns; c++) {
			struct cell *cell = &out->block[r][c];

			put_padded(out, cell->text ?: "", out->widths[c], cell->right,
				   c + 1 == out->n_columns);
			free(cell->text);
			*cell = (struct cell){};
		}
	out->block_rows = 0;
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
	out->in_row = true;
	out->form = OUT_BOTH;
	out->column = 0;
	out->depth = 0;
	if (out->json) {
		out->objects[0] = json_object();
		if (!out->objects[0])
			fail(out, ENOMEM);
	}
}

void out_row_end(struct out *out)
{
	char *text;

	out->in_row = false;
	if (!out->json) {
		if (out->in_list && ++out->block_rows == BLOCK_ROWS)
			flush_block(out);
		return;
	}
	text = json_dumps(out->objects[0], 0);
	if (out->in_list)
		put(out, out->rows ? ",\n" : "");
	if (text)
		put(out, text);
	else
		fail(out, ENOMEM);
	if (!out->in_list)
		put(out, "\n");
	out->rows++;
	free(text);
	json_decref(out->objects[0]);
	out->objects[0] = NULL;
}

void out_only(struct out *out, enum out_form form)
{
	out->form = form;
}

/* control characters as \xNN; NULL when out of memory */
static char *escaped(const char *text)
{
	char *ret = malloc(4 * strlen(text) + 1), *to = ret;

	for (; ret && *text; text++) {
		unsigned char c = *text;

		if (c < 0x20 || c == 0x7f)
			to += sprintf(to, "\\x%02x", c);
		else
			*to++ = c;
	}
	if (ret)
		*to = '\0';
	return ret;
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

static void text_field(struct out *out, const char *name, const char *value, bool right)
{
	struct cell *cell;
	char buf[64];

	if (out->form == OUT_JSON || out->depth)
		return;
	if (!out->in_list) {
		char *shown = escaped(value);

		snprintf(buf, sizeof(buf), "%-16s", name);
		put(out, buf);
		put(out, shown ?: "");
		put(out, "\n");
		free(shown);
		return;
	}
	if (out->column == COLUMNS)
		return;
	if (out->column == out->n_columns) {
		out->headings[out->n_columns] = heading(name);
		if (!out->headings[out->n_columns])
			return fail(out, ENOMEM);
		out->widths[out->n_columns] = strlen(out->headings[out->n_columns]);
		out->n_columns++;
	}
	cell = &out->block[out->block_rows][out->column++];
	cell->right = right;
	cell->text = escaped(value);
	if (!cell->text)
		fail(out, ENOMEM);
}

/* takes the value over */
static void json_field(struct out *out, const char *name, json_t *value)
{
	if (out->form == OUT_TEXT)
		json_decref(value);
	else if (!value || json_object_set_new(out->objects[out->depth], name, value))
		fail(out, ENOMEM);
}

void out_str(struct out *out, const char *name, const char *value)
{
	json_t *string;
	char *shown;

	if (!out->json)
		return text_field(out, name, value ?: "-", false);
	if (!value)
		return out_null(out, name);
	string = json_string(value);
	if (!string) {
		/* not UTF-8: every byte beyond ASCII as \xNN */
		shown = malloc(4 * strlen(value) + 1);
		for (char *to = shown; to && (*to = *value); value++) {
			if ((unsigned char)*value < 0x80)
				to++;
			else
				to += sprintf(to, "\\x%02x", (unsigned char)*value);
		}
		string = shown ? json_string(shown) : NULL;
		free(shown);
	}
	json_field(out, name, string);
}

void out_u64(struct out *out, const char *name, __u64 value)
{
	char text[24];

	if (out->json)
		return json_field(out, name, json_integer(value));
	snprintf(text, sizeof(text), "%llu", value);
	text_field(out, name, text, true);
}

void out_bool(struct out *out, const char *name, bool value)
{
	if (out->json)
		return json_field(out, name, json_boolean(value));
	text_field(out, name, value ? "yes" : "no", false);
}

void out_rate(struct out *out, const char *name, __u64 bps)
{
	if (out->json)
		return json_field(out, name, json_integer(bps));
	text_field(out, name, bps ? quantity_rate_show(bps).text : "-", true);
}

void out_time(struct out *out, const char *name, __u64 ns)
{
	if (out->json)
		return json_field(out, name, json_integer(ns));
	text_field(out, name, ns ? quantity_time_show(ns).text : "-", true);
}

void out_size(struct out *out, const char *name, __u64 bytes)
{
	if (out->json)
		return json_field(out, name, json_integer(bytes));
	text_field(out, name, quantity_size_show(bytes).text, true);
}

void out_null(struct out *out, const char *name)
{
	if (out->json)
		return json_field(out, name, json_null());
	text_field(out, name, "-", false);
}

void out_sub(struct out *out, const char *name)
{
	json_t *object;

	if (!out->json) {
		out->depth++;
		return;
	}
	object = json_object();
	if (!object || json_object_set_new(out->objects[out->depth], name, object))
		fail(out, ENOMEM);
	if (out->depth < DEPTH)
		out->objects[++out->depth] = object;
}

void out_sub_end(struct out *out)
{
	if (out->depth)
		out->depth--;
}

void out_line(struct out *out, const char *name, const char *text)
{
	char *shown;

	if (out->json) {
		out_row(out);
		out_str(out, name, text);
		return out_row_end(out);
	}
	shown = escaped(text);
	put(out, shown ?: "");
	put(out, "\n");
	free(shown);
}
