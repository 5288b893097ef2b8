// SPDX-License-Identifier: GPL-2.0-only
/*
 * monitor.c: see monitor.h. Every line has the same fields, null where they say nothing.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "control.h"
#include "monitor.h"
#include "out.h"
#include "quantity.h"

#define NEWS_PART 10			/* a tenth of the rate is worth a line */

static const char *const event_names[WEIR_E_COUNT] = {
#define X(e, name, text) [WEIR_E_##e] = name,
	WEIR_EVENT_KINDS(X)
#undef X
};

static const char *const event_texts[WEIR_E_COUNT] = {
#define X(e, name, text) [WEIR_E_##e] = text,
	WEIR_EVENT_KINDS(X)
#undef X
};

static const char *const state_names[MONITOR_DEVICE_STATE_COUNT] = {
#define X(e, name, text) [MONITOR_##e] = name,
	MONITOR_DEVICE_STATES(X)
#undef X
};

static const char *const state_texts[MONITOR_DEVICE_STATE_COUNT] = {
#define X(e, name, text) [MONITOR_##e] = text,
	MONITOR_DEVICE_STATES(X)
#undef X
};

/* what is not set is null */
struct line {
	const char *event, *class, *dev, *hook, *reason;
	const __u64 *rate_bps, *old_bps, *level_bps, *count, *size;
	__u64 at_ns, left_out;
	const char *text;
};

static void field_u64(struct out *out, const char *name, const __u64 *value)
{
	if (value)
		out_u64(out, name, *value);
	else
		out_null(out, name);
}

static void line_json(struct out *out, const struct line *line, __u64 unix_ms)
{
	out_row(out);
	out_u64(out, "time_ms", unix_ms);
	out_str(out, "event", line->event);
	out_str(out, "class", line->class);
	out_str(out, "dev", line->dev);
	out_str(out, "hook", line->hook);
	out_str(out, "reason", line->reason);
	field_u64(out, "rate_bps", line->rate_bps);
	field_u64(out, "old_bps", line->old_bps);
	field_u64(out, "level_bps", line->level_bps);
	field_u64(out, "count", line->count);
	field_u64(out, "size", line->size);
	out_u64(out, "left_out", line->left_out);
	out_str(out, "text", line->text);
	out_row_end(out);
}

static void line_text(struct out *out, const struct line *line, __u64 unix_ms)
{
	time_t seconds = unix_ms / 1000;
	struct tm tm = {};
	char text[512];
	size_t at;

	localtime_r(&seconds, &tm);
	at = snprintf(text, sizeof(text), "%02d:%02d:%02d.%03u %-13s %s%s%s%s%s", tm.tm_hour,
		      tm.tm_min, tm.tm_sec, (unsigned int)(unix_ms % 1000), line->event,
		      line->class ?: line->dev ?: "", line->hook ? " " : "", line->hook ?: "",
		      (line->class || line->dev) && line->text[0] ? ": " : "", line->text);
	if (line->left_out && at < sizeof(text))
		snprintf(text + at, sizeof(text) - at, " (%llu changes left out)", line->left_out);
	out_line(out, "event", text);
}

static void tell(struct monitor *monitor, const struct line *line)
{
	struct out *out = out_open(monitor->json);
	__u64 age_ns = line->at_ns && line->at_ns < monitor->now_ns ?
		       monitor->now_ns - line->at_ns : 0;
	__u64 unix_ms = monitor->unix_ms - age_ns / 1000000;
	int r;

	if (out && monitor->json)
		line_json(out, line, unix_ms);
	else if (out)
		line_text(out, line, unix_ms);
	r = out_close(out, NULL);
	if (r)
		monitor->failed = r;
}

static const char *rate_text(__u64 bps)
{
	static char texts[2][40];
	static unsigned int at;
	char *text = texts[at++ & 1];

	snprintf(text, sizeof(texts[0]), "%s", bps ? quantity_rate_show(bps).text : "no rate");
	return text;
}

void monitor_event(struct monitor *monitor, const struct weir_event *event, __u64 missed)
{
	bool of_class = event->kind <= WEIR_E_LEASE_EXPIRED;
	const char *words = event_texts[event->kind];
	struct line line = {
		.event = event_names[event->kind], .at_ns = event->at_ns,
		.left_out = event->left_out + missed,
	};
	char text[256];

	if (of_class) {
		line.class = event->class;
		line.rate_bps = event->value ? &event->value : NULL;
		line.level_bps = event->more ? &event->more : NULL;
		snprintf(text, sizeof(text), "%s: %s", words, rate_text(event->value));
	} else {
		line.count = &event->value;
		line.size = &event->more;
		snprintf(text, sizeof(text), "%s: %llu (size %llu)", words, event->value,
			 event->more);
	}
	line.text = text;
	tell(monitor, &line);
}

