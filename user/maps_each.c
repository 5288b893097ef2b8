// SPDX-License-Identifier: GPL-2.0-only
/*
 * maps_each.c: every entry of a hash, in batches. What does not fit into one batch is read ahead by
 * a thread while the caller looks at what was read; a large table by two, half of it each: of a
 * million flows a pass of the kernel's alone takes as long as all that is done with them. With
 * maps.c the only module that calls bpf_map_*.
 */
#include <pthread.h>
#include <string.h>
#include <bpf/bpf.h>
#include "maps.h"

#define BATCH 1024
#define MIDDLE (2 * BATCH)
#define LARGE 16				/* batches: worth a second thread */
#define READERS 2
#define AHEAD 6				/* batches */

typedef int (*entry_fn)(const void *key, const void *value, void *arg);

enum batch_state { BATCH_FREE, BATCH_BUSY, BATCH_READY };

struct batch {
	char *keys, *values;
	__u32 room, count;
	int result;			/* -ENOENT: it was the last one */
	enum batch_state state;
};

/* a part of the table: where its next batch begins, in the kernel's buckets */
struct part {
	struct pass *pass;
	__u32 token, end;		/* end: 0: the table's */
	bool begun;
};

struct pass {
	int fd;
	size_t key_size, value_size;
	struct part parts[READERS];
	struct batch first, middle;	/* middle: the first one of the second part */

	pthread_mutex_t lock;		/* over what follows */
	pthread_cond_t moved;
	struct batch batches[AHEAD];
	unsigned int reading;		/* threads */
	bool stop;
};

static void batch_free(struct batch *batch)
{
	free(batch->keys);
	free(batch->values);
}

static int batch_grow(const struct pass *pass, struct batch *batch, __u32 room)
{
	batch_free(batch);
	batch->keys = calloc(room, pass->key_size);
	batch->values = calloc(room, pass->value_size);
	batch->room = batch->keys && batch->values ? room : 0;
	return batch->room ? 0 : -ENOMEM;
}

/*
 * The next batch. It ends between two of the kernel's buckets, so that an entry is seen once even
 * while others come and go; -ENOSPC: one bucket holds more.
 */
static void batch_read(struct part *part, struct batch *batch, __u32 room)
{
	const struct pass *pass = part->pass;
	int r = batch->room ? 0 : batch_grow(pass, batch, room);

	while (!r) {
		__u32 at = part->token;

		batch->count = batch->room;
		r = bpf_map_lookup_batch(pass->fd, part->begun ? &at : NULL, &part->token,
					 batch->keys, batch->values, &batch->count, NULL);
		r = r ? -errno : 0;
		if (r != -ENOSPC || batch->room >= 1U << 24)
			break;
		part->token = at;
		r = batch_grow(pass, batch, batch->room * 2);
	}
	part->begun = true;
	batch->result = r;
}

/*
 * Takes out of the last batch of the first part, which reaches into the second one, what that has
 * begun with. What both have in common is in the same order in both.
 */
static void common_drop(const struct pass *pass, struct batch *batch)
{
	size_t key = pass->key_size, value = pass->value_size;
	__u32 left = pass->middle.count;

	for (__u32 i = batch->count; i-- && left;) {
		char *at = batch->keys + i * key, *values = batch->values + i * value;
		__u32 m = left, behind;

		while (m && memcmp(pass->middle.keys + (m - 1) * key, at, key))
			m--;
		if (!m)
			continue;
		left = m - 1;
		behind = --batch->count - i;
		memmove(at, at + key, behind * key);
		memmove(values, values + value, behind * value);
	}
}

/* the next batch of a part; true where it was the last one */
static bool part_read(struct part *part, struct batch *batch)
{
	batch_read(part, batch, BATCH);
	if (!part->end || (!batch->result && part->token < part->end))
		return batch->result;
	common_drop(part->pass, batch);
	return true;
}

