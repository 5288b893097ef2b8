// SPDX-License-Identifier: GPL-2.0-only
/*
 * top_draw.c: the list of `weir top`: a title, the classes, the flows, and what the keys do. Reads
 * the snapshot alone. Works from 20 columns and 5 lines on.
 */
#include <curses.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "conf.h"
#include "control.h"
#include "reasons.h"
#include "top.h"

enum { C_NAME, C_STATE, C_RATE, C_LIMIT, C_BAR, C_LEVEL, C_ACTIVE, C_P50, C_P99, C_MARK, C_DELAY,
       C_DROP };

static const struct top_column class_columns[] = {
	[C_NAME] = { "CLASS", 7, 31, false, false, 0 },
	[C_STATE] = { "STATE", 10, 10, false, false, 3 },
	[C_RATE] = { "RATE", 5, 5, true, false, 0 },
	[C_LIMIT] = { "LIMIT", 5, 5, true, false, 2 },
	[C_BAR] = { "", 5, 24, false, true, 7 },
	[C_LEVEL] = { "LEVEL", 5, 5, true, false, 6 },
	[C_ACTIVE] = { "ACT", 3, 6, true, false, 8 },
	[C_P50] = { "P50", 6, 6, true, false, 9 },
	[C_P99] = { "P99", 6, 6, true, false, 5 },
	[C_MARK] = { "MARK", 5, 5, true, false, 10 },
	[C_DELAY] = { "DELAY", 5, 5, true, false, 11 },
	[C_DROP] = { "DROP", 5, 5, true, false, 4 },
};

enum { F_CLASS, F_DEV, F_PROTO, F_SRC, F_DST, F_RATE, F_BYTES, F_MARKED, F_DROPPED, F_DELAY,
       F_REASON };

static const struct top_column flow_columns[] = {
	[F_CLASS] = { "CLASS", 7, 31, false, false, 4 },
	[F_DEV] = { "DEV", 8, 15, false, false, 10 },
	[F_PROTO] = { "PROTO", 5, 5, false, false, 6 },
	[F_SRC] = { "SRC", 13, 47, false, false, 2 },
	[F_DST] = { "DST", 13, 47, false, false, 0 },
	[F_RATE] = { "RATE", 5, 5, true, false, 0 },
	[F_BYTES] = { "BYTES", 5, 5, true, false, 9 },
	[F_MARKED] = { "MARKED", 6, 6, true, false, 5 },
	[F_DROPPED] = { "DROPPED", 7, 7, true, false, 3 },
	[F_DELAY] = { "DELAY", 6, 6, true, false, 7 },
	[F_REASON] = { "REASON", 12, 12, false, false, 8 },
};

static enum top_color state_color(enum snapshot_state state)
{
	switch (state) {
	case SNAPSHOT_IDLE:
	case SNAPSHOT_UNLIMITED:
		return TOP_DIM;
	case SNAPSHOT_FREE:
		return TOP_GOOD;
	default:
		return TOP_HELD;
	}
}

static void some(char cell[TOP_CELL], __u64 count)
{
	if (count)
		top_count(cell, count);
	else
		strcpy(cell, "-");
}

static void rate_or_none(char cell[TOP_CELL], __u64 bps)
{
	if (bps)
		top_rate(cell, bps);
	else
		strcpy(cell, "-");
}

/* what each flow may have: its cap or its fair share, whichever is less */
static __u64 share(const struct snapshot_class *class)
{
	__u64 cap = class->conf.flow_rate_bps;

	return class->level_bps && (!cap || class->level_bps < cap) ? class->level_bps : cap;
}

static void class_row(const struct snapshot_class *class, struct top_row *row)
{
	/* the bar is against the rate of the class, or against its flows' caps together */
	__u64 limit = class->limit_bps ?: class->conf.flow_rate_bps * class->active;
	__u64 passed = class->rates.passed_bps;

	snprintf(row->cells[C_NAME], TOP_CELL, "%s", class->conf.name);
	strcpy(row->cells[C_STATE], snapshot_state_names[class->state]);
	row->colors[C_STATE] = row->colors[C_BAR] = state_color(class->state);
	top_rate(row->cells[C_RATE], passed);
	rate_or_none(row->cells[C_LIMIT], class->limit_bps);
	rate_or_none(row->cells[C_LEVEL], share(class));
	row->permille = !limit ? -1 : passed < limit ? (int)(passed * 1000.0 / limit) : 1000;
	top_count(row->cells[C_ACTIVE], class->active);
	strcpy(row->cells[C_P50], "-");
	strcpy(row->cells[C_P99], "-");
	if (class->rates.has_delay) {
		top_time(row->cells[C_P50], class->rates.p50_ns);
		top_time(row->cells[C_P99], class->rates.p99_ns);
	}
	some(row->cells[C_MARK], class->rates.marked);
	some(row->cells[C_DELAY], class->rates.delayed);
	some(row->cells[C_DROP], class->rates.dropped);
	row->colors[C_MARK] = class->rates.marked ? TOP_MARK : TOP_PLAIN;
	row->colors[C_DROP] = class->rates.dropped ? TOP_BAD : TOP_PLAIN;
}

