// SPDX-License-Identifier: GPL-2.0-only
/*
 * backlog.c: loads bpf/backlog.bpf.c, shares its memory, runs its iterators. The links stay, an
 * iterator is made anew for every pass (the kernel does not rewind one). Decides nothing.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include "backlog.h"
#include "backlog.skel.h"
#include "clock.h"
#include "log.h"

#define FIND_PART 100			/* finding new sockets takes 1 % of a core ... */
#define FIND_MIN_NS 20000000ULL
#define FIND_MAX_NS 1000000000ULL	/* ... where its table of them is not very large */

struct backlog {
	struct backlog_bpf *skel;
	int find_link, tcp_link, udp_link;
	__u64 next_find_ns;
	bool by_key;			/* a pass asks for each socket that find has listed */
	bool udp;			/* a rule leads UDP sockets to a class */
	bool many_told;			/* there are more hooks than are looked at */
	unsigned int n_classes;
	__u64 cost_ns;
};

/* what a pass costs is the time this thread ran, not that of whoever came between */
static __u64 cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* flows: the datapath's map; none for a try */
static int load(struct backlog *backlog, int flows)
{
	struct backlog_bpf *skel;
	int r;

	libbpf_set_print(log_libbpf);
	backlog->skel = skel = backlog_bpf__open();
	if (!skel)
		return -errno;
	bpf_program__set_autoload(skel->progs.weir_backlog_tcp, !backlog->by_key);
	bpf_program__set_autoload(skel->progs.weir_backlog_keys, backlog->by_key);
	skel->rodata->by_key = backlog->by_key;
	r = flows < 0 ? bpf_map__set_max_entries(skel->maps.flows, 1) :
			bpf_map__reuse_fd(skel->maps.flows, flows);
	if (!r)
		r = backlog_bpf__load(skel);
	if (r)
		return r;
	backlog->udp_link = hook_iterator_link(bpf_program__fd(skel->progs.weir_backlog_udp));
	backlog->find_link = hook_iterator_link(bpf_program__fd(skel->progs.weir_backlog_find));
	r = backlog->find_link < 0 ? backlog->find_link : backlog->udp_link;
	if (r < 0 || backlog->by_key)
		return r < 0 ? r : 0;
	r = hook_map_iterator_link(bpf_program__fd(skel->progs.weir_backlog_tcp),
				   bpf_map__fd(skel->maps.seen));
	backlog->tcp_link = r;
	return r < 0 ? r : 0;
}

static void unload(struct backlog *backlog)
{
	closep(&backlog->find_link);
	closep(&backlog->tcp_link);
	closep(&backlog->udp_link);
	backlog_bpf__destroy(backlog->skel);
	backlog->find_link = backlog->tcp_link = backlog->udp_link = -1;
}

int backlog_try(bool by_key)
{
	struct backlog backlog = {
		.by_key = by_key, .find_link = -1, .tcp_link = -1, .udp_link = -1,
	};
	int r = load(&backlog, -1);

	unload(&backlog);
	return r;
}

int backlog_open(struct backlog **ret, const struct instance *instance, struct err *err)
{
	struct backlog *backlog;
	_cleanup_close_ int flows = -1;
	char path[320];
	int r = instance_path(instance, "flows", path, sizeof(path));

	flows = r ? r : bpf_obj_get(path);
	if (flows < 0)
		return err_set(err, errno, "%s: %s", path, strerror(errno));
	backlog = calloc(1, sizeof(*backlog));
	if (!backlog)
		return err_set(err, ENOMEM, "out of memory");
	backlog->find_link = backlog->tcp_link = backlog->udp_link = -1;
	r = load(backlog, flows);
	/* some kernels let nobody iterate over sockets' storage */
	if (r) {
		unload(backlog);
		backlog->by_key = true;
		r = load(backlog, flows);
	}
	if (r) {
		backlog_close(backlog);
		return err_set(err, -r, "cannot load the iterators over sockets: %s (WEIR_LOG=debug "
			       "says more)", strerror(-r));
	}
	*ret = backlog;
	return 0;
}

void backlog_close(struct backlog *backlog)
{
	if (!backlog)
		return;
	unload(backlog);
	free(backlog);
}

static bool takes(const struct weir_rule *rule, __u8 proto)
{
	for (unsigned int i = 0; i < rule->n_proto; i++)
		if (rule->proto[i] == proto)
			return true;
	return !rule->n_proto;
}

/*
 * Ports by the first rule that leads what arrives there to a class. A rule that asks for more
 * than a port is taken at its port: who listens there serves that class, too.
 */
