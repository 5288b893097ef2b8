// SPDX-License-Identifier: GPL-2.0-only
/*
 * dp_shape.c: compares maps by what the kernel keeps of them. A layout is compared as the C text
 * that its BTF makes: the numbers of types differ from one object to the next.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>

#include "dp_shape.h"
#include "text.h"

static void add(void *layout, const char *format, va_list args)
{
	char part[512];			/* one member, or less */

	vsnprintf(part, sizeof(part), format, args);
	text_add(layout, "%s", part);
}

/* as C, with all that they are made of */
static int layout_add(struct text *layout, const struct btf *btf, __u32 key, __u32 value)
{
	struct btf_dump *dump = btf_dump__new(btf, add, layout, NULL);
	int rc = dump ? btf_dump__dump_type(dump, key) : -errno;

	if (!rc)
		rc = btf_dump__dump_type(dump, value);
	btf_dump__free(dump);
	return rc ? rc : layout->failed;
}

static int same_layout(const struct bpf_object *object, const struct bpf_map *map,
		       const struct bpf_map_info *info)
{
	struct text own = {}, there = {};
	struct btf *btf;
	int rc;

	/* a kernel without BTF */
	if (!info->btf_id)
		return 0;
	btf = btf__load_from_kernel_by_id(info->btf_id);
	if (!btf)
		return -errno;
	rc = layout_add(&there, btf, info->btf_key_type_id, info->btf_value_type_id);
	btf__free(btf);
	if (!rc)
		rc = layout_add(&own, bpf_object__btf(object), bpf_map__btf_key_type_id(map),
				bpf_map__btf_value_type_id(map));
	if (!rc && (own.size != there.size || memcmp(own.data, there.data, own.size)))
		rc = -EPROTO;
	text_free(&own);
	text_free(&there);
	return rc;
}

static int check(const struct bpf_object *object, const struct bpf_map *map, int fd,
		 struct err *err)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int rc = bpf_obj_get_info_by_fd(fd, &info, &len) ? -errno : 0;

	/* of an LRU table the user may have chosen the size */
	if (!rc && (info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
		    info.value_size != bpf_map__value_size(map) ||
		    (info.type != BPF_MAP_TYPE_LRU_HASH &&
		     info.max_entries != bpf_map__max_entries(map)) ||
		    info.map_flags != bpf_map__map_flags(map)))
		rc = -EPROTO;
	if (!rc)
		rc = same_layout(object, map, &info);
	if (rc == -EPROTO)
		return err_set(err, EPROTO, "map %s is of another shape than this build's",
			       bpf_map__name(map));
	if (rc == -EPERM)
		return err_set(err, EPERM, "map %s: whether it is of this build's shape takes "
			       "CAP_SYS_ADMIN to see", bpf_map__name(map));
	return rc ? err_set(err, -rc, "map %s: cannot tell its shape: %s", bpf_map__name(map),
			    strerror(-rc)) : 0;
}

bool dp_shape_is_pinned(const struct bpf_map *map)
{
	return !strchr(bpf_map__name(map), '.');
}

int dp_shape_use(const struct bpf_object *object, const struct instance *instance,
		 struct err *err)
{
	struct bpf_map *map;
	char path[320];
	int rc;

	bpf_object__for_each_map(map, object) {
		_cleanup_close_ int fd = -1;

		if (!dp_shape_is_pinned(map))
			continue;
		rc = instance_path(instance, bpf_map__name(map), path, sizeof(path));
		fd = rc ? -1 : bpf_obj_get(path);
		if (fd < 0 && !rc)
			rc = -errno;
		if (rc == -ENOENT)
			return err_set(err, EPROTO, "map %s: this build's want it, and it is not there",
				       bpf_map__name(map));
		if (rc)
			return err_set(err, -rc, "%s: %s", path, strerror(-rc));
		rc = check(object, map, fd, err);
		if (rc)
			return rc;
		rc = bpf_map__reuse_fd(map, fd);
		if (rc)
			return err_set(err, -rc, "map %s: %s", bpf_map__name(map), strerror(-rc));
	}
	return 0;
}
