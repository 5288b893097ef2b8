// SPDX-License-Identifier: GPL-2.0-only
/*
 * probe.c: tries, in a child that has network and mount namespaces of its own, what weir would
 * do; the programs of the object themselves are tried by dp.c. Leaves no trace.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/abi.h>
#include "backlog.h"
#include "dp.h"
#include "hook.h"
#include "link.h"
#include "pin.h"
#include "probe.h"
#include "qdisc.h"

#define LO_IFINDEX 1			/* in every new namespace */
#define TCP_BPF_SOCK_OPS_CB_FLAGS 1008	/* kernel 6.12 */
/* bytes/s that mean nothing to a test connection; which one is found says what worked */
#define RATE_BOTH 2000000000
#define RATE_PACING_ONLY 2000000001

#define INSN(c, d, s, o, i) ((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), \
						.off = (o), .imm = (i) })
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOV_REG(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define ADD_IMM(d, i) INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define LOAD_W(d, s, o) INSN(BPF_LDX | BPF_W | BPF_MEM, d, s, o, 0)
#define STORE_W(d, s, o) INSN(BPF_STX | BPF_W | BPF_MEM, d, s, o, 0)
#define JNE(d, i, o) INSN(BPF_JMP32 | BPF_JNE | BPF_K, d, 0, o, i)
#define JEQ(d, i, o) INSN(BPF_JMP32 | BPF_JEQ | BPF_K, d, 0, o, i)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static void put(struct probe *probes, enum probe_id id, int rc, const char *why)
{
	probes[id].state = rc ? PROBE_NO : PROBE_YES;
	snprintf(probes[id].why, sizeof(probes[id].why), "%s", rc ? why : "");
}

static void put_errno(struct probe *probes, enum probe_id id, bool yes)
{
	put(probes, id, yes ? 0 : -errno, yes ? "" : strerror(errno));
}

static void try_bpffs(struct probe *probes)
{
	struct statfs fs;
	bool there = !statfs("/sys/fs/bpf", &fs) && fs.f_type == BPF_FS_MAGIC, yes;

	/* one may be read-only; else a mount of the child's own, that nobody else sees */
	if (there)
		yes = !access("/sys/fs/bpf", W_OK);
	else
		yes = !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		      !mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
	put_errno(probes, PROBE_BPFFS, yes);
}

static int tc_program(void)
{
	const struct bpf_insn insns[] = { MOV_IMM(BPF_REG_0, -1), EXIT() };

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "weir_try", "GPL", insns, ARRAY_SIZE(insns),
			     NULL);
}

static void try_hooks(struct probe *probes)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = LO_IFINDEX, .attach_point = BPF_TC_EGRESS);
	_cleanup_close_ int prog = tc_program(), link = -1;
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog);
	struct err err = {};
	int rc;

	if (prog < 0) {
		put_errno(probes, PROBE_TCX, false);
		put_errno(probes, PROBE_CLSACT, false);
		return;
	}
	link = bpf_link_create(prog, LO_IFINDEX, HOOK_TCX_EGRESS, NULL);
	put_errno(probes, PROBE_TCX, link >= 0);
	rc = qdisc_clsact_make(LO_IFINDEX, WEIR_EGRESS, &err);
	if (rc >= 0) {
		rc = bpf_tc_attach(&hook, &opts);
		err_set(&err, -rc, "filter: %s", strerror(-rc));
	}
	put(probes, PROBE_CLSACT, rc, err.text);
}

static void try_devices(struct probe *probes)
{
	struct weir_dev dev = {};
	struct err err = {};
	__u32 ifindex;
	int rc = qdisc_fq_put(LO_IFINDEX, &dev, NULL, &err);

	put(probes, PROBE_FQ, rc < 0 ? rc : 0, err.text);
	put(probes, PROBE_IFB, link_make("ifb", "weir-try", &ifindex, &err), err.text);
}

/*
 * For connections to the port, when established: sets the callback flags as a socket option, and
 * then a pacing rate that tells how that went.
 */
