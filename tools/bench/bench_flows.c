// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench_flows.c: what a packet of one flow among many costs, beside the bare lookup in an LRU hash
 * of the same size, keys and values: beyond some thousands of flows it is the cache that counts.
 * And two CPUs on one class: the price of sharing, and whether every byte is counted.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bench.h"

#define SAMPLES 40			/* random flows, each round */
#define SHARED_REPEAT 100000

static const struct spec packet = { .proto = IPPROTO_TCP, .payload = 1448 };

static const unsigned int sizes[BENCH_SIZES] = { 1000, 100000, 1000000 };

/* looks up the key whose first word is cb[0] */
static int lookup_program(int map_fd)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_3, .src_reg = BPF_REG_1,
		  .off = offsetof(struct __sk_buff, cb) },
#define STORE(at, reg) { .code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, \
			 .src_reg = (reg), .off = (at) }
		STORE(-48, BPF_REG_3), STORE(-40, BPF_REG_0), STORE(-32, BPF_REG_0),
		STORE(-24, BPF_REG_0), STORE(-16, BPF_REG_0), STORE(-8, BPF_REG_0),
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD, .imm = map_fd },
		{},
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2,
		  .src_reg = BPF_REG_10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -48 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_UNSPEC },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "lookup", "GPL", insns,
			     sizeof(insns) / sizeof(*insns), NULL);
}

static int bare_fill(int map_fd, unsigned int n)
{
	struct { __u32 words[12]; } key = {};
	static const struct weir_flow value;
	unsigned int i;

	_Static_assert(sizeof(key) == sizeof(struct weir_flow_key), "the same as weir's");
	for (i = 0; i < n; i++) {
		key.words[0] = i;
		if (bpf_map_update_elem(map_fd, &key, &value, BPF_NOEXIST))
			return -errno;
	}
	return 0;
}

static void flow_frame(struct frame *frame, unsigned int i)
{
	struct spec spec = packet;

	spec.sport = 1 + i % 60000;
	spec.dport = 1 + i / 60000;
	frame_build(frame, &spec);
}

int bench_table_open(struct bench_table *table, unsigned int which)
{
	unsigned int n = sizes[which], i, room = n + n / 8;
	struct frame frame;
	int map;

	table->n = n;
	map = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "bare", sizeof(struct weir_flow_key),
			     sizeof(struct weir_flow), room, NULL);
	table->lookup_fd = map < 0 ? -1 : lookup_program(map);
	if (table->lookup_fd < 0 || bare_fill(map, n)) {
		fprintf(stderr, "bench: %u flows: %s\n", n, strerror(errno));
		return -1;
	}
	table->h = harness_new_flows(HARNESS_REAL_CLOCK, room);
	if (!table->h)
		return -1;
	harness_rate(harness_class(table->h, 0), 0, WEIR_RATE_MAX);
	harness_commit(table->h);
	harness_device(table->h, WEIR_EGRESS, 0);
	/* seen twice, a flow gets its entry */
	for (i = 0; i < n; i++) {
		flow_frame(&frame, i);
		harness_repeat(table->h, WEIR_EGRESS, &frame, 2);
	}
	return 0;
}

static int lookup_once(int fd, unsigned int i)
{
	struct frame frame;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame.data, .ctx_in = &frame.skb,
		    .ctx_size_in = sizeof(frame.skb), .repeat = 1);

	frame_build(&frame, &packet);
	frame.skb.cb[0] = i;
	opts.data_size_in = frame.len;
	return bpf_prog_test_run_opts(fd, &opts) ? -errno : (int)opts.duration;
}

