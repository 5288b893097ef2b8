// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_signal.c: `weir signal NAME VALUE [ttl TIME] [drain RATE]`: pushes a signal to the agent.
 * Needs no privilege beyond writing to its socket; who may read the policy is told where no class
 * would hear it.
 */
#include <stdio.h>
#include <string.h>
#include "cmd.h"
#include "policy.h"
#include "push.h"
#include "view.h"

/* the policy in force; NULL where it cannot be read here, which is no reason to keep silent */
static struct policy *policy_read(const char *netns)
{
	_cleanup_(view_close) struct view view = VIEW_NONE;
	struct policy *policy = calloc(1, sizeof(*policy));
	struct err ignored;

	if (!policy || view_open(&view, netns, &ignored) ||
	    maps_policy_load(&view.maps, policy, &ignored)) {
		free(policy);
		return NULL;
	}
	return policy;
}

/*
 * A class hears what is in the unit of its target, and zero, and nothing under the name of a signal
 * that weir finds itself: does one of those that follow it?
 */
static int heard_check(const struct policy *policy, const struct signal *signal, struct err *err)
{
	bool own = signal_kind_of(signal->name) != SIGNAL_PUSHED;
	const struct weir_class *deaf = NULL;

	for (unsigned int i = 0; policy && i < WEIR_MAX_CLASSES; i++) {
		const struct weir_class *class = &policy->classes[i];

		if (!(class->flags & WEIR_CLASS_USED) || strcmp(class->signal, signal->name))
			continue;
		if (!own && (!signal->value ||
			     !(class->set & WEIR_SET_TARGET_TIME) == !signal->is_time))
			return 0;
		deaf = deaf ?: class;
	}
	if (!deaf)
		return 0;
	if (own)
		return err_set(err, EDOM, "'%s': class %s follows the one that weir finds itself; want "
			       "a name of your own, and control NAME", signal->name, deaf->name);
	return err_set(err, EDOM, "%s '%s': want %s, as the target %s of class %s is", signal->name,
		       signal_value_exact(signal->value, signal->is_time).text,
		       signal->is_time ? "a number or a share" : "a time",
		       signal_value_exact(deaf->target, !signal->is_time).text, deaf->name);
}

int cmd_signal(struct context *context, int argc, char **argv)
{
	_cleanup_free_ struct policy *policy = NULL;
	struct signal signal;
	char text[256] = "";
	size_t at = 0;

	for (int i = 0; i < argc; i++) {
		/* between the others it would not be seen, and they would move up */
		if (!*argv[i]) {
			err_set(&context->err, EINVAL, "signal: '': want NAME VALUE [ttl TIME] "
				"[drain RATE]");
			return CMD_USAGE;
		}
		at += snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "", argv[i]);
		if (at >= sizeof(text)) {
			err_set(&context->err, EINVAL, "signal: the words are too long");
			return CMD_USAGE;
		}
	}
	if (signal_parse(text, &signal, &context->err)) {
		err_prefix(&context->err, "signal: ");
		return CMD_USAGE;
	}
	policy = policy_read(context->netns);
	if (heard_check(policy, &signal, &context->err) ||
	    push_send(context->netns ?: "host", text, &context->err)) {
		err_prefix(&context->err, "signal: ");
		return CMD_FAILED;
	}
	return CMD_DONE;
}