static void flow_row(const struct snapshot_flow *flow, struct top_row *row)
{
	char proto[CONF_PROTO];
	__u32 reason = flow->flow.last_reason;

	snprintf(row->cells[F_CLASS], TOP_CELL, "%s", flow->class_name);
	snprintf(row->cells[F_DEV], TOP_CELL, "%s %s", flow->dev,
		 flow->key.hook == WEIR_EGRESS ? "out" : "in");
	snprintf(row->cells[F_PROTO], TOP_CELL, "%s", conf_flow_proto(&flow->key, proto));
	top_address(row->cells[F_SRC], &flow->key, false);
	top_address(row->cells[F_DST], &flow->key, true);
	top_rate(row->cells[F_RATE], flow->rate_bps);
	top_count(row->cells[F_BYTES], flow->flow.bytes);
	some(row->cells[F_MARKED], flow->flow.marked);
	some(row->cells[F_DROPPED], flow->flow.dropped);
	strcpy(row->cells[F_DELAY], "-");
	if (flow->flow.delayed)
		top_time(row->cells[F_DELAY], flow->flow.delay_ns / flow->flow.delayed);
	strcpy(row->cells[F_REASON], reason < WEIR_R_COUNT ? reasons[reason].name : "-");
	row->colors[F_MARKED] = flow->flow.marked ? TOP_MARK : TOP_PLAIN;
	row->colors[F_DROPPED] = flow->flow.dropped ? TOP_BAD : TOP_PLAIN;
	row->colors[F_RATE] = flow->rate_bps ? TOP_PLAIN : TOP_DIM;
}

/* how many hooks do nothing, in brackets: the program is not there, or the device; "": none */
static const char *without_program(const struct snapshot *snapshot, char *buf, size_t size)
{
	unsigned int lost = 0, gone = 0;

	for (unsigned int i = 0; i < snapshot->n_devices; i++) {
		lost += snapshot->devices[i].lost;
		gone += snapshot->devices[i].gone;
	}
	buf[0] = '\0';
	if (lost && gone)
		snprintf(buf, size, " (%u lost, %u gone)", lost, gone);
	else if (lost || gone)
		snprintf(buf, size, " (%u %s)", lost ?: gone, lost ? "lost" : "gone");
	return buf;
}

static void draw_title(const struct top *top)
{
	const struct snapshot *snapshot = top->snapshot;
	char left[512], right[96], every[48] = "", bad[48];
	struct tm tm = {};
	time_t now = snapshot ? snapshot->unix_ms / 1000 : 0;

	if (!snapshot) {
		top_text(0, 0, TOP_PLAIN, "weir");
		return;
	}
	localtime_r(&now, &tm);
	snprintf(left, sizeof(left), "weir %s: %u hook%s%s, %u class%s, %llu flow%s, %llu active%s%s",
		 snapshot->instance, snapshot->n_devices, snapshot->n_devices == 1 ? "" : "s",
		 without_program(snapshot, bad, sizeof(bad)),
		 snapshot->n_classes, snapshot->n_classes == 1 ? "" : "es",
		 snapshot->n_all_flows, snapshot->n_all_flows == 1 ? "" : "s", snapshot->active,
		 top->filter_words[0] ? "; " : "", top->filter_words);
	/* so many flows cost too much to be looked at as often as wanted */
	if (top->apart_ms > top->interval_ms)
		snprintf(every, sizeof(every), " every %u.%u s", top->apart_ms / 1000,
			 top->apart_ms / 100 % 10);
	snprintf(right, sizeof(right), "%s %02d:%02d:%02d", top->paused ? " PAUSED" : every,
		 tm.tm_hour, tm.tm_min, tm.tm_sec);
	attron(A_BOLD);
	top_text(0, 0, TOP_PLAIN, left);
	if (COLS >= 40)
		top_text(0, COLS - (int)strlen(right), TOP_PLAIN, right);
	else if (top->paused && COLS > 7)
		top_text(0, COLS - 7, TOP_PLAIN, " PAUSED");
	attroff(A_BOLD);
}

/* keeps the cursor within the list and on the screen */
static void cursor_clamp(unsigned int n, unsigned int rows, unsigned int *at, unsigned int *first)
{
	if (*at >= n)
		*at = n ? n - 1 : 0;
	if (*first > *at)
		*first = *at;
	if (rows && *at >= *first + rows)
		*first = *at - rows + 1;
	if (*first && *first + rows > n)
		*first = n > rows ? n - rows : 0;
}

/* what the controller sees and why it did what it did last */
static bool class_note(const struct snapshot_class *class, struct top_row *row)
{
	const struct weir_decision *step = &class->steering;
	char value[TOP_CELL] = "silent", target[TOP_CELL];

	if (!class->steered)
		return false;
	if (step->flags & WEIR_D_VALUE)
		top_signal(value, class->conf.signal, step->value,
			   step->flags & WEIR_D_TIME);
	top_signal(target, class->conf.signal, step->target,
		   step->flags & WEIR_D_TIME);
	snprintf(row->note, sizeof(row->note), "%.40s %s of %s; %s: %.60s", class->conf.signal,
		 value, target, control_reason_name(step->reason),
		 control_reason_text(step->reason));
	return true;
}

