// SPDX-License-Identifier: GPL-2.0-only
/*
 * text.c: a text that grows by doubling. Pure: no output, no log.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "text.h"
#include "util.h"

static int text_grow(struct text *text, size_t more)
{
	size_t room = text->room ?: 1024;
	char *data;

	while (room - text->size <= more)
		room *= 2;
	if (room == text->room)
		return 0;
	data = realloc(text->data, room);
	if (!data)
		return -ENOMEM;
	text->data = data;
	text->room = room;
	return 0;
}

void text_add(struct text *text, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (!text->failed)
		text->failed = n < 0 ? -EINVAL : text_grow(text, n);
	if (text->failed)
		return;
	va_start(args, format);
	vsnprintf(text->data + text->size, n + 1, format, args);
	va_end(args);
	text->size += n;
}

char *text_ascii(const char *text)
{
	char *ret = malloc(4 * strlen(text) + 1), *to = ret;

	for (; ret && *text; text++)
		to += sprintf(to, *text & 0x80 ? "\\x%02x" : "%c", (unsigned char)*text);
	if (ret)
		*to = '\0';
	return ret;
}

void text_free(struct text *text)
{
	free(text->data);
	*text = (struct text){};
}
