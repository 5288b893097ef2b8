/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * push.h: the UNIX datagram socket /run/weir/NAME.sock, by which signals are pushed: one
 * datagram, "NAME VALUE [ttl TIME] [drain RATE]". Who may write to the file may push. A sender
 * that has an address is answered: an empty datagram, or why its words were refused.
 */
#ifndef WEIR_PUSH_H
#define WEIR_PUSH_H

#include "signals.h"

#define PUSH_DIR "/run/weir"

/* "/run/weir/NAME.sock" */
int push_path(const char *instance_name, char *buf, size_t size);

/* Takes the place of one that a dead agent has left. The descriptor. */
int push_open(const char *instance_name, struct err *err);

/* Takes what has come, up to a bound. */
void push_read(int fd, struct signals *signals, __u64 now_ns);

/* Is there an agent? */
bool push_is_heard(const char *instance_name);

/* Sends one and waits for the answer. */
int push_send(const char *instance_name, const char *text, struct err *err);

#endif