static int sockops_program(__be16 port)
{
	const struct bpf_insn insns[] = {
		MOV_REG(BPF_REG_6, BPF_REG_1),
		LOAD_W(BPF_REG_2, BPF_REG_6, offsetof(struct bpf_sock_ops, op)),
		JNE(BPF_REG_2, BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, 22),
		LOAD_W(BPF_REG_2, BPF_REG_6, offsetof(struct bpf_sock_ops, remote_port)),
		JNE(BPF_REG_2, (__s32)htonl(ntohs(port)), 20),
		MOV_IMM(BPF_REG_1, 0),
		STORE_W(BPF_REG_10, BPF_REG_1, -4),
		MOV_REG(BPF_REG_1, BPF_REG_6),
		MOV_IMM(BPF_REG_2, IPPROTO_TCP),
		MOV_IMM(BPF_REG_3, TCP_BPF_SOCK_OPS_CB_FLAGS),
		MOV_REG(BPF_REG_4, BPF_REG_10),
		ADD_IMM(BPF_REG_4, -4),
		MOV_IMM(BPF_REG_5, 4),
		CALL(BPF_FUNC_setsockopt),
		MOV_IMM(BPF_REG_1, RATE_BOTH),
		JEQ(BPF_REG_0, 0, 1),
		MOV_IMM(BPF_REG_1, RATE_PACING_ONLY),
		STORE_W(BPF_REG_10, BPF_REG_1, -8),
		MOV_REG(BPF_REG_1, BPF_REG_6),
		MOV_IMM(BPF_REG_2, SOL_SOCKET),
		MOV_IMM(BPF_REG_3, SO_MAX_PACING_RATE),
		MOV_REG(BPF_REG_4, BPF_REG_10),
		ADD_IMM(BPF_REG_4, -8),
		MOV_IMM(BPF_REG_5, 4),
		CALL(BPF_FUNC_setsockopt),
		MOV_IMM(BPF_REG_0, 1),
		EXIT(),
	};

	return bpf_prog_load(BPF_PROG_TYPE_SOCK_OPS, "weir_try", "GPL", insns, ARRAY_SIZE(insns),
			     NULL);
}

/* 0 and the client's pacing rate, after a connection over the namespace's own loopback */
static int paced_connection(int cgroup, unsigned int *ret_rate)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	_cleanup_close_ int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int prog = -1, link = -1;
	socklen_t len = sizeof(addr), rate_len = sizeof(*ret_rate);
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (server < 0 || client < 0 || ioctl(server, SIOCSIFFLAGS, &ifr) ||
	    bind(server, (struct sockaddr *)&addr, sizeof(addr)) || listen(server, 1) ||
	    getsockname(server, (struct sockaddr *)&addr, &len))
		return -errno;
	prog = sockops_program(addr.sin_port);
	if (prog < 0)
		return -errno;
	link = bpf_link_create(prog, cgroup, BPF_CGROUP_SOCK_OPS, NULL);
	if (link < 0 || connect(client, (struct sockaddr *)&addr, sizeof(addr)) ||
	    getsockopt(client, SOL_SOCKET, SO_MAX_PACING_RATE, ret_rate, &rate_len))
		return -errno;
	return 0;
}

static void try_sockets(struct probe *probes)
{
	_cleanup_close_ int cgroup = hook_cgroup_open();
	unsigned int rate = 0;
	const char *why;
	int rc;

	put(probes, PROBE_CGROUP2, cgroup < 0 ? cgroup : 0, "not mounted");
	if (cgroup < 0)
		return;
	rc = paced_connection(cgroup, &rate);
	if (rc) {
		why = rc == -E2BIG ? HOOK_SOCKOPS_FULL : strerror(-rc);
		put(probes, PROBE_PACING, rc, why);
		put(probes, PROBE_FOLLOW, rc, why);
		return;
	}
	put(probes, PROBE_PACING, rate == RATE_BOTH || rate == RATE_PACING_ONLY ? 0 : -ENOTSUP,
	    "the rate had no effect");
	put(probes, PROBE_FOLLOW, rate == RATE_BOTH ? 0 : -ENOTSUP, "refused");
}

static void try_program(struct probe *probes, enum probe_id id, const char *const *names)
{
	struct err err = {};
	int rc = 0;

	for (; *names && !rc; names++)
		rc = dp_try(*names, &err);
	put(probes, id, rc, err.text);
}

static void try_backlog(struct probe *probes, enum probe_id id, bool by_key)
{
	int rc = backlog_try(by_key);

	put(probes, id, rc, strerror(-rc));
}

