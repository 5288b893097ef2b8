// SPDX-License-Identifier: GPL-2.0-only
/*
 * table.c: aligned lines from cells. A million rows pass through here: a cell is written once where
 * its block is and copied once to its line. Pure: no output, no log.
 */
#include <string.h>
#include "table.h"
#include "util.h"

#define BLOCK_ROWS 512			/* column widths are found over so many rows */
#define TEXT_ROOM 65536
#define PIECE 65536			/* of lines, at once */
#define SLACK 16			/* bytes that are copied at once */

struct table *table_new(table_put_fn put, void *arg)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->put = put;
	table->arg = arg;
	table->row = table->block = calloc(BLOCK_ROWS, sizeof(*table->block));
	if (!table->block) {
		free(table);
		return NULL;
	}
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (unsigned int c = 0; c < table->n_columns; c++)
		free(table->headings[c]);
	free(table->block);
	free(table->text);
	free(table);
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
int table_grow(struct table *table, size_t n)
{
	size_t room = table->end - table->text ?: TEXT_ROOM, used = table->to - table->text;
	char *text;

	while (room - used < n)
		room *= 2;
	text = realloc(table->text, room);
	if (!text)
		return -ENOMEM;
	table->text = text;
	table->to = text + used;
	table->end = text + room;
	return 0;
}

/* one more; 1 where there are as many as can be */
int table_column(struct table *table, const char *name)
{
	unsigned int c = table->n_columns;

	if (c == TABLE_COLUMNS)
		return 1;
	table->headings[c] = heading(name);
	if (!table->headings[c])
		return -ENOMEM;
	table->widths[c] = strlen(table->headings[c]);
	table->n_columns++;
	return 0;
}

void table_row(struct table *table)
{
	table->row->at = table->to - table->text;
	table->row->n = 0;
}

/*
 * Both write whole lumps: as many bytes more as SLACK are touched behind the end, and written over
 * by what comes next.
 */
static char *blanks_put(char *to, size_t n)
{
	for (size_t at = 0; at < n; at += SLACK)
		memset(to + at, ' ', SLACK);
	return to + n;
}

static char *cell_put(char *to, const char *text, size_t n)
{
	for (size_t at = 0; at < n; at += SLACK)
		memcpy(to + at, text + at, SLACK);
	return to + n;
}

/* the widest line, what is touched behind it, and what is touched behind its last cell */
static size_t line_room(const struct table *table)
{
	size_t room = 2 * SLACK + 1;

	for (unsigned int c = 0; c < table->n_columns; c++)
		room += table->widths[c] + 2;
	return room;
}

/* one row, of which the cells' text is `from`; columns that it has no cell for are empty */
static char *line_put(const struct table *table, char *to, const struct table_row *row,
		      const char *from)
{
	size_t blanks = 0;

	for (unsigned int c = 0; c < table->n_columns; c++) {
		unsigned int length = c < row->n ? row->cells[c].length : 0;
		bool right = c < row->n && row->cells[c].right;
		size_t pad = table->widths[c] - length;

		to = blanks_put(to, blanks + (right ? pad : 0));
		to = cell_put(to, from, length);
		from += length;
		blanks = 2 + (right ? 0 : pad);
	}
	*to++ = '\n';
	return to;
}

/* aligned as the first row's cells */
static int headings_put(struct table *table)
{
	const struct table_row *first = table->row > table->block ? table->block : NULL;
	struct table_row row = { .at = table->to - table->text, .n = table->n_columns };
	char *to;

	for (unsigned int c = 0; c < table->n_columns; c++) {
		size_t n = strlen(table->headings[c]);

		to = table_room(table, n);
		if (!to)
			return -ENOMEM;
		memcpy(to, table->headings[c], n);
		row.cells[c].length = n;
		row.cells[c].right = first && c < first->n && first->cells[c].right;
		table->to += n;
	}
	to = table_room(table, SLACK + line_room(table));
	if (!to)
		return -ENOMEM;
	to += SLACK;
	table->put(table->arg, to, line_put(table, to, &row, table->text + row.at) - to);
	return 0;
}

static int flush(struct table *table)
{
	size_t room = line_room(table), piece = room > PIECE ? room : PIECE;
	int r = table->headings_done ? 0 : headings_put(table);
	char *lines = r ? NULL : table_room(table, SLACK + piece), *to;

	table->headings_done = true;
	if (lines) {
		to = lines += SLACK;
		for (const struct table_row *row = table->block; row < table->row; row++) {
			if (lines + piece - to < (ptrdiff_t)room) {
				table->put(table->arg, lines, to - lines);
				to = lines;
			}
			to = line_put(table, to, row, table->text + row->at);
		}
		table->put(table->arg, lines, to - lines);
	}
	table->row = table->block;
	table->to = table->text;
	return lines ? 0 : -ENOMEM;
}

int table_row_end(struct table *table)
{
	return ++table->row == table->block + BLOCK_ROWS ? flush(table) : 0;
}

int table_end(struct table *table)
{
	int r = table->n_columns ? flush(table) : 0;

	for (unsigned int c = 0; c < table->n_columns; c++)
		free(table->headings[c]);
	table->n_columns = 0;
	table->headings_done = false;
	return r;
}
