// SPDX-License-Identifier: GPL-2.0-only
/*
 * top_keys.c: what a key does to the state of `weir top`. Draws nothing and reads no map.
 */
#include <curses.h>
#include <stdio.h>
#include <string.h>
#include "top.h"

#define INTERVAL_MIN_MS 250U
#define INTERVAL_MAX_MS 60000U
#define FAR (1L << 20)			/* further than any list goes */
#define CTRL_U 0x15
#define ESCAPE 0x1b

/* words as typed; an error leaves the query as it was. What device they name the next look finds */
static void filter_ask(struct top *top)
{
	struct flow_filter filter = {};
	char words[sizeof(top->typed)], *rest = words, *word, *argv[64];
	struct err err = {};
	int argc = 0;

	strcpy(words, top->typed);
	while ((word = strsep(&rest, " ")) && argc < (int)ARRAY_SIZE(argv))
		if (*word)
			argv[argc++] = word;
	if (flow_filter_words(&filter, NULL, 0, argc, argv, &err)) {
		snprintf(top->message, sizeof(top->message), "filter: %.240s", err.text);
		return;
	}
	top->next_filter = filter;
	top->filter_next = true;
	top->stale = true;
}

void top_filter_take(struct top *top)
{
	struct err err;

	if (!top->filter_next)
		return;
	top->filter_next = false;
	if (flow_filter_resolve(&top->next_filter, &err)) {
		snprintf(top->message, sizeof(top->message), "filter: %.240s", err.text);
		return;
	}
	top->filter = top->next_filter;
	strcpy(top->filter_words, top->typed);
	top->flow_at = 0;
}

static void typing_key(struct top *top, int key)
{
	size_t n = strlen(top->typed);

	if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		top->asking = false;
		filter_ask(top);
	} else if (key == ESCAPE) {
		top->asking = false;
	} else if ((key == KEY_BACKSPACE || key == 0x7f || key == '\b') && n) {
		top->typed[n - 1] = '\0';
	} else if (key == CTRL_U) {
		top->typed[0] = '\0';
	} else if (key >= 0x20 && key < 0x7f && n + 1 < sizeof(top->typed)) {
		top->typed[n] = key;
		top->typed[n + 1] = '\0';
	}
}

static void sort_by(struct top *top, int sort)
{
	top->query.sort = (sort + SNAPSHOT_SORT_COUNT) % SNAPSHOT_SORT_COUNT;
	top->stale = true;
}

/* drawing keeps the cursor within the list */
static void cursor_by(struct top *top, long by)
{
	unsigned int *at = top->on_classes ? &top->class_at : &top->flow_at;
	unsigned int n = top->on_classes ? top->snapshot->n_classes : top->snapshot->n_flows;
	long to = *at + by;

	*at = to < 0 ? 0 : to >= n ? n ? n - 1 : 0 : to;
}

static void open_chosen(struct top *top)
{
	const struct snapshot *snapshot = top->snapshot;

	if (top->on_classes && top->class_at < snapshot->n_classes) {
		strcpy(top->class_name, snapshot->classes[top->class_at].conf.name);
		top->view = TOP_CLASS;
	} else if (!top->on_classes && top->flow_at < snapshot->n_flows) {
		top->flow_key = snapshot->flows[top->flow_at].key;
		top->view = TOP_FLOW;
	}
}

static bool list_key(struct top *top, int key)
{
	switch (key) {
	case 'k': case KEY_UP:
		cursor_by(top, -1);
		return true;
	case 'j': case KEY_DOWN:
		cursor_by(top, 1);
		return true;
	case KEY_PPAGE:
		cursor_by(top, -(long)top->page);
		return true;
	case KEY_NPAGE:
		cursor_by(top, top->page);
		return true;
	case KEY_HOME: case 'g':
		cursor_by(top, -FAR);
		return true;
	case KEY_END: case 'G':
		cursor_by(top, FAR);
		return true;
	case '\t':
		top->on_classes = !top->on_classes;
		return true;
	case '\n': case '\r': case KEY_ENTER:
		open_chosen(top);
		return true;
	}
	return false;
}

static bool sort_key(struct top *top, int key)
{
	switch (key) {
	case 's':
		sort_by(top, top->query.sort + 1);
		return true;
	case 'S':
		sort_by(top, top->query.sort - 1);
		return true;
	case 'r':
		sort_by(top, SNAPSHOT_BY_RATE);
		return true;
	case 'b':
		sort_by(top, SNAPSHOT_BY_BYTES);
		return true;
	case 'm':
		sort_by(top, SNAPSHOT_BY_MARKED);
		return true;
	case 'd':
		sort_by(top, SNAPSHOT_BY_DROPPED);
		return true;
	}
	return false;
}

static void interval_by(struct top *top, bool shorter)
{
	unsigned int to = shorter ? top->interval_ms / 2 : top->interval_ms * 2;

	top->interval_ms = to < INTERVAL_MIN_MS ? INTERVAL_MIN_MS :
			   to > INTERVAL_MAX_MS ? INTERVAL_MAX_MS : to;
	snprintf(top->message, sizeof(top->message), "every %u ms", top->interval_ms);
}

static void any_key(struct top *top, int key)
{
	switch (key) {
	case 'q': case ESCAPE: case KEY_BACKSPACE: case 0x7f:
		if (top->view == TOP_LIST)
			top->quit = key == 'q';
		top->view = TOP_LIST;
		break;
	case 'Q':
		top->quit = true;
		break;
	case '?': case 'h':
		top->view = top->view == TOP_HELP ? TOP_LIST : TOP_HELP;
		break;
	case ' ': case 'p':
		top->paused = !top->paused;
		break;
	case '+': case '-':
		interval_by(top, key == '+');
		break;
	case '/':
		top->view = TOP_LIST;
		top->asking = true;
		top->filter_next = false;
		strcpy(top->typed, top->filter_words);
		break;
	}
}

void top_key(struct top *top, int key)
{
	enum top_view before = top->view;

	top->message[0] = '\0';
	if (key == KEY_RESIZE)
		return;
	if (top->asking)
		typing_key(top, key);
	else if (!top->snapshot || top->view != TOP_LIST ||
		 (!list_key(top, key) && !sort_key(top, key)))
		any_key(top, key);
	/* one flow in full is looked up by its key, the list is sorted: another query */
	if (top->view != before && (top->view == TOP_FLOW || before == TOP_FLOW))
		top->stale = true;
}
