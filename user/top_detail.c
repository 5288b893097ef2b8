// SPDX-License-Identifier: GPL-2.0-only
/*
 * top_detail.c: one class, one flow, or the keys, over the whole screen of `weir top`. Reads the
 * snapshot alone.
 */
#include <curses.h>
#include <stdio.h>
#include <string.h>
#include "conf.h"
#include "control.h"
#include "quantity.h"
#include "reasons.h"
#include "top.h"

/* lines go down the screen; a name in front, where there is one, and a text that wraps */
struct page {
	const struct top *top;
	int y;
};

static void line(struct page *page, const char *name, enum top_color color, const char *text)
{
	int x = COLS >= 40 ? 14 : 2, room = COLS - x;
	char piece[256];

	if (room < 1)
		return;
	if (room >= (int)sizeof(piece))
		room = sizeof(piece) - 1;
	top_text(page->y, 0, TOP_DIM, name);
	if (COLS < 40 && *name)
		page->y++;
	do {
		int n = strlen(text), cut = n;

		if (n > room) {
			for (cut = room; cut > room / 2 && text[cut] != ' '; cut--)
				;
			cut = text[cut] == ' ' ? cut : room;
		}
		snprintf(piece, sizeof(piece), "%.*s", cut, text);
		top_color_on(page->top, color);
		top_text(page->y++, x, TOP_PLAIN, piece);
		top_color_off();
		text += cut;
		text += *text == ' ';
	} while (*text);
}

static void rate_line(struct page *page, const char *name, __u64 bps)
{
	if (bps)
		line(page, name, TOP_PLAIN, quantity_rate_show(bps).text);
}

static void class_rates(struct page *page, const struct snapshot_class *class)
{
	const struct snapshot_rates *rates = &class->rates;
	char text[256];
	int at;

	rate_line(page, "passed", rates->passed_bps);
	rate_line(page, "dropped", rates->dropped_bps);
	rate_line(page, class->leased ? "agent's rate" : "rate", class->limit_bps);
	if (class->leased)
		rate_line(page, "configured", class->conf.rate_bps);
	rate_line(page, "flow-rate", class->conf.flow_rate_bps);
	rate_line(page, "level", class->level_bps);
	at = snprintf(text, sizeof(text), "%u active", class->active);
	/* of others it is not known which */
	if (class->conf.per == WEIR_PER_FLOW)
		snprintf(text + at, sizeof(text) - at, ", %u held back", class->ahead);
	line(page, "flows", TOP_PLAIN, text);
	snprintf(text, sizeof(text), "%llu packets, %llu marked, %llu delayed, %llu dropped",
		 rates->packets, rates->marked, rates->delayed, rates->dropped);
	line(page, "per second", rates->dropped ? TOP_BAD : TOP_PLAIN, text);
	if (rates->has_delay) {
		snprintf(text, sizeof(text), "p50 %s, p99 %s",
			 quantity_time_show(rates->p50_ns).text,
			 quantity_time_show(rates->p99_ns).text);
		line(page, "delay", TOP_PLAIN, text);
	}
}

static void class_control(struct page *page, const struct snapshot_class *class)
{
	const struct weir_decision *step = &class->steering;
	char text[512], value[TOP_CELL] = "silent", target[TOP_CELL];

	if (!class->conf.signal[0])
		return;
	if (!class->steered) {
		snprintf(text, sizeof(text), "%s, but no agent runs (weir run)",
			 class->conf.signal);
		line(page, "signal", TOP_HELD, text);
		return;
	}
	if (step->flags & WEIR_D_VALUE)
		top_signal(value, class->conf.signal, step->value,
			   step->flags & WEIR_D_TIME);
	top_signal(target, class->conf.signal, step->target,
		   step->flags & WEIR_D_TIME);
	snprintf(text, sizeof(text), "%s %s, target %s, by %s%s", class->conf.signal, value, target,
		 control_law_name(step->law), step->flags & WEIR_D_OBSERVE ? ", observing" : "");
	line(page, "signal", TOP_PLAIN, text);
	snprintf(text, sizeof(text), "%s: %s", control_reason_name(step->reason),
		 control_reason_text(step->reason));
	line(page, "last step", TOP_PLAIN, text);
	if (step->drain_bps)
		rate_line(page, "drain", step->drain_bps);
}

