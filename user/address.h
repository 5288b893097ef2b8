/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * address.h: addresses as text, as inet_ntop() writes them: that one goes by a format for every
 * word, which for a million flows takes longer than all the rest. Pure.
 */
#ifndef WEIR_ADDRESS_H
#define WEIR_ADDRESS_H

#include <linux/types.h>

#define ADDRESS_BYTES 46		/* the longest, with its end */

/* Family 4: the last four bytes. Returns where the text ends. */
char *address_put(char *to, const __u8 addr[16], __u8 family);

#endif
