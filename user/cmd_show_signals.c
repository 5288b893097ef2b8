// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_show_signals.c: `weir show signals`: what each class under control follows, what its signal
 * was last and what the agent made of it, as map "steering" has it. Reads only.
 */
#include <string.h>
#include "control.h"
#include "show.h"
#include "signals.h"
#include "snapshot.h"

bool show_steering(struct show *show, unsigned int slot, struct weir_decision *ret)
{
	struct weir_lease lease;
	bool leased = !maps_lease_get(show->maps, slot, &lease);

	return !maps_steering_get(show->maps, slot, ret) &&
	       snapshot_step_stands(ret, &show->policy->classes[slot], leased ? &lease : NULL,
				    show->now_ns);
}

const char *show_steering_state(const struct weir_class *class, const struct weir_decision *step)
{
	if (class->flags & WEIR_CLASS_FROZEN)
		return "by-hand";
	if (step && step->new_bps && !(step->flags & WEIR_D_OBSERVE))
		return "agent";
	return policy_class_rate(class) || class->flow_rate_bps || class->conn_rate ? "configured" :
		"unlimited";
}

static void signal_row(struct show *show, unsigned int slot)
{
	const struct weir_class *class = &show->policy->classes[slot];
	struct out *out = show->out;
	struct weir_decision step;
	bool alive = show_steering(show, slot, &step);
	bool heard = alive && step.flags & WEIR_D_VALUE;
	bool is_time = class->set & WEIR_SET_TARGET_TIME;

	out_row(out);
	out_str(out, "class", class->name);
	out_str(out, "signal", class->signal);
	out_only(out, OUT_TEXT);
	out_str(out, "value", heard ? signal_show(class->signal, step.value, is_time).text : NULL);
	out_str(out, "target", signal_show(class->signal, class->target, is_time).text);
	out_only(out, OUT_JSON);
	if (heard)
		out_u64(out, "value", step.value);
	else
		out_null(out, "value");
	out_str(out, "unit", is_time ? "ns" : "1e-6");
	out_str(out, "target", signal_value_exact(class->target, is_time).text);
	out_only(out, OUT_BOTH);
	out_str(out, "law", control_law_name(alive ? step.law : class->law));
	out_time(out, "interval_ns", alive ? step.interval * WEIR_D_INTERVAL_NS : 0);
	out_rate(out, "drain_bps", alive ? step.drain_bps : 0);
	out_rate(out, "rate_bps", alive && step.new_bps ? step.new_bps : policy_class_rate(class));
	out_str(out, "state", alive && step.flags & WEIR_D_OBSERVE ? "observed" :
		alive ? show_steering_state(class, &step) : "no-agent");
	out_str(out, "reason", alive ? control_reason_name(step.reason) : NULL);
	out_only(out, OUT_JSON);
	out_str(out, "text", alive ? control_reason_text(step.reason) : NULL);
	out_row_end(out);
}

int show_signals(struct show *show, int argc, char **argv)
{
	out_list(show->out, "signals");
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES; i++)
		if (show->policy->classes[i].flags & WEIR_CLASS_USED &&
		    show->policy->classes[i].signal[0])
			signal_row(show, i);
	out_list_end(show->out);
	return 0;
}
