/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backlog.h: the iterators over local sockets: load them beside an instance's datapath, run a
 * pass, hand out what each class's sockets showed. Acts in the network namespace the caller is in.
 */
#ifndef WEIR_BACKLOG_USER_H
#define WEIR_BACKLOG_USER_H

#include <weir/backlog.h>
#include "hook.h"
#include "policy.h"

struct backlog;

/* -EOPNOTSUPP and the like where this kernel does not take the programs. */
int backlog_open(struct backlog **ret, const struct instance *instance, struct err *err);
void backlog_close(struct backlog *backlog);

/* Does this kernel take them: those that ask for each socket, or the quicker ones? */
int backlog_try(bool by_key);

/* What sockets are joined to: the classes of the policy, the flows on these hooks. */
void backlog_policy(struct backlog *backlog, const struct policy *policy,
		    const struct hook_list *hooks);

/* One pass over all sockets. */
int backlog_pass(struct backlog *backlog, __u64 now_ns);

/* Sockets that the last pass had no room for: on some kernels they are kept in a list. */
__u32 backlog_left_out(const struct backlog *backlog);

/* Of the last pass; how long it took. */
const struct weir_backlog *backlog_class(const struct backlog *backlog, unsigned int slot);
__u64 backlog_cost_ns(const struct backlog *backlog);

#endif
