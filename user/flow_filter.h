/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flow_filter.h: which flows are meant, in the grammar of matches: those keys of a match that a
 * flow has, and `class NAME`. One filter for `show flows`, `top` and the HTTP interface.
 */
#ifndef WEIR_FLOW_FILTER_H
#define WEIR_FLOW_FILTER_H

#include <stdbool.h>
#include "opts.h"
#include <weir/abi.h>

struct flow_filter {
	struct weir_rule rule;		/* first: the match keys write into it */
	__u32 ifindex;			/* of rule.dev */
	char class_name[WEIR_NAME_LEN];	/* "" any */
};

/* beside the keys of a match */
extern const struct opts_key flow_filter_class_key;

/*
 * Takes KEY VALUE words. `more` are keys of the caller's own; their set() gets the filter as its
 * target, which the caller's own struct begins with.
 */
int flow_filter_words(struct flow_filter *filter, const struct opts_key *more, unsigned int n_more,
		      int argc, char *const *argv, struct err *err);

/* Looks the device up, in the caller's namespace; again whenever it may have changed. */
int flow_filter_resolve(struct flow_filter *filter, struct err *err);

/* class_name: of the flow's class, NULL where it is gone. */
bool flow_filter_wants(const struct flow_filter *filter, const struct weir_flow_key *key,
		       const char *class_name);

#endif
