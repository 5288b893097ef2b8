// SPDX-License-Identifier: GPL-2.0-only
/*
 * maps.c: the pinned maps, opened by path and checked against abi.h; whole values in and out.
 * The only module that calls bpf_map_*. Knows how a policy lies in its two banks and how one
 * store switches between them; never writes what the kernel moves, but to clear it.
 */
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "maps.h"

#define ANY_SIZE 0			/* of a table whose size the user chooses */

struct shape {
	const char *name;
	size_t fd;			/* offset in struct maps */
	__u32 type, key_size, value_size, max_entries;
};

#define SHAPE(map, map_type, key, value, entries) \
	{ #map, offsetof(struct maps, map), BPF_MAP_TYPE_##map_type, sizeof(key), sizeof(value), \
	  (entries) }

static const struct shape shapes[] = {
	SHAPE(control, ARRAY, __u32, struct weir_control, 1),
	SHAPE(policy, ARRAY, __u32, struct weir_policy, 2),
	SHAPE(classes, ARRAY, __u32, struct weir_class, 2 * WEIR_MAX_CLASSES),
	SHAPE(rules, ARRAY, __u32, struct weir_rule, 2 * WEIR_MAX_RULES),
	SHAPE(flows, LRU_HASH, struct weir_flow_key, struct weir_flow, ANY_SIZE),
	SHAPE(buckets, LRU_HASH, struct weir_bucket_key, struct weir_bucket, ANY_SIZE),
	SHAPE(class_state, ARRAY, __u32, struct weir_class_state, WEIR_MAX_CLASSES),
	SHAPE(class_stats, PERCPU_ARRAY, __u32, struct weir_class_stats, WEIR_MAX_CLASSES),
	SHAPE(leases, ARRAY, __u32, struct weir_lease, WEIR_MAX_CLASSES),
	SHAPE(steering, ARRAY, __u32, struct weir_decision, WEIR_MAX_CLASSES),
	SHAPE(decisions, ARRAY, __u32, struct weir_decision, WEIR_DECISIONS),
	SHAPE(events, ARRAY, __u32, struct weir_event, WEIR_EVENTS),
	SHAPE(event_state, ARRAY, __u32, struct weir_event_state, 1),
	SHAPE(told, ARRAY, __u32, struct weir_class_told, WEIR_MAX_CLASSES),
	SHAPE(devices, HASH, struct weir_dev_key, struct weir_dev, ANY_SIZE),
	SHAPE(door, ARRAY, __u32, struct weir_door, WEIR_DOOR_SLOTS),
	SHAPE(tables, ARRAY, __u32, struct weir_table, WEIR_TABLE_COUNT),
};

static int *shape_fd(struct maps *maps, const struct shape *shape)
{
	return (int *)((char *)maps + shape->fd);
}

static int map_open(const struct instance *instance, const char *name, struct err *err)
{
	char path[512];
	int fd, r = instance_path(instance, name, path, sizeof(path));

	if (r)
		return err_set(err, -r, "%s/%s: path too long", instance->dir, name);
	fd = bpf_obj_get(path);
	if (fd >= 0)
		return fd;
	r = errno;
	if (r == ENOENT && instance_exists(instance))
		return err_set(err, EPROTO, "%s: is missing: removed by somebody, or another version of "
			       "weir has none; want `weir detach all`, and attach again", path);
	if (r == ENOENT)
		return err_set(err, r, "nothing is attached: want `weir attach DEV` first");
	return err_set(err, r, "%s: %s", path, strerror(r));
}

static int shape_check(const struct instance *instance, const struct shape *shape, int fd,
		       __u32 *ret_entries, struct err *err)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return err_set(err, errno, "%s/%s: %s", instance->dir, shape->name,
			       strerror(errno));
	if (info.type != shape->type || info.key_size != shape->key_size ||
	    info.value_size != shape->value_size ||
	    (shape->max_entries != ANY_SIZE && info.max_entries != shape->max_entries))
		return err_set(err, EPROTO, "%s/%s: made by another version of weir (type %u, key "
			       "%u, value %u bytes, %u entries; want type %u, key %u, value %u); "
			       "want `weir detach all`, and attach again", instance->dir,
			       shape->name, info.type, info.key_size, info.value_size,
			       info.max_entries, shape->type, shape->key_size, shape->value_size);
	*ret_entries = info.max_entries;
	return 0;
}

