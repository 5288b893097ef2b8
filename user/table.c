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
	memset(table->block[table->block_rows], 0, sizeof(*table->block));
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

/* a cell at its place in a line of blanks; where it ends */
static size_t place(char *line, size_t at, const char *text, size_t length, unsigned int width,
		    bool right)
{
	if (right)
		at += width - length;
	memcpy(line + at, text, length);
	return at + length;
}

/* one row; cells NULL: the headings */
static int put_line(struct table *table, const struct cell *cells)
{
	size_t room = 1, at = 0, end = 0;
	char *line;

	for (unsigned int c = 0; c < table->n_columns; c++)
		room += table->widths[c] + 2;
	line = text_room(table, room);
	if (!line)
		return -ENOMEM;
	memset(line, ' ', room);
	for (unsigned int c = 0; c < table->n_columns; c++) {
		const char *text = cells ? table->text + cells[c].at : table->headings[c];
		size_t length = cells ? cells[c].length : strlen(text);
		bool right = cells ? cells[c].right : table->block_rows && table->block[0][c].right;

		end = place(line, at, text, length, table->widths[c], right);
		at += table->widths[c] + 2;
	}
	line[end] = '\n';
	table->put(table->arg, line, end + 1);
	return 0;
}

static int flush(struct table *table)
{
	int r = table->headings_done ? 0 : put_line(table, NULL);

	table->headings_done = true;
	for (unsigned int i = 0; i < table->block_rows && !r; i++)
		r = put_line(table, table->block[i]);
	table->block_rows = 0;
	table->text_size = 0;
	return r;
}

int table_row_end(struct table *table)
{
	return ++table->block_rows == BLOCK_ROWS ? flush(table) : 0;
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
