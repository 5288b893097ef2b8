/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notify.h: what a service manager is told (sd_notify(3)): readiness, a line of status, signs of
 * life. Nothing where there is none ($NOTIFY_SOCKET is not set).
 */
#ifndef WEIR_NOTIFY_H
#define WEIR_NOTIFY_H

#include <linux/types.h>

/* Before another namespace is entered: a socket without a path is found from its own alone. */
void notify_open(void);

/* Text as "READY=1", "STATUS=...", "WATCHDOG=1"; several with a newline between. */
void notify_send(const char *text);

/* How often a sign of life is wanted, in us; 0: never. */
__u64 notify_watchdog_us(void);

#endif
