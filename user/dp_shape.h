/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dp_shape.h: the maps of an instance for the programs of an object, where they are of its shape.
 */
#ifndef WEIR_DP_SHAPE_H
#define WEIR_DP_SHAPE_H

#include <bpf/libbpf.h>
#include "pin.h"

/* .rodata and the like are kept by their programs, and bpffs takes no dot */
bool dp_shape_is_pinned(const struct bpf_map *map);

/*
 * Before it is loaded: the pinned maps take the place of the object's own. -EPROTO: type, sizes,
 * flags, or the names and types of key and value differ, or there is none; -EPERM: to see that
 * takes CAP_SYS_ADMIN.
 */
int dp_shape_use(const struct bpf_object *object, const struct instance *instance,
		 struct err *err);

#endif
