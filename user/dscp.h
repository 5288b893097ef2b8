/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dscp.h: the names of code points: CS0-CS7, AF11-AF43, EF, LE (RFC 2474, 2597, 3246, 8622), in
 * small letters. Pure.
 */
#ifndef WEIR_DSCP_H
#define WEIR_DSCP_H

#include <stdbool.h>

#define DSCP_NAME 8

/* The code point of that name, or -1. */
int dscp_code(const char *name);

/* And the other way round; false where it has none. */
bool dscp_name(unsigned int code, char name[DSCP_NAME]);

#endif
