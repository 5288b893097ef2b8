/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * quantity.h: numbers with units, strictly. A text is digits, at most one point with digits on
 * both sides, and a unit; the result is an integer, exactly, or the text is refused. Errors quote
 * the text and say what is accepted. Prefixes are decimal (k = 1000), binary ones are ki mi gi.
 * Pure: no libbpf, no clock, no log.
 */
#ifndef WEIR_QUANTITY_H
#define WEIR_QUANTITY_H

#include <linux/types.h>
#include "util.h"

int quantity_rate(const char *text, __u64 *ret_bps, struct err *err);
int quantity_time(const char *text, __u64 min_ns, __u64 max_ns, __u64 *ret_ns, struct err *err);
int quantity_size(const char *text, __u64 min_bytes, __u64 max_bytes, __u64 *ret_bytes,
		  struct err *err);

/* A whole number without a unit; decimal, no sign. */
int quantity_count(const char *text, __u64 min, __u64 max, __u64 *ret, struct err *err);

/* The same, decimal or hexadecimal with 0x. */
int quantity_bits(const char *text, __u64 max, __u64 *ret, struct err *err);

/* The same, decimal with a sign. */
int quantity_signed(const char *text, __s64 min, __s64 max, __s64 *ret, struct err *err);

/* "200/s" */
int quantity_per_second(const char *text, __u64 max, __u64 *ret, struct err *err);

/* Has the text a unit of time? For a word that may be a time or a size. */
int quantity_is_time(const char *text);

struct quantity_text {
	unsigned int n;			/* bytes of the text */
	char text[32];
};

/* In the words of the grammar; read back it gives the very same integer. */
struct quantity_text quantity_rate_exact(__u64 bps);
struct quantity_text quantity_time_exact(__u64 ns);
struct quantity_text quantity_size_exact(__u64 bytes);

/* For people: three digits and a unit ("94.2 Mbit/s", "1.3 ms", "4.1 MB"). */
struct quantity_text quantity_rate_show(__u64 bps);
struct quantity_text quantity_time_show(__u64 ns);
struct quantity_text quantity_size_show(__u64 bytes);

/* Decimal digits and an end, at most 21 bytes; how many digits. */
unsigned int quantity_digits(char *to, __u64 value);

#endif
