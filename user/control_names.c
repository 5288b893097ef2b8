// SPDX-License-Identifier: GPL-2.0-only
/*
 * control_names.c: what laws and reasons are called, and a state that knows nothing. Pure.
 */
#include <string.h>
#include "control.h"

static const char *const law_names[CONTROL_LAW_COUNT] = { "feed-forward", "aimd", "pi" };
static const struct {
	const char *name, *text;
} reasons[WEIR_C_COUNT] = {
#define X(e, name, text) [WEIR_C_##e] = { name, text },
	WEIR_CONTROL_REASONS(X)
#undef X
};

const char *control_law_name(enum control_law law)
{
	return law < CONTROL_LAW_COUNT ? law_names[law] : "unknown";
}

const char *control_reason_name(enum weir_control_reason reason)
{
	return reason < WEIR_C_COUNT ? reasons[reason].name : "unknown";
}

const char *control_reason_text(enum weir_control_reason reason)
{
	return reason < WEIR_C_COUNT ? reasons[reason].text : "unknown";
}

void control_forget(struct control_state *state)
{
	/* with no rate in force there has been none */
	if (state->rate_bps)
		memset(state->past, 0, CONTROL_PAST * sizeof(*state->past));
	*state = (struct control_state){ .past = state->past };
}
