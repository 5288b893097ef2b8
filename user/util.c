// SPDX-License-Identifier: GPL-2.0-only
/*
 * util.c: error messages that pure code hands up. Owns only the composing of the text; printing
 * it is log.c's.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "util.h"

int err_set(struct err *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return -code;
}

void err_prefix(struct err *err, const char *format, ...)
{
	char text[sizeof(err->text)];
	va_list args;
	int n;

	memcpy(text, err->text, sizeof(text));
	va_start(args, format);
	n = vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - n, "%s", text);
}
