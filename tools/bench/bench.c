// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench.c: ns per packet of the real programs over an empty one, by BPF_PROG_TEST_RUN. All cases
 * in one run, a slice of each in turn: what else the machine does meets all of them alike. Of an
 * established flow's slices the least counts, of first packets, timed one by one, the median. Owns
 * the cases; the packets and the policy come from tests/prog/harness.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bench.h"

#define REPEAT 10000
#define FIRSTS 4000			/* new flows per case: 4 of each 5 are timed */

enum how { LIMITED = 1, EDT = 2, OVER = 4, PER_SRC = 8, FAIR = 16, PACE = 32, NO_CLOCK = 64 };

static const struct bench_case {
	const char *name;
	enum weir_hook hook;
	int how;
	int rules;			/* above 0: a first packet, the last rule matches */
} cases[] = {
	{ "established, no rate set", WEIR_EGRESS, 0, 0 },
	{ "the same, the time is given", WEIR_EGRESS, NO_CLOCK, 0 },
	{ "established, police", WEIR_EGRESS, LIMITED, 0 },
	{ "established, police, ingress", WEIR_INGRESS, LIMITED, 0 },
	{ "established, police, dropped", WEIR_EGRESS, LIMITED | OVER, 0 },
	{ "established, pace, conforming", WEIR_EGRESS, LIMITED | PACE | EDT, 0 },
	{ "established, pace, delayed", WEIR_EGRESS, LIMITED | PACE | EDT | OVER, 0 },
	{ "established, per src", WEIR_EGRESS, LIMITED | PER_SRC, 0 },
	{ "established, class rate, fair", WEIR_EGRESS, LIMITED | FAIR, 0 },
	{ "first packet, 1 rule", WEIR_EGRESS, LIMITED, 1 },
	{ "first packet, 64 rules", WEIR_EGRESS, LIMITED, 64 },
	{ "first packet, 1024 rules", WEIR_EGRESS, LIMITED, 1024 },
};
#define CASES (sizeof(cases) / sizeof(*cases))

static const struct spec packet = { .proto = IPPROTO_TCP, .payload = 1448 };

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int bench_median(int *values, int n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

/* of slices of equal work the least one is the one that nothing else disturbed */
int bench_least(const int *values, int n)
{
	int i, best = values[0];

	for (i = 1; i < n; i++)
		if (values[i] < best)
			best = values[i];
	return best;
}

static int empty_program(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_UNSPEC },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "empty", "GPL", insns, 2, NULL);
}

static int run_empty(int fd, int repeat)
{
	struct frame frame;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame.data, .repeat = repeat);

	frame_build(&frame, &packet);
	opts.data_size_in = frame.len;
	return bpf_prog_test_run_opts(fd, &opts) ? -errno : (int)opts.duration;
}

static struct harness *prepare(const struct bench_case *c)
{
	struct harness *h = harness_new(c->how & NO_CLOCK ? 0 : HARNESS_REAL_CLOCK);
	struct weir_class *class;
	int i, slot = c->rules > 0;
	__u64 rate;

	if (!h)
		exit(1);
	class = harness_class(h, slot);
	rate = c->how & OVER ? 1000000 : WEIR_RATE_MAX;
	if (c->how & LIMITED)
		harness_rate(class, c->how & FAIR ? rate : 0, c->how & FAIR ? 0 : rate);
	if (c->how & FAIR)
		class->flags |= WEIR_CLASS_FAIR;
	class->per = c->how & PER_SRC ? WEIR_PER_SRC : WEIR_PER_FLOW;
	class->plen4 = 32;
	class->action = c->how & PACE ? WEIR_PACE : WEIR_POLICE;
	class->drop_at_ns = 1000000000000ULL;
	for (i = 0; i < c->rules; i++) {
		struct weir_rule *rule = harness_rule(h, slot);

		rule->fields = WEIR_M_PROTO | WEIR_M_DPORT;
		rule->proto[0] = IPPROTO_TCP;
		rule->n_proto = rule->n_dport = 1;
		rule->dport[0].lo = rule->dport[0].hi = i == c->rules - 1 ? 2000 : 10000 + i;
	}
	harness_device(h, c->hook, c->how & EDT ? WEIR_DEV_EDT : 0);
	harness_commit(h);
	if (!c->rules)
		harness_establish(h, c->hook, &packet);
	return h;
}

/* one run for each new flow: the median of what each took */
static int first_packets(struct harness *h, const struct bench_case *c, int round)
{
	int n = FIRSTS / BENCH_ROUNDS, i, values[FIRSTS / BENCH_ROUNDS];
	struct spec spec = packet;
	struct frame frame;

	for (i = 0; i < n; i++) {
		spec.sport = 1 + round * n + i;
		frame_build(&frame, &spec);
		values[i] = harness_repeat(h, c->hook, &frame, 1);
	}
	return bench_median(values, n);
}

int main(void)
{
	static int values[CASES][BENCH_ROUNDS], empty[BENCH_ROUNDS], empty_once[BENCH_ROUNDS];
	int empty_fd = empty_program(), round, over, first;
	static struct bench_table tables[BENCH_SIZES];
	static struct bench_shared shared;
	struct harness *harnesses[CASES];
	struct frame frame;
	size_t i;

	if (empty_fd < 0) {
		fprintf(stderr, "bench: cannot load a program: %s\n", strerror(errno));
		return 1;
	}
	frame_build(&frame, &packet);
	for (i = 0; i < CASES; i++)
		harnesses[i] = prepare(&cases[i]);
	for (i = 0; i < BENCH_SIZES; i++)
		if (bench_table_open(&tables[i], i))
			return 1;
	if (bench_shared_open(&shared))
		return 1;
	for (round = 0; round < BENCH_ROUNDS; round++) {
		int once[101], n;

		empty[round] = run_empty(empty_fd, REPEAT);
		for (n = 0; n < 101; n++)
			once[n] = run_empty(empty_fd, 1);
		empty_once[round] = bench_median(once, 101);
		for (i = 0; i < CASES; i++)
			values[i][round] = cases[i].rules ?
				first_packets(harnesses[i], &cases[i], round) :
				harness_repeat(harnesses[i], cases[i].hook, &frame, REPEAT);
		for (i = 0; i < BENCH_SIZES; i++)
			bench_table_round(&tables[i], round);
		bench_shared_round(&shared, round);
	}
	over = bench_least(empty, BENCH_ROUNDS);
	first = bench_median(empty_once, BENCH_ROUNDS);
	printf("%-34s %8s %12s\n", "case", "ns", "over empty");
	printf("%-34s %8d %12s\n", "empty program", over, "-");
	printf("%-34s %8d %12s\n", "empty program, run once", first, "-");
	for (i = 0; i < CASES; i++) {
		int ns = cases[i].rules ? bench_median(values[i], BENCH_ROUNDS) :
					bench_least(values[i], BENCH_ROUNDS);

		printf("%-34s %8d %12d\n", cases[i].name, ns, ns - (cases[i].rules ? first : over));
		harness_free(harnesses[i]);
	}
	bench_shared_print(&shared, over);
	printf("\n%-34s %8s %12s %10s\n", "case", "ns", "over empty", "a lookup");
	for (i = 0; i < BENCH_SIZES; i++)
		bench_table_print(&tables[i], first);
	return 0;
}
