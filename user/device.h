/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * device.h: which device a name means to attach, and whether packets pass its hooks. Acts in the
 * network namespace that the caller is in, and changes nothing.
 */
#ifndef WEIR_DEVICE_H
#define WEIR_DEVICE_H

#include <weir/abi.h>
#include "link.h"

/* -ENODEV where there is none; -EINVAL where it carries neither Ethernet nor IP. */
int device_find(const char *name, struct link *ret_link, bool *ret_l3, struct err *err);

/* -EINVAL where a wanted hook is one that what arrives does not pass. */
int device_check_hooks(const struct link *link, const bool hooks[WEIR_HOOK_COUNT], struct err *err);

/* What a hook sees a part of is a line for the user; "" where it sees all. */
const char *device_sees(const struct link *link, enum weir_hook hook);

#endif