/* only: the one map to open, NULL: all */
static int open_shapes(struct maps *maps, const struct instance *instance, const char *only,
		       struct err *err)
{
	struct maps opened = {};
	__u32 entries = 0;
	int r = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(shapes); i++)
		*shape_fd(&opened, &shapes[i]) = -1;
	opened.n_cpus = libbpf_num_possible_cpus();
	if (opened.n_cpus <= 0)
		return err_set(err, EIO, "cannot tell the number of CPUs");
	for (unsigned int i = 0; i < ARRAY_SIZE(shapes) && !r; i++) {
		int fd;

		if (only && strcmp(only, shapes[i].name))
			continue;
		fd = map_open(instance, shapes[i].name, err);
		if (fd < 0) {
			r = fd;
			break;
		}
		*shape_fd(&opened, &shapes[i]) = fd;
		r = shape_check(instance, &shapes[i], fd, &entries, err);
		if (!r && !strcmp(shapes[i].name, "flows"))
			opened.max_flows = entries;
	}
	if (r) {
		maps_close(&opened);
		return r;
	}
	*maps = opened;
	return 0;
}

int maps_open(struct maps *maps, const struct instance *instance, struct err *err)
{
	return open_shapes(maps, instance, NULL, err);
}

int maps_open_devices(struct maps *maps, const struct instance *instance, struct err *err)
{
	return open_shapes(maps, instance, "devices", err);
}

int maps_from_object(struct maps *ret_maps, const struct bpf_object *object, struct err *err)
{
	struct maps maps = { .n_cpus = libbpf_num_possible_cpus() };
	int code = maps.n_cpus <= 0 ? EIO : 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(shapes); i++) {
		int fd = bpf_object__find_map_fd_by_name(object, shapes[i].name);

		if (fd >= 0)
			fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			code = errno;
		*shape_fd(&maps, &shapes[i]) = fd;
	}
	if (code) {
		maps_close(&maps);
		return err_set(err, code, "cannot use the maps: %s", strerror(code));
	}
	maps.max_flows = bpf_map__max_entries(bpf_object__find_map_by_name(object, "flows"));
	*ret_maps = maps;
	return 0;
}

int maps_program_put(int map_fd, int program_fd)
{
	__u32 zero = 0;

	return bpf_map_update_elem(map_fd, &zero, &program_fd, BPF_ANY) ? -errno : 0;
}

void maps_close(struct maps *maps)
{
	maps_unshare(maps);
	for (unsigned int i = 0; i < ARRAY_SIZE(shapes); i++) {
		int *fd = shape_fd(maps, &shapes[i]);

		closep(fd);
		*fd = -1;
	}
}

static int get(int fd, __u32 index, void *value)
{
	return bpf_map_lookup_elem(fd, &index, value) ? -errno : 0;
}

static int put(int fd, __u32 index, const void *value)
{
	return bpf_map_update_elem(fd, &index, value, BPF_ANY) ? -errno : 0;
}

static int bank_load(const struct maps *maps, __u32 bank, const struct weir_policy *head,
		     struct policy *policy)
{
	int r = 0;

	if (head->n_classes > WEIR_MAX_CLASSES || head->n_rules > WEIR_MAX_RULES)
		return -EPROTO;
	for (unsigned int i = 0; i < head->n_classes && !r; i++)
		r = get(maps->classes, bank * WEIR_MAX_CLASSES + i, &policy->classes[i]);
	for (unsigned int i = 0; i < head->n_rules && !r; i++)
		r = get(maps->rules, bank * WEIR_MAX_RULES + i, &policy->matches[i]);
	policy->n_matches = head->n_rules;
	return r;
}