static int batch_pass(const struct pass *pass, const struct batch *batch, entry_fn fn, void *arg)
{
	int r = batch->result == -ENOENT ? 0 : batch->result;

	for (__u32 i = 0; i < batch->count && !r; i++)
		r = fn(batch->keys + i * pass->key_size, batch->values + i * pass->value_size, arg);
	return r;
}

/* under the lock; NULL: none is in that state */
static struct batch *batch_in(struct pass *pass, enum batch_state state)
{
	for (unsigned int i = 0; i < AHEAD; i++)
		if (pass->batches[i].state == state)
			return &pass->batches[i];
	return NULL;
}

/*
 * Is it this thread's turn? The second one only reads while nothing is ready for the caller, or the
 * first is done: three threads on two processors would be in each other's way. Under the lock.
 */
static bool is_wanted(const struct part *part)
{
	struct pass *pass = part->pass;

	return part == pass->parts || pass->reading < READERS || !batch_in(pass, BATCH_READY);
}

static void *read_ahead(void *arg)
{
	struct part *part = arg;
	struct pass *pass = part->pass;
	bool last = false;

	pthread_mutex_lock(&pass->lock);
	while (!last && !pass->stop) {
		struct batch *batch = is_wanted(part) ? batch_in(pass, BATCH_FREE) : NULL;

		if (!batch) {
			pthread_cond_wait(&pass->moved, &pass->lock);
			continue;
		}
		batch->state = BATCH_BUSY;
		pthread_mutex_unlock(&pass->lock);
		last = part_read(part, batch);
		pthread_mutex_lock(&pass->lock);
		batch->state = BATCH_READY;
		pthread_cond_broadcast(&pass->moved);
	}
	pass->reading--;
	pthread_cond_broadcast(&pass->moved);
	pthread_mutex_unlock(&pass->lock);
	return NULL;
}

/* hands over what the threads read; under the lock */
static int pass_all(struct pass *pass, entry_fn fn, void *arg)
{
	int r = 0;

	while (!r) {
		struct batch *batch = batch_in(pass, BATCH_READY);

		if (!batch && !pass->reading)
			break;
		if (!batch) {
			pthread_cond_wait(&pass->moved, &pass->lock);
			continue;
		}
		batch->state = BATCH_BUSY;
		pthread_cond_broadcast(&pass->moved);
		pthread_mutex_unlock(&pass->lock);
		r = batch_pass(pass, batch, fn, arg);
		pthread_mutex_lock(&pass->lock);
		batch->state = BATCH_FREE;
		pthread_cond_broadcast(&pass->moved);
	}
	return r;
}

static int pass_parts(struct pass *pass, unsigned int n, entry_fn fn, void *arg)
{
	pthread_t threads[READERS];
	unsigned int begun = 0;
	int r = 0;

	pthread_mutex_init(&pass->lock, NULL);
	pthread_cond_init(&pass->moved, NULL);
	pthread_mutex_lock(&pass->lock);
	while (begun < n && !pthread_create(&threads[begun], NULL, read_ahead, &pass->parts[begun]))
		begun++;
	pass->reading = begun;
	r = pass_all(pass, fn, arg);
	pass->stop = true;
	pthread_cond_broadcast(&pass->moved);
	pthread_mutex_unlock(&pass->lock);
	for (unsigned int i = 0; i < begun; i++)
		pthread_join(threads[i], NULL);
	pthread_cond_destroy(&pass->moved);
	pthread_mutex_destroy(&pass->lock);
	for (; begun < n && !r; begun++) {	/* no thread to be had: in turn */
		bool last = false;

		while (!r && !last) {
			last = part_read(&pass->parts[begun], &pass->batches[0]);
			r = batch_pass(pass, &pass->batches[0], fn, arg);
		}
	}
	return r;
}

/*
 * In how many parts is the rest to be read? The kernel's token is the number of a bucket, of which
 * there are as many as entries or up to twice that: one can begin in the middle. The first batch
 * from there on is kept, larger than those that come up to it.
 */
