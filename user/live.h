/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * live.h: a snapshot as one JSON object: what the page draws, once a second, and what
 * /api/v1/live answers. Rates are those between two snapshots; names are those of `show -j`
 * where it has the same. Pure.
 */
#ifndef WEIR_LIVE_H
#define WEIR_LIVE_H

#include "snapshot.h"
#include "text.h"

#define LIVE_FLOWS 50

/* 0 or -ENOMEM. One line, without a newline at its end. */
int live_write(struct text *text, const struct snapshot *snapshot);

#endif
