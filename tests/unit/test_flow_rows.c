// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_flow_rows.c: rows come back whole and in order, each once, in however little memory; a
 * million take a single pass.
 */
#include "unit.h"
#include <arpa/inet.h>
#include "flow_rows.h"

#define NOW_NS 5000000000000ULL
#define N 5000

static __u64 seed = 1;

static __u64 next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

/* often 0, else of any length */
static __u64 some(void)
{
	__u64 value = next_random();

	return value & 1 ? 0 : value >> (next_random() % 64);
}

/* i makes it unlike all others */
static struct flow_row row_of(__u32 i)
{
	struct flow_row row = {
		.key = { .sport = htons(i), .dport = htons(443), .proto = 17, .family = 4,
			 .hook = i & 1, .flags = some() & 3, .ifindex = some() },
		.flow = { .packets = some(), .bytes = some(), .last_seen_ns = NOW_NS - (i % 64),
			  .first_seen_ns = some(), .marked = some(), .dropped = some(),
			  .dropped_bytes = some(), .delayed = some(), .delay_ns = some(),
			  .class_slot = some(), .last_reason = some() },
		.rate_bps = some() & 3,
	};

	if (i % 3 == 0) {
		row.flow.last_seen_ns = some();
		row.key.family = i % 2 ? 6 : 4;
		row.key.tunnel = some();
		memset(row.key.src, i, 16);
	} else {
		row.key.src[10] = row.key.src[11] = row.key.dst[10] = row.key.dst[11] = 0xff;
	}
	row.key.dst[13] = i >> 16;
	row.key.dst[14] = i >> 8;
	row.key.dst[15] = i;
	return row;
}

static __u64 value_of(const struct flow_row *row, enum flow_rows_sort sort)
{
	const __u64 values[] = { row->rate_bps, row->flow.bytes, row->flow.packets,
				 row->flow.marked, row->flow.dropped, row->flow.delayed,
				 row->flow.last_seen_ns };

	return values[sort];
}

static int order(const void *a, const void *b, void *arg)
{
	const struct flow_row *one = a, *other = b;
	__u64 x = value_of(one, *(enum flow_rows_sort *)arg);
	__u64 y = value_of(other, *(enum flow_rows_sort *)arg);

	if (x == y) {
		x = one->flow.bytes;
		y = other->flow.bytes;
	}
	return x == y ? memcmp(&one->key, &other->key, sizeof(one->key)) : x > y ? -1 : 1;
}

static struct flow_row table[N];

/* how many passes; the rows are those of the table, sorted, as many as are wanted */
static unsigned int gives(size_t room, enum flow_rows_sort sort, __u64 limit)
{
	struct flow_rows *rows = flow_rows_new(room, sort, NOW_NS);
	static struct flow_row want[N];
	unsigned int passes = 0;
	size_t at = 0;

	assert_non_null(rows);
	memcpy(want, table, sizeof(want));
	qsort_r(want, N, sizeof(*want), order, &sort);
	do {
		flow_rows_begin(rows, limit);
		for (unsigned int i = 0; i < N; i++)
			flow_rows_add(rows, &table[i]);
		flow_rows_sort(rows);
		for (size_t i = 0; i < flow_rows_count(rows); i++, at++) {
			struct flow_row got;

			assert_true(at < N);
			flow_rows_get(rows, i, &got);
			assert_memory_equal(&got, &want[at], sizeof(got));
		}
		limit -= flow_rows_count(rows);
		passes++;
	} while (flow_rows_more(rows));
	flow_rows_free(rows);
	assert_true(at == N || !limit);
	return passes;
}

static void sorts(void **state)
{
	for (unsigned int i = 0; i < N; i++)
		table[i] = row_of(i);
	for (enum flow_rows_sort sort = FLOW_ROWS_RATE; sort <= FLOW_ROWS_AGE; sort++) {
		assert_int_equal(gives(1 << 20, sort, ~0ULL), 1);
		assert_in_range(gives(65536, sort, ~0ULL), 5, 100);
		assert_int_equal(gives(65536, sort, 20), 1);
		gives(65536, sort, 1000);
		gives(2048, sort, 50);
	}
}

/* nothing but the keys tells them apart */
static void sorts_equals(void **state)
{
	for (unsigned int i = 0; i < N; i++) {
		table[i] = row_of(i * 7919 % N);
		memset(&table[i].flow, 0, sizeof(table[i].flow));
		table[i].rate_bps = 0;
	}
	assert_int_equal(gives(1 << 20, FLOW_ROWS_RATE, ~0ULL), 1);
	gives(65536, FLOW_ROWS_BYTES, ~0ULL);
	gives(65536, FLOW_ROWS_AGE, 1);
}

static void keeps_order(void **state)
{
	struct flow_rows *rows = flow_rows_new(1 << 20, FLOW_ROWS_BYTES, NOW_NS);

	assert_non_null(rows);
	flow_rows_begin(rows, ~0ULL);
	assert_int_equal(flow_rows_count(rows), 0);
	for (unsigned int i = 0; i < N; i++)
		flow_rows_add(rows, &table[i]);
	for (unsigned int i = 0; i < N; i++) {
		struct flow_row got;

		flow_rows_get(rows, i, &got);
		assert_memory_equal(&got.key, &table[i].key, sizeof(got.key));
	}
	flow_rows_free(rows);
}

/* a million flows over IPv4, each seen for a while, as the help of `show flows` promises */
static void holds_a_million(void **state)
{
	struct flow_rows *rows = flow_rows_new(FLOW_ROWS_MANY, FLOW_ROWS_RATE, NOW_NS);

	assert_non_null(rows);
	flow_rows_begin(rows, ~0ULL);
	for (unsigned int i = 0; i < 1000000; i++) {
		struct flow_row row = {
			.key = { .src = { [10] = 0xff, 0xff, 10, i >> 16, i >> 8, i },
				 .dst = { [10] = 0xff, 0xff, 192, 0, 2, 1 }, .family = 4 },
			.flow = { .packets = 1000, .bytes = 1500000, .class_slot = 1,
				  .last_seen_ns = NOW_NS - 300000000000, .last_reason = 1,
				  .first_seen_ns = NOW_NS - 600000000000 },
		};

		flow_rows_add(rows, &row);
	}
	flow_rows_sort(rows);
	assert_int_equal(flow_rows_count(rows), 1000000);
	assert_false(flow_rows_more(rows));
	flow_rows_free(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts),
		cmocka_unit_test(sorts_equals),
		cmocka_unit_test(keeps_order),
		cmocka_unit_test(holds_a_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
