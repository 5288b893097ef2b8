// SPDX-License-Identifier: GPL-2.0-only
/*
 * harness.c: see harness.h. Owns the test instance: skeleton, maps, runs of packets; asserts
 * nothing itself, so that the benchmark uses it too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/if_ether.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "harness.h"
#include "weir.skel.h"

static void set(struct bpf_map *map, const void *key, const void *value)
{
	if (bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY))
		fprintf(stderr, "harness: map %s: %s\n", bpf_map__name(map), strerror(errno));
}

/* the verifier takes its time: only what is asked for */
static void autoload(struct weir_bpf *skel, unsigned int flags)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, false);
	bpf_program__set_autoload(skel->progs.weir_egress, true);
	bpf_program__set_autoload(skel->progs.weir_ingress, true);
	bpf_program__set_autoload(skel->progs.weir_level_at, true);
	bpf_program__set_autoload(skel->progs.weir_waits, true);
	bpf_program__set_autoload(skel->progs.weir_egress_l3, flags & HARNESS_L3);
	bpf_program__set_autoload(skel->progs.weir_ingress_l3, flags & HARNESS_L3);
}

struct harness *harness_new(unsigned int flags)
{
	return harness_new_flows(flags, HARNESS_FLOWS);
}

struct harness *harness_new_flows(unsigned int flags, __u32 flows)
{
	struct harness *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	h->skel = weir_bpf__open();
	if (!h->skel)
		goto fail;
	autoload(h->skel, flags);
	h->skel->rodata->max_flows = flows;
	h->skel->rodata->test_clock = !(flags & HARNESS_REAL_CLOCK);
	bpf_map__set_max_entries(h->skel->maps.flows, flows);
	bpf_map__set_max_entries(h->skel->maps.buckets, HARNESS_FLOWS);
	if (weir_bpf__load(h->skel))
		goto fail;
	harness_reset(h);
	return h;
fail:
	fprintf(stderr, "harness: cannot load the programs: %s\n", strerror(errno));
	harness_free(h);
	return NULL;
}

static void clear_hash(struct bpf_map *map)
{
	char key[64];
	int fd = bpf_map__fd(map);

	while (!bpf_map_get_next_key(fd, NULL, key))
		bpf_map_delete_elem(fd, key);
}

static void clear_array(struct bpf_map *map, size_t value_size, __u32 entries)
{
	__u32 n = entries, i, *keys = malloc(n * sizeof(*keys));
	void *values = calloc(n, value_size);

	for (i = 0; keys && i < n; i++)
		keys[i] = i;
	if (!keys || !values ||
	    bpf_map_update_batch(bpf_map__fd(map), keys, values, &n, NULL) || n != entries)
		fprintf(stderr, "harness: cannot clear map %s\n", bpf_map__name(map));
	free(keys);
	free(values);
}

void harness_reset(struct harness *h)
{
	size_t stats = sizeof(struct weir_class_stats) * libbpf_num_possible_cpus();

	clear_hash(h->skel->maps.flows);
	clear_hash(h->skel->maps.buckets);
	clear_hash(h->skel->maps.fragments);
	clear_hash(h->skel->maps.devices);
	clear_array(h->skel->maps.tables, sizeof(struct weir_table), WEIR_TABLE_COUNT);
	clear_array(h->skel->maps.door, sizeof(struct weir_door), WEIR_DOOR_SLOTS);
	clear_array(h->skel->maps.class_state, sizeof(struct weir_class_state), WEIR_MAX_CLASSES);
	clear_array(h->skel->maps.class_stats, stats, WEIR_MAX_CLASSES);
	clear_array(h->skel->maps.classes, sizeof(struct weir_class), 2 * WEIR_MAX_CLASSES);
	clear_array(h->skel->maps.leases, sizeof(struct weir_lease), WEIR_MAX_CLASSES);
	clear_array(h->skel->maps.told, sizeof(struct weir_class_told), WEIR_MAX_CLASSES);
	clear_array(h->skel->maps.event_state, sizeof(struct weir_event_state), 1);
	clear_array(h->skel->maps.events, sizeof(struct weir_event), WEIR_EVENTS);
	h->now_ns = HARNESS_T0_NS;
	h->n_classes = h->n_rules = 0;
	memset(h->classes, 0, sizeof(h->classes));
	strcpy(harness_class(h, 0)->name, "default");
	harness_commit(h);
}

void harness_free(struct harness *h)
{
	if (h)
		weir_bpf__destroy(h->skel);
	free(h);
}

struct weir_class *harness_class(struct harness *h, unsigned int slot)
{
	struct weir_class *class = &h->classes[slot];

	if (class->flags & WEIR_CLASS_USED)
		return class;
	if (h->n_classes <= slot)
		h->n_classes = slot + 1;
	memset(class, 0, sizeof(*class));
	snprintf(class->name, sizeof(class->name), "class%u", slot);
	class->flags = WEIR_CLASS_USED | WEIR_CLASS_ECN;
	class->action = WEIR_POLICE;
	class->per = WEIR_PER_FLOW;
	class->burst_ns = 10000000;
	class->mark_at_ns = 5000000;
	class->drop_at_ns = 100000000;
	return class;
}

void harness_rate(struct weir_class *class, __u64 rate_bps, __u64 flow_rate_bps)
{
	class->rate_bps = rate_bps;
	class->flow_rate_bps = flow_rate_bps;
	class->npb_rate = weir_npb(rate_bps);
	class->npb_flow = weir_npb(flow_rate_bps);
}

struct weir_rule *harness_rule(struct harness *h, unsigned int slot)
{
	struct weir_rule *rule = &h->rules[h->n_rules++];

	memset(rule, 0, sizeof(*rule));
	rule->class_slot = slot;
	return rule;
}

