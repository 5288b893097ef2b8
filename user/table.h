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

struct table;

typedef void (*table_put_fn)(void *arg, const char *text, size_t n);

/* NULL where memory is out. */
struct table *table_new(table_put_fn put, void *arg);
void table_free(struct table *table);

/*
 * A row: table_row(), its cells, table_row_end(). The name of a cell is its column's: rate_bps has
 * the heading RATE. Cells that a row leaves out at its end are empty. -ENOMEM.
 */
void table_row(struct table *table);
int table_cell(struct table *table, const char *name, const char *text, size_t length, bool right);
int table_row_end(struct table *table);

/* Writes what is waiting and forgets the columns. */
int table_end(struct table *table);

#endif
