/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flow_rows.h: rows of the flow table in an order, in bounded memory. A row is packed: of one that
 * is seldom active some 34 bytes are left, so that a million fit into 52 MiB. What does not fit
 * costs another pass over the table: the hindmost half is given up and asked for again. Pure: no
 * libbpf, no clock, no log.
 *
 *	do {
 *		flow_rows_begin(rows, limit);
 *		flow_rows_add(rows, &row);		for each flow of the table
 *		flow_rows_sort(rows);
 *		flow_rows_get(rows, i, &row);		for i below flow_rows_count()
 *	} while (flow_rows_more(rows));
 */
#ifndef WEIR_FLOW_ROWS_H
#define WEIR_FLOW_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <weir/abi.h>

#define FLOW_ROWS_MANY (52UL << 20)	/* bytes */

struct flow_row {
	struct weir_flow_key key;
	struct weir_flow flow;		/* what is not shown comes back as 0 */
	__u64 rate_bps;
};

/* largest first; age: latest first */
enum flow_rows_sort {
	FLOW_ROWS_RATE, FLOW_ROWS_BYTES, FLOW_ROWS_PACKETS, FLOW_ROWS_MARKED, FLOW_ROWS_DROPPED,
	FLOW_ROWS_DELAYED, FLOW_ROWS_AGE
};

struct flow_rows;

/* NULL where memory is out; least room: of 2048 bytes. */
struct flow_rows *flow_rows_new(size_t room_bytes, enum flow_rows_sort sort, __u64 now_ns);
void flow_rows_free(struct flow_rows *rows);

/* A pass: of the rows behind those that were gotten before, the foremost `limit`. */
void flow_rows_begin(struct flow_rows *rows, __u64 limit);
void flow_rows_add(struct flow_rows *rows, const struct flow_row *row);
void flow_rows_sort(struct flow_rows *rows);

/* How many; before they are sorted, in the order in which they came. */
size_t flow_rows_count(const struct flow_rows *rows);
void flow_rows_get(const struct flow_rows *rows, size_t i, struct flow_row *ret);

/* Are there rows behind those of this pass? */
bool flow_rows_more(const struct flow_rows *rows);

#endif
