/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lock.h: one agent of each name. The lock is the kernel's, so that it ends with its holder; its
 * file, /run/weir/NAME.lock, says who that is.
 */
#ifndef WEIR_LOCK_H
#define WEIR_LOCK_H

#include "util.h"

/* The descriptor that holds the name until it is given to lock_drop(); -EBUSY: another one runs. */
int lock_take(const char *name, struct err *err);

/* Takes the agent's files away, its socket as well, and gives the name back. */
void lock_drop(const char *name, int fd);

/* The same for one that was killed; where an agent runs, nothing. */
void lock_sweep(const char *name);

#endif
