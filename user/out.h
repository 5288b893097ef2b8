/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * out.h: the one writer to stdout. The same calls make aligned text or JSON: a list of rows, each
 * a few named fields. Names are those of the JSON, short, and constants: what stood at an address
 * stays there; a text heading is the name in capitals without its unit (rate_bps: RATE). Rows are
 * written as they come, so that a long list needs no memory. Errors of writing are kept until
 * out_close().
 */
#ifndef WEIR_OUT_H
#define WEIR_OUT_H

#include <stdbool.h>
#include <stdio.h>
#include <linux/types.h>
#include "util.h"

struct out;

/* out_plain(): n bytes that need no escape, in a buffer of so many */
#define OUT_PLAIN 64

enum out_form { OUT_BOTH, OUT_TEXT, OUT_JSON };

struct out *out_open(bool json);

/* The same to another stream, which stays the caller's. */
struct out *out_open_to(FILE *to, bool json);

/* To a terminal, before anything else: as much as fits, over what is there. */
void out_screen(struct out *out, unsigned int lines, unsigned int columns);

/*
 * Flushes and frees; 0 or the -errno of the first failed write. NULL is allowed (-ENOMEM). err,
 * which may be NULL, gets words about it where it has none yet: but not of -EPIPE, for a reader
 * that has seen enough is nothing to talk about.
 */
int out_close(struct out *out, struct err *err);

/* Has a write failed? What follows is for nobody. */
bool out_failed(const struct out *out);

/* Several lists in one output: JSON {"devices": [...], "classes": [...]}; text under titles. */
void out_group(struct out *out);
void out_group_end(struct out *out);

/* A list of rows: JSON array; text table. The name counts only inside a group. */
void out_list(struct out *out, const char *name);
void out_list_end(struct out *out);

/* A row: JSON object; text line. Outside a list it is the whole output: text "name  value". */
void out_row(struct out *out);
void out_row_end(struct out *out);

/* Which form the fields that follow are meant for, until the next call or row. */
void out_only(struct out *out, enum out_form form);

void out_str(struct out *out, const char *name, const char *value);	/* NULL: null, "-" */
void out_plain(struct out *out, const char *name, const char text[OUT_PLAIN], size_t n);
void out_u64(struct out *out, const char *name, __u64 value);
void out_bool(struct out *out, const char *name, bool value);		/* true, false; yes, no */
void out_rate(struct out *out, const char *name, __u64 bps);		/* text: 94.2 Mbit/s */
void out_time(struct out *out, const char *name, __u64 ns);		/* text: 1.3 ms */
void out_size(struct out *out, const char *name, __u64 bytes);		/* text: 4.1 MB */
void out_null(struct out *out, const char *name);

/* Fields in an object of their own: JSON alone. Not deeper than two. */
void out_sub(struct out *out, const char *name);
void out_sub_end(struct out *out);

/* A row of one text that stands by itself: JSON {"name": "text"}; text: the line, unaligned. */
void out_line(struct out *out, const char *name, const char *text);

#endif
