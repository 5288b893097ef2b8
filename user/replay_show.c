// SPDX-License-Identifier: GPL-2.0-only
/*
 * replay_show.c: the report of a replay: capture, totals, classes, flows, reasons, the link, notes.
 * One policy: its numbers in each row. Two: in text side by side as columns -A and -B, in JSON
 * under "a" and "b". The order of rows depends on the capture alone.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "address.h"
#include "conf.h"
#include "out.h"
#include "reasons.h"
#include "replay.h"

#define TEXT_FLOWS 20

/* the two sides' numbers for one row; NULL: the class is not in that policy */
struct pair {
	const struct replay_tally *tallies[2];
	const struct replay_delays *queues[2];
	const char *classes[2];		/* of a flow */
};

enum { DELAY, IN_QUEUE };

static void times(struct out *out, unsigned int what, const struct replay_delays *delays)
{
	static const char *const names[][4] = {
		[DELAY] = { "delay_mean_ns", "delay_p50_ns", "delay_p99_ns", "delay_max_ns" },
		[IN_QUEUE] = { "queue_mean_ns", "queue_p50_ns", "queue_p99_ns", "queue_max_ns" },
	};

	out_time(out, names[what][0], replay_delays_mean(delays));
	out_time(out, names[what][1], replay_delays_at(delays, 500));
	out_time(out, names[what][2], replay_delays_at(delays, 990));
	out_time(out, names[what][3], delays->max_ns);
}

static void json_numbers(struct out *out, const struct replay_tally *tally,
			 const struct replay_delays *queue)
{
	out_u64(out, "packets", tally->packets);
	out_u64(out, "bytes", tally->bytes);
	out_u64(out, "passed", tally->packets - tally->dropped);
	out_u64(out, "passed_bytes", tally->bytes - tally->dropped_bytes);
	out_u64(out, "marked", tally->marked);
	out_u64(out, "dropped", tally->dropped);
	out_u64(out, "dropped_bytes", tally->dropped_bytes);
	out_u64(out, "delayed", tally->delays.n);
	times(out, DELAY, &tally->delays);
	if (queue)
		times(out, IN_QUEUE, queue);
	out_sub(out, "reasons");
	for (unsigned int i = 0; i < WEIR_R_COUNT; i++)
		out_u64(out, reasons[i].name, tally->reasons[i]);
	out_sub_end(out);
}

static void text_reasons(struct out *out, const struct replay_tally *tally)
{
	char text[512] = "";
	size_t n = 0;

	for (unsigned int i = 0; i < WEIR_R_COUNT && n < sizeof(text); i++)
		if (tally->reasons[i])
			n += snprintf(text + n, sizeof(text) - n, "%s%s %llu", n ? ", " : "",
				      reasons[i].name, tally->reasons[i]);
	out_str(out, "reasons", n ? text : NULL);
}

enum unit { COUNT, SIZE, TIME };

/* what a text row shows; the queue only where there is a link */
enum what { PACKETS, BYTES, PASSED, MARKED, DROPPED, DELAYED, MEAN, P50, P99, MAX, QUEUE };

static const struct {
	const char *name;
	enum unit unit;
	bool in_pair;			/* with two policies there is room for these alone */
} columns[] = {
	[PACKETS] = { "packets", COUNT, true },
	[BYTES] = { "bytes", SIZE, false },
	[PASSED] = { "passed", SIZE, true },
	[MARKED] = { "marked", COUNT, true },
	[DROPPED] = { "dropped", COUNT, true },
	[DELAYED] = { "delayed", COUNT, true },
	[MEAN] = { "mean", TIME, false },
	[P50] = { "p50", TIME, true },
	[P99] = { "p99", TIME, true },
	[MAX] = { "max", TIME, false },
	[QUEUE] = { "queue-p99", TIME, true },
};

