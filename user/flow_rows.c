// SPDX-License-Identifier: GPL-2.0-only
/*
 * flow_rows.c: packed rows from the front of a block of memory, their index from its back. The
 * order is that of a row's words (its value, its bytes, then its key, eight bytes each): the index
 * holds the word that is being sorted by, rows that are equal in it are sorted by the next.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include "flow_rows.h"

#define WORDS (2 + sizeof(struct weir_flow_key) / 8)
#define ROW_MAX 256			/* bytes: two of the mask, key < 64, 13 numbers of <= 10 */
#define SMALL 24			/* rows: a plain insertion is quicker */
#define AHEAD 8				/* rows that are fetched before they are asked for */

_Static_assert(sizeof(struct weir_flow_key) % 8 == 0, "a key is whole words");

struct entry {
	__u64 word;
	__u32 at;			/* where the row begins */
} __attribute__((packed));

struct flow_rows {
	enum flow_rows_sort sort;
	__u64 now_ns;
	__u64 limit;

	__u8 *block;
	size_t room, used;		/* bytes; the index ends at room */
	struct entry *index;		/* of the first */
	size_t n;
	bool sorted;

	bool dropped;			/* there are rows behind those that are kept */
	bool has_floor, has_last;
	struct flow_row floor;		/* the hindmost that is worth keeping */
	struct flow_row last;		/* the hindmost of the passes before */
};

struct flow_rows *flow_rows_new(size_t room_bytes, enum flow_rows_sort sort, __u64 now_ns)
{
	struct flow_rows *rows = calloc(1, sizeof(*rows));

	if (!rows)
		return NULL;
	rows->sort = sort;
	rows->now_ns = now_ns;
	rows->room = room_bytes;
	rows->block = malloc(room_bytes);	/* no page is touched before it is needed */
	if (!rows->block) {
		free(rows);
		return NULL;
	}
	return rows;
}

void flow_rows_free(struct flow_rows *rows)
{
	if (!rows)
		return;
	free(rows->block);
	free(rows);
}

static __u64 value_of(const struct flow_row *row, enum flow_rows_sort sort)
{
	switch (sort) {
	case FLOW_ROWS_BYTES: return row->flow.bytes;
	case FLOW_ROWS_PACKETS: return row->flow.packets;
	case FLOW_ROWS_MARKED: return row->flow.marked;
	case FLOW_ROWS_DROPPED: return row->flow.dropped;
	case FLOW_ROWS_DELAYED: return row->flow.delayed;
	case FLOW_ROWS_AGE: return row->flow.last_seen_ns;
	default: return row->rate_bps;
	}
}

/* ascending: the foremost has the least */
static __u64 word_of(const struct flow_row *row, enum flow_rows_sort sort, unsigned int i)
{
	__u64 word;

	if (i < 2)
		return ~(i ? row->flow.bytes : value_of(row, sort));
	memcpy(&word, (const __u8 *)&row->key + 8 * (i - 2), 8);
	return be64toh(word);
}

static bool is_before(const struct flow_row *a, const struct flow_row *b, enum flow_rows_sort sort)
{
	for (unsigned int i = 0; i < WORDS; i++) {
		__u64 x = word_of(a, sort, i), y = word_of(b, sort, i);

		if (x != y)
			return x < y;
	}
	return false;
}

/* --- packing: seven bits a byte, and nothing of what is 0 */

static __u8 *put(__u8 *to, __u64 value)
{
	for (; value >= 0x80; value >>= 7)
		*to++ = value | 0x80;
	*to++ = value;
	return to;
}

static const __u8 *take(const __u8 *from, __u64 *ret)
{
	unsigned int shift = 7;
	__u64 value = *from & 0x7f;

	for (; *from++ & 0x80; shift += 7)
		value |= (__u64)(*from & 0x7f) << shift;
	*ret = value;
	return from;
}

/* small whether above 0 or below */
static __u64 folded(__s64 value)
{
	return (__u64)value << 1 ^ (__u64)(value >> 63);
}

static __s64 unfolded(__u64 value)
{
	return (__s64)(value >> 1 ^ -(value & 1));
}

enum { N_PACKETS, N_BYTES, N_AGE, N_LIFE, N_RATE, N_MARKED, N_DROPPED, N_DROPPED_BYTES, N_DELAYED,
       N_DELAY_NS, N_SLOT, N_REASON, N_COUNT, SHORT_KEY = N_COUNT };

static const __u8 v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* an IPv4 flow's, which is in no tunnel */
static bool is_short(const struct weir_flow_key *key)
{
	return key->family == 4 && !key->tunnel && !memcmp(key->src, v4_prefix, 12) &&
	       !memcmp(key->dst, v4_prefix, 12);
}

