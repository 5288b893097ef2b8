/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reasons.h: the verdict reasons of weir/reason.h as a table, for all who print them. Pure.
 */
#ifndef WEIR_REASONS_H
#define WEIR_REASONS_H

#include <stdbool.h>
#include <weir/reason.h>

struct reason {
	const char *name, *text;	/* text: what it means, in words */
	bool drops;
};

extern const struct reason reasons[WEIR_R_COUNT];

#endif
