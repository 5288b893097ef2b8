/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * change.h: the frame of every command that changes the policy: lock, open, load; then finish,
 * resolve names, store, let the sockets follow. One change at a time, all of it or nothing.
 */
#ifndef WEIR_CHANGE_H
#define WEIR_CHANGE_H

#include "cmd.h"
#include "maps.h"
#include "pin.h"
#include "policy.h"

struct change {
	struct instance instance;
	struct maps maps;
	struct policy *live;		/* as loaded; not to be changed */
	struct policy *next;		/* a copy to work on, or to replace */
};

/* Locks the instance and loads its policy. Ended by change_end() in any case. */
int change_begin(struct change *change, const char *netns, struct err *err);

/* Makes next the live policy. */
int change_commit(struct change *change, struct err *err);

void change_end(struct change *change);

/* Are the cgroups that the policy names others by now, as those of services that were restarted? */
bool change_cgroups_moved(const struct policy *policy);

/*
 * Stores the live policy anew: names of devices and cgroups are resolved again, and every flow is
 * classified again. For when devices, qdiscs or cgroups have changed; the lock must be held.
 */
int change_touch(const struct instance *instance, struct err *err);

/* The whole of `weir class` and `weir match`; argv without that first word. CMD_*. */
int change_words(struct context *context, const char *object, int argc, char **argv);

#endif
