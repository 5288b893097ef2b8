// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_show_classes.c: `weir show classes`: what each class is set to, what it may do on this
 * host, and what it has done. Reads only.
 */
#include <stdio.h>
#include <string.h>
#include "control.h"
#include "show.h"
#include "signals.h"

static const char *const action_names[WEIR_ACTION_COUNT] = { "pace", "police", "observe" };
static const char *const per_names[WEIR_PER_COUNT] = { "flow", "src", "dst", "dscp", "cgroup",
						       "class" };
static const char *const reason_names[WEIR_R_COUNT] = {
#define X(e, name, drops, text) [WEIR_R_##e] = name,
	WEIR_REASONS(X)
#undef X
};

struct activity {
	const struct policy *policy;
	__u64 now_ns;
	__u32 flows[WEIR_MAX_CLASSES];	/* seen in the last second */
};

static int count_active(const struct weir_flow_key *key, const struct weir_flow *flow, void *arg)
{
	struct activity *activity = arg;

	if (policy_class_has(&activity->policy->classes[flow->class_slot % WEIR_MAX_CLASSES],
			     flow) &&
	    flow->last_seen_ns + SHOW_ACTIVE_NS > activity->now_ns)
		activity->flows[flow->class_slot % WEIR_MAX_CLASSES]++;
	return 0;
}

static int has_edt(const struct weir_dev_key *key, const struct weir_dev *dev, void *arg)
{
	*(bool *)arg |= !!(dev->flags & WEIR_DEV_EDT);
	return 0;
}

/* the ladder of design: which of its rungs this class has on this host */
static void means(const struct weir_class *class, __u32 can, bool edt, char *buf, size_t size)
{
	bool pace = class->action == WEIR_PACE;

	/* one under control is given a rate by the agent */
	if (!class->rate_bps && !class->flow_rate_bps && !class->signal[0])
		snprintf(buf, size, !class->conn_rate ? "none" :
			 class->action == WEIR_OBSERVE ? "count" : "drop");
	else if (class->action == WEIR_OBSERVE)
		snprintf(buf, size, "count");
	else
		snprintf(buf, size, "%s%s%sdrop",
			 class->flags & WEIR_CLASS_SOCKET && can & WEIR_CAN_SOCKET ?
			 "socket," : "", pace && edt ? "delay," : "",
			 class->flags & WEIR_CLASS_ECN ? "mark," : "");
}

static void counters(struct out *out, const struct weir_class_stats *stats)
{
	__u64 packets = 0, bytes = 0, dropped = 0;

	for (unsigned int i = 0; i < WEIR_R_COUNT; i++) {
		packets += stats->packets[i];
		bytes += stats->bytes[i];
		dropped += i >= WEIR_R_FIRST_DROP ? stats->packets[i] : 0;
	}
	out_u64(out, "packets", packets);
	out_size(out, "bytes", bytes);
	out_u64(out, "marked", stats->marked);
	out_u64(out, "dropped", dropped);
	out_u64(out, "delayed", stats->delayed);
	out_only(out, OUT_JSON);
	out_u64(out, "delay_ns", stats->delay_ns);
}

static void reasons(struct out *out, const struct weir_class_stats *stats)
{
	out_sub(out, "reasons");
	for (unsigned int i = 0; i < WEIR_R_COUNT; i++) {
		out_sub(out, reason_names[i]);
		out_u64(out, "packets", stats->packets[i]);
		out_u64(out, "bytes", stats->bytes[i]);
		out_sub_end(out);
	}
	out_sub_end(out);
}

static void steering(struct show *show, unsigned int slot)
{
	const struct weir_class *class = &show->policy->classes[slot];
	bool is_time = class->set & WEIR_SET_TARGET_TIME, controlled = class->signal[0];
	struct weir_decision step;
	bool alive = controlled && show_steering(show, slot, &step);

	out_str(show->out, "signal", controlled ? class->signal : NULL);
	out_str(show->out, "target", controlled ?
		signal_value_exact(class->target, is_time).text : NULL);
	out_only(show->out, OUT_BOTH);
	out_str(show->out, "state", show_steering_state(class, alive ? &step : NULL));
	out_str(show->out, "reason", alive ? control_reason_name(step.reason) : NULL);
}

static int class_row(struct show *show, unsigned int slot, __u32 active, __u32 can, bool edt)
{
	const struct weir_class *class = &show->policy->classes[slot];
	struct weir_class_stats stats;
	struct weir_class_state state;
	struct out *out = show->out;
	char buf[64];
	int r;

	r = maps_class_stats(&show->maps, slot, &stats);
	if (!r)
		r = maps_class_state(&show->maps, slot, &state);
	if (r)
		return err_set(&show->context->err, -r, "%s: cannot read its counters: %s",
			       class->name, strerror(-r));
	out_row(out);
	out_str(out, "class", class->name);
	out_rate(out, "rate_bps", class->rate_bps);
	out_rate(out, "flow_rate_bps", class->flow_rate_bps);
	out_rate(out, "level_bps", class->flags & WEIR_CLASS_FAIR ? state.level_bps : 0);
	out_u64(out, "active", active);
	out_str(out, "per", class->per < WEIR_PER_COUNT ? per_names[class->per] : NULL);
	out_str(out, "action", class->action < WEIR_ACTION_COUNT ? action_names[class->action] :
		NULL);
	means(class, can, edt, buf, sizeof(buf));
	out_str(out, "means", buf);
	counters(out, &stats);
	steering(show, slot);
	reasons(out, &stats);
	out_row_end(out);
	return 0;
}

int show_classes(struct show *show, int argc, char **argv)
{
	_cleanup_free_ struct activity *activity = calloc(1, sizeof(*activity));
	bool edt = false;
	__u32 can = 0;
	int r;

	if (!activity)
		return err_set(&show->context->err, ENOMEM, "out of memory");
	activity->policy = show->policy;
	activity->now_ns = show->now_ns;
	r = maps_flows_each(&show->maps, count_active, activity);
	if (!r)
		r = maps_devices_each(&show->maps, has_edt, &edt);
	if (!r)
		r = maps_can_get(&show->maps, &can);
	if (r)
		return err_set(&show->context->err, -r, "cannot read flows and devices: %s",
			       strerror(-r));
	out_list(show->out, "classes");
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES && !r; i++)
		if (show->policy->classes[i].flags & WEIR_CLASS_USED)
			r = class_row(show, i, activity->flows[i], can, edt);
	out_list_end(show->out);
	return r;
}
