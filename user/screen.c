// SPDX-License-Identifier: GPL-2.0-only
/* screen.c: how much of a text the screen has room for, and what clears the rest. Pure. */
#include <string.h>
#include "screen.h"

#define HOME "\033[H"
#define CLEAR_LINE "\033[K"		/* from the cursor on */
#define CLEAR_BELOW "\033[J"

static void put(struct screen *screen, const char *text)
{
	screen->put(screen->arg, text, strlen(text));
}

/* behind a full row the cursor stands on its last character: to clear from there would take it */
static void clear(struct screen *screen, const char *what)
{
	if (!screen->column || screen->column % screen->columns)
		put(screen, what);
}

void screen_begin(struct screen *screen)
{
	put(screen, HOME);
}

static void line_end(struct screen *screen)
{
	unsigned int rows = screen->column ? (screen->column - 1) / screen->columns + 1 : 1;

	clear(screen, CLEAR_LINE);
	put(screen, "\r\n");
	screen->lines -= rows;
	screen->column = 0;
}

void screen_put(struct screen *screen, const char *text, size_t n)
{
	while (n && screen->lines) {
		const char *end = memchr(text, '\n', n);
		size_t part = end ? (size_t)(end - text) : n;
		size_t room = (size_t)screen->lines * screen->columns - screen->column;
		size_t shown = part < room ? part : room;

		screen->put(screen->arg, text, shown);
		screen->column += shown;
		if (end)
			line_end(screen);
		part += end ? 1 : 0;
		text += part;
		n -= part;
	}
}

void screen_end(struct screen *screen)
{
	clear(screen, CLEAR_BELOW);
}
