// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapshot.c: one pass over the maps: every class, every device, and of the flows the foremost
 * few, kept in a heap, so that a million flows cost no memory. Only reads. What follows from two
 * pictures is computed in snapshot_rates.c.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include "clock.h"
#include "hook.h"
#include "maps.h"
#include "snapshot.h"

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	free(snapshot->classes);
	free(snapshot->flows);
	free(snapshot->devices);
	free(snapshot);
}

static void class_limit(const struct maps *maps, struct snapshot_class *class, __u64 now_ns)
{
	struct weir_lease lease;

	class->limit_bps = policy_class_rate(&class->conf);
	if (class->conf.flags & WEIR_CLASS_LEASED && !maps_lease_get(maps, class->slot, &lease) &&
	    lease.rate_bps && lease.expires_ns > now_ns) {
		class->limit_bps = lease.rate_bps;
		class->leased = true;
	}
	if (class->conf.flags & WEIR_CLASS_FAIR && class->limit_bps && class->moved.npb_level)
		class->level_bps = class->moved.level_bps;
}

static void class_steering(const struct maps *maps, struct snapshot_class *class, __u64 now_ns)
{
	struct weir_decision step;
	struct weir_lease lease;
	bool leased = !maps_lease_get(maps, class->slot, &lease);

	if (maps_steering_get(maps, class->slot, &step) ||
	    !snapshot_step_stands(&step, &class->conf, leased ? &lease : NULL, now_ns))
		return;
	class->steering = step;
	class->steered = true;
}

static int classes_read(const struct maps *maps, const struct policy *policy,
			struct snapshot *snapshot)
{
	unsigned int n = 0;
	int r = 0;

	for (unsigned int slot = 0; slot < WEIR_MAX_CLASSES; slot++)
		n += !!(policy->classes[slot].flags & WEIR_CLASS_USED);
	snapshot->classes = calloc(n ?: 1, sizeof(*snapshot->classes));
	if (!snapshot->classes)
		return -ENOMEM;
	for (unsigned int slot = 0; slot < WEIR_MAX_CLASSES && !r; slot++) {
		struct snapshot_class *class = &snapshot->classes[snapshot->n_classes];

		if (!(policy->classes[slot].flags & WEIR_CLASS_USED))
			continue;
		class->slot = slot;
		class->conf = policy->classes[slot];
		r = maps_class_stats(maps, slot, &class->total);
		if (!r)
			r = maps_class_state(maps, slot, &class->moved);
		if (!r) {
			class_limit(maps, class, snapshot->now_ns);
			class_steering(maps, class, snapshot->now_ns);
		}
		snapshot->n_classes++;
	}
	return r;
}

struct pass {
	struct snapshot *snapshot;
	const struct snapshot_query *query;
	struct snapshot_class *by_slot[WEIR_MAX_CLASSES];
};

/* is a further from the top of the list than b? Ties are broken by the key: no jumping about */
static bool is_behind(const struct snapshot_flow *a, const struct snapshot_flow *b,
		      enum snapshot_sort sort)
{
	__u64 x = snapshot_flow_value(a, sort), y = snapshot_flow_value(b, sort);

	if (x == y) {
		x = a->flow.bytes;
		y = b->flow.bytes;
	}
	return x == y ? memcmp(&a->key, &b->key, sizeof(a->key)) > 0 : x < y;
}

static void flow_swap(struct snapshot_flow *a, struct snapshot_flow *b)
{
	struct snapshot_flow c = *a;

	*a = *b;
	*b = c;
}

/* a heap whose root is the hindmost of those kept */
static void sift_down(struct snapshot_flow *heap, unsigned int n, enum snapshot_sort sort)
{
	unsigned int at = 0, child;

	while ((child = 2 * at + 1) < n) {
		if (child + 1 < n && is_behind(&heap[child + 1], &heap[child], sort))
			child++;
		if (!is_behind(&heap[child], &heap[at], sort))
			return;
		flow_swap(&heap[child], &heap[at]);
		at = child;
	}
}

