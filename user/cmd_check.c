// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_check.c: weir check: what this kernel offers and what weir does without it. Prints what
 * probe.c finds.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cmd.h"
#include "dp.h"
#include "log.h"
#include "out.h"
#include "pin.h"
#include "probe.h"

static void print_available(struct out *out, enum probe_state state)
{
	out_only(out, OUT_TEXT);
	out_str(out, "available", state == PROBE_YES ? "yes" : state == PROBE_NO ? "no" : "not tried");
	out_only(out, OUT_JSON);
	if (state == PROBE_UNTRIED)
		out_null(out, "available");
	else
		out_bool(out, "available", state == PROBE_YES);
	out_only(out, OUT_BOTH);
}

static void print_kernel(struct out *out)
{
	struct utsname name = {};

	uname(&name);
	out_row(out);
	out_str(out, "check", "kernel");
	print_available(out, PROBE_YES);
	out_str(out, "what", name.release);
	out_null(out, "without");
	out_null(out, "why");
	out_row_end(out);
}

/* pins that nobody would find again: every other command refuses to make them */
static void check_place(const char *netns, struct probe probes[PROBE_COUNT])
{
	struct probe *bpffs = &probes[PROBE_BPFFS];
	struct err why = {};

	if (bpffs->state != PROBE_YES || !pin_check_place(netns, &why))
		return;
	bpffs->state = PROBE_NO;
	snprintf(bpffs->why, sizeof(bpffs->why), "%s", why.text);
}

/* in the namespace that was asked for: it has settings of its own */
static int try_all(struct context *context, struct probe probes[PROBE_COUNT])
{
	struct instance instance;
	struct err why;
	int back, r;

	/* who may not enter it is told so by the first of the probes */
	if (!context->netns || pin_privileges(&why))
		return probe_all(probes, &context->err);
	r = instance_open_netns(&instance, context->netns, &context->err);
	if (r)
		return r;
	r = instance_enter(&instance, &back, &context->err);
	if (!r) {
		r = probe_all(probes, &context->err);
		instance_leave(back);
	}
	instance_close(&instance);
	return r;
}

/* what is attached may be of before an update */
static void note_other(const char *netns)
{
	struct instance instance;
	struct err ignored;

	if (instance_open(&instance, netns, false, &ignored))
		return;
	if (instance_exists(&instance) && !dp_is_own(&instance))
		log_note("%s: " DP_OTHER, instance.name);
	instance_close(&instance);
}

int cmd_check(struct context *context, int argc, char **argv)
{
	struct probe probes[PROBE_COUNT];
	struct out *out;

	if (argc) {
		err_set(&context->err, EINVAL, "check: unknown word '%s': want none", argv[0]);
		return CMD_USAGE;
	}
	if (try_all(context, probes))
		return CMD_FAILED;
	check_place(context->netns, probes);
	note_other(context->netns);
	out = out_open(context->json);
	if (!out)
		return CMD_FAILED;
	out_list(out, "checks");
	print_kernel(out);
	for (int i = 0; i < PROBE_COUNT; i++) {
		bool yes = probes[i].state == PROBE_YES;

		out_row(out);
		out_str(out, "check", probes[i].name);
		print_available(out, probes[i].state);
		out_str(out, "what", probes[i].what);
		out_str(out, "without", yes ? NULL : probes[i].without);
		out_str(out, "why", yes ? NULL : probes[i].why);
		out_row_end(out);
	}
	out_list_end(out);
	return out_close(out, &context->err) || !probe_works(probes) ? CMD_FAILED : CMD_DONE;
}
