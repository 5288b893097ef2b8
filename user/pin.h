/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pin.h: where an instance lives in bpffs, whose network namespace it is, and the lock that
 * keeps two commands from changing it at once. One instance per network namespace: "host" for
 * the machine's own, else the name given to `weir -n NAME` (as `ip netns` knows it).
 */
#ifndef WEIR_PIN_H
#define WEIR_PIN_H

#include <stdbool.h>
#include "util.h"

struct instance {
	char name[64];			/* "host" or the netns name */
	char dir[128];			/* WEIR_PIN_ROOT/name */
	int netns_fd;			/* -1: our own */
	int lock_fd;			/* -1: not locked */
};

/*
 * Resolves the name (NULL: host) and opens its network namespace. Checks that bpffs is mounted
 * and is the machine's own: under `ip netns exec` /sys is remounted, and a bpffs mounted there
 * dies with the command: refused, with a hint at -n. With `mount`, a missing bpffs is mounted.
 */
int instance_open(struct instance *instance, const char *name, bool mount, struct err *err);

/* Takes the lock (flock on the pin directory), waiting at most five seconds for another command. */
int instance_lock(struct instance *instance, struct err *err);
void instance_close(struct instance *instance);

/* True where the instance has pins. Pins of another ABI version are an error that names it. */
int instance_exists(const struct instance *instance, struct err *err);

/* Runs in the instance's namespace from here on (setns), until the matching leave. */
int instance_enter(const struct instance *instance, int *ret_back_fd, struct err *err);
int instance_leave(int back_fd);

/* "DIR/file" into buf. */
int instance_path(const struct instance *instance, const char *file, char *buf, size_t size);

#endif