void harness_commit(struct harness *h)
{
	__u32 bank = ++h->generation & 1, zero = 0, i, at;
	struct weir_policy policy = {
		.generation = h->generation, .n_rules = h->n_rules, .n_classes = h->n_classes,
	};
	struct weir_control control = { .generation = h->generation };

	for (i = 0; i < h->n_classes; i++) {
		at = bank * WEIR_MAX_CLASSES + i;
		set(h->skel->maps.classes, &at, &h->classes[i]);
	}
	for (i = 0; i < h->n_rules; i++) {
		at = bank * WEIR_MAX_RULES + i;
		set(h->skel->maps.rules, &at, &h->rules[i]);
		control.fields |= h->rules[i].fields;
	}
	set(h->skel->maps.policy, &bank, &policy);
	set(h->skel->maps.control, &zero, &control);
}

static void device(struct harness *h, enum weir_hook hook, __u32 flags, __u32 ifb)
{
	struct weir_dev_key key = { .ifindex = HARNESS_IFINDEX, .hook = hook };
	struct weir_dev dev = { .name = "lo", .flags = flags, .ifb_ifindex = ifb };

	set(h->skel->maps.devices, &key, &dev);
}

void harness_device(struct harness *h, enum weir_hook hook, __u32 flags)
{
	device(h, hook, flags, 0);
}

void harness_ifb(struct harness *h, __u32 flags, __u32 ifindex)
{
	device(h, WEIR_INGRESS, flags, ifindex);
}

void harness_tick(struct harness *h)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &h->now_ns,
		    .ctx_size_in = sizeof(h->now_ns));

	if (bpf_prog_test_run_opts(bpf_program__fd(h->skel->progs.weir_level_at), &opts))
		fprintf(stderr, "harness: tick: %s\n", strerror(errno));
}

static int program_fd(struct harness *h, enum weir_hook hook, bool l3)
{
	struct bpf_program *program;

	if (hook == HARNESS_WAITS)
		program = h->skel->progs.weir_waits;
	else if (hook == WEIR_EGRESS)
		program = l3 ? h->skel->progs.weir_egress_l3 : h->skel->progs.weir_egress;
	else
		program = l3 ? h->skel->progs.weir_ingress_l3 : h->skel->progs.weir_ingress;
	return bpf_program__fd(program);
}

static int test_run(struct harness *h, enum weir_hook hook, const struct frame *in,
		    struct frame *out, int repeat, __u32 *ret_verdict)
{
	struct __sk_buff skb = in->skb;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->data, .data_size_in = in->len,
		    .ctx_in = &skb, .ctx_size_in = sizeof(skb), .repeat = repeat);

	skb.cb[0] = (__u32)h->now_ns;
	skb.cb[1] = h->now_ns >> 32;
	if (out) {
		opts.data_out = out->data;
		opts.data_size_out = sizeof(out->data);
		opts.ctx_out = &out->skb;
		opts.ctx_size_out = sizeof(out->skb);
	}
	if (bpf_prog_test_run_opts(program_fd(h, hook, !in->l3), &opts)) {
		if (errno != EINVAL)
			fprintf(stderr, "harness: test run: %s\n", strerror(errno));
		return HARNESS_REFUSED;
	}
	*ret_verdict = opts.retval;
	return opts.duration;
}

int harness_run(struct harness *h, enum weir_hook hook, struct frame *frame)
{
	struct frame in = *frame;
	__u32 verdict;

	if (test_run(h, hook, &in, frame, 1, &verdict) < 0)
		return HARNESS_REFUSED;
	return (int)verdict;
}

int harness_repeat(struct harness *h, enum weir_hook hook, const struct frame *frame, int repeat)
{
	__u32 verdict;

	return test_run(h, hook, frame, NULL, repeat, &verdict);
}

void harness_establish(struct harness *h, enum weir_hook hook, const struct spec *spec)
{
	struct weir_flow flow;
	struct frame frame;
	int i;

	for (i = 0; i < 3 && !harness_flow(h, spec, hook, &flow); i++) {
		frame_build(&frame, spec);
		harness_run(h, hook, &frame);
	}
}

bool harness_flow_at(struct harness *h, const struct weir_flow_key *key, struct weir_flow *flow)
{
	return !bpf_map_lookup_elem(bpf_map__fd(h->skel->maps.flows), key, flow);
}

int harness_map(struct harness *h, const char *name)
{
	return bpf_object__find_map_fd_by_name(h->skel->obj, name);
}

bool harness_flow(struct harness *h, const struct spec *spec, enum weir_hook hook,
		  struct weir_flow *flow)
{
	struct weir_flow_key key;

	frame_key(spec, hook, &key);
	return harness_flow_at(h, &key, flow);
}

void harness_stats(struct harness *h, unsigned int slot, struct weir_class_stats *sum)
{
	int cpu, cpus = libbpf_num_possible_cpus();
	struct weir_class_stats *values = calloc(cpus, sizeof(*values));
	__u64 *from, *to = (__u64 *)sum;
	size_t i;

	memset(sum, 0, sizeof(*sum));
	if (!values || bpf_map_lookup_elem(bpf_map__fd(h->skel->maps.class_stats), &slot, values))
		fprintf(stderr, "harness: no counters of slot %u\n", slot);
	for (cpu = 0; values && cpu < cpus; cpu++) {
		from = (__u64 *)&values[cpu];
		for (i = 0; i < sizeof(*sum) / 8; i++)
			to[i] += from[i];
	}
	free(values);
}

__u64 harness_count(struct harness *h, unsigned int slot, enum weir_reason reason)
{
	struct weir_class_stats sum;

	harness_stats(h, slot, &sum);
	return sum.packets[reason];
}
