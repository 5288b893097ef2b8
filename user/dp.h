/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dp.h: the datapath's life: open the skeletons, size the maps, load, pin, start the timer, and
 * remove it all again. The only module that includes a skeleton. What this kernel lacks is left
 * out program by program, decided by loading it.
 */
#ifndef WEIR_DP_H
#define WEIR_DP_H

#include <weir/abi.h>
#include "pin.h"

#define DP_FLOWS_DEFAULT 131072
#define DP_FLOWS_MIN 1024
#define DP_FLOWS_MAX (16 * 1024 * 1024)

/*
 * Loads and pins a new instance, with a flow table of max_flows (0: DP_FLOWS_DEFAULT); -EEXIST
 * where there is one. What a command that was killed has left is cleaned first; nothing is left
 * behind on failure. The lock must be held.
 */
int dp_create(const struct instance *instance, __u32 max_flows, struct err *err);

/* Gives sockets their own pacing back, then removes every pin of the instance. */
int dp_destroy(const struct instance *instance, struct err *err);

/* The pinned program of a hook, for attaching; the caller closes it. */
int dp_program_fd(const struct instance *instance, enum weir_hook hook, bool l3, struct err *err);

/*
 * Walks the TCP sockets of the namespace that were there before weir: lets their pacing follow
 * from now on (kernel 6.12), or sets it once. Called after attach and after a policy change.
 */
int dp_sockets_walk(const struct instance *instance, struct err *err);

/*
 * Gives every socket that weir paces its own pacing back; the flows that are still shaped ask
 * again once the policy has been touched.
 */
int dp_sockets_release(const struct instance *instance, struct err *err);

/* The pinned program that picks what is to be queued; the caller closes it. */
int dp_queue_fd(const struct instance *instance, struct err *err);

/*
 * Where the programs are another build's, those of this command's object take their place, on the
 * same maps: at each hook at once. Refused with nothing changed, -EPROTO, where the maps are of
 * another shape or the kernel does not take what it took of the other's. Where it fails in between,
 * or is killed, both are at work until it is done again. The lock must be held, the namespace
 * entered.
 */
int dp_update(const struct instance *instance, bool *ret_updated, struct err *err);

/*
 * Is the instance of the object that this command carries? Another's programs go on as they are
 * until dp_update(). Only whoever has the bits of it can tell, which the kernel does not keep.
 */
bool dp_is_own(const struct instance *instance);
#define DP_OTHER "the programs that are attached are of another build of weir; `weir attach DEV`, " \
	"of a device that has them, puts this one's in their place"

/* Loads one program of the object and drops it again: 0 where this kernel takes it. */
int dp_try(const char *program, struct err *err);

#endif