static __u8 *key_put(__u8 *to, const struct weir_flow_key *key, bool is_short)
{
	if (!is_short) {
		memcpy(to, key, sizeof(*key));
		return to + sizeof(*key);
	}
	memcpy(to, key->src + 12, 4);
	memcpy(to + 4, key->dst + 12, 4);
	memcpy(to + 8, &key->sport, 7);		/* ports, proto, hook, flags */
	return put(to + 15, key->ifindex);
}

static const __u8 *key_take(const __u8 *from, struct weir_flow_key *key, bool is_short)
{
	__u64 ifindex;

	if (!is_short) {
		memcpy(key, from, sizeof(*key));
		return from + sizeof(*key);
	}
	memset(key, 0, sizeof(*key));
	memcpy(key->src, v4_prefix, 12);
	memcpy(key->dst, v4_prefix, 12);
	memcpy(key->src + 12, from, 4);
	memcpy(key->dst + 12, from + 4, 4);
	memcpy(&key->sport, from + 8, 7);
	key->family = 4;
	from = take(from + 15, &ifindex);
	key->ifindex = ifindex;
	return from;
}

static __u8 *row_put(const struct flow_rows *rows, __u8 *to, const struct flow_row *row)
{
	const struct weir_flow *flow = &row->flow;
	const __u64 numbers[N_COUNT] = {
		[N_PACKETS] = flow->packets, [N_BYTES] = flow->bytes,
		[N_AGE] = folded(rows->now_ns - flow->last_seen_ns),
		[N_LIFE] = folded(flow->last_seen_ns - flow->first_seen_ns),
		[N_RATE] = row->rate_bps, [N_MARKED] = flow->marked, [N_DROPPED] = flow->dropped,
		[N_DROPPED_BYTES] = flow->dropped_bytes, [N_DELAYED] = flow->delayed,
		[N_DELAY_NS] = flow->delay_ns, [N_SLOT] = flow->class_slot,
		[N_REASON] = flow->last_reason,
	};
	bool key_is_short = is_short(&row->key);
	__u16 mask = key_is_short << SHORT_KEY;
	__u8 *at = key_put(to + sizeof(mask), &row->key, key_is_short);

	for (unsigned int i = 0; i < N_COUNT; i++)
		if (numbers[i]) {
			mask |= 1 << i;
			at = put(at, numbers[i]);
		}
	memcpy(to, &mask, sizeof(mask));
	return at;
}

static void row_take(const struct flow_rows *rows, const __u8 *from, struct flow_row *row)
{
	__u64 numbers[N_COUNT] = {};
	__u16 mask;

	memcpy(&mask, from, sizeof(mask));
	from = key_take(from + sizeof(mask), &row->key, mask >> SHORT_KEY);
	for (unsigned int i = 0; i < N_COUNT; i++)
		if (mask & 1 << i)
			from = take(from, &numbers[i]);
	row->flow = (struct weir_flow){
		.packets = numbers[N_PACKETS], .bytes = numbers[N_BYTES],
		.last_seen_ns = rows->now_ns - unfolded(numbers[N_AGE]),
		.marked = numbers[N_MARKED], .dropped = numbers[N_DROPPED],
		.dropped_bytes = numbers[N_DROPPED_BYTES], .delayed = numbers[N_DELAYED],
		.delay_ns = numbers[N_DELAY_NS], .class_slot = numbers[N_SLOT],
		.last_reason = numbers[N_REASON],
	};
	row->flow.first_seen_ns = row->flow.last_seen_ns - unfolded(numbers[N_LIFE]);
	row->rate_bps = numbers[N_RATE];
}

static __u64 entry_word(const struct flow_rows *rows, const struct entry *entry, unsigned int i)
{
	const __u8 *from = rows->block + entry->at;
	struct flow_row row;
	__u16 mask;

	if (i < 2) {
		row_take(rows, from, &row);
	} else {
		memcpy(&mask, from, sizeof(mask));
		key_take(from + sizeof(mask), &row.key, mask >> SHORT_KEY);
	}
	return word_of(&row, rows->sort, i);
}

/* --- sorting */

static void entries_sort(const struct flow_rows *rows, struct entry *entries, size_t n,
			 unsigned int i);

/* the same in word i: by the next one */
static void equals_sort(const struct flow_rows *rows, struct entry *entries, size_t n,
			unsigned int i)
{
	if (n < 2 || i + 1 >= WORDS)
		return;
	for (size_t e = 0; e < n; e++) {
		if (e + AHEAD < n)
			__builtin_prefetch(rows->block + entries[e + AHEAD].at);
		entries[e].word = entry_word(rows, &entries[e], i + 1);
	}
	entries_sort(rows, entries, n, i + 1);
}

static void few_sort(const struct flow_rows *rows, struct entry *entries, size_t n, unsigned int i)
{
	for (size_t e = 1; e < n; e++) {
		struct entry one = entries[e];
		size_t to = e;

		for (; to && entries[to - 1].word > one.word; to--)
			entries[to] = entries[to - 1];
		entries[to] = one;
	}
	for (size_t from = 0, to = 1; from < n; from = to++) {
		while (to < n && entries[to].word == entries[from].word)
			to++;
		equals_sort(rows, entries + from, to - from, i);
	}
}

