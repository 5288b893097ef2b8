// SPDX-License-Identifier: GPL-2.0-only
/*
 * other.c: somebody else's program, for neighbour.sh; prints "ready", and at SIGTERM how many it
 * saw. Knows nothing of weir.
 *
 *   other NETNS DEV before|after   by tcx, at the head or the end of the chain as it is then:
 *                                  counts the packets that leave a device and passes them on
 *   other CGROUP                   sock_ops of a cgroup: asks each connection for TCP options,
 *                                  and counts how often it is asked for their size
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
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

#define LDX_OP(reg) {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (reg), .src_reg = BPF_REG_6, \
	.off = offsetof(struct bpf_sock_ops, op)}
#define SKIP_UNLESS(reg, value, n) {.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = (reg), \
	.imm = (value), .off = (n)}

static int sockops_load(int map_fd)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1},
		LDX_OP(BPF_REG_7),
		SKIP_UNLESS(BPF_REG_7, BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, 4),
		{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_6,
		 .off = offsetof(struct bpf_sock_ops, bpf_sock_ops_cb_flags)},
		{.code = BPF_ALU64 | BPF_OR | BPF_K, .dst_reg = BPF_REG_2,
		 .imm = BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_6},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_sock_ops_cb_flags_set},
		SKIP_UNLESS(BPF_REG_7, BPF_SOCK_OPS_HDR_OPT_LEN_CB, 4),
		{.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map_fd},
		{},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_1,
		 .src_reg = BPF_REG_2, .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SOCK_OPS, "other", "GPL", insns,
			     sizeof(insns) / sizeof(*insns), NULL);
}

/* the link, or -1 after a message */
static int attach_tcx(char **argv, int map)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = strcmp(argv[3], "before") ? AT_END : AT_HEAD);
	int program, link, ns;
	char path[128];

	snprintf(path, sizeof(path), "/run/netns/%s", argv[1]);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET)) {
		perror(path);
		return -1;
	}
	program = program_load(map);
	link = program < 0 ? -1 : bpf_link_create(program, (int)if_nametoindex(argv[2]), TCX_EGRESS,
						  &opts);
	if (link < 0)
		perror("other: tcx");
	return link;
}

static int attach_sockops(const char *path, int map)
{
	int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), program, link;

	program = cgroup < 0 ? -1 : sockops_load(map);
	link = program < 0 ? -1 : bpf_link_create(program, cgroup, BPF_CGROUP_SOCK_OPS, NULL);
	if (link < 0)
		perror("other: sock_ops");
	return link;
}

int main(int argc, char **argv)
{
	unsigned long long seen = 0;
	int map, got, zero = 0;
	sigset_t end;

	if (argc != 2 && (argc != 4 || (strcmp(argv[3], "before") && strcmp(argv[3], "after")))) {
		fputs("usage: other NETNS DEV before|after\n       other CGROUP\n", stderr);
		return 2;
	}
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "seen", 4, 8, 1, NULL);
	if (map < 0 || (argc == 2 ? attach_sockops(argv[1], map) : attach_tcx(argv, map)) < 0)
		return 1;
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