static __u64 value_of(enum what what, const struct replay_tally *tally,
		      const struct replay_delays *queue)
{
	switch (what) {
	case PACKETS: return tally->packets;
	case BYTES: return tally->bytes;
	case PASSED: return tally->bytes - tally->dropped_bytes;
	case MARKED: return tally->marked;
	case DROPPED: return tally->dropped;
	case DELAYED: return tally->delays.n;
	case MEAN: return replay_delays_mean(&tally->delays);
	case P50: return replay_delays_at(&tally->delays, 500);
	case P99: return replay_delays_at(&tally->delays, 990);
	case MAX: return tally->delays.max_ns;
	case QUEUE: return replay_delays_at(queue, 990);
	}
	return 0;
}

static void text_value(struct out *out, const char *name, enum unit unit, __u64 value)
{
	if (unit == TIME)
		out_time(out, name, value);
	else if (unit == SIZE)
		out_size(out, name, value);
	else
		out_u64(out, name, value);
}

static void text_numbers(struct out *out, unsigned int n_sides, const struct pair *pair)
{
	char name[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(columns); i++)
		for (unsigned int side = 0; side < n_sides; side++) {
			if ((n_sides == 2 && !columns[i].in_pair) ||
			    (i == QUEUE && !pair->queues[0] && !pair->queues[1]))
				continue;
			snprintf(name, sizeof(name), "%s%s", columns[i].name,
				 n_sides == 1 ? "" : side ? "-b" : "-a");
			if (pair->tallies[side])
				text_value(out, name, columns[i].unit,
					   value_of(i, pair->tallies[side], pair->queues[side]));
			else
				out_time(out, name, 0);	/* a dash, aligned as numbers are */
		}
	if (n_sides == 1)
		text_reasons(out, pair->tallies[0]);
}

static void numbers(struct out *out, const struct replay *replay, const struct pair *pair)
{
	static const char *const sides[] = { "a", "b" };

	out_only(out, OUT_TEXT);
	text_numbers(out, replay->n_sides, pair);
	out_only(out, OUT_JSON);
	if (replay->n_sides == 1)
		return json_numbers(out, pair->tallies[0], pair->queues[0]);
	for (unsigned int side = 0; side < 2; side++) {
		if (!pair->tallies[side]) {
			out_null(out, sides[side]);
			continue;
		}
		out_sub(out, sides[side]);
		if (pair->classes[side])
			out_str(out, "class", pair->classes[side]);
		json_numbers(out, pair->tallies[side], pair->queues[side]);
		out_sub_end(out);
	}
}

static void show_capture(struct out *out, const struct replay *replay)
{
	const struct replay_capture *capture = replay_reader_capture(replay->reader);

	out_list(out, "capture");
	out_row(out);
	out_str(out, "file", capture->file);
	out_str(out, "link", capture->link);
	out_str(out, "hook", replay->hook == WEIR_EGRESS ? "egress" : "ingress");
	out_u64(out, "packets", capture->packets);
	out_size(out, "bytes", capture->bytes);
	out_time(out, "span_ns", capture->span_ns);
	out_u64(out, "truncated", capture->truncated);
	out_u64(out, "backwards", capture->backwards);
	out_u64(out, "runts", capture->runts);
	out_bool(out, "complete", capture->complete);
	out_str(out, replay->n_sides == 1 ? "policy" : "policy_a", replay->sides[0].name);
	if (replay->n_sides == 2)
		out_str(out, "policy_b", replay->sides[1].name);
	out_row_end(out);
	out_list_end(out);
}

static void show_totals(struct out *out, const struct replay *replay)
{
	struct pair pair = {};

	for (unsigned int i = 0; i < replay->n_sides; i++) {
		pair.tallies[i] = &replay->sides[i].total;
		pair.queues[i] = replay->dev_rate_bps ? &replay->sides[i].link.queue : NULL;
	}
	out_list(out, "totals");
	out_row(out);
	numbers(out, replay, &pair);
	out_row_end(out);
	out_list_end(out);
}