/* flows chosen at random, as packets come: the same for both, but each meets them cold */
void bench_table_round(struct bench_table *table, int round)
{
	int lookups[SAMPLES], packets[SAMPLES], i;
	static __u64 random = 88172645463325252ULL;
	struct frame frame;

	for (i = 0; i < SAMPLES; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		flow_frame(&frame, random % table->n);
		packets[i] = harness_repeat(table->h, WEIR_EGRESS, &frame, 1);
		lookups[i] = lookup_once(table->lookup_fd, (random >> 32) % table->n);
	}
	table->lookups[round] = bench_median(lookups, SAMPLES);
	table->packets[round] = bench_median(packets, SAMPLES);
}

void bench_table_print(struct bench_table *table, int once)
{
	int lookup = bench_median(table->lookups, BENCH_ROUNDS) - once;
	int ns = bench_median(table->packets, BENCH_ROUNDS) - once;
	char name[40];

	snprintf(name, sizeof(name), "among %u flows, police", table->n);
	printf("%-34s %8d %12d %10d %6.2fx\n", name, ns + once, ns, lookup, (double)ns / lookup);
}

/* --- two CPUs on one class */

struct runner {
	struct harness *h;
	pthread_barrier_t *start;
	int cpu, ns;
};

static void *run_on(void *arg)
{
	struct runner *runner = arg;
	struct frame frame;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(runner->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	flow_frame(&frame, runner->cpu);
	pthread_barrier_wait(runner->start);
	runner->ns = harness_repeat(runner->h, WEIR_EGRESS, &frame, SHARED_REPEAT);
	return NULL;
}

int bench_shared_open(struct bench_shared *shared)
{
	struct weir_class *class;
	struct frame frame;
	unsigned int i;

	shared->h = harness_new(HARNESS_REAL_CLOCK);
	if (!shared->h)
		return -1;
	class = harness_class(shared->h, 0);
	harness_rate(class, WEIR_RATE_MAX, 0);
	class->drop_at_ns = 1000000000000ULL;
	harness_commit(shared->h);
	harness_device(shared->h, WEIR_EGRESS, 0);
	for (i = 0; i < 2; i++) {
		flow_frame(&frame, i);
		harness_repeat(shared->h, WEIR_EGRESS, &frame, 2);
	}
	shared->runs = 4;
	shared->bytes = frame.len;
	return 0;
}

/* n CPUs at once; the slower one counts */
static int shared_run(struct bench_shared *shared, int n)
{
	struct runner runners[2];
	pthread_barrier_t start;
	pthread_t threads[2];
	int i, ns = 0;

	pthread_barrier_init(&start, NULL, n);
	for (i = 0; i < n; i++) {
		runners[i] = (struct runner){ shared->h, &start, i, 0 };
		if (pthread_create(&threads[i], NULL, run_on, &runners[i]))
			exit(1);
	}
	for (i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		ns = runners[i].ns > ns ? runners[i].ns : ns;
	}
	pthread_barrier_destroy(&start);
	shared->runs += (__u64)n * SHARED_REPEAT;
	return ns;
}

void bench_shared_round(struct bench_shared *shared, int round)
{
	shared->one[round] = shared_run(shared, 1);
	shared->two[round] = shared_run(shared, 2);
}

void bench_shared_print(struct bench_shared *shared, int over)
{
	/* not the least: there one of the two may have waited while the other ran */
	int one = bench_median(shared->one, BENCH_ROUNDS);
	int two = bench_median(shared->two, BENCH_ROUNDS);
	struct weir_class_stats stats;
	__u64 packets = 0, bytes = 0;

	harness_stats(shared->h, 0, &stats);
	for (int i = 0; i < WEIR_R_COUNT; i++) {
		packets += stats.packets[i];
		bytes += stats.bytes[i];
	}
	printf("%-34s %8d %12d\n", "class rate, one CPU", one, one - over);
	printf("%-34s %8d %12d   each; sharing costs %d ns; %s\n", "class rate, two CPUs at once",
	       two, two - over, two - one,
	       packets == shared->runs && bytes == shared->runs * shared->bytes ?
	       "every byte counted" : "BYTES ARE MISSING");
}