void top_draw_class(const struct top *top)
{
	const struct snapshot_class *class = snapshot_class_find(top->snapshot, top->class_name);
	struct page page = { top, 1 };
	char name[TOP_CELL], text[256];

	if (!class) {
		line(&page, "class", TOP_BAD, "the class is gone");
		return;
	}
	line(&page, "class", TOP_PLAIN, class->conf.name);
	snprintf(text, sizeof(text), "%s: %s", snapshot_state_names[class->state],
		 snapshot_state_text(class));
	line(&page, "state", TOP_PLAIN, text);
	class_rates(&page, class);
	class_control(&page, class);
	page.y++;
	for (unsigned int i = 0; i < WEIR_R_COUNT; i++) {
		if (!class->total.packets[i])
			continue;
		top_count(name, class->total.packets[i]);
		snprintf(text, sizeof(text), "%s packets, %s: %s", name,
			 quantity_size_show(class->total.bytes[i]).text, reasons[i].text);
		line(&page, reasons[i].name, reasons[i].drops ? TOP_BAD : TOP_PLAIN, text);
	}
}

static void flow_counters(struct page *page, const struct top *top,
			  const struct snapshot_flow *flow)
{
	const struct weir_flow *f = &flow->flow;
	__u64 now = top->snapshot->now_ns;
	__u32 reason = f->last_reason;
	char text[256];

	line(page, "rate", TOP_PLAIN, quantity_rate_show(flow->rate_bps).text);
	snprintf(text, sizeof(text), "%llu packets, %s", f->packets,
		 quantity_size_show(f->bytes).text);
	line(page, "seen", TOP_PLAIN, text);
	snprintf(text, sizeof(text), "%llu packets", f->marked);
	line(page, "marked", f->marked ? TOP_MARK : TOP_PLAIN, text);
	snprintf(text, sizeof(text), "%llu packets, %s", f->dropped,
		 quantity_size_show(f->dropped_bytes).text);
	line(page, "dropped", f->dropped ? TOP_BAD : TOP_PLAIN, text);
	snprintf(text, sizeof(text), "%llu packets, %s each", f->delayed,
		 quantity_time_show(f->delayed ? f->delay_ns / f->delayed : 0).text);
	line(page, "delayed", TOP_PLAIN, text);
	if (f->sk_rate > 1) {
		snprintf(text, sizeof(text), "asked to send %s of payload%s",
			 quantity_rate_show(f->sk_rate * 8).text,
			 f->flags & WEIR_FLOW_ACTUATED ? "" : ", has not followed yet");
		line(page, "its socket", TOP_PLAIN, text);
	}
	if (reason < WEIR_R_COUNT) {
		snprintf(text, sizeof(text), "%s: %s", reasons[reason].name,
			 reasons[reason].text);
		line(page, "last packet", TOP_PLAIN, text);
	}
	snprintf(text, sizeof(text), "first seen %s ago, last %s ago",
		 quantity_time_show(now > f->first_seen_ns ? now - f->first_seen_ns : 0).text,
		 quantity_time_show(now > f->last_seen_ns ? now - f->last_seen_ns : 0).text);
	line(page, "age", TOP_PLAIN, text);
}

void top_draw_flow(const struct top *top)
{
	const struct snapshot_flow *flow = NULL;
	struct page page = { top, 1 };
	char src[TOP_CELL], dst[TOP_CELL], text[256], proto[CONF_PROTO];

	for (unsigned int i = 0; i < top->snapshot->n_flows && !flow; i++)
		if (!memcmp(&top->snapshot->flows[i].key, &top->flow_key, sizeof(top->flow_key)))
			flow = &top->snapshot->flows[i];
	top_address(src, &top->flow_key, false);
	top_address(dst, &top->flow_key, true);
	snprintf(text, sizeof(text), "%s %s > %s", conf_flow_proto(&top->flow_key, proto), src,
		 dst);
	line(&page, "flow", TOP_PLAIN, text);
	if (!flow) {
		line(&page, "", TOP_BAD, "no longer in the flow table");
		return;
	}
	snprintf(text, sizeof(text), "%s on %s %s", flow->class_name, flow->dev,
		 flow->key.hook == WEIR_EGRESS ? "egress" : "ingress");
	line(&page, "class", TOP_PLAIN, text);
	flow_counters(&page, top, flow);
}

void top_draw_help(const struct top *top)
{
	static const char *const keys[][2] = {
		{ "q", "quit; in a detail: back" },
		{ "up down", "move; also k j, page up and down, home, end" },
		{ "tab", "from the flows to the classes and back" },
		{ "enter", "the class or flow in full" },
		{ "s S", "sort flows by the next or the previous of rate, bytes, packets, marked, "
		  "dropped, delay, last" },
		{ "r b m d", "sort by rate, bytes, marked, dropped" },
		{ "/", "which flows: dev, hook, src, dst, proto, sport, dport, class; "
		  "`dport 80,443 src 10.0.0.0/8`; nothing shows all" },
		{ "space", "pause" },
		{ "+ -", "look more or less often" },
		{ "", "LIMIT is the class's rate in force, LEVEL the share or cap of each flow; "
		  "MARK, DELAY and DROP are packets per second; rates are bit/s on the wire." },
	};
	struct page page = { top, 1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++)
		line(&page, keys[i][0], TOP_PLAIN, keys[i][1]);
}
