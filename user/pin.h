/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pin.h: where an instance lives in bpffs, whose network namespace it is, and the lock that
 * keeps two commands from changing it at once. One instance per network namespace: "host" for
 * the machine's own, else the name given to `weir -n NAME` (as `ip netns` knows it).
 */
#ifndef WEIR_PIN_H
#define WEIR_PIN_H

#include <stdbool.h>
#include <linux/types.h>
#include "util.h"

struct instance {
	char name[64];			/* "host" or the netns name */
	char dir[256];			/* WEIR_PIN_ROOT/name; bpffs allows no dot: %2e */
	int netns_fd;			/* -1: our own */
	int lock_fd;			/* -1: not locked */
	bool create;			/* opened with `mount`: may be made */
	bool stale;			/* the pins are of an earlier namespace of that name */
	__u64 netns_cookie;		/* SO_NETNS_COOKIE of the namespace; 0: none */
};

/* 0 where this process may use BPF and configure the network, else -EPERM and what is wanted. */
int pin_privileges(struct err *err);

/* Can it be the name of a namespace other than the machine's own? -EINVAL, -ENAMETOOLONG. */
int pin_check_name(const char *name, struct err *err);

/*
 * May an instance of that name (NULL: host) be opened from here? Not under `ip netns exec`, and
 * host not in another network namespace than the machine's: -EINVAL, and what to do instead.
 */
int pin_check_place(const char *name, struct err *err);

/*
 * Resolves the name (NULL: host; else one that pin_check_name() takes) and opens its network
 * namespace. Checks that bpffs is mounted and is the machine's own: under `ip netns exec` /sys is
 * remounted, and a bpffs mounted there dies with the command: refused, with a hint at -n. With
 * `mount`, a missing bpffs is mounted.
 * Without privileges, and where pins of another ABI version hold the name: an error that says so.
 * -ESTALE (with `mount`: only the flag) where the pins are of an earlier namespace of that name,
 * -ENOENT where there is no such namespace; dir is valid then, so that pins can be removed.
 */
int instance_open(struct instance *instance, const char *name, bool mount, struct err *err);

/* The namespace alone, to enter it: whatever there is of pins, or of a place for them. */
int instance_open_netns(struct instance *instance, const char *name, struct err *err);
/* Does the name still lead to the namespace that was opened? */
bool instance_is_named(const struct instance *instance);

/*
 * Takes the lock (flock on the pin directory), waiting at most five seconds for another command.
 * -ENOENT where there is no directory and the instance was opened without `mount`.
 */
int instance_lock(struct instance *instance, struct err *err);

/* Releases the lock and removes a directory that has been left empty. */
void instance_close(struct instance *instance);

/* The pin that is made last and removed first: without it, the instance is not whole. */
#define INSTANCE_MARKER "weir_egress"

/* True where the instance is there and whole. A half-made or stale one is cleaned by dp_create. */
bool instance_exists(const struct instance *instance);

/* Notes whose pins these are (a symbolic link beside them), before the first of them. */
int instance_sign(const struct instance *instance, struct err *err);

/* Runs in the instance's namespace from here on (setns), until the matching leave. */
int instance_enter(const struct instance *instance, int *ret_back_fd, struct err *err);
int instance_leave(int back_fd);

/* "DIR/file" into buf. */
int instance_path(const struct instance *instance, const char *file, char *buf, size_t size);

/* Removes every pin, the marker first. 0 also where there is none. */
int instance_remove_pins(const struct instance *instance, struct err *err);

#endif
