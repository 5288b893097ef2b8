/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * passed.h: what weir has let pass of classes: of many at once, at a small part of what reading
 * their counters costs.
 */
#ifndef WEIR_USER_PASSED_H
#define WEIR_USER_PASSED_H

#include <weir/passed.h>
#include "maps.h"

struct passed;

/* -errno where this kernel cannot: then maps_passed_get() does it, more slowly. */
int passed_open(struct passed **ret, const struct maps *maps);
void passed_close(struct passed *passed);

/* Of the n classes from slot on; stands until the next call. passed NULL: by maps_passed_get(). */
int passed_get(struct passed *passed, const struct maps *maps, unsigned int slot, unsigned int n,
	       const struct weir_passed **ret);

#endif
