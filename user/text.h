/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * text.h: a text that grows, for what is sent to others than stdout. A failure to grow is kept
 * until the end: the writer need not look after each call. Pure.
 */
#ifndef WEIR_TEXT_H
#define WEIR_TEXT_H

#include <stddef.h>

struct text {
	char *data;			/* ends with a NUL that size does not count */
	size_t size, room;
	int failed;			/* -ENOMEM */
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *text);

/* What is no UTF-8, for JSON: its bytes beyond ASCII as \xNN. To be freed, NULL: out of memory. */
char *text_ascii(const char *text);

#endif
