// SPDX-License-Identifier: GPL-2.0-only
/*
 * util.c: error messages that pure code hands up. Owns only the composing of the text; printing
 * it is log.c's.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "util.h"

#define TEXT_BYTES 8192
#define LEFT_OUT " ... "

/* what is wanted stands at the end of a message: of one that quotes too much, the middle goes */
static void fit(struct err *err, const char *text)
{
	const size_t size = sizeof(err->text), head = size / 3;
	size_t n = strlen(text), tail = size - head - sizeof(LEFT_OUT);

	if (n < size)
		memcpy(err->text, text, n + 1);
	else
		snprintf(err->text, size, "%.*s" LEFT_OUT "%s", (int)head, text, text + n - tail);
}

int err_set(struct err *err, int code, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fit(err, text);
	return -code;
}

void err_prefix(struct err *err, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text) - sizeof(err->text), format, args);
	va_end(args);
	if (n < 0)
		return;
	strcpy(text + strlen(text), err->text);
	fit(err, text);
}
