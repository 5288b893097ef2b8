/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe.h: what this kernel and this user can do, each found out by trying it in a network
 * namespace that lives as long as the try. Changes nothing that is there.
 */
#ifndef WEIR_PROBE_H
#define WEIR_PROBE_H

#include <stdbool.h>
#include "util.h"

/* X(ENUM, "name", "what it is", "what weir does without it") */
#define PROBES(X) \
	X(PRIVILEGES, "privileges", "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN", "nothing works: try sudo") \
	X(BPFFS, "bpffs", "a place for pinned maps", "nothing works: the state has no home") \
	X(PROGRAMS, "programs", "the kernel takes the datapath's programs", "nothing works") \
	X(TCX, "tcx", "attach by links (kernel 6.6)", "attaches by filters on clsact") \
	X(CLSACT, "clsact", "attach by filters", "attaches by tcx alone") \
	X(FQ, "fq", "the qdisc that keeps departure times", "no packet is delayed: sockets, CE, drop") \
	X(IFB, "ifb", "a device to queue what arrives", "what arrives is marked and dropped, not queued") \
	X(CGROUP2, "cgroup2", "cgroup v2 is mounted", "sockets are not paced") \
	X(SOCKOPS, "sockops", "follow local TCP sockets", "sockets are not paced") \
	X(PACING, "pacing", "set a socket's pacing rate", "sockets are not paced") \
	X(WALK, "walk", "reach the TCP sockets that were there before", "only new sockets are paced") \
	X(FOLLOW, "follow", "old sockets too follow every change (kernel 6.12)", \
	  "sockets older than weir get a rate at attach and at policy changes alone") \
	X(BTF, "btf", "the kernel's type information", "sockets that were there before are not paced") \
	X(TIMER, "timer", "move fair shares in the kernel", "fair off: shares are left to chance") \
	X(LOOP, "loop", "go over all classes (bpf_loop)", "fair off: shares are left to chance") \
	X(BACKLOG, "backlog", "see how far behind local sockets are", "no signal of local sockets") \
	X(STORAGE, "storage", "go over known sockets alone", \
	  "each look of the agent asks for every socket") \
	X(PACE_SOCKET, "means-socket", "1. pace the sender's socket", "the next means takes over") \
	X(PACE_EDT, "means-edt", "2. delay the packet", "the next means takes over") \
	X(PACE_IFB, "means-edt-in", "2. delay what arrives", "the next means takes over") \
	X(MARK, "means-ce", "3. mark CE", "the next means takes over") \
	X(DROP, "means-drop", "4. drop", "packets pass")

enum probe_id {
#define X(id, name, what, without) PROBE_##id,
	PROBES(X)
#undef X
	PROBE_COUNT
};

enum probe_state { PROBE_NO, PROBE_YES, PROBE_UNTRIED };

struct probe {
	const char *name, *what, *without;
	enum probe_state state;
	char why[512];			/* of no and untried, in the words of who refused */
};

/* Tries everything. -errno only where nothing could be tried at all. */
int probe_all(struct probe ret_probes[PROBE_COUNT], struct err *err);

/* Can weir do its main job: attach, count, limit? */
bool probe_works(const struct probe probes[PROBE_COUNT]);

#endif
