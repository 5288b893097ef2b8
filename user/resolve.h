/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * resolve.h: the addresses of a host, asked for in a thread: who waits for a name server does
 * nothing else meanwhile. Knows no protocol.
 */
#ifndef WEIR_RESOLVE_H
#define WEIR_RESOLVE_H

#include <netdb.h>

struct event_base;
struct resolve;

/* found: freeaddrinfo() is the receiver's; NULL: none, or nobody said. The question is over. */
typedef void (*resolve_done)(struct addrinfo *found, void *arg);

/* done() is called from the loop, never from here; NULL: out of memory, or of threads. */
struct resolve *resolve_start(struct event_base *base, const char *host, resolve_done done,
			      void *arg);
/* The answer is not wanted any more; NULL does nothing. */
void resolve_forget(struct resolve *resolve);

#endif
