/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * table.h: rows of named cells as aligned lines. A column is as wide as its widest cell so far,
 * looked at over a block of rows, so that a long table needs no memory. Pure: what is ready goes to
 * a function of the caller's.
 */
#ifndef WEIR_TABLE_H
#define WEIR_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS 32

/* the texts of a row's cells are in one piece */
struct table_row {
	unsigned int at, n;		/* where they begin, among those of its block; cells */
	struct {
		unsigned int length : 31, right : 1;
	} cells[TABLE_COLUMNS];
};

typedef void (*table_put_fn)(void *arg, const char *text, size_t n);

/* table.c's own, here so that a cell is no call */
struct table {
	struct table_row *row;		/* the current one */
	char *to, *end;			/* where its next cell goes; how far the room reaches */
	unsigned int widths[TABLE_COLUMNS], n_columns;

	table_put_fn put;
	void *arg;
	char *headings[TABLE_COLUMNS];
	bool headings_done;
	struct table_row *block;
	char *text;			/* of the block's cells, then its lines */
};

/* NULL where memory is out. */
struct table *table_new(table_put_fn put, void *arg);
void table_free(struct table *table);

int table_grow(struct table *table, size_t n);
int table_column(struct table *table, const char *name);

/*
 * A row: table_row(), its cells, table_row_end(). A cell is written where table_room() says (NULL
 * where memory is out), as many bytes at most as were asked for; then table_cell() has it. Its name
 * is its column's: rate_bps has the heading RATE. Cells that a row leaves out at its end are empty.
 * -ENOMEM.
 */
static inline char *table_room(struct table *table, size_t n)
{
	return (size_t)(table->end - table->to) >= n || !table_grow(table, n) ? table->to : NULL;
}

static inline int table_cell(struct table *table, const char *name, size_t length, bool right)
{
	struct table_row *row = table->row;
	unsigned int c = row->n;
	int r = c == table->n_columns ? table_column(table, name) : 0;

	if (r)
		return r < 0 ? r : 0;
	row->cells[c].length = length;
	row->cells[c].right = right;
	row->n = c + 1;
	table->to += length;
	if (length > table->widths[c])
		table->widths[c] = length;
	return 0;
}

void table_row(struct table *table);
int table_row_end(struct table *table);

/* Writes what is waiting and forgets the columns. */
int table_end(struct table *table);

#endif