int maps_policy_load(const struct maps *maps, struct policy *ret_policy, struct err *err)
{
	struct weir_control before, after;
	struct weir_policy head;
	int r;

	/* a bank is rewritten only two switches later: once more is enough unless writers race */
	for (int tries = 0; tries < 16; tries++) {
		_cleanup_free_ struct policy *policy = calloc(1, sizeof(*policy));
		__u32 bank;

		if (!policy)
			return err_set(err, ENOMEM, "out of memory");
		r = get(maps->control, 0, &before);
		bank = before.generation & 1;
		if (!r)
			r = get(maps->policy, bank, &head);
		if (!r)
			r = bank_load(maps, bank, &head, policy);
		if (!r)
			r = get(maps->control, 0, &after);
		if (r)
			return err_set(err, -r, "cannot read the policy: %s", strerror(-r));
		if (before.generation != after.generation || head.generation != before.generation)
			continue;
		if (!(policy->classes[0].flags & WEIR_CLASS_USED))
			return err_set(err, EPROTO, "no policy is loaded; want `weir detach all` "
				       "and `weir attach` again");
		policy->generation = before.generation;
		memcpy(ret_policy, policy, sizeof(*ret_policy));
		return 0;
	}
	return err_set(err, EAGAIN, "the policy keeps changing; another command is at work");
}

/* every packet that was under way when this was called is through when it returns */
static void wait_for_packets(void)
{
	cpu_set_t own, one;

	if (!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		return;
	/* refused under nohz_full: run on each CPU in turn, as no task does while a packet is */
	if (sched_getaffinity(0, sizeof(own), &own))
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	sched_setaffinity(0, sizeof(own), &own);
}

/* state, counters and lease of a slot that is about to hold another class */
static int slot_clear(const struct maps *maps, unsigned int slot)
{
	_cleanup_free_ struct weir_class_stats *stats = calloc(maps->n_cpus, sizeof(*stats));
	const struct weir_class_state state = {};
	const struct weir_lease lease = {};
	const struct weir_decision none = {};
	const struct weir_class_told told = {};
	int r = stats ? put(maps->class_stats, slot, stats) : -ENOMEM;

	if (!r)
		r = put(maps->class_state, slot, &state);
	if (!r)
		r = put(maps->leases, slot, &lease);
	if (!r)
		r = put(maps->steering, slot, &none);
	if (!r)
		r = put(maps->told, slot, &told);
	return r;
}

static int slots_clear(const struct maps *maps, const struct policy *policy, __u32 live)
{
	bool slots[WEIR_MAX_CLASSES] = {}, any = false;
	struct weir_table buckets;
	struct weir_class old;
	int r = 0;

	for (unsigned int i = 0; i < WEIR_MAX_CLASSES && !r; i++) {
		if (!(policy->classes[i].flags & WEIR_CLASS_USED))
			continue;
		r = get(maps->classes, live * WEIR_MAX_CLASSES + i, &old);
		if (!r && (!(old.flags & WEIR_CLASS_USED) ||
			   strncmp(old.name, policy->classes[i].name, sizeof(old.name)))) {
			r = slot_clear(maps, i);
			any = slots[i] = true;
		}
	}
	if (!r && any)
		r = maps_table_get(maps, WEIR_TABLE_BUCKETS, &buckets);
	/* a pass over a large table takes a while, also where there is nothing in it */
	return r || !any || !buckets.made ? r : maps_buckets_drop(maps, slots);
}

/* fills the bank, also over what an older policy left behind there */
static int bank_store(const struct maps *maps, __u32 bank, __u32 generation,
		      const struct policy *policy)
{
	struct weir_policy head = { .generation = generation, .n_rules = policy->n_matches };
	struct weir_policy old;
	int r = get(maps->policy, bank, &old);

	for (unsigned int i = 0; i < WEIR_MAX_CLASSES; i++)
		if (policy->classes[i].flags & WEIR_CLASS_USED)
			head.n_classes = i + 1;
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES && !r; i++)
		if (i < head.n_classes || i < old.n_classes)
			r = put(maps->classes, bank * WEIR_MAX_CLASSES + i, &policy->classes[i]);
	for (unsigned int i = 0; i < policy->n_matches && !r; i++)
		r = put(maps->rules, bank * WEIR_MAX_RULES + i, &policy->matches[i]);
	return r ?: put(maps->policy, bank, &head);
}

