// SPDX-License-Identifier: GPL-2.0-only
/*
 * metrics.c: a snapshot as OpenMetrics text, or as the older plain form, which differs in how
 * counters and infos are declared. Each family is one row of a table and one function that writes
 * its samples. Pure: no libbpf, no clock, no log.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "address.h"
#include "conf.h"
#include "control.h"
#include "metrics.h"
#include "reasons.h"
#include "signals.h"

struct family;

struct writer {
	struct text *text;
	const struct snapshot *snapshot;
	const struct family *family;
	enum metrics_form form;
};

struct family {
	const char *name, *type, *unit, *help;
	void (*write)(const struct writer *to);
	/* of a family with one value per class or flow: where it lies; size 8 or 4 */
	size_t offset, size;
};

static bool is_type(const struct writer *to, const char *type)
{
	return !strcmp(to->family->type, type);
}

/* counters and infos have a suffix of their own */
static const char *suffix(const struct writer *to)
{
	return is_type(to, "counter") ? "_total" : is_type(to, "info") ? "_info" : "";
}

/* a label's value: escaped, and bytes beyond ASCII as \xNN, since a name may be no UTF-8 */
static void label(const struct writer *to, const char *name, const char *value, const char *before)
{
	text_add(to->text, "%s%s=\"", before, name);
	for (; *value; value++) {
		unsigned char c = *value;

		if (c == '"' || c == '\\')
			text_add(to->text, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			text_add(to->text, "\\\\x%02x", c);
		else
			text_add(to->text, "%c", c);
	}
	text_add(to->text, "\"");
}

static void number(const struct writer *to, const char *end, __u64 value)
{
	text_add(to->text, "%s %llu\n", end, value);
}

/* in units of 1 / divisor, a power of ten: exactly, with no more digits than it takes */
static void fraction(const struct writer *to, __u64 value, __u64 divisor)
{
	__u64 rest = value % divisor;
	int digits = 0;

	for (__u64 d = divisor; d > 1; d /= 10)
		digits++;
	for (; rest && rest % 10 == 0; digits--)
		rest /= 10;
	text_add(to->text, "%llu", value / divisor);
	if (rest)
		text_add(to->text, ".%0*llu", digits, rest);
}

static void fraction_line(const struct writer *to, const char *end, __u64 value, __u64 divisor)
{
	text_add(to->text, "%s ", end);
	fraction(to, value, divisor);
	text_add(to->text, "\n");
}

/* bit/s as bytes per second */
static void rate(const struct writer *to, const char *end, __u64 bps)
{
	fraction_line(to, end, bps * 125, 1000);
}

static void start(const struct writer *to, const char *suffix_or_own)
{
	text_add(to->text, "%s%s", to->family->name, suffix_or_own);
}

static __u64 member(const struct writer *to, const void *base)
{
	const char *at = (const char *)base + to->family->offset;
	__u32 narrow;
	__u64 wide;

	if (to->family->size == sizeof(narrow)) {
		memcpy(&narrow, at, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

static void build(const struct writer *to)
{
	start(to, suffix(to));
	label(to, "version", WEIR_VERSION, "{");
	text_add(to->text, ",abi=\"%d\"", WEIR_ABI);
	label(to, "netns", to->snapshot->instance, ",");
	number(to, "}", 1);
}

static void whole(const struct writer *to)
{
	start(to, suffix(to));
	number(to, "", member(to, to->snapshot));
}

static void seconds(const struct writer *to)
{
	start(to, suffix(to));
	fraction_line(to, "", member(to, to->snapshot), 1000000000);
}

static void devices(const struct writer *to)
{
	for (unsigned int i = 0; i < to->snapshot->n_devices; i++) {
		const struct snapshot_device *dev = &to->snapshot->devices[i];

		start(to, suffix(to));
		label(to, "dev", dev->name, "{");
		label(to, "hook", dev->key.hook == WEIR_EGRESS ? "egress" : "ingress", ",");
		label(to, "via", dev->flags & WEIR_DEV_TCX ? "tcx" : "clsact", ",");
		label(to, "edt", dev->flags & WEIR_DEV_EDT ? "yes" : "no", ",");
		number(to, "}", !dev->gone && !dev->lost);
	}
}

static void class_start(const struct writer *to, const struct snapshot_class *class,
			const char *suffix_or_own)
{
	start(to, suffix_or_own);
	label(to, "class", class->conf.name, "{");
}

static void class_number(const struct writer *to)
{
	for (unsigned int i = 0; i < to->snapshot->n_classes; i++) {
		class_start(to, &to->snapshot->classes[i], suffix(to));
		number(to, "}", member(to, &to->snapshot->classes[i]));
	}
}

/* a rate that is not set has no sample: 0 would say that nothing may pass */
static void class_rate(const struct writer *to)
{
	for (unsigned int i = 0; i < to->snapshot->n_classes; i++) {
		__u64 bps = member(to, &to->snapshot->classes[i]);

		if (!bps)
			continue;
		class_start(to, &to->snapshot->classes[i], "");
		rate(to, "}", bps);
	}
}

/* the member is an array over the reasons */
static void class_reasons(const struct writer *to)
{
	for (unsigned int i = 0; i < to->snapshot->n_classes; i++) {
		const struct snapshot_class *class = &to->snapshot->classes[i];
		__u64 values[WEIR_R_COUNT];

		memcpy(values, (const char *)class + to->family->offset, sizeof(values));
		for (unsigned int r = 0; r < WEIR_R_COUNT; r++) {
			class_start(to, class, suffix(to));
			label(to, "verdict", r < WEIR_R_FIRST_DROP ? "pass" : "drop", ",");
			label(to, "reason", reasons[r].name, ",");
			number(to, "}", values[r]);
		}
	}
}

static void class_delay(const struct writer *to)
{
	for (unsigned int i = 0; i < to->snapshot->n_classes; i++) {
		const struct snapshot_class *class = &to->snapshot->classes[i];
		__u64 all = 0;

		for (unsigned int b = 0; b < WEIR_HIST; b++) {
			all += class->total.delay_hist[b];
			class_start(to, class, "_bucket");
			text_add(to->text, ",le=\"");
			if (b < WEIR_HIST - 1)
				fraction(to, snapshot_hist_end_ns(b), 1000000000);
			else
				text_add(to->text, "+Inf");
			number(to, "\"}", all);
		}
		class_start(to, class, "_count");
		number(to, "}", all);
		class_start(to, class, "_sum");
		fraction_line(to, "}", class->total.delay_ns, 1000000000);
	}
}

/* a stateset: its label has the family's name */
static void class_state(const struct writer *to)
{
	for (unsigned int i = 0; i < to->snapshot->n_classes; i++)
		for (unsigned int s = 0; s < SNAPSHOT_STATE_COUNT; s++) {
			class_start(to, &to->snapshot->classes[i], "");
			label(to, to->family->name, snapshot_state_names[s], ",");
			number(to, "}", to->snapshot->classes[i].state == s);
		}
}

/* in seconds where it is a time, else as the number that it is */
static void control(const struct writer *to)
{
	for (unsigned int i = 0; i < to->snapshot->n_classes; i++) {
		const struct snapshot_class *class = &to->snapshot->classes[i];
		bool is_time = class->steering.flags & WEIR_D_TIME;

		if (!class->steered ||
		    (to->family->offset == offsetof(struct weir_decision, value) &&
		     !(class->steering.flags & WEIR_D_VALUE)))
			continue;
		class_start(to, class, "");
		label(to, "signal", class->conf.signal, ",");
		label(to, "unit", is_time ? "seconds" :
		      signal_is_share(class->conf.signal) ? "percent" : "1", ",");
		fraction_line(to, "}", member(to, &class->steering),
			      is_time ? 1000000000 : 1000000);
	}
}

/* the reason of the controller's last step: a stateset */
static void control_reason(const struct writer *to)
{
	for (unsigned int i = 0; i < to->snapshot->n_classes; i++)
		for (unsigned int r = 0; to->snapshot->classes[i].steered && r < WEIR_C_COUNT;
		     r++) {
			class_start(to, &to->snapshot->classes[i], "");
			label(to, to->family->name, control_reason_name(r), ",");
			number(to, "}", to->snapshot->classes[i].steering.reason == r);
		}
}

static void flow_start(const struct writer *to, const struct snapshot_flow *flow)
{
	const struct weir_flow_key *key = &flow->key;
	char address[ADDRESS_BYTES], protocol[CONF_PROTO];

	start(to, suffix(to));
	label(to, "class", flow->class_name, "{");
	label(to, "dev", flow->dev, ",");
	label(to, "hook", key->hook == WEIR_EGRESS ? "egress" : "ingress", ",");
	label(to, "proto", conf_proto_name(key->proto, protocol), ",");
	address_put(address, key->src, key->family);
	label(to, "src", address, ",");
	address_put(address, key->dst, key->family);
	label(to, "dst", address, ",");
	/* the key's flags, and a tunnel's number, tell apart what is otherwise the same */
	text_add(to->text, ",sport=\"%u\",dport=\"%u\",form=\"%s\"", ntohs(key->sport),
		 ntohs(key->dport), key->flags & WEIR_KEY_FRAG ? "fragment" :
		 key->flags & WEIR_KEY_INNER ? "inner" : "whole");
	if (key->tunnel)
		text_add(to->text, ",tunnel=\"%u\"", key->tunnel);
}

/* the next of the foremost; of devices that are gone two may have all labels in common */
static const struct snapshot_flow *flow_next(const struct writer *to, unsigned int *i)
{
	for (; *i < to->snapshot->n_flows && *i < METRICS_FLOWS; (*i)++)
		if (strcmp(to->snapshot->flows[*i].dev, "-"))
			return &to->snapshot->flows[(*i)++];
	return NULL;
}

static void flow_number(const struct writer *to)
{
	const struct snapshot_flow *flow;

	for (unsigned int i = 0; (flow = flow_next(to, &i));) {
		flow_start(to, flow);
		number(to, "}", member(to, flow));
	}
}

static void flow_rate(const struct writer *to)
{
	const struct snapshot_flow *flow;

	for (unsigned int i = 0; (flow = flow_next(to, &i));) {
		flow_start(to, flow);
		rate(to, "}", flow->rate_bps);
	}
}

#define AT(type, field) offsetof(struct type, field), sizeof(((struct type *)0)->field)

static const struct family families[] = {
	{ "weir_build", "info", "", "The version of weir, of the layout of its maps, and whose "
	  "network this is.", build, 0, 0 },
	{ "weir_snapshot_duration_seconds", "gauge", "seconds", "How long it took to read the "
	  "maps.", seconds, AT(snapshot, took_ns) },
	{ "weir_policy_generation", "gauge", "", "Changes of the policy so far.", whole,
	  AT(snapshot, generation) },
	{ "weir_device_attached", "gauge", "", "Where weir is attached; 0 where the program "
	  "is gone; no sample once the device is.", devices, 0, 0 },
	{ "weir_flows", "gauge", "", "Entries in the flow table.", whole,
	  AT(snapshot, n_all_flows) },
	{ "weir_flows_max", "gauge", "", "Entries that the flow table has room for.", whole,
	  AT(snapshot, max_flows) },
	{ "weir_flows_active", "gauge", "", "Flows seen within the last second.", whole,
	  AT(snapshot, active) },
	{ "weir_flows_refused", "counter", "", "Packets whose flow the flow table had no place for.",
	  whole, AT(snapshot, refused) },
	{ "weir_class_packets", "counter", "", "Wire packets by verdict and reason; "
	  "with action observe, by what would be done.",
	  class_reasons, AT(snapshot_class, total.packets) },
	{ "weir_class_bytes", "counter", "bytes", "Wire bytes by verdict and reason; "
	  "with action observe, by what would be done.",
	  class_reasons, AT(snapshot_class, total.bytes) },
	{ "weir_class_marked_packets", "counter", "", "Wire packets on which weir set CE.",
	  class_number, AT(snapshot_class, total.marked) },
	{ "weir_class_delayed_packets", "counter", "", "Wire packets that were given a later "
	  "departure.", class_number, AT(snapshot_class, total.delayed) },
	{ "weir_class_flows_created", "counter", "", "Flow entries made.", class_number,
	  AT(snapshot_class, total.flows) },
	{ "weir_class_delay_seconds", "histogram", "seconds", "Delay given to the packets that "
	  "passed.", class_delay, 0, 0 },
	{ "weir_class_active_flows", "gauge", "", "Flows seen within the last second.",
	  class_number, AT(snapshot_class, active) },
	{ "weir_class_limited_flows", "gauge", "", "Of the active flows, those that their own "
	  "bucket holds back; 0 where the class is not per flow.", class_number,
	  AT(snapshot_class, ahead) },
	{ "weir_class_limit_bytes_per_second", "gauge", "bytes_per_second", "The class's rate in "
	  "force; none where it has none.", class_rate, AT(snapshot_class, limit_bps) },
	{ "weir_class_configured_bytes_per_second", "gauge", "bytes_per_second", "The class's "
	  "configured rate.", class_rate, AT(snapshot_class, conf.rate_bps) },
	{ "weir_class_flow_limit_bytes_per_second", "gauge", "bytes_per_second", "The cap of each "
	  "bucket.", class_rate, AT(snapshot_class, conf.flow_rate_bps) },
	{ "weir_class_level_bytes_per_second", "gauge", "bytes_per_second", "The max-min fair "
	  "share of each bucket.", class_rate, AT(snapshot_class, level_bps) },
	{ "weir_class_state", "stateset", "", "What holds the class back now.", class_state, 0,
	  0 },
	{ "weir_class_signal_value", "gauge", "", "The signal that the class's "
	  "controller follows, in the unit that its label says.", control,
	  AT(weir_decision, value) },
	{ "weir_class_signal_target", "gauge", "", "What the controller keeps the signal at.",
	  control, AT(weir_decision, target) },
	{ "weir_class_control", "stateset", "", "The reason of the controller's last step.",
	  control_reason, 0, 0 },
	{ "weir_flow_packets", "counter", "", "Wire packets seen of the foremost flows.",
	  flow_number, AT(snapshot_flow, flow.packets) },
	{ "weir_flow_bytes", "counter", "bytes", "Wire bytes seen of the foremost flows.",
	  flow_number, AT(snapshot_flow, flow.bytes) },
	{ "weir_flow_marked_packets", "counter", "", "Wire packets of the foremost flows on which "
	  "weir set CE.", flow_number, AT(snapshot_flow, flow.marked) },
	{ "weir_flow_dropped_packets", "counter", "", "Wire packets of the foremost flows that "
	  "were dropped.", flow_number, AT(snapshot_flow, flow.dropped) },
	{ "weir_flow_bytes_per_second", "gauge", "bytes_per_second", "The foremost flows' rates.",
	  flow_rate, 0, 0 },
};

/* the plain form knows neither infos nor statesets, and declares samples instead of families */
static void declare(const struct writer *to)
{
	const struct family *family = to->family;
	bool plain = to->form == METRICS_PLAIN;
	const char *type = family->type, *end = plain ? suffix(to) : "";

	if (plain && (is_type(to, "info") || is_type(to, "stateset")))
		type = "gauge";
	text_add(to->text, "# TYPE %s%s %s\n", family->name, end, type);
	if (!plain && family->unit[0])
		text_add(to->text, "# UNIT %s %s\n", family->name, family->unit);
	text_add(to->text, "# HELP %s%s %s\n", family->name, end, family->help);
}

int metrics_write(struct text *text, const struct snapshot *snapshot, enum metrics_form form)
{
	struct writer to = { .text = text, .snapshot = snapshot, .form = form };

	for (unsigned int i = 0; i < ARRAY_SIZE(families); i++) {
		to.family = &families[i];
		declare(&to);
		to.family->write(&to);
	}
	if (form == METRICS_OPEN)
		text_add(text, "# EOF\n");
	return text->failed;
}

const char *metrics_content_type(enum metrics_form form)
{
	return form == METRICS_OPEN ?
	       "application/openmetrics-text; version=1.0.0; charset=utf-8" :
	       "text/plain; version=0.0.4; charset=utf-8";
}

enum metrics_form metrics_form_of(const char *accept)
{
	return accept && strstr(accept, "application/openmetrics-text") ? METRICS_OPEN :
									  METRICS_PLAIN;
}
