// SPDX-License-Identifier: GPL-2.0-only
/* dscp.c: code points by their names. Pure. */
#include <stdio.h>
#include <string.h>
#include "dscp.h"

#define EF 46
#define LE 1

int dscp_code(const char *name)
{
	char other[DSCP_NAME];

	for (unsigned int code = 0; code < 64; code++)
		if (dscp_name(code, other) && !strcmp(name, other))
			return code;
	return -1;
}

bool dscp_name(unsigned int code, char name[DSCP_NAME])
{
	unsigned int high = code >> 3 & 7, low = code & 7;

	if (code == EF || code == LE)
		strcpy(name, code == EF ? "ef" : "le");
	else if (!low)
		snprintf(name, DSCP_NAME, "cs%u", high);
	else if (low % 2 == 0 && high >= 1 && high <= 4)
		snprintf(name, DSCP_NAME, "af%u%u", high, low / 2);
	else
		return false;
	return true;
}
