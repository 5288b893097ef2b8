/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log.h: one line on stderr, "weir: ..." in front, control characters escaped. Errors and notes
 * always show; debug (and with it libbpf's own messages) only with WEIR_LOG=debug.
 */
#ifndef WEIR_LOG_H
#define WEIR_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <bpf/libbpf.h>

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * From here on a line whose reader stands still (a pager, a terminal that was told to wait) is left
 * out and not waited for; the next one that is written says how many were.
 */
void log_nowait(void);

/* Would a line be taken there at once? */
bool log_takes(int fd);

/* A line on the terminal that the next one overwrites; nothing where stderr is no terminal. */
void log_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_progress_end(void);

/* for libbpf_set_print(): one level down, its warnings are our debug */
int log_libbpf(enum libbpf_print_level level, const char *format, va_list args);

#endif