static void ports_fill(__u16 table[65536], const struct policy *policy, __u8 proto)
{
	memset(table, 0xff, 65536 * sizeof(*table));
	for (unsigned int m = policy->n_matches; m--;) {
		const struct weir_rule *rule = &policy->matches[m];
		const __u32 beyond = WEIR_M_SRC | WEIR_M_SPORT | WEIR_M_DSCP | WEIR_M_MARK |
				     WEIR_M_CGROUP;

		if (!takes(rule, proto) ||
		    (rule->fields & WEIR_M_HOOK && rule->hook != WEIR_INGRESS))
			continue;
		if (!rule->n_dport && rule->fields & beyond)
			continue;
		for (__u32 port = 1; port < 65536 && !rule->n_dport; port++)
			table[port] = rule->class_slot;
		for (unsigned int i = 0; i < rule->n_dport; i++)
			for (__u32 port = rule->dport[i].lo; port <= rule->dport[i].hi; port++)
				table[port] = rule->class_slot;
	}
}

void backlog_policy(struct backlog *backlog, const struct policy *policy,
		    const struct hook_list *hooks)
{
	struct backlog_bpf *skel = backlog->skel;
	unsigned int n = 0;

	ports_fill(skel->bss->ports.tcp, policy, 6);
	ports_fill(skel->bss->ports.udp, policy, 17);
	backlog->udp = false;
	for (unsigned int port = 1; port < 65536 && !backlog->udp; port++)
		backlog->udp = skel->bss->ports.udp[port] != WEIR_NO_CLASS;
	for (size_t i = 0; i < hooks->n && n < WEIR_BACKLOG_DEVICES; i++)
		skel->bss->devices[n++] = hooks->items[i].key;
	skel->bss->n_devices = n;
	if (hooks->n > n && !backlog->many_told)
		log_note("sockets are found by their flows on %u hooks, and not by those on %zu others",
			 n, hooks->n - n);
	backlog->many_told = hooks->n > n;
	/* counts go on where a slot keeps its class; the agent starts anew where it does not */
	backlog->n_classes = WEIR_MAX_CLASSES;
	while (backlog->n_classes && !(policy->classes[backlog->n_classes - 1].flags &
				       WEIR_CLASS_USED))
		backlog->n_classes--;
	skel->bss->generation = policy->generation;
}

/* the packet is none: a program of tc wants one, of a device; 0: any */
static int run_packet(const struct backlog *backlog, __u32 ifindex)
{
	char frame[64] = {};
	struct __sk_buff ctx = { .ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));
	int fd = bpf_program__fd(backlog->skel->progs.weir_backlog_keys);

	return bpf_prog_test_run_opts(fd, &opts) ? -errno : 0;
}

/* each listed socket is asked for: those that are bound to a device, then the others */
static int run_keys(const struct backlog *backlog)
{
	struct backlog_bpf *skel = backlog->skel;
	int r = 0;

	for (__u32 i = skel->bss->n_bound; i-- && !r;) {
		skel->bss->bound_now = skel->bss->bound[i];
		r = run_packet(backlog, skel->bss->bound_now);
		/* the device is gone: its sockets will not answer any other, and are forgotten */
		if (r == -ENODEV)
			r = run_packet(backlog, 0);
		if (!r && !skel->bss->n_met)
			skel->bss->bound[i] = skel->bss->bound[--skel->bss->n_bound];
	}
	skel->bss->bound_now = 0;
	return r ? r : run_packet(backlog, 0);
}

/* sockets that are new since the last time, as often as the machine's table of them allows */
static int find(struct backlog *backlog, __u64 now_ns)
{
	__u64 start = cpu_ns(), wait;
	int r;

	if (now_ns < backlog->next_find_ns)
		return 0;
	backlog->skel->bss->n_left_out = 0;
	r = hook_iterator_run(backlog->find_link);
	wait = (cpu_ns() - start) * FIND_PART;
	wait = wait < FIND_MIN_NS ? FIND_MIN_NS : wait > FIND_MAX_NS ? FIND_MAX_NS : wait;
	backlog->next_find_ns = now_ns + wait;
	return r;
}

int backlog_pass(struct backlog *backlog, __u64 now_ns)
{
	struct backlog_bpf *skel = backlog->skel;
	__u64 start;
	int r;

	skel->bss->now = now_ns;
	r = find(backlog, now_ns);
	start = cpu_ns();
	for (unsigned int i = 0; i < backlog->n_classes; i++) {
		struct weir_backlog *class = &skel->bss->classes[i];

		class->unread = class->stuck = 0;
		class->sockets = class->waiting = class->listening = 0;
		class->udp_packets = class->udp_sockets = 0;
		class->rtt_us = class->rtt_n = 0;
	}
	if (!r)
		r = backlog->by_key ? run_keys(backlog) : hook_iterator_run(backlog->tcp_link);
	if (!r && backlog->udp)
		r = hook_iterator_run(backlog->udp_link);
	backlog->cost_ns = cpu_ns() - start;
	return r;
}

const struct weir_backlog *backlog_class(const struct backlog *backlog, unsigned int slot)
{
	return &backlog->skel->bss->classes[slot];
}

__u32 backlog_left_out(const struct backlog *backlog)
{
	return backlog->skel->bss->n_left_out;
}

__u64 backlog_cost_ns(const struct backlog *backlog)
{
	return backlog->cost_ns;
}