/* where not all have room: those that send are in sight, each half in its order */
static void busy_first(struct snapshot *snapshot)
{
	_cleanup_free_ struct snapshot_class *idle = calloc(snapshot->n_classes, sizeof(*idle));
	unsigned int n = 0, n_idle = 0;

	for (unsigned int i = 0; idle && i < snapshot->n_classes; i++)
		if (snapshot->classes[i].rates.packets)
			snapshot->classes[n++] = snapshot->classes[i];
		else
			idle[n_idle++] = snapshot->classes[i];
	if (n_idle)
		memcpy(snapshot->classes + n, idle, n_idle * sizeof(*idle));
}

/* with_notes: there is room for a line below each steered class. How many lines it took. */
static unsigned int draw_classes(struct top *top, int y, unsigned int room, bool with_notes)
{
	const struct snapshot *snapshot = top->snapshot;
	unsigned int n = snapshot->n_classes, shown = n < room ? n : room, lines = 0;
	_cleanup_free_ struct top_row *rows = calloc(2 * shown + 1, sizeof(*rows));

	if (!rows)
		return 0;
	if (shown < n)
		busy_first(top->snapshot);
	cursor_clamp(n, shown, &top->class_at, &top->class_top);
	for (unsigned int i = 0; i < shown; i++) {
		const struct snapshot_class *class = &snapshot->classes[top->class_top + i];

		class_row(class, &rows[lines]);
		rows[lines++].chosen = top->on_classes && top->class_top + i == top->class_at;
		if (with_notes)
			lines += class_note(class, &rows[lines]);
	}
	top_table(top, class_columns, ARRAY_SIZE(class_columns), rows, lines, y);
	return lines;
}

static void draw_flows(struct top *top, int y, unsigned int room)
{
	const struct snapshot *snapshot = top->snapshot;
	unsigned int n = snapshot->n_flows, shown = n < room ? n : room;
	_cleanup_free_ struct top_row *rows = calloc(shown ?: 1, sizeof(*rows));

	if (!rows)
		return;
	cursor_clamp(n, shown, &top->flow_at, &top->flow_top);
	for (unsigned int i = 0; i < shown; i++) {
		flow_row(&snapshot->flows[top->flow_top + i], &rows[i]);
		rows[i].chosen = !top->on_classes && top->flow_top + i == top->flow_at;
	}
	top_table(top, flow_columns, ARRAY_SIZE(flow_columns), rows, shown, y);
	if (!n && room)
		top_text(y + 1, 0, TOP_DIM, top->filter_words[0] ? "no flow matches; / to change" :
			 "no flow yet");
}

static void draw_list(struct top *top)
{
	const struct snapshot *snapshot = top->snapshot;
	/* title, two headings, the line of keys where there is room for it */
	int room = LINES - 3 - (LINES >= 8), most = room > 2 ? room / 2 : 1;
	unsigned int lines = snapshot->n_classes, shown;

	for (unsigned int i = 0; i < snapshot->n_classes; i++)
		lines += snapshot->classes[i].steered;
	/* what the flows do not need, the classes may have */
	if (most < room - (int)snapshot->n_flows)
		most = room - snapshot->n_flows;
	shown = draw_classes(top, 1, most, (int)lines <= most);
	room -= shown;
	top->page = top->on_classes ? shown : room > 0 ? room : 1;
	draw_flows(top, 2 + shown, room > 0 ? room : 0);
}

static void draw_last_line(const struct top *top)
{
	char line[512];

	if (top->asking)
		snprintf(line, sizeof(line), "filter: %s_", top->typed);
	else if (top->message[0])
		snprintf(line, sizeof(line), "%s", top->message);
	else if (LINES < 8)
		return;
	else if (top->view == TOP_LIST)
		snprintf(line, sizeof(line), "q quit  ? help  s sort: %s  / filter  space pause  "
			 "tab %s  enter detail", snapshot_sort_names[top->query.sort],
			 top->on_classes ? "flows" : "classes");
	else
		snprintf(line, sizeof(line), "q back  ? help  space pause");
	move(LINES - 1, 0);
	clrtoeol();
	if (top->message[0])
		attron(A_BOLD);
	top_text(LINES - 1, 0, top->message[0] || top->asking ? TOP_PLAIN : TOP_DIM, line);
	attroff(A_BOLD);
}

void top_draw(struct top *top)
{
	erase();
	draw_title(top);
	if (top->view == TOP_HELP)
		top_draw_help(top);
	else if (top->snapshot && top->view == TOP_CLASS)
		top_draw_class(top);
	else if (top->snapshot && top->view == TOP_FLOW)
		top_draw_flow(top);
	else if (top->snapshot)
		draw_list(top);
	draw_last_line(top);
	refresh();
}
