// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_monitor.c: `weir monitor`: what changes, line by line: what holds a class back, leases, the
 * controllers' steps, devices, the policy, a full flow table. Compares snapshots, five a second,
 * without a pass over the flows; the steps come from the ring of decisions. Of one class at most
 * one line a second says what holds it back; how many were left out comes with the next.
 * Reads only.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "cmd.h"
#include "control.h"
#include "maps.h"
#include "out.h"
#include "quantity.h"
#include "snapshot.h"

#define INTERVAL_NS 200000000L
#define QUIET_NS 1000000000ULL

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = 1;
}

/* what was last said of a class, by slot */
struct told {
	char name[WEIR_NAME_LEN];
	enum snapshot_state state;
	__u64 at_ns, left_out;
};

struct monitor {
	struct context *context;
	struct snapshot *snapshot;	/* the one before */
	__u64 seq;			/* of the last decision that was told */
	int lost;			/* why the last look failed; told already */
	int failed;			/* of the output */
	struct told told[WEIR_MAX_CLASSES];
};

/* one event; class may be NULL, left_out counts those before it that were not told */
static void tell(struct monitor *monitor, __u64 unix_ms, const char *event, const char *class,
		 __u64 left_out, const char *text)
{
	struct out *out = out_open(monitor->context->json);
	time_t seconds = unix_ms / 1000;
	struct tm tm = {};
	char line[512];
	int r;

	if (out && monitor->context->json) {
		out_row(out);
		out_u64(out, "time_ms", unix_ms);
		out_str(out, "event", event);
		out_str(out, "class", class);
		out_str(out, "text", text);
		out_u64(out, "left_out", left_out);
		out_row_end(out);
	} else if (out) {
		localtime_r(&seconds, &tm);
		snprintf(line, sizeof(line), "%02d:%02d:%02d.%03u %-10s %s%s%s", tm.tm_hour,
			 tm.tm_min, tm.tm_sec, (unsigned int)(unix_ms % 1000), event, class ?: "",
			 class ? ": " : "", text);
		if (left_out)
			snprintf(line + strlen(line), sizeof(line) - strlen(line),
				 " (%llu changes left out)", left_out);
		out_line(out, "event", line);
	}
	r = out_close(out);
	if (r)
		monitor->failed = r;
}

static void class_tell(struct monitor *monitor, const struct snapshot *now,
		       const struct snapshot_class *class, const struct snapshot_class *before)
{
	struct told *told = &monitor->told[class->slot];
	char text[128];

	if (strcmp(told->name, class->conf.name)) {
		*told = (struct told){ .state = class->state };
		strcpy(told->name, class->conf.name);
	} else if (told->state != class->state) {
		/* told when it has lasted a look, and not too often */
		if (!before || before->state != class->state ||
		    told->at_ns + QUIET_NS > now->now_ns) {
			told->left_out += before && before->state != class->state;
		} else {
			tell(monitor, now->unix_ms, snapshot_state_names[class->state],
			     class->conf.name, told->left_out ? told->left_out - 1 : 0,
			     snapshot_state_texts[class->state]);
			told->state = class->state;
			told->at_ns = now->now_ns;
			told->left_out = 0;
		}
	}
	if (before && before->leased && !class->leased) {
		snprintf(text, sizeof(text), "back to the configured rate, %s",
			 class->conf.rate_bps ? quantity_rate_show(class->conf.rate_bps).text :
			 "none");
		tell(monitor, now->unix_ms, "lease-end", class->conf.name, 0, text);
	}
	if (before && class->total.packets[WEIR_R_NO_FLOW] > before->total.packets[WEIR_R_NO_FLOW])
		tell(monitor, now->unix_ms, "table-full", class->conf.name, 0,
		     "packets without a flow entry, charged to their class alone");
}

static const struct snapshot_device *device_find(const struct snapshot *snapshot,
						 const struct weir_dev_key *key)
{
	for (unsigned int i = 0; i < snapshot->n_devices; i++)
		if (!memcmp(&snapshot->devices[i].key, key, sizeof(*key)))
			return &snapshot->devices[i];
	return NULL;
}

