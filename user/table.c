// SPDX-License-Identifier: GPL-2.0-only
/*
 * table.c: aligned lines from cells. A million rows pass through here: a cell is copied once to its
 * block and once to its line. Pure: no output, no log.
 */
#include <string.h>
#include "table.h"
#include "util.h"

#define COLUMNS 32
#define BLOCK_ROWS 1024			/* column widths are found over so many rows */
#define TEXT_ROOM 65536
#define SLACK 16			/* bytes that are copied at once */

struct cell {
	unsigned int at, length;	/* in the block's text */
	bool right;
};

struct table {
	table_put_fn put;
	void *arg;

	char *headings[COLUMNS];
	bool headings_done;
	unsigned int widths[COLUMNS], n_columns, column;
	struct cell (*block)[COLUMNS];
	unsigned int cells[BLOCK_ROWS];	/* of each row */
	unsigned int block_rows;
	char *text;			/* of the block's cells */
	size_t text_size, text_room;
};

struct table *table_new(table_put_fn put, void *arg)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->put = put;
	table->arg = arg;
	table->block = calloc(BLOCK_ROWS, sizeof(*table->block));
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

/* room for n bytes more in the block's text; NULL where memory is out */
static char *text_room(struct table *table, size_t n)
{
	size_t room = table->text_room ?: TEXT_ROOM;
	char *text;

	while (room - table->text_size < n)
		room *= 2;
	if (room != table->text_room) {
		text = realloc(table->text, room);
		if (!text)
			return NULL;
		table->text = text;
		table->text_room = room;
	}
	return table->text + table->text_size;
}

void table_row(struct table *table)
{
	table->column = 0;
}

int table_cell(struct table *table, const char *name, const char *text, size_t length, bool right)
{
	unsigned int c = table->column;
	char *to;

	if (c == COLUMNS)
		return 0;
	if (c == table->n_columns) {
		table->headings[c] = heading(name);
		if (!table->headings[c])
			return -ENOMEM;
		table->widths[c] = strlen(table->headings[c]);
		table->n_columns++;
	}
	to = text_room(table, length);
	if (!to)
		return -ENOMEM;
	memcpy(to, text, length);
	table->block[table->block_rows][c] = (struct cell){ table->text_size, length, right };
	table->text_size += length;
	if (length > table->widths[c])
		table->widths[c] = length;
	table->column++;
	return 0;
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

/* one row; columns that it has no cell for are empty */
static int put_line(struct table *table, const struct cell *cells, unsigned int n)
{
	size_t room = 2 * SLACK + 1, blanks = 0;
	char *line, *to;

	for (unsigned int c = 0; c < table->n_columns; c++)
		room += table->widths[c] + 2;
	line = text_room(table, room);
	if (!line)
		return -ENOMEM;
	line += SLACK;
	to = line;
	for (unsigned int c = 0; c < table->n_columns; c++) {
		struct cell cell = c < n ? cells[c] : (struct cell){};
		size_t pad = table->widths[c] - cell.length;

		to = blanks_put(to, blanks + (cell.right ? pad : 0));
		to = cell_put(to, table->text + cell.at, cell.length);
		blanks = 2 + (cell.right ? 0 : pad);
	}
	*to++ = '\n';
	table->put(table->arg, line, to - line);
	return 0;
}

static int put_headings(struct table *table)
{
	struct cell cells[COLUMNS];

	for (unsigned int c = 0; c < table->n_columns; c++) {
		size_t n = strlen(table->headings[c]);
		char *to = text_room(table, n);

		if (!to)
			return -ENOMEM;
		memcpy(to, table->headings[c], n);
		cells[c] = (struct cell){ table->text_size, n, table->block_rows &&
					  c < table->cells[0] && table->block[0][c].right };
		table->text_size += n;
	}
	return put_line(table, cells, table->n_columns);
}

static int flush(struct table *table)
{
	int r = table->headings_done ? 0 : put_headings(table);

	table->headings_done = true;
	for (unsigned int i = 0; i < table->block_rows && !r; i++)
		r = put_line(table, table->block[i], table->cells[i]);
	table->block_rows = 0;
	table->text_size = 0;
	return r;
}

int table_row_end(struct table *table)
{
	table->cells[table->block_rows++] = table->column;
	return table->block_rows == BLOCK_ROWS ? flush(table) : 0;
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