static void try_programs(struct probe *probes)
{
	static const char *const hooks[] = {
		"weir_egress", "weir_ingress", "weir_egress_l3", "weir_ingress_l3", NULL,
	};
	int loop;

	try_program(probes, PROBE_PROGRAMS, hooks);
	try_program(probes, PROBE_SOCKOPS, (const char *const []){ "weir_sockops", NULL });
	try_program(probes, PROBE_WALK, (const char *const []){ "weir_sk_walk", NULL });
	try_program(probes, PROBE_TIMER, (const char *const []){ "weir_timer", NULL });
	loop = libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_loop, NULL);
	put(probes, PROBE_LOOP, loop == 1 ? 0 : -ENOTSUP, "no such helper");
	try_backlog(probes, PROBE_BACKLOG, true);
	try_backlog(probes, PROBE_STORAGE, false);
}

static void child(struct probe *probes)
{
	/* an unprivileged user gets no namespace: what needs one stays untried */
	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		return;
	try_bpffs(probes);
	try_hooks(probes);
	try_sockets(probes);
	try_devices(probes);
}

static bool all(const struct probe *probes, const enum probe_id *ids, size_t n,
		enum probe_state *ret_state)
{
	enum probe_state state = PROBE_YES;

	for (size_t i = 0; i < n && state != PROBE_NO; i++)
		if (probes[ids[i]].state != PROBE_YES)
			state = probes[ids[i]].state;
	*ret_state = state;
	return state == PROBE_YES;
}

/* the means follow from what was tried; the first thing that is missing is the reason */
static void conclude(struct probe *probes, enum probe_id id, const enum probe_id *ids, size_t n)
{
	if (all(probes, ids, n, &probes[id].state))
		return;
	for (size_t i = 0; i < n; i++) {
		if (probes[ids[i]].state != probes[id].state)
			continue;
		snprintf(probes[id].why, sizeof(probes[id].why), "%s", probes[ids[i]].name);
		return;
	}
}

static void conclude_means(struct probe *probes)
{
	static const enum probe_id socket_needs[] = {
		PROBE_PROGRAMS, PROBE_CGROUP2, PROBE_SOCKOPS, PROBE_PACING,
	};
	static const enum probe_id edt_needs[] = { PROBE_PROGRAMS, PROBE_FQ, PROBE_IFB };

	conclude(probes, PROBE_PACE_SOCKET, socket_needs, ARRAY_SIZE(socket_needs));
	conclude(probes, PROBE_PACE_EDT, edt_needs, 2);
	conclude(probes, PROBE_PACE_IFB, edt_needs, 3);
	conclude(probes, PROBE_MARK, edt_needs, 1);
	conclude(probes, PROBE_DROP, edt_needs, 1);
}

int probe_all(struct probe ret_probes[PROBE_COUNT], struct err *err)
{
	static const struct probe start[PROBE_COUNT] = {
#define X(id, name_, what_, without_) \
		[PROBE_##id] = { .name = name_, .what = what_, .without = without_, \
				 .state = PROBE_UNTRIED, .why = "needs privileges" },
		PROBES(X)
#undef X
	};
	struct probe *probes = mmap(NULL, sizeof(start), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct err why;
	int rc, status;
	pid_t pid;

	if (probes == MAP_FAILED)
		return err_set(err, errno, "out of memory");
	memcpy(probes, start, sizeof(start));
	rc = pin_privileges(&why);
	put(probes, PROBE_PRIVILEGES, rc, why.text);
	put_errno(probes, PROBE_BTF, !access("/sys/kernel/btf/vmlinux", R_OK));
	if (!rc) {
		pid = fork();
		if (!pid) {
			child(probes);
			_exit(0);
		}
		if (pid > 0)
			waitpid(pid, &status, 0);
		try_programs(probes);
	}
	conclude_means(probes);
	memcpy(ret_probes, probes, sizeof(start));
	munmap(probes, sizeof(start));
	return 0;
}

bool probe_works(const struct probe probes[PROBE_COUNT])
{
	return probes[PROBE_PRIVILEGES].state == PROBE_YES &&
	       probes[PROBE_BPFFS].state == PROBE_YES &&
	       probes[PROBE_PROGRAMS].state == PROBE_YES &&
	       (probes[PROBE_TCX].state == PROBE_YES || probes[PROBE_CLSACT].state == PROBE_YES);
}
