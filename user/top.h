/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * top.h: what the parts of `weir top` share. cmd_top.c owns the loop and the maps, top_keys.c what
 * a key does, top_draw.c and top_detail.c the screen, top_table.c columns that fit a width. The
 * screen is curses'; everything that is shown comes from one snapshot.
 */
#ifndef WEIR_TOP_H
#define WEIR_TOP_H

#include <signal.h>
#include "flow_filter.h"
#include "snapshot.h"

#define TOP_FLOWS 500			/* the list goes no further down */
#define TOP_COLUMNS 16
#define TOP_CELL 64

enum top_view { TOP_LIST, TOP_CLASS, TOP_FLOW, TOP_HELP };

struct top {
	struct snapshot *snapshot;	/* NULL: none yet */
	struct snapshot_query query;
	struct flow_filter filter;	/* of query */
	char filter_words[256];		/* as typed; "" none */
	struct flow_filter next_filter;	/* typed just now: the next look takes it */
	bool filter_next;		/* there is one */

	enum top_view view;
	bool paused, quit, stale;	/* stale: the query has changed, look again */
	bool on_classes;		/* the cursor is among the classes, else the flows */
	unsigned int class_at, flow_at;	/* rows of the cursor */
	unsigned int class_top, flow_top;	/* first rows that are shown */
	unsigned int page;		/* rows of the list that has the cursor */
	struct weir_flow_key flow_key;	/* of view TOP_FLOW */
	char class_name[WEIR_NAME_LEN];	/* of view TOP_CLASS */
	unsigned int interval_ms;	/* as wanted */
	unsigned int apart_ms;		/* what looks cost bids: longer than wanted, it is said */

	sigset_t signals;		/* blocked while keys are waited for */
	bool utf8, colors;
	bool asking;			/* a filter is being typed into `typed` */
	char typed[256];
	char message[256];		/* shown until the next key */
};

enum top_color { TOP_PLAIN, TOP_GOOD, TOP_HELD, TOP_BAD, TOP_MARK, TOP_DIM };

/* A column: it is left out from the highest `keep` on where the width does not do. */
struct top_column {
	const char *title;
	int width, most;		/* least and, where its cells need it, largest width */
	bool right, bar;
	int keep;
};

struct top_row {
	char cells[TOP_COLUMNS][TOP_CELL];
	enum top_color colors[TOP_COLUMNS];
	int permille;			/* of the bar, to 1000; -1: none */
	bool chosen;			/* has the cursor */
	char note[256];			/* instead of cells: a line about the row above */
};

/* Draws the titles at line y and the rows below it. */
void top_table(const struct top *top, const struct top_column *columns, unsigned int n_columns,
	       const struct top_row *rows, unsigned int n_rows, int y);

/* "94.2M", "1.3ms", "4.1k": as short as they get */
void top_rate(char cell[TOP_CELL], __u64 bps);
void top_time(char cell[TOP_CELL], __u64 ns);
void top_count(char cell[TOP_CELL], __u64 count);

/* A text at a place, cut at the screen's edge; what is no ASCII shows as '?'. */
void top_text(int y, int x, enum top_color color, const char *text);
void top_color_on(const struct top *top, enum top_color color);
void top_color_off(void);

/* a signal's value: ns, or millionths of its own unit */
void top_signal(char cell[TOP_CELL], const char *words, __u64 value, bool is_time);

/* address and port, short: 10.0.0.1:80, [2001:db8::1]:80, 10.0.0.1 where there is no port */
void top_address(char cell[TOP_CELL], const struct weir_flow_key *key, bool dst);

void top_draw(struct top *top);
void top_draw_class(const struct top *top);
void top_draw_flow(const struct top *top);
void top_draw_help(const struct top *top);

void top_key(struct top *top, int key);

/* What was typed last becomes the filter; in the instance's namespace, for it may name a device. */
void top_filter_take(struct top *top);

#endif
