// SPDX-License-Identifier: GPL-2.0-only
/*
 * live.c: a snapshot as JSON for the page. Pure: no libbpf, no clock, no log.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <jansson.h>
#include "address.h"
#include "conf.h"
#include "control.h"
#include "live.h"
#include "reasons.h"

/* takes the value over; a failure shows as a missing object in the end */
static void set(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

static void set_u64(json_t *object, const char *name, __u64 value)
{
	set(object, name, json_integer(value));
}

/* what is no UTF-8 (a device may be named so) shows its bytes */
static void set_text(json_t *object, const char *name, const char *text)
{
	json_t *string = json_string(text);
	_cleanup_free_ char *shown = string ? NULL : text_ascii(text);

	set(object, name, string ?: json_string(shown));
}

static json_t *steering(const struct snapshot_class *class)
{
	const struct weir_decision *step = &class->steering;
	json_t *ret;

	if (!class->conf.signal[0])
		return json_null();
	ret = json_object();
	set_text(ret, "signal", class->conf.signal);
	set(ret, "running", json_boolean(class->steered));
	if (!class->steered)
		return ret;
	set(ret, "value", step->flags & WEIR_D_VALUE ? json_integer(step->value) : json_null());
	set_u64(ret, "target", step->target);
	set(ret, "is_time", json_boolean(step->flags & WEIR_D_TIME));
	set(ret, "observe", json_boolean(step->flags & WEIR_D_OBSERVE));
	set_text(ret, "law", control_law_name(step->law));
	set_text(ret, "reason", control_reason_name(step->reason));
	set_text(ret, "text", control_reason_text(step->reason));
	set_u64(ret, "drain_bps", step->drain_bps);
	return ret;
}

static json_t *one_class(const struct snapshot_class *class)
{
	const struct snapshot_rates *rates = &class->rates;
	json_t *ret = json_object();

	set_text(ret, "class", class->conf.name);
	set_text(ret, "state", snapshot_state_names[class->state]);
	set_text(ret, "text", snapshot_state_text(class));
	set_u64(ret, "rate_bps", class->conf.rate_bps);
	set_u64(ret, "flow_rate_bps", class->conf.flow_rate_bps);
	set_u64(ret, "limit_bps", class->limit_bps);
	set(ret, "leased", json_boolean(class->leased));
	set_u64(ret, "level_bps", class->level_bps);
	set_u64(ret, "active", class->active);
	set_u64(ret, "limited", class->ahead);
	set_u64(ret, "passed_bps", rates->passed_bps);
	set_u64(ret, "dropped_bps", rates->dropped_bps);
	set_u64(ret, "packets_per_s", rates->packets);
	set_u64(ret, "marked_per_s", rates->marked);
	set_u64(ret, "delayed_per_s", rates->delayed);
	set_u64(ret, "dropped_per_s", rates->dropped);
	set(ret, "p50_ns", rates->has_delay ? json_integer(rates->p50_ns) : json_null());
	set(ret, "p99_ns", rates->has_delay ? json_integer(rates->p99_ns) : json_null());
	set(ret, "control", steering(class));
	return ret;
}

static void set_address(json_t *object, const char *name, const __u8 addr[16], __u8 family)
{
	char text[ADDRESS_BYTES];

	address_put(text, addr, family);
	set_text(object, name, text);
}

static json_t *one_flow(const struct snapshot_flow *flow)
{
	const struct weir_flow_key *key = &flow->key;
	const struct weir_flow *f = &flow->flow;
	json_t *ret = json_object();
	char number[CONF_PROTO];

	set_text(ret, "dev", flow->dev);
	set_text(ret, "hook", key->hook == WEIR_EGRESS ? "egress" : "ingress");
	set_text(ret, "class", flow->class_name);
	set_u64(ret, "family", key->family);
	set_text(ret, "proto", conf_proto_name(key->proto, number));
	set_address(ret, "src", key->src, key->family);
	set_address(ret, "dst", key->dst, key->family);
	set_u64(ret, "sport", ntohs(key->sport));
	set_u64(ret, "dport", ntohs(key->dport));
	set(ret, "fragment", json_boolean(key->flags & WEIR_KEY_FRAG));
	set(ret, "inner", json_boolean(key->flags & WEIR_KEY_INNER));
	set_u64(ret, "tunnel", key->tunnel);
	set_u64(ret, "rate_bps", flow->rate_bps);
	set_u64(ret, "packets", f->packets);
	set_u64(ret, "bytes", f->bytes);
	set_u64(ret, "marked", f->marked);
	set_u64(ret, "dropped", f->dropped);
	set_u64(ret, "delayed", f->delayed);
	set_u64(ret, "delay_ns", f->delay_ns);
	set_text(ret, "reason", f->last_reason < WEIR_R_COUNT ?
		 reasons[f->last_reason].name : "?");
	return ret;
}

static json_t *one_decision(const struct weir_decision *decision, const struct snapshot *snapshot)
{
	json_t *ret = json_object();

	set_u64(ret, "seq", decision->seq);
	set_u64(ret, "at_ms", snapshot->unix_ms - (snapshot->now_ns > decision->at_ns ?
		(snapshot->now_ns - decision->at_ns) / 1000000 : 0));
	set_text(ret, "class", decision->class);
	set_u64(ret, "old_bps", decision->old_bps);
	set_u64(ret, "new_bps", decision->new_bps);
	set(ret, "value", decision->flags & WEIR_D_VALUE ? json_integer(decision->value) :
	    json_null());
	set_u64(ret, "target", decision->target);
	set(ret, "is_time", json_boolean(decision->flags & WEIR_D_TIME));
	set(ret, "observe", json_boolean(decision->flags & WEIR_D_OBSERVE));
	set_text(ret, "reason", control_reason_name(decision->reason));
	set_text(ret, "text", control_reason_text(decision->reason));
	return ret;
}

static json_t *one_device(const struct snapshot_device *device)
{
	json_t *ret = json_object();

	set_text(ret, "dev", device->name);
	set_text(ret, "hook", device->key.hook == WEIR_EGRESS ? "egress" : "ingress");
	set(ret, "edt", json_boolean(device->flags & WEIR_DEV_EDT));
	set(ret, "gone", json_boolean(device->gone));
	set(ret, "lost", json_boolean(device->lost));
	return ret;
}

int live_write(struct text *text, const struct snapshot *snapshot)
{
	json_t *all = json_object(), *classes = json_array(), *flows = json_array();
	json_t *decisions = json_array(), *devices = json_array();
	char *dump;

	set_text(all, "version", WEIR_VERSION);
	set_text(all, "instance", snapshot->instance);
	set_u64(all, "at_ms", snapshot->unix_ms);
	set_u64(all, "span_ns", snapshot->span_ns);
	set_u64(all, "n_flows", snapshot->n_all_flows);
	set_u64(all, "max_flows", snapshot->max_flows);
	set_u64(all, "active", snapshot->active);
	for (unsigned int i = 0; i < snapshot->n_classes; i++)
		json_array_append_new(classes, one_class(&snapshot->classes[i]));
	for (unsigned int i = 0; i < snapshot->n_flows && i < LIVE_FLOWS; i++)
		json_array_append_new(flows, one_flow(&snapshot->flows[i]));
	for (unsigned int i = 0; i < snapshot->n_decisions; i++)
		json_array_append_new(decisions, one_decision(&snapshot->decisions[i], snapshot));
	for (unsigned int i = 0; i < snapshot->n_devices; i++)
		json_array_append_new(devices, one_device(&snapshot->devices[i]));
	set(all, "devices", devices);
	set(all, "classes", classes);
	set(all, "flows", flows);
	set(all, "decisions", decisions);
	dump = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	if (!dump)
		return -ENOMEM;
	text_add(text, "%s", dump);
	free(dump);
	return text->failed;
}
