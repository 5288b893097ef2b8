/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * view.h: an instance opened to be looked at: its maps, and this thread in its network namespace.
 */
#ifndef WEIR_VIEW_H
#define WEIR_VIEW_H

#include "maps.h"

struct view {
	struct instance instance;
	struct maps maps;
	int back;
	bool mapped, entered;
};

#define VIEW_NONE { .instance = { .netns_fd = -1, .lock_fd = -1 } }

/* netns as `weir -n` has it, NULL: host. A view begins as VIEW_NONE and is closed in any case. */
int view_open(struct view *view, const char *netns, struct err *err);
void view_close(struct view *view);

#endif
