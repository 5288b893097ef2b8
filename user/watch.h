/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * watch.h: rtnetlink's news of links and qdiscs in the network namespace the caller is in, as a
 * descriptor to wait on.
 */
#ifndef WEIR_WATCH_H
#define WEIR_WATCH_H

#include <stdbool.h>
#include "util.h"

struct watch;

int watch_open(struct watch **ret, struct err *err);
void watch_close(struct watch *watch);
int watch_fd(const struct watch *watch);

/* Reads what there is. True where a link or a qdisc has changed (or news were lost). */
bool watch_read(struct watch *watch);

#endif
