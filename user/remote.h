/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * remote.h: signals of other machines' weirs, followed over HTTP: one connection for each, on
 * which the other side sends a line per sample; made again when it breaks.
 */
#ifndef WEIR_REMOTE_H
#define WEIR_REMOTE_H

#include <linux/types.h>
#include "signals.h"

struct event_base;
struct remotes;

/* heard() is called when something new has come, for the next step to be taken at once. */
struct remotes *remotes_new(struct event_base *base, void (*heard)(void *arg), void *arg);
void remotes_free(struct remotes *remotes);

/* Follow this one from now on ("http://HOST:PORT/NAME"); those not named again until _end go. */
void remotes_begin(struct remotes *remotes);
int remotes_follow(struct remotes *remotes, const char *words, struct err *err);
void remotes_end(struct remotes *remotes);

/* Where the last one heard is, until the next remotes_end(); before the first its at_ns is 0. */
const struct signal *remotes_find(const struct remotes *remotes, const char *words);

#endif
