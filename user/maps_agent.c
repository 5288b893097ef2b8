// SPDX-License-Identifier: GPL-2.0-only
/*
 * maps_agent.c: the maps that the agent writes (leases, steering, decisions), what it reads with
 * every step, and the ring of events. With maps.c the only module that calls bpf_map_*.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "maps.h"

#define STATES_FEW 8

static int get(int fd, __u32 index, void *value)
{
	return bpf_map_lookup_elem(fd, &index, value) ? -errno : 0;
}

static int put(int fd, __u32 index, const void *value)
{
	return bpf_map_update_elem(fd, &index, value, BPF_ANY) ? -errno : 0;
}

static int put_many(int fd, const __u32 *slots, const void *values, unsigned int n)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);

	return n && bpf_map_update_batch(fd, slots, values, &n, &opts) ? -errno : 0;
}

int maps_leases_put(const struct maps *maps, const __u32 *slots, const struct weir_lease *leases,
		    unsigned int n)
{
	return put_many(maps->leases, slots, leases, n);
}

int maps_steering_put(const struct maps *maps, const __u32 *slots,
		      const struct weir_decision *decisions, unsigned int n)
{
	return put_many(maps->steering, slots, decisions, n);
}

/* many: all up to the highest of them at once, since each call costs more than what it copies */
static int class_states_batch(const struct maps *maps, const __u32 *slots,
			      struct weir_class_state *ret_states, unsigned int n)
{
	static __u32 keys[WEIR_MAX_CLASSES];
	static struct weir_class_state states[WEIR_MAX_CLASSES];
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	__u32 next, count = slots[n - 1] + 1;

	/* ENOENT: the end was reached */
	if (bpf_map_lookup_batch(maps->class_state, NULL, &next, keys, states, &count, &opts) &&
	    errno != ENOENT)
		return -errno;
	if (count <= slots[n - 1])
		return -EIO;
	for (unsigned int i = 0; i < n; i++)
		ret_states[i] = states[slots[i]];
	return 0;
}

int maps_class_states(const struct maps *maps, const __u32 *slots,
		      struct weir_class_state *ret_states, unsigned int n)
{
	int r = 0;

	if (n > STATES_FEW)
		return class_states_batch(maps, slots, ret_states, n);
	for (unsigned int i = 0; i < n && !r; i++)
		r = get(maps->class_state, slots[i], &ret_states[i]);
	return r;
}

int maps_steering_get(const struct maps *maps, unsigned int slot, struct weir_decision *ret)
{
	return get(maps->steering, slot, ret);
}

int maps_decision_put(const struct maps *maps, const struct weir_decision *decision)
{
	return put(maps->decisions, decision->seq % WEIR_DECISIONS, decision);
}

int maps_decision_get(const struct maps *maps, __u64 seq, struct weir_decision *ret)
{
	struct weir_decision decision;
	int r = get(maps->decisions, seq % WEIR_DECISIONS, &decision);

	if (!r && decision.seq != seq)
		r = decision.seq > seq ? -ENODATA : -ENOENT;
	if (!r)
		*ret = decision;
	return r;
}

int maps_decision_last(const struct maps *maps, __u64 *ret_seq)
{
	struct weir_decision decision;
	__u64 last = 0;

	for (__u32 i = 0; i < WEIR_DECISIONS; i++) {
		int r = get(maps->decisions, i, &decision);

		if (r)
			return r;
		if (decision.seq > last)
			last = decision.seq;
	}
	*ret_seq = last;
	return 0;
}

int maps_event_get(const struct maps *maps, __u64 seq, struct weir_event *ret)
{
	struct weir_event event;
	int r = get(maps->events, seq % WEIR_EVENTS, &event);

	if (!r && (event.seq != seq || event.kind >= WEIR_E_COUNT))
		r = -ENOENT;
	if (!r) {
		*ret = event;
		ret->class[sizeof(ret->class) - 1] = '\0';
	}
	return r;
}

int maps_event_last(const struct maps *maps, __u64 *ret_seq)
{
	struct weir_event_state state;
	int r = get(maps->event_state, 0, &state);

	if (!r)
		*ret_seq = state.seq;
	return r;
}

int maps_generation(const struct maps *maps, __u32 *ret)
{
	struct weir_control control;
	int r = get(maps->control, 0, &control);

	if (!r)
		*ret = control.generation;
	return r;
}
