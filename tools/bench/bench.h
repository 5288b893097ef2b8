/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench.h: what the parts of the bench share. Each takes a slice of every round, in turn with the
 * others, so that what else the machine does meets all of them alike.
 */
#ifndef BENCH_H
#define BENCH_H

#include <string.h>
#include "harness.h"

#define BENCH_ROUNDS 101
#define BENCH_SIZES 3

/* median() sorts its values */
int bench_median(int *values, int n);
int bench_least(const int *values, int n);

/* so many established flows, beside a bare LRU hash with as many entries */
struct bench_table {
	unsigned int n;
	int lookup_fd;
	struct harness *h;
	int lookups[BENCH_ROUNDS], packets[BENCH_ROUNDS];
};

int bench_table_open(struct bench_table *table, unsigned int which);
void bench_table_round(struct bench_table *table, int round);
/* once: an empty program that is run once, as each packet here */
void bench_table_print(struct bench_table *table, int once);

/* one class, no buckets' rates: one CPU, and two at once */
struct bench_shared {
	struct harness *h;
	__u64 runs;
	__u32 bytes;			/* of each packet */
	int one[BENCH_ROUNDS], two[BENCH_ROUNDS];
};

int bench_shared_open(struct bench_shared *shared);
void bench_shared_round(struct bench_shared *shared, int round);
void bench_shared_print(struct bench_shared *shared, int over);

#endif