static void class_row(struct out *out, const struct replay *replay, const char *name)
{
	struct pair pair = {};

	for (unsigned int i = 0; i < replay->n_sides; i++) {
		int slot = policy_class_find(replay->sides[i].policy, name);
		const struct replay_class *class = &replay->sides[i].classes[slot < 0 ? 0 : slot];

		if (slot < 0)
			continue;
		pair.tallies[i] = &class->tally;
		pair.queues[i] = replay->dev_rate_bps ? &class->queue : NULL;
	}
	out_row(out);
	out_str(out, "class", name);
	numbers(out, replay, &pair);
	out_row_end(out);
}

static void show_classes(struct out *out, const struct replay *replay)
{
	out_list(out, "classes");
	for (unsigned int i = 0; i < replay->n_sides; i++)
		for (unsigned int slot = 0; slot < WEIR_MAX_CLASSES; slot++) {
			const struct weir_class *class = &replay->sides[i].policy->classes[slot];

			if (class->flags & WEIR_CLASS_USED &&
			    (!i || policy_class_find(replay->sides[0].policy, class->name) < 0))
				class_row(out, replay, class->name);
		}
	out_list_end(out);
}

/* JSON: address and port apart; text: 10.0.0.1:80, [2001:db8::1]:80 */
static void end_point(struct out *out, const char *name, const char *port_name,
		      const __u8 addr[16], __be16 port, __u8 family)
{
	char text[ADDRESS_BYTES], with_port[ADDRESS_BYTES + 10];

	address_put(text, addr, family);
	snprintf(with_port, sizeof(with_port), family == 4 ? "%s:%u" : "[%s]:%u", text,
		 ntohs(port));
	out_only(out, OUT_TEXT);
	out_str(out, name, with_port);
	out_only(out, OUT_JSON);
	out_str(out, name, text);
	out_u64(out, port_name, ntohs(port));
	out_only(out, OUT_BOTH);
}

static void flow_row(struct out *out, const struct replay *replay, const struct replay_flow *flow)
{
	const struct weir_flow_key *key = &flow->key;
	struct pair pair = {};
	char proto[CONF_PROTO];

	for (unsigned int i = 0; i < replay->n_sides; i++) {
		pair.tallies[i] = &flow->tallies[i];
		pair.classes[i] = replay->sides[i].policy->classes[flow->slots[i]].name;
	}
	out_row(out);
	if (replay->n_sides == 1) {
		out_str(out, "class", pair.classes[0]);
	} else {
		out_only(out, OUT_TEXT);
		out_str(out, "class-a", pair.classes[0]);
		out_str(out, "class-b", pair.classes[1]);
	}
	out_only(out, OUT_JSON);
	out_u64(out, "family", key->family);
	out_str(out, "proto", conf_proto_name(key->proto, proto));
	out_only(out, OUT_TEXT);
	out_str(out, "proto", conf_flow_proto(key, proto));
	out_only(out, OUT_BOTH);
	end_point(out, "src", "sport", key->src, key->sport, key->family);
	end_point(out, "dst", "dport", key->dst, key->dport, key->family);
	out_only(out, OUT_JSON);
	out_bool(out, "fragment", key->flags & WEIR_KEY_FRAG);
	out_bool(out, "inner", key->flags & WEIR_KEY_INNER);
	out_u64(out, "tunnel", key->tunnel);
	numbers(out, replay, &pair);
	out_row_end(out);
}