/* into 256 parts by one byte of the word, each entry at once to its part */
static void parts_make(struct entry *entries, size_t n, unsigned int shift, size_t ends[256])
{
	size_t next[256], at = 0;

	memset(ends, 0, 256 * sizeof(*ends));
	for (size_t e = 0; e < n; e++)
		ends[entries[e].word >> shift & 0xff]++;
	for (unsigned int p = 0; p < 256; p++) {
		next[p] = at;
		at = ends[p] += at;
	}
	for (unsigned int p = 0; p < 256; p++)
		while (next[p] < ends[p]) {
			struct entry *here = &entries[next[p]], *there, one;
			unsigned int part = here->word >> shift & 0xff;

			there = &entries[next[part]++];
			one = *here;
			*here = *there;
			*there = one;
		}
}

static void entries_sort(const struct flow_rows *rows, struct entry *entries, size_t n,
			 unsigned int i)
{
	size_t ends[256];
	__u64 differ = 0;

	if (n <= SMALL)
		return few_sort(rows, entries, n, i);
	for (size_t e = 1; e < n; e++)
		differ |= entries[e].word ^ entries[0].word;
	if (!differ)
		return equals_sort(rows, entries, n, i);
	parts_make(entries, n, (63 - __builtin_clzll(differ)) & ~7, ends);
	for (unsigned int p = 0; p < 256; p++) {
		size_t begin = p ? ends[p - 1] : 0;

		if (ends[p] - begin > 1)
			entries_sort(rows, entries + begin, ends[p] - begin, i);
	}
}

/* --- a pass */

void flow_rows_begin(struct flow_rows *rows, __u64 limit)
{
	rows->limit = limit;
	rows->used = rows->n = 0;
	rows->index = (struct entry *)(rows->block + rows->room);
	rows->dropped = rows->has_floor = rows->sorted = false;
}

/*
 * The foremost half, or as many as are asked for; a row behind them is not looked at again. The
 * index is in the order of the rows' places for a while, so that they can move together.
 */
static void make_room(struct flow_rows *rows)
{
	size_t keep = rows->limit < rows->n / 2 ? rows->limit : rows->n / 2;
	struct entry *from = rows->index;

	entries_sort(rows, from, rows->n, 0);
	row_take(rows, rows->block + from[keep - 1].at, &rows->floor);
	rows->has_floor = rows->dropped = true;
	for (size_t e = 0; e < keep; e++)
		from[e].word = from[e].at;
	entries_sort(rows, from, keep, WORDS);
	rows->index += rows->n - keep;
	memmove(rows->index, from, keep * sizeof(*from));
	rows->n = keep;
	rows->used = 0;
	for (size_t e = 0; e < keep; e++) {
		struct entry *entry = &rows->index[e];
		struct flow_row row;

		row_take(rows, rows->block + entry->at, &row);
		entry->at = rows->used;
		entry->word = word_of(&row, rows->sort, 0);
		rows->used = row_put(rows, rows->block + rows->used, &row) - rows->block;
	}
}

void flow_rows_add(struct flow_rows *rows, const struct flow_row *row)
{
	if (rows->has_last && !is_before(&rows->last, row, rows->sort))
		return;
	/* making room raises the floor */
	if ((__u8 *)rows->index - rows->block < (ptrdiff_t)(rows->used + ROW_MAX))
		make_room(rows);
	if (rows->has_floor && is_before(&rows->floor, row, rows->sort))
		return;
	*--rows->index = (struct entry){ word_of(row, rows->sort, 0), rows->used };
	rows->used = row_put(rows, rows->block + rows->used, row) - rows->block;
	rows->n++;
}

void flow_rows_sort(struct flow_rows *rows)
{
	size_t n = flow_rows_count(rows);

	entries_sort(rows, rows->index, rows->n, 0);
	rows->sorted = true;
	rows->has_last = n;
	if (n)
		flow_rows_get(rows, n - 1, &rows->last);
}

size_t flow_rows_count(const struct flow_rows *rows)
{
	return rows->n < rows->limit ? rows->n : rows->limit;
}

void flow_rows_get(const struct flow_rows *rows, size_t i, struct flow_row *ret)
{
	/* the index grows to the front */
	const struct entry *entry = &rows->index[rows->sorted ? i : rows->n - 1 - i];

	if (rows->sorted && i + AHEAD < rows->n)
		__builtin_prefetch(rows->block + rows->index[i + AHEAD].at);
	row_take(rows, rows->block + entry->at, ret);
}

bool flow_rows_more(const struct flow_rows *rows)
{
	return rows->dropped && rows->n < rows->limit;
}
