// SPDX-License-Identifier: GPL-2.0-only
/*
 * maps_agent.c: the maps that the agent writes (leases, steering, decisions), what it reads with
 * every step, and the ring of events. With maps.c the only module that calls bpf_map_*.
 */
#include <string.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "maps.h"

static int get(int fd, __u32 index, void *value)
{
	return bpf_map_lookup_elem(fd, &index, value) ? -errno : 0;
}

static int put(int fd, __u32 index, const void *value)
{
	return bpf_map_update_elem(fd, &index, value, BPF_ANY) ? -errno : 0;
}

static void *share(int fd, size_t size, int protection)
{
	void *memory = mmap(NULL, size, protection, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void unshare(const void *memory, size_t size)
{
	if (memory)
		munmap((void *)memory, size);
}

#define CONTROL_SIZE sizeof(struct weir_control)
#define STATES_SIZE (WEIR_MAX_CLASSES * sizeof(struct weir_class_state))
#define LEASES_SIZE (WEIR_MAX_CLASSES * sizeof(struct weir_lease))
#define STEERING_SIZE (WEIR_MAX_CLASSES * sizeof(struct weir_decision))
#define DECISIONS_SIZE (WEIR_DECISIONS * sizeof(struct weir_decision))

void maps_share(struct maps *maps)
{
	maps->control_shared = share(maps->control, CONTROL_SIZE, PROT_READ);
	maps->states_shared = share(maps->class_state, STATES_SIZE, PROT_READ);
	maps->leases_shared = share(maps->leases, LEASES_SIZE, PROT_READ | PROT_WRITE);
	maps->steering_shared = share(maps->steering, STEERING_SIZE, PROT_READ | PROT_WRITE);
	maps->decisions_shared = share(maps->decisions, DECISIONS_SIZE, PROT_READ | PROT_WRITE);
}

void maps_unshare(struct maps *maps)
{
	unshare(maps->control_shared, CONTROL_SIZE);
	unshare(maps->states_shared, STATES_SIZE);
	unshare(maps->leases_shared, LEASES_SIZE);
	unshare(maps->steering_shared, STEERING_SIZE);
	unshare(maps->decisions_shared, DECISIONS_SIZE);
	maps->control_shared = NULL;
	maps->states_shared = NULL;
	maps->leases_shared = NULL;
	maps->steering_shared = maps->decisions_shared = NULL;
}

int maps_lease_put(const struct maps *maps, unsigned int slot, const struct weir_lease *lease)
{
	struct weir_lease *to = maps->leases_shared;

	if (!to)
		return put(maps->leases, slot, lease);
	to += slot;
	/* the time last: a packet in between goes by the old rate or the new one */
	__atomic_store_n(&to->hold_until_ns, lease->hold_until_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&to->rate_bps, lease->rate_bps, __ATOMIC_RELAXED);
	__atomic_store_n(&to->npb_rate, lease->npb_rate, __ATOMIC_RELAXED);
	__atomic_store_n(&to->expires_ns, lease->expires_ns, __ATOMIC_RELEASE);
	return 0;
}

/* into entry `at` of memory that is shared or, where it is not, of the map */
static int decision_put(struct weir_decision *shared, int fd, __u32 at,
			const struct weir_decision *decision)
{
	const size_t behind = offsetof(struct weir_decision, at_ns);

	if (!shared)
		return put(fd, at, decision);
	shared += at;
	/* number 0 while it is written: who reads then finds none */
	__atomic_store_n(&shared->seq, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy((char *)shared + behind, (const char *)decision + behind,
	       sizeof(*decision) - behind);
	__atomic_store_n(&shared->seq, decision->seq, __ATOMIC_RELEASE);
	return 0;
}

int maps_steering_put(const struct maps *maps, const struct weir_decision *decision)
{
	return decision_put(maps->steering_shared, maps->steering, decision->class_slot, decision);
}

int maps_decision_put(const struct maps *maps, const struct weir_decision *decision)
{
	return decision_put(maps->decisions_shared, maps->decisions,
			    decision->seq % WEIR_DECISIONS, decision);
}

int maps_class_states(const struct maps *maps, unsigned int n,
		      const struct weir_class_state **ret_states)
{
	static __u32 keys[WEIR_MAX_CLASSES];
	static struct weir_class_state states[WEIR_MAX_CLASSES];
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	__u32 next, count = n;

	*ret_states = maps->states_shared ? maps->states_shared : states;
	if (maps->states_shared || !n)
		return 0;
	/* ENOENT: the end was reached */
	if (bpf_map_lookup_batch(maps->class_state, NULL, &next, keys, states, &count, &opts) &&
	    errno != ENOENT)
		return -errno;
	return count < n ? -EIO : 0;
}

int maps_passed_get(const struct maps *maps, unsigned int slot, unsigned int n,
		    struct weir_passed ret[static n])
{
	_cleanup_free_ struct weir_class_stats *stats =
		malloc(n * maps->n_cpus * sizeof(*stats));
	__u32 keys[WEIR_PASSED_MAX], before = slot - 1, next, count = n;
	LIBBPF_OPTS(bpf_map_batch_opts, opts);

	if (!stats)
		return -ENOMEM;
	if (n == 1 && get(maps->class_stats, slot, stats))
		return -errno;
	/* ENOENT: the end was reached */
	if (n > 1 && bpf_map_lookup_batch(maps->class_stats, slot ? &before : NULL, &next, keys,
					  stats, &count, &opts) && errno != ENOENT)
		return -errno;
	if (count < n)
		return -EIO;
	memset(ret, 0, n * sizeof(*ret));
	for (unsigned int i = 0; i < n * maps->n_cpus; i++)
		for (unsigned int reason = 0; reason < WEIR_R_FIRST_DROP; reason++) {
			ret[i / maps->n_cpus].bytes += stats[i].bytes[reason];
			ret[i / maps->n_cpus].packets += stats[i].packets[reason];
		}
	return 0;
}

/* one that the agent is writing is looked at again, until two looks agree */
static int decision_get(int fd, __u32 at, struct weir_decision *ret)
{
	struct weir_decision again;
	int r = get(fd, at, ret);

	for (int i = 0; !r && i < 4; i++) {
		r = get(fd, at, &again);
		if (!r && !memcmp(ret, &again, sizeof(again)))
			break;
		*ret = again;
	}
	return r;
}

int maps_steering_get(const struct maps *maps, unsigned int slot, struct weir_decision *ret)
{
	struct weir_decision decision;
	int r = decision_get(maps->steering, slot, &decision);

	if (!r && !decision.seq)
		r = -ENOENT;
	if (!r)
		*ret = decision;
	return r;
}

int maps_decision_get(const struct maps *maps, __u64 seq, struct weir_decision *ret)
{
	struct weir_decision decision;
	int r = decision_get(maps->decisions, seq % WEIR_DECISIONS, &decision);

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
	int r = 0;

	if (maps->control_shared)
		control.generation = __atomic_load_n(&maps->control_shared->generation,
						     __ATOMIC_ACQUIRE);
	else
		r = get(maps->control, 0, &control);
	if (!r)
		*ret = control.generation;
	return r;
}