static int flow_order(const void *a, const void *b)
{
	const struct replay_flow *x = *(const struct replay_flow *const *)a;
	const struct replay_flow *y = *(const struct replay_flow *const *)b;

	if (x->tallies[0].bytes != y->tallies[0].bytes)
		return x->tallies[0].bytes > y->tallies[0].bytes ? -1 : 1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

/* *ret_n: how many have a row */
static int show_flows(struct out *out, const struct replay *replay, bool json, __u32 *ret_n)
{
	_cleanup_free_ const struct replay_flow **order = calloc(replay->flows.n + 1,
								 sizeof(*order));
	__u32 n = 0;

	if (!order)
		return -ENOMEM;
	/* a tunnel's packets are its own flow's or, as the class says, those inside */
	for (__u32 i = 0; i < replay->flows.n; i++) {
		const struct replay_flow *flow = &replay->flows.items[i];

		if (flow->tallies[0].packets || flow->tallies[replay->n_sides - 1].packets)
			order[n++] = flow;
	}
	qsort(order, n, sizeof(*order), flow_order);
	out_list(out, "flows");
	for (__u32 i = 0; i < n && (json || i < TEXT_FLOWS); i++)
		flow_row(out, replay, order[i]);
	out_list_end(out);
	*ret_n = n;
	return 0;
}

/* what happened, in words; the counts are those of each side */
static void show_reasons(struct out *out, const struct replay *replay, bool json)
{
	static const char *const packets[2][2] = { { "packets" }, { "packets_a", "packets_b" } };
	static const char *const bytes[2][2] = { { "bytes" }, { "bytes_a", "bytes_b" } };

	out_list(out, "reasons");
	for (unsigned int r = 0; r < WEIR_R_COUNT; r++) {
		__u64 any = 0;

		for (unsigned int i = 0; i < replay->n_sides; i++)
			any += replay->sides[i].total.reasons[r];
		if (!any && !json)
			continue;
		out_row(out);
		out_str(out, "reason", reasons[r].name);
		out_bool(out, "drops", reasons[r].drops);
		for (unsigned int i = 0; i < replay->n_sides; i++) {
			out_u64(out, packets[replay->n_sides - 1][i],
				replay->sides[i].total.reasons[r]);
			out_size(out, bytes[replay->n_sides - 1][i],
				 replay->sides[i].reason_bytes[r]);
		}
		out_str(out, "text", reasons[r].text);
		out_row_end(out);
	}
	out_list_end(out);
}

static void link_row(struct out *out, const struct replay *replay, const char *weir,
		     const struct replay_link *link)
{
	__u64 span_us = replay_reader_capture(replay->reader)->span_ns / 1000;

	out_row(out);
	out_str(out, "weir", weir);
	out_rate(out, "rate_bps", replay->dev_rate_bps);
	out_size(out, "bytes", link->bytes);
	out_rate(out, "offered_bps",
		 span_us ? (unsigned __int128)link->bytes * 8000000 / span_us : 0);
	times(out, IN_QUEUE, &link->queue);
	out_row_end(out);
}

static void show_link(struct out *out, const struct replay *replay)
{
	out_list(out, "link");
	link_row(out, replay, "without", &replay->bare);
	for (unsigned int i = 0; i < replay->n_sides; i++)
		link_row(out, replay, replay->n_sides == 1 ? "with" : i ? "b" : "a",
			 &replay->sides[i].link);
	out_list_end(out);
}

static void show_notes(struct out *out, const struct replay *replay, bool json, __u32 n_flows)
{
	char more[96];

	out_list(out, "notes");
	for (unsigned int i = 0; i < replay->n_notes; i++)
		out_line(out, "note", replay->notes[i]);
	if (n_flows > TEXT_FLOWS && !json) {
		snprintf(more, sizeof(more), "%u flows have a row; -j lists every one", n_flows);
		out_line(out, "note", more);
	}
	out_list_end(out);
}

int replay_show(const struct replay *replay, bool json, struct err *err)
{
	struct out *out = out_open(json);
	__u32 n_flows = 0;
	int r, closed;

	if (!out)
		return -ENOMEM;
	out_group(out);
	show_capture(out, replay);
	show_totals(out, replay);
	show_classes(out, replay);
	r = show_flows(out, replay, json, &n_flows);
	show_reasons(out, replay, json);
	if (replay->dev_rate_bps)
		show_link(out, replay);
	show_notes(out, replay, json, n_flows);
	out_group_end(out);
	closed = out_close(out, err);
	if (r && !err->text[0])
		err_set(err, -r, "cannot show the flows: %s", strerror(-r));
	return r ?: closed;
}
