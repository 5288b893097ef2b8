// SPDX-License-Identifier: GPL-2.0-only
/* reasons.c: see reasons.h. */
#include "reasons.h"

const struct reason reasons[WEIR_R_COUNT] = {
#define X(e, name, drops, text) [WEIR_R_##e] = { name, text, drops },
	WEIR_REASONS(X)
#undef X
};
