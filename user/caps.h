/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * caps.h: gives up every capability that the agent does not need, for good.
 */
#ifndef WEIR_CAPS_H
#define WEIR_CAPS_H

#include <stdbool.h>
#include "util.h"

/*
 * Keeps CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; with netns CAP_SYS_ADMIN as well, which entering
 * another network namespace asks for. Also gives up gaining any by exec.
 */
int caps_drop(bool netns, struct err *err);

#endif
