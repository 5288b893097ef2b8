// SPDX-License-Identifier: GPL-2.0-only
/* view.c: see view.h. Takes no lock and writes nothing. */
#include "view.h"

int view_open(struct view *view, const char *netns, struct err *err)
{
	int r = instance_open(&view->instance, netns, false, err);

	if (!r)
		r = maps_open(&view->maps, &view->instance, err);
	view->mapped = !r;
	if (!r)
		r = instance_enter(&view->instance, &view->back, err);
	view->entered = !r;
	return r;
}

void view_close(struct view *view)
{
	if (view->entered)
		instance_leave(view->back);
	if (view->mapped)
		maps_close(&view->maps);
	instance_close(&view->instance);
}
