/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * util.h: cleanup attributes, small macros and the error message that pure code hands up.
 * Conventions of user/: a function returns 0 or -errno, leaves its ret_ outputs untouched on
 * failure, and either logs or returns an error, never both.
 */
#ifndef WEIR_UTIL_H
#define WEIR_UTIL_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* One error message, without the "weir: " in front. Pure code fills it, main() prints it. */
struct err {
	char text[512];
};

/* Fills err and returns -code, so that callers can `return err_set(err, EINVAL, ...)`. */
int err_set(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts what the message is about in front of it: "web: " + "rate '12x': want ...". */
void err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * In text from outside: would this byte steer a terminal? C0 and DEL, and C1 as it is or in UTF-8,
 * but not the same bytes within a longer character.
 */
static inline int is_control(unsigned char before, unsigned char c)
{
	return c < 0x20 || c == 0x7f ||
	       (c >= 0x80 && c < 0xa0 && (before < 0x80 || before == 0xc2 || before > 0xf4));
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void freep(void *p)
{
	free(*(void **)p);
}

#define _cleanup_close_ __attribute__((cleanup(closep)))
#define _cleanup_free_ __attribute__((cleanup(freep)))
#define _cleanup_(f) __attribute__((cleanup(f)))

#endif
