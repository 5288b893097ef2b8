// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_show_classes.c: `weir show classes [CLASS]`: what each class is set to, what it may do on
 * this host, what holds it back now, and what it has done; of one, also why. Reads only.
 */
#include <stdio.h>
#include <string.h>
#include "conf.h"
#include "control.h"
#include "quantity.h"
#include "reasons.h"
#include "show.h"
#include "signals.h"
#include "snapshot.h"

static const char *const action_names[WEIR_ACTION_COUNT] = { "pace", "police", "observe" };

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

static void by_reason(struct out *out, const struct weir_class_stats *stats)
{
	out_sub(out, "reasons");
	for (unsigned int i = 0; i < WEIR_R_COUNT; i++) {
		out_sub(out, reasons[i].name);
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

static void class_row(struct show *show, const struct snapshot_class *class, __u32 can, bool edt)
{
	const struct weir_class *conf = &class->conf;
	struct out *out = show->out;
	struct opts_text per;
	char buf[64];

	out_row(out);
	out_str(out, "class", conf->name);
	out_rate(out, "rate_bps", conf->rate_bps);
	out_only(out, OUT_JSON);
	out_u64(out, "limit_bps", class->limit_bps);
	out_only(out, OUT_BOTH);
	out_rate(out, "flow_rate_bps", conf->flow_rate_bps);
	out_rate(out, "level_bps", class->level_bps);
	out_rate(out, "offered_bps", class->offered_bps);
	out_u64(out, "active", class->active);
	out_str(out, "limited_by", snapshot_state_names[class->state]);
	out_only(out, OUT_JSON);
	out_str(out, "limited_text", snapshot_state_text(class));
	out_only(out, OUT_BOTH);
	out_str(out, "per", conf_per(conf, &per) > 0 ? per.text : NULL);
	out_str(out, "action", conf->action < WEIR_ACTION_COUNT ? action_names[conf->action] :
		NULL);
	means(conf, can, edt, buf, sizeof(buf));
	out_str(out, "means", buf);
	counters(out, &class->total);
	steering(show, class->slot);
	by_reason(out, &class->total);
	out_row_end(out);
}

/* which one is asked for; none: -1 */
static int slot_wanted(struct show *show, int argc, char **argv, int *ret_slot)
{
	struct err *err = &show->context->err;

	*ret_slot = argc ? policy_class_find(show->policy, argv[0]) : -1;
	if (argc > 1)
		return err_set(err, EINVAL, "show classes: nothing may follow '%s', not '%s'",
			       argv[0], argv[1]);
	if (argc && *ret_slot < 0)
		return err_set(err, ENOENT, "show classes: no class '%s'", argv[0]);
	return 0;
}

/* below the table, for people: what its columns say in a word */
static void why(struct show *show, const struct snapshot_class *class)
{
	const struct weir_class *conf = &class->conf;
	struct weir_decision step;
	char text[512];
	size_t at;

	at = snprintf(text, sizeof(text), "%s: %s", conf->name, snapshot_state_text(class));
	if (class->limit_bps)
		at += snprintf(text + at, sizeof(text) - at, "; rate in force: %s",
			       quantity_rate_show(class->limit_bps).text);
	if (conf->signal[0] && show_steering(show, class->slot, &step))
		snprintf(text + at, sizeof(text) - at, "; the agent: %s: %s",
			 control_reason_name(step.reason), control_reason_text(step.reason));
	out_line(show->out, "why", text);
}

int show_classes(struct show *show, int argc, char **argv)
{
	const struct snapshot_query query = {};
	_cleanup_(snapshot_freep) struct snapshot *snapshot = NULL;
	bool edt = false;
	__u32 can = 0;
	int wanted, r = slot_wanted(show, argc, argv, &wanted);

	if (!r)
		r = snapshot_take(show->maps, show->instance, &query, NULL, &snapshot,
				  &show->context->err);
	if (r)
		return r;
	r = maps_can_get(show->maps, &can);
	if (r)
		return err_set(&show->context->err, -r, "cannot read the maps: %s", strerror(-r));
	for (unsigned int i = 0; i < snapshot->n_devices; i++)
		edt |= !!(snapshot->devices[i].flags & WEIR_DEV_EDT);
	out_list(show->out, "classes");
	for (unsigned int i = 0; i < snapshot->n_classes; i++)
		if (wanted < 0 || (int)snapshot->classes[i].slot == wanted)
			class_row(show, &snapshot->classes[i], can, edt);
	out_list_end(show->out);
	for (unsigned int i = 0; i < snapshot->n_classes && !show->context->json; i++)
		if ((int)snapshot->classes[i].slot == wanted)
			why(show, &snapshot->classes[i]);
	return 0;
}
