// SPDX-License-Identifier: GPL-2.0-only
/*
 * log.c: messages to stderr, one line each. Names come from outside (devices, cgroups, files), so
 * control characters are escaped here, once, for every message.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "log.h"
#include "util.h"

static bool nowait;
static unsigned int left_out;

void log_nowait(void)
{
	nowait = true;
}

bool log_takes(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

	return poll(&pollfd, 1, 0) != 0;
}

static void log_line(const char *format, va_list args)
{
	char text[2048], line[4 * sizeof(text) + 16];
	size_t at;
	int n;

	if (nowait && !log_takes(STDERR_FILENO)) {
		left_out++;
		return;
	}
	if (left_out)
		fprintf(stderr, "weir: %u lines were left out: their reader stood still\n",
			left_out);
	left_out = 0;
	n = vsnprintf(text, sizeof(text), format, args);
	if (n < 0)
		return;
	for (n = strlen(text); n > 0 && text[n - 1] == '\n'; n--)
		text[n - 1] = '\0';
	at = snprintf(line, sizeof(line), "weir: ");
	for (const char *p = text; *p; p++) {
		unsigned char c = *p;

		if (is_control(p == text ? 0 : p[-1], c))
			at += snprintf(line + at, sizeof(line) - at, "\\x%02x", c);
		else
			line[at++] = c;
	}
	line[at++] = '\n';
	/* one write per line: several commands may share a terminal or a journal */
	fwrite(line, 1, at, stderr);
	fflush(stderr);
}

static int log_debugging(void)
{
	const char *level = getenv("WEIR_LOG");

	return level && !strcmp(level, "debug");
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(format, args);
	va_end(args);
}

void log_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(format, args);
	va_end(args);
}

void log_debug(const char *format, ...)
{
	va_list args;

	if (!log_debugging())
		return;
	va_start(args, format);
	log_line(format, args);
	va_end(args);
}

void log_progress(const char *format, ...)
{
	va_list args;

	if (!isatty(STDERR_FILENO))
		return;
	fputc('\r', stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\033[K", stderr);
	fflush(stderr);
}

void log_progress_end(void)
{
	log_progress("%s", "");
	if (isatty(STDERR_FILENO))
		fputc('\r', stderr);
}

int log_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level != LIBBPF_DEBUG && log_debugging())
		log_line(format, args);
	return 0;
}
