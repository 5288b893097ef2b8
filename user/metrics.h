/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * metrics.h: a snapshot as metrics, in base units (seconds, bytes), for Prometheus and its kin.
 * The number of series is bounded: every class, but only as many flows as METRICS_FLOWS. The table
 * of families in metrics.c is what the manual, the dashboard's test and the help texts go by.
 * Pure.
 */
#ifndef WEIR_METRICS_H
#define WEIR_METRICS_H

#include "snapshot.h"
#include "text.h"

#define METRICS_FLOWS 20

enum metrics_form {
	METRICS_PLAIN,			/* text/plain; version=0.0.4 */
	METRICS_OPEN,			/* application/openmetrics-text; version=1.0.0 */
};

/* What to say in Content-Type. */
const char *metrics_content_type(enum metrics_form form);

/* The form that an Accept header asks for (NULL: none came). */
enum metrics_form metrics_form_of(const char *accept);

/* 0 or -ENOMEM. */
int metrics_write(struct text *text, const struct snapshot *snapshot, enum metrics_form form);

#endif