/* another reason, or a tenth of the rate, at most so many a second */
static bool is_news(struct monitor_told *told, const struct weir_decision *step, __u64 *left_out)
{
	__u64 moved = step->new_bps > told->rate_bps ? step->new_bps - told->rate_bps :
						       told->rate_bps - step->new_bps;
	__u32 others;

	if (strcmp(told->class, step->class)) {
		*told = (struct monitor_told){};
		memcpy(told->class, step->class, sizeof(told->class));
	} else if (step->reason == told->reason && moved <= told->rate_bps / NEWS_PART) {
		told->budget.left_out++;
		return false;
	}
	/* each step is a change of its own: only the budget is asked */
	told->budget.told = 0;
	told->budget.last = 0;
	if (!weir_told_next(&told->budget, 1, step->at_ns, &others))
		return false;
	told->rate_bps = step->new_bps;
	told->reason = step->reason;
	*left_out = others;
	return true;
}

void monitor_decision(struct monitor *monitor, const struct weir_decision *step, __u64 missed)
{
	char text[256], class[WEIR_NAME_LEN];
	struct line line = {
		.event = "control", .class = class, .text = text, .at_ns = step->at_ns,
		.rate_bps = step->new_bps ? &step->new_bps : NULL,
		.old_bps = step->old_bps ? &step->old_bps : NULL,
	};

	snprintf(class, sizeof(class), "%.31s", step->class);
	if (step->reason >= WEIR_C_COUNT ||
	    !is_news(&monitor->told[step->class_slot % WEIR_MAX_CLASSES], step, &line.left_out))
		return;
	line.left_out += missed;
	line.reason = control_reason_name(step->reason);
	snprintf(text, sizeof(text), "%s to %s, %s: %s%s",
		 step->old_bps ? rate_text(step->old_bps) : "configured",
		 step->new_bps ? rate_text(step->new_bps) : "configured", line.reason,
		 control_reason_text(step->reason),
		 step->flags & WEIR_D_OBSERVE ? " (observed only)" : "");
	tell(monitor, &line);
}

void monitor_conns(struct monitor *monitor, const struct weir_class *class, __u64 count)
{
	char text[96];

	snprintf(text, sizeof(text), "packets that open a TCP connection beyond %u/s were dropped: %llu",
		 class->conn_rate, count);
	tell(monitor, &(struct line){ .event = "conn-rate", .class = class->name, .count = &count,
				      .text = text });
}

void monitor_policy(struct monitor *monitor, __u32 generation)
{
	__u64 count = generation;
	char text[64];

	snprintf(text, sizeof(text), "generation %u", generation);
	tell(monitor, &(struct line){ .event = "policy", .count = &count, .text = text });
}

void monitor_instance(struct monitor *monitor, const char *event, const char *text)
{
	tell(monitor, &(struct line){ .event = event, .text = text });
}

static const struct monitor_device *find(const struct monitor_device *devices, unsigned int n,
					 const struct weir_dev_key *key)
{
	for (unsigned int i = 0; i < n; i++)
		if (!memcmp(&devices[i].key, key, sizeof(*key)))
			return &devices[i];
	return NULL;
}

unsigned int monitor_devices_get(const struct instance *instance, const struct hook_list *list,
				 bool all, const struct monitor_device *before,
				 unsigned int n_before, struct monitor_device *ret)
{
	static const enum monitor_device_state states[] = {
		[HOOK_ATTACHED] = MONITOR_ATTACHED, [HOOK_LOST] = MONITOR_LOST,
		[HOOK_GONE] = MONITOR_GONE,
	};
	unsigned int n = 0;

	for (size_t i = 0; i < list->n && n < MONITOR_DEVICES; i++) {
		const struct hook_record *record = &list->items[i];
		const struct monitor_device *was = find(before, n_before, &record->key);
		struct monitor_device *device = &ret[n];

		/* announced: a command is at work there, or died, before there was a program */
		if (!record->dev.prog_id)
			continue;
		n++;
		*device = (struct monitor_device){ .key = record->key };
		snprintf(device->name, sizeof(device->name), "%.15s", record->dev.name);
		device->edt = record->dev.flags & WEIR_DEV_EDT;
		if (!all && was)
			device->state = was->state;
		else
			device->state = states[hook_state(instance, &record->key, &record->dev,
							  device->name)];
	}
	return n;
}

static void device_tell(struct monitor *monitor, const struct monitor_device *device,
			const char *event, const char *text)
{
	tell(monitor, &(struct line){ .event = event, .dev = device->name, .text = text,
				      .hook = hook_name(device->key.hook) });
}

void monitor_devices(struct monitor *monitor, const struct monitor_device *before,
		     unsigned int n_before, const struct monitor_device *now, unsigned int n_now)
{
	for (unsigned int i = 0; i < n_now; i++) {
		const struct monitor_device *was = find(before, n_before, &now[i].key);

		if (!was)
			device_tell(monitor, &now[i], "attached", "the program is on its hook");
		if (was ? was->state != now[i].state : now[i].state)
			device_tell(monitor, &now[i], state_names[now[i].state],
				    state_texts[now[i].state]);
		if (was && was->edt != now[i].edt)
			device_tell(monitor, &now[i], now[i].edt ? "edt" : "no-edt",
				    now[i].edt ? "fq is below: packets can be delayed" :
				    "fq is not below any more: packets are policed");
	}
	for (unsigned int i = 0; i < n_before; i++)
		if (!find(now, n_now, &before[i].key))
			device_tell(monitor, &before[i], "detached", "taken off its hook");
}