static void devices_tell(struct monitor *monitor, const struct snapshot *now,
			 const struct snapshot *then, __u64 unix_ms, const char *event)
{
	char text[64];

	/* those in `now` that were not there, or not gone, `then` */
	for (unsigned int i = 0; i < now->n_devices; i++) {
		const struct snapshot_device *device = &now->devices[i];
		const struct snapshot_device *other = device_find(then, &device->key);

		if (other && (other->gone || !device->gone))
			continue;
		snprintf(text, sizeof(text), "%s %s", device->name,
			 device->key.hook == WEIR_EGRESS ? "egress" : "ingress");
		tell(monitor, unix_ms, other ? "gone" : event, NULL, 0, text);
	}
}

/* the ring's newest first; told in order */
static void decisions_tell(struct monitor *monitor, const struct snapshot *now)
{
	char text[256];

	for (unsigned int i = now->n_decisions; i-- > 0;) {
		const struct weir_decision *step = &now->decisions[i];
		__u64 age_ns = now->now_ns > step->at_ns ? now->now_ns - step->at_ns : 0;
		__u64 skipped = step->seq - monitor->seq - 1;

		if (step->seq <= monitor->seq)
			continue;
		snprintf(text, sizeof(text), "%s to %s, %s: %s%s",
			 step->old_bps ? quantity_rate_show(step->old_bps).text : "configured",
			 step->new_bps ? quantity_rate_show(step->new_bps).text : "configured",
			 control_reason_name(step->reason), control_reason_text(step->reason),
			 step->flags & WEIR_D_OBSERVE ? " (observed only)" : "");
		tell(monitor, now->unix_ms - age_ns / 1000000, "control", step->class, skipped, text);
		monitor->seq = step->seq;
	}
}

static void compare(struct monitor *monitor, const struct snapshot *now)
{
	const struct snapshot *then = monitor->snapshot;
	char text[64];

	if (!then) {
		monitor->seq = now->n_decisions ? now->decisions[0].seq : 0;
	} else {
		devices_tell(monitor, now, then, now->unix_ms, "attached");
		devices_tell(monitor, then, now, now->unix_ms, "detached");
		if (now->generation != then->generation) {
			snprintf(text, sizeof(text), "generation %u", now->generation);
			tell(monitor, now->unix_ms, "policy", NULL, 0, text);
		}
		decisions_tell(monitor, now);
	}
	for (unsigned int i = 0; i < now->n_classes; i++)
		class_tell(monitor, now, &now->classes[i],
			   snapshot_class_find(then, now->classes[i].conf.name));
}

/* opens the maps each time: a detach and an attach in between make new ones */
static int look(struct monitor *monitor, struct err *err)
{
	const struct snapshot_query query = { .skip_flows = true };
	struct instance instance = { .netns_fd = -1, .lock_fd = -1 };
	struct snapshot *next = NULL;
	struct maps maps;
	int back, r = instance_open(&instance, monitor->context->netns, false, err);

	if (!r)
		r = maps_open(&maps, &instance, err);
	if (!r) {
		r = instance_enter(&instance, &back, err);
		if (!r) {
			r = snapshot_take(&maps, &instance, &query, monitor->snapshot, &next, err);
			instance_leave(back);
		}
		maps_close(&maps);
	}
	instance_close(&instance);
	if (!r) {
		compare(monitor, next);
		snapshot_free(monitor->snapshot);
		monitor->snapshot = next;
	}
	return r;
}

static __u64 unix_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

int cmd_monitor(struct context *context, int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = INTERVAL_NS };
	struct sigaction action = { .sa_handler = stop };
	_cleanup_free_ struct monitor *monitor = calloc(1, sizeof(*monitor));
	struct err err = {};
	int r;

	if (argc) {
		err_set(&context->err, EINVAL, "monitor: unknown word '%s': want none", argv[0]);
		return CMD_USAGE;
	}
	if (!monitor)
		return CMD_FAILED;
	monitor->context = context;
	r = look(monitor, &context->err);
	if (r)
		return CMD_FAILED;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	while (!stopped && !monitor->failed) {
		nanosleep(&pause, NULL);
		r = look(monitor, &err);
		if (r && !monitor->lost) {
			tell(monitor, unix_ms(), "lost", NULL, 0, err.text);
			/* what comes next is another instance */
			snapshot_free(monitor->snapshot);
			monitor->snapshot = NULL;
		} else if (!r && monitor->lost) {
			tell(monitor, unix_ms(), "found", NULL, 0, "attached again");
		}
		monitor->lost = r;
	}
	snapshot_free(monitor->snapshot);
	return CMD_DONE;
}
