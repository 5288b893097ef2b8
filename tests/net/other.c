// SPDX-License-Identifier: GPL-2.0-only
/*
 * other.c: somebody else's tcx program, for neighbour.sh: counts the packets that leave a device
 * and passes them on. `other NETNS DEV before|after`: at the head or the end of the chain as it is
 * then; prints "ready", and at SIGTERM how many it saw. Knows nothing of weir.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#define TCX_EGRESS 47			/* BPF_TCX_EGRESS; older headers lack it */
#define AT_HEAD (1U << 3)		/* BPF_F_BEFORE, BPF_F_AFTER of nobody */
#define AT_END (1U << 4)

static int program_load(int map_fd)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map_fd},
		{},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_1,
		 .src_reg = BPF_REG_2, .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "other", "GPL", insns,
			     sizeof(insns) / sizeof(*insns), NULL);
}

int main(int argc, char **argv)
{
	int map, program, link, ns, got, zero = 0;
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	unsigned long long seen = 0;
	char path[128];
	sigset_t end;

	if (argc != 4 || (strcmp(argv[3], "before") && strcmp(argv[3], "after"))) {
		fputs("usage: other NETNS DEV before|after\n", stderr);
		return 2;
	}
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	snprintf(path, sizeof(path), "/run/netns/%s", argv[1]);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET)) {
		perror(path);
		return 1;
	}
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "seen", 4, 8, 1, NULL);
	program = map < 0 ? -1 : program_load(map);
	opts.flags = strcmp(argv[3], "before") ? AT_END : AT_HEAD;
	link = program < 0 ? -1 : bpf_link_create(program, (int)if_nametoindex(argv[2]), TCX_EGRESS,
						  &opts);
	if (link < 0) {
		perror("other: tcx");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	sigwait(&end, &got);
	if (bpf_map_lookup_elem(map, &zero, &seen)) {
		perror("other: map");
		return 1;
	}
	printf("%llu\n", seen);
	return 0;
}