static unsigned int parts_make(struct pass *pass, __u32 entries, entry_fn fn, void *arg, int *ret_r)
{
	struct part *first = &pass->parts[0], *second = &pass->parts[1];
	__u32 half = entries > LARGE * BATCH ? 1U << (31 - __builtin_clz(entries - 1)) : 0;

	*ret_r = 0;
	if (first->token > 2 * half / LARGE)
		return 1;
	second->token = half;
	second->begun = true;
	batch_read(second, &pass->middle, MIDDLE);
	if (pass->middle.result || second->token <= half)
		return 1;
	first->end = half;
	*ret_r = batch_pass(pass, &pass->middle, fn, arg);
	return 2;
}

/* entries: so many at most; 0: a few */
static int entries_each(int fd, size_t key_size, size_t value_size, __u32 entries, entry_fn fn,
			void *arg)
{
	struct pass pass = { .fd = fd, .key_size = key_size, .value_size = value_size,
			     .parts = { { .pass = &pass }, { .pass = &pass } } };
	unsigned int n;
	int r;

	batch_read(&pass.parts[0], &pass.first, BATCH);
	r = batch_pass(&pass, &pass.first, fn, arg);
	if (!r && !pass.first.result) {
		n = parts_make(&pass, entries, fn, arg, &r);
		if (!r)
			r = pass_parts(&pass, n, fn, arg);
	}
	batch_free(&pass.first);
	batch_free(&pass.middle);
	for (unsigned int i = 0; i < AHEAD; i++)
		batch_free(&pass.batches[i]);
	return r;
}

struct flow_call {
	maps_flow_fn fn;
	void *arg;
};

static int flow_entry(const void *key, const void *value, void *arg)
{
	const struct flow_call *call = arg;

	return call->fn(key, value, call->arg);
}

int maps_flows_each(const struct maps *maps, maps_flow_fn fn, void *arg)
{
	struct flow_call call = { fn, arg };

	return entries_each(maps->flows, sizeof(struct weir_flow_key), sizeof(struct weir_flow),
			    maps->max_flows, flow_entry, &call);
}

struct device_call {
	maps_device_fn fn;
	void *arg;
};

static int device_entry(const void *key, const void *value, void *arg)
{
	const struct device_call *call = arg;

	return call->fn(key, value, call->arg);
}

int maps_devices_each(const struct maps *maps, maps_device_fn fn, void *arg)
{
	struct device_call call = { fn, arg };

	return entries_each(maps->devices, sizeof(struct weir_dev_key), sizeof(struct weir_dev), 0,
			    device_entry, &call);
}

struct bucket_call {
	const struct maps *maps;
	const bool *slots;
};

static int bucket_entry(const void *key, const void *value, void *arg)
{
	const struct weir_bucket_key *bucket = key;
	const struct bucket_call *call = arg;

	if (bucket->class_slot >= WEIR_MAX_CLASSES || !call->slots[bucket->class_slot])
		return 0;
	return bpf_map_delete_elem(call->maps->buckets, key) && errno != ENOENT ? -errno : 0;
}

int maps_buckets_drop(const struct maps *maps, const bool slots[WEIR_MAX_CLASSES])
{
	struct bucket_call call = { maps, slots };

	return entries_each(maps->buckets, sizeof(struct weir_bucket_key),
			    sizeof(struct weir_bucket), maps->max_flows, bucket_entry, &call);
}

static int count(const void *key, const void *value, void *arg)
{
	++*(__u64 *)arg;
	return 0;
}

int maps_table_count(const struct maps *maps, enum weir_table_index which, __u64 *ret)
{
	bool flows = which == WEIR_TABLE_FLOWS;
	__u64 n = 0;
	int r;

	r = entries_each(flows ? maps->flows : maps->buckets,
			 flows ? sizeof(struct weir_flow_key) : sizeof(struct weir_bucket_key),
			 flows ? sizeof(struct weir_flow) : sizeof(struct weir_bucket),
			 maps->max_flows, count, &n);
	if (!r)
		*ret = n;
	return r;
}
