// SPDX-License-Identifier: GPL-2.0-only
/*
 * hook_name.c: what a device was called when it was attached, where it is called otherwise now: a
 * symbolic link named_IFINDEX beside the pins. Whoever attached it knows it by that name alone.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "hook.h"
#include "log.h"

static int name_path(const struct instance *instance, __u32 ifindex, char *path, size_t size)
{
	char file[32];

	snprintf(file, sizeof(file), "named_%u", ifindex);
	return instance_path(instance, file, path, size);
}

void hook_name_keep(const struct instance *instance, __u32 ifindex, const char *name)
{
	char path[320];
	int rc = name_path(instance, ifindex, path, sizeof(path));

	/* of another rename, the first is there already */
	if (!rc && symlink(name, path) && errno != EEXIST)
		rc = -errno;
	if (rc)
		log_note("%s: cannot be noted as a name of before: %s", name, strerror(-rc));
}

void hook_name_drop(const struct instance *instance, __u32 ifindex)
{
	char path[320];

	if (!name_path(instance, ifindex, path, sizeof(path)))
		unlink(path);
}

bool hook_name_was(const struct instance *instance, const struct hook_record *r, const char *name)
{
	char path[320], was[IF_NAMESIZE];
	ssize_t n;

	if (!strcmp(r->dev.name, name))
		return true;
	if (name_path(instance, r->key.ifindex, path, sizeof(path)))
		return false;
	n = readlink(path, was, sizeof(was) - 1);
	was[n < 0 ? 0 : n] = '\0';
	return n > 0 && !strcmp(was, name);
}
