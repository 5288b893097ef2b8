// SPDX-License-Identifier: GPL-2.0-only
/*
 * maps_each.c: every entry of a hash, in batches. What does not fit into one batch is read ahead by
 * a thread of its own while the caller looks at what was read: of a million flows reading takes as
 * long as all that is done with them. With maps.c the only module that calls bpf_map_*.
 */
#include <pthread.h>
#include <bpf/bpf.h>
#include "maps.h"

#define BATCH 2048
#define AHEAD 4				/* batches */

typedef int (*entry_fn)(const void *key, const void *value, void *arg);

struct batch {
	char *keys, *values;
	__u32 room, count;
	int result;			/* -ENOENT: it was the last one */
};

struct reader {
	int fd;
	size_t key_size, value_size;
	__u32 token;
	bool begun;
	struct batch batches[AHEAD];	/* a ring */

	pthread_mutex_t lock;		/* over what follows */
	pthread_cond_t moved;
	unsigned int read, done;	/* batches so far; how many of them are free again */
	bool stop;
};

static int batch_grow(const struct reader *reader, struct batch *batch, __u32 room)
{
	free(batch->keys);
	free(batch->values);
	batch->keys = calloc(room, reader->key_size);
	batch->values = calloc(room, reader->value_size);
	batch->room = batch->keys && batch->values ? room : 0;
	return batch->room ? 0 : -ENOMEM;
}

/*
 * The next batch. It ends between two of the kernel's buckets, so that an entry is seen once even
 * while others come and go; -ENOSPC: one bucket holds more.
 */
static void batch_read(struct reader *reader, struct batch *batch)
{
	int r = batch->room ? 0 : batch_grow(reader, batch, BATCH);

	while (!r) {
		__u32 at = reader->token;

		batch->count = batch->room;
		r = bpf_map_lookup_batch(reader->fd, reader->begun ? &at : NULL, &reader->token,
					 batch->keys, batch->values, &batch->count, NULL);
		r = r ? -errno : 0;
		if (r != -ENOSPC || batch->room >= 1U << 24)
			break;
		reader->token = at;
		r = batch_grow(reader, batch, batch->room * 2);
	}
	reader->begun = true;
	batch->result = r;
}

static int batch_pass(const struct reader *reader, const struct batch *batch, entry_fn fn,
		      void *arg)
{
	int r = batch->result == -ENOENT ? 0 : batch->result;

	for (__u32 i = 0; i < batch->count && !r; i++)
		r = fn(batch->keys + i * reader->key_size, batch->values + i * reader->value_size,
		       arg);
	return r;
}

static void *read_ahead(void *arg)
{
	struct reader *reader = arg;
	bool more = true;

	pthread_mutex_lock(&reader->lock);
	while (more) {
		struct batch *batch = &reader->batches[reader->read % AHEAD];

		while (reader->read - reader->done == AHEAD && !reader->stop)
			pthread_cond_wait(&reader->moved, &reader->lock);
		if (reader->stop)
			break;
		pthread_mutex_unlock(&reader->lock);
		batch_read(reader, batch);
		more = !batch->result;
		pthread_mutex_lock(&reader->lock);
		reader->read++;
		pthread_cond_signal(&reader->moved);
	}
	pthread_mutex_unlock(&reader->lock);
	return NULL;
}

/* hands over what the thread reads */
static int pass_all(struct reader *reader, entry_fn fn, void *arg)
{
	for (;;) {
		struct batch *batch = &reader->batches[reader->done % AHEAD];
		int r;

		pthread_mutex_lock(&reader->lock);
		while (reader->read == reader->done)
			pthread_cond_wait(&reader->moved, &reader->lock);
		pthread_mutex_unlock(&reader->lock);
		r = batch_pass(reader, batch, fn, arg);
		if (r || batch->result)
			return r;
		pthread_mutex_lock(&reader->lock);
		reader->done++;
		pthread_cond_signal(&reader->moved);
		pthread_mutex_unlock(&reader->lock);
	}
}

static int pass_rest(struct reader *reader, entry_fn fn, void *arg)
{
	pthread_t thread;
	int r = 0;

	pthread_mutex_init(&reader->lock, NULL);
	pthread_cond_init(&reader->moved, NULL);
	if (!pthread_create(&thread, NULL, read_ahead, reader)) {
		r = pass_all(reader, fn, arg);
		pthread_mutex_lock(&reader->lock);
		reader->stop = true;
		pthread_cond_signal(&reader->moved);
		pthread_mutex_unlock(&reader->lock);
		pthread_join(thread, NULL);
	} else {	/* no thread to be had: in turn */
		struct batch *batch = &reader->batches[0];

		while (!r && !batch->result) {
			batch_read(reader, batch);
			r = batch_pass(reader, batch, fn, arg);
		}
	}
	pthread_cond_destroy(&reader->moved);
	pthread_mutex_destroy(&reader->lock);
	return r;
}

static int entries_each(int fd, size_t key_size, size_t value_size, entry_fn fn, void *arg)
{
	struct reader reader = { .fd = fd, .key_size = key_size, .value_size = value_size };
	int r;

	batch_read(&reader, &reader.batches[0]);
	r = batch_pass(&reader, &reader.batches[0], fn, arg);
	if (!r && !reader.batches[0].result)
		r = pass_rest(&reader, fn, arg);
	for (unsigned int i = 0; i < AHEAD; i++) {
		free(reader.batches[i].keys);
		free(reader.batches[i].values);
	}
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
			    flow_entry, &call);
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

	return entries_each(maps->devices, sizeof(struct weir_dev_key), sizeof(struct weir_dev),
			    device_entry, &call);
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
			 flows ? sizeof(struct weir_flow) : sizeof(struct weir_bucket), count, &n);
	if (!r)
		*ret = n;
	return r;
}