static void sift_up(struct snapshot_flow *heap, unsigned int at, enum snapshot_sort sort)
{
	while (at && is_behind(&heap[at], &heap[(at - 1) / 2], sort)) {
		flow_swap(&heap[at], &heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
}

static void flow_keep(struct pass *pass, const struct snapshot_flow *flow)
{
	struct snapshot *snapshot = pass->snapshot;
	enum snapshot_sort sort = pass->query->sort;

	if (snapshot->n_flows < pass->query->max_flows) {
		snapshot->flows[snapshot->n_flows] = *flow;
		sift_up(snapshot->flows, snapshot->n_flows++, sort);
	} else if (snapshot->n_flows && is_behind(&snapshot->flows[0], flow, sort)) {
		snapshot->flows[0] = *flow;
		sift_down(snapshot->flows, snapshot->n_flows, sort);
	}
}

static struct snapshot_class *class_of(const struct pass *pass, const struct weir_flow *flow)
{
	struct snapshot_class *class = pass->by_slot[flow->class_slot % WEIR_MAX_CLASSES];

	return class && policy_class_has(&class->conf, flow) ? class : NULL;
}

static int flow_take(const struct weir_flow_key *key, const struct weir_flow *flow, void *arg)
{
	struct pass *pass = arg;
	struct snapshot_class *class = class_of(pass, flow);
	bool active = flow->last_seen_ns + SNAPSHOT_ACTIVE_NS > pass->snapshot->now_ns;
	struct snapshot_flow kept;

	pass->snapshot->n_all_flows++;
	pass->snapshot->active += active;
	if (class && active) {
		class->active++;
		class->offered_bps += flow->rate_bps;
		class->ahead += snapshot_flow_ahead(flow, &class->conf, class->level_bps);
	}
	/* no packets: a tunnel's own, of a class that looks inside */
	if (!pass->query->max_flows || !flow->packets ||
	    (pass->query->wanted &&
	     !pass->query->wanted(key, class ? class->conf.name : NULL, pass->query->arg)))
		return 0;
	kept.key = *key;
	kept.flow = *flow;
	kept.rate_bps = active ? flow->rate_bps : 0;
	flow_keep(pass, &kept);
	return 0;
}

/* takes the hindmost from the heap, one by one, to the end of the array */
static void flows_sort(struct snapshot *snapshot, enum snapshot_sort sort)
{
	for (unsigned int n = snapshot->n_flows; n > 1; n--) {
		flow_swap(&snapshot->flows[0], &snapshot->flows[n - 1]);
		sift_down(snapshot->flows, n - 1, sort);
	}
}

static int flows_read(const struct maps *maps, const struct snapshot_query *query,
		      struct snapshot *snapshot)
{
	_cleanup_free_ struct pass *pass = calloc(1, sizeof(*pass));
	struct weir_table table;
	int r;

	snapshot->max_flows = maps->max_flows;
	snapshot->flows = calloc(query->max_flows ?: 1, sizeof(*snapshot->flows));
	if (!pass || !snapshot->flows)
		return -ENOMEM;
	pass->snapshot = snapshot;
	pass->query = query;
	for (unsigned int i = 0; i < snapshot->n_classes; i++)
		pass->by_slot[snapshot->classes[i].slot] = &snapshot->classes[i];
	r = maps_flows_each(maps, flow_take, pass);
	if (!r)
		r = maps_table_get(maps, WEIR_TABLE_FLOWS, &table);
	if (r)
		return r;
	snapshot->refused = table.refused;
	flows_sort(snapshot, query->sort);
	for (unsigned int i = 0; i < snapshot->n_flows; i++) {
		struct snapshot_flow *flow = &snapshot->flows[i];
		struct snapshot_class *class = class_of(pass, &flow->flow);

		if (!if_indextoname(flow->key.ifindex, flow->dev))
			strcpy(flow->dev, "-");
		strcpy(flow->class_name, class ? class->conf.name : "-");
	}
	return 0;
}

static int devices_read(const struct instance *instance, struct snapshot *snapshot,
			struct err *err)
{
	_cleanup_(hook_list_free) struct hook_list list = {};
	int r = hook_list_get(instance, &list, err);

	if (r)
		return r;
	snapshot->devices = calloc(list.n ?: 1, sizeof(*snapshot->devices));
	if (!snapshot->devices)
		return err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < list.n; i++) {
		const struct hook_record *record = &list.items[i];
		struct snapshot_device *device = &snapshot->devices[snapshot->n_devices++];
		enum hook_state state;

		device->key = record->key;
		device->flags = record->dev.flags;
		state = hook_state(instance, &record->key, &record->dev, device->name);
		device->lost = state == HOOK_LOST;
		device->gone = state == HOOK_GONE;
	}
	return 0;
}

/* the number of the last one: from where it was before, if that is still there */
static int decision_last(const struct maps *maps, const struct snapshot *before, __u64 *ret_seq)
{
	struct weir_decision decision;
	__u64 seq = before && before->n_decisions ? before->decisions[0].seq : 0;

	if (!seq || maps_decision_get(maps, seq, &decision))
		return maps_decision_last(maps, ret_seq);
	while (!maps_decision_get(maps, seq + 1, &decision))
		seq++;
	*ret_seq = seq;
	return 0;
}

static void decisions_read(const struct maps *maps, const struct snapshot *before,
			   struct snapshot *snapshot)
{
	__u64 seq;

	if (decision_last(maps, before, &seq))
		return;
	for (; seq && snapshot->n_decisions < SNAPSHOT_DECISIONS; seq--) {
		struct weir_decision *decision = &snapshot->decisions[snapshot->n_decisions];

		if (maps_decision_get(maps, seq, decision))
			return;
		/* nothing that is printed may come without an end */
		decision->class[sizeof(decision->class) - 1] = '\0';
		snapshot->n_decisions += decision->reason < WEIR_C_COUNT;
	}
}

int snapshot_take(const struct maps *maps, const struct instance *instance,
		  const struct snapshot_query *query, const struct snapshot *before,
		  struct snapshot **ret, struct err *err)
{
	_cleanup_free_ struct policy *policy = calloc(1, sizeof(*policy));
	_cleanup_(snapshot_freep) struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	__u64 cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int r;

	if (!policy || !snapshot)
		return err_set(err, ENOMEM, "out of memory");
	r = maps_policy_load(maps, policy, err);
	if (r)
		return r;
	snprintf(snapshot->instance, sizeof(snapshot->instance), "%s", instance->name);
	snapshot->generation = policy->generation;
	snapshot->now_ns = clock_now_ns();
	snapshot->unix_ms = clock_ns(CLOCK_REALTIME) / 1000000;
	r = classes_read(maps, policy, snapshot);
	if (!r)
		r = flows_read(maps, query, snapshot);
	if (r)
		return err_set(err, -r, "cannot read the maps: %s", strerror(-r));
	r = devices_read(instance, snapshot, err);
	if (r)
		return r;
	decisions_read(maps, before, snapshot);
	snapshot_compare(snapshot, before);
	snapshot->took_ns = clock_now_ns() - snapshot->now_ns;
	snapshot->cost_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	*ret = snapshot;
	snapshot = NULL;
	return 0;
}
