/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * screen.h: text as long as a terminal's screen, over what was there: each line is cleared behind
 * its end, so that nothing flickers and nothing scrolls away. The cursor is left below the last
 * one: its row is to be one of the screen's, too. A byte is taken for a column. Pure: what is to be
 * written goes to a function of the caller's.
 */
#ifndef WEIR_SCREEN_H
#define WEIR_SCREEN_H

#include <stddef.h>

typedef void (*screen_put_fn)(void *arg, const char *text, size_t n);

struct screen {
	screen_put_fn put;
	void *arg;
	unsigned int lines, columns;	/* lines: that are left */
	size_t column;			/* in the line, which may be longer than a row */
};

void screen_begin(struct screen *screen);
void screen_put(struct screen *screen, const char *text, size_t n);
void screen_end(struct screen *screen);

#endif