int maps_policy_store(const struct maps *maps, const struct policy *policy, struct err *err)
{
	struct weir_control control;
	__u32 next = policy->generation + 1;
	int r = get(maps->control, 0, &control);

	if (!r && control.generation != policy->generation)
		r = -EBUSY;
	if (!r) {
		wait_for_packets();
		r = bank_store(maps, next & 1, next, policy);
	}
	if (!r)
		r = slots_clear(maps, policy, policy->generation & 1);
	if (!r)
		r = get(maps->control, 0, &control);
	if (!r && control.generation != policy->generation)
		r = -EBUSY;
	if (!r) {
		control.generation = next;
		control.fields = 0;
		for (unsigned int i = 0; i < policy->n_matches; i++)
			control.fields |= policy->matches[i].fields;
		r = put(maps->control, 0, &control);
	}
	if (r == -EBUSY)
		return err_set(err, EBUSY, "the policy was changed by another command meanwhile; "
			       "nothing was stored, try again");
	return r ? err_set(err, -r, "cannot store the policy: %s", strerror(-r)) : 0;
}

int maps_class_stats(const struct maps *maps, unsigned int slot, struct weir_class_stats *ret)
{
	_cleanup_free_ struct weir_class_stats *cpus = calloc(maps->n_cpus, sizeof(*cpus));
	struct weir_class_stats sum = {};
	int r = cpus ? get(maps->class_stats, slot, cpus) : -ENOMEM;

	if (r)
		return r;
	/* every member is a __u64 */
	for (int cpu = 0; cpu < maps->n_cpus; cpu++)
		for (unsigned int i = 0; i < sizeof(sum) / sizeof(__u64); i++)
			((__u64 *)&sum)[i] += ((const __u64 *)&cpus[cpu])[i];
	*ret = sum;
	return 0;
}

int maps_class_state(const struct maps *maps, unsigned int slot, struct weir_class_state *ret)
{
	return get(maps->class_state, slot, ret);
}

int maps_table_get(const struct maps *maps, enum weir_table_index which, struct weir_table *ret)
{
	return get(maps->tables, which, ret);
}

int maps_lease_get(const struct maps *maps, unsigned int slot, struct weir_lease *ret)
{
	return get(maps->leases, slot, ret);
}

int maps_device_get(const struct maps *maps, const struct weir_dev_key *key,
		    struct weir_dev *ret_dev)
{
	return bpf_map_lookup_elem(maps->devices, key, ret_dev) ? -errno : 0;
}

int maps_device_put(const struct maps *maps, const struct weir_dev_key *key,
		    const struct weir_dev *dev)
{
	return bpf_map_update_elem(maps->devices, key, dev, BPF_ANY) ? -errno : 0;
}

int maps_device_del(const struct maps *maps, const struct weir_dev_key *key)
{
	return bpf_map_delete_elem(maps->devices, key) ? -errno : 0;
}

int maps_can_set(const struct maps *maps, __u32 can, struct err *err)
{
	struct weir_control control;
	int r = get(maps->control, 0, &control);

	if (!r) {
		control.can = can;
		r = put(maps->control, 0, &control);
	}
	return r ? err_set(err, -r, "cannot note what the host offers: %s", strerror(-r)) : 0;
}

int maps_can_get(const struct maps *maps, __u32 *ret_can)
{
	struct weir_control control;
	int r = get(maps->control, 0, &control);

	if (!r)
		*ret_can = control.can;
	return r;
}

int maps_walk_mode(const struct instance *instance, enum maps_walk mode, struct err *err)
{
	_cleanup_close_ int fd = map_open(instance, "walk", err);
	__u32 value = mode;
	int r = fd < 0 ? fd : put(fd, 0, &value);

	return r && fd >= 0 ? err_set(err, -r, "%s/walk: %s", instance->dir, strerror(-r)) : r;
}
