/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy.h: the one in-memory model of a whole policy: classes in their slots and matches in
 * their order. Words (argv or file) fill it (conf.c), maps.c reads and writes it, cmd_show prints
 * it. Pure: no libbpf, no clock, no log, no system call.
 */
#ifndef WEIR_POLICY_H
#define WEIR_POLICY_H

#include <stdbool.h>
#include <weir/abi.h>
#include "util.h"

struct policy {
	__u32 generation;			/* that it was read from; 0: new */
	struct weir_class classes[WEIR_MAX_CLASSES];	/* WEIR_CLASS_USED says which */
	unsigned int n_matches;
	struct weir_rule matches[WEIR_MAX_RULES];	/* sorted by pref, then by age */
};

/* A policy with class "default" in slot 0 and nothing else. NULL when out of memory. */
struct policy *policy_new(void);

/* Slot of the class, or -ENOENT. */
int policy_class_find(const struct policy *policy, const char *name);

/* Slot of the class, made with the defaults where it does not exist yet; -ENOSPC when full. */
int policy_class_get(struct policy *policy, const char *name);

/* Removes the class; -EBUSY while matches name it, -EPERM for "default". */
int policy_class_del(struct policy *policy, const char *name, struct err *err);

/* Adds the match behind those of equal pref (pref 0: behind all, in steps of 10). */
int policy_match_add(struct policy *policy, const struct weir_rule *rule, struct err *err);

/* Removes the matches of the class, only those of pref unless 0; -ENOENT when there is none. */
int policy_match_del(struct policy *policy, const char *class_name, __u32 pref, struct err *err);

/*
 * Is the flow of the class that its slot has now? Not where it was last seen before the slot got
 * that class: the flow's own is gone.
 */
bool policy_class_has(const struct weir_class *class, const struct weir_flow *flow);

/* The class's rate where no agent has set one, 0: none. Without `rate`, `max` is it. */
__u64 policy_class_rate(const struct weir_class *class);

/*
 * Fills what follows from what the user gave (npb, default burst, mark-at, drop-at, flags) and
 * checks every combination of values; the error names class, key, value and what is possible.
 */
int policy_finish(struct policy *policy, struct err *err);

/*
 * Keeps slots stable: moves the classes of `next` to the slots that classes of the same name
 * have in `live`, and those not in `live` to slots free in both where there are any; notes since
 * when they are there.
 */
int policy_align(struct policy *next, const struct policy *live, struct err *err);

#endif
