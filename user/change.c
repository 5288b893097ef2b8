// SPDX-License-Identifier: GPL-2.0-only
/*
 * change.c: from a policy in memory to the one in force: defaults and checks, slots kept, names
 * of devices and cgroups resolved in the instance's namespace, stored, sockets told. Owns no
 * grammar and no maps.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "change.h"
#include "conf.h"
#include "dp.h"
#include "hook.h"
#include "log.h"

int change_begin(struct change *change, const char *netns, struct err *err)
{
	int r;

	*change = (struct change){ .instance = { .netns_fd = -1, .lock_fd = -1 } };
	r = instance_open(&change->instance, netns, false, err);
	if (!r)
		r = instance_lock(&change->instance, err);
	if (!r)
		r = maps_open(&change->maps, &change->instance, err);
	if (r)
		return r;
	change->live = calloc(1, sizeof(*change->live));
	change->next = calloc(1, sizeof(*change->next));
	if (!change->live || !change->next)
		return err_set(err, ENOMEM, "out of memory");
	r = maps_policy_load(&change->maps, change->live, err);
	if (!r)
		memcpy(change->next, change->live, sizeof(*change->next));
	return r;
}

void change_end(struct change *change)
{
	if (change->maps.n_cpus)
		maps_close(&change->maps);
	instance_close(&change->instance);
	free(change->live);
	free(change->next);
}

static __u32 depth(const char *path)
{
	__u32 n = 0;

	while (*path) {
		path += strspn(path, "/");
		n += *path != '\0';
		path += strcspn(path, "/");
	}
	return n;
}

/* a cgroup's id is the inode number of its directory; 0: there is none */
static __u64 cgroup_id(int root, const char *path)
{
	struct stat st;

	path += strspn(path, "/");
	return !fstatat(root, *path ? path : ".", &st, 0) && S_ISDIR(st.st_mode) ? st.st_ino : 0;
}

bool change_cgroups_moved(const struct policy *policy)
{
	_cleanup_close_ int root = -1;

	for (unsigned int i = 0; i < policy->n_matches; i++) {
		const struct weir_rule *rule = &policy->matches[i];
		__u64 id;

		if (!(rule->fields & WEIR_M_CGROUP))
			continue;
		if (root < 0)
			root = hook_cgroup_open();
		if (root < 0)
			return false;
		/* one that has gone may come again */
		id = cgroup_id(root, rule->cgroup);
		if (id && id != rule->cgroup_id)
			return true;
	}
	return false;
}

static int cgroup_resolve(struct weir_rule *rule, const char *class_name, struct err *err)
{
	_cleanup_close_ int root = hook_cgroup_open();
	__u64 id = root < 0 ? 0 : cgroup_id(root, rule->cgroup);

	/* one that is in force and has gone since is no reason to refuse another change */
	if (!id && !rule->cgroup_id)
		return err_set(err, ENOENT, "%s: cgroup '%s': %s", class_name, rule->cgroup,
			       root < 0 ? "cgroup v2 is not mounted" :
			       "no such cgroup below the mount of cgroup v2");
	if (id) {
		rule->cgroup_id = id;
		rule->cgroup_level = depth(rule->cgroup);
	}
	return 0;
}

/* does a match of that policy wait for the device already? */
static bool waits_for(const struct policy *policy, const char *dev)
{
	for (unsigned int i = 0; i < policy->n_matches; i++)
		if (policy->matches[i].fields & WEIR_M_DEV && !policy->matches[i].ifindex &&
		    !strcmp(policy->matches[i].dev, dev))
			return true;
	return false;
}

/* live: what was in force, NULL: the same; a device that is not there is told of only once */
static int names_resolve(struct policy *policy, const struct policy *live, struct err *err)
{
	for (unsigned int i = 0; i < policy->n_matches; i++) {
		struct weir_rule *rule = &policy->matches[i];
		const char *class_name = policy->classes[rule->class_slot].name;
		int r = 0;

		if (rule->fields & WEIR_M_CGROUP)
			r = cgroup_resolve(rule, class_name, err);
		if (r)
			return r;
		if (!(rule->fields & WEIR_M_DEV))
			continue;
		rule->ifindex = if_nametoindex(rule->dev);
		if (!rule->ifindex && live && !waits_for(live, rule->dev))
			log_note("%s: match pref %u: no device '%s' yet; the match counts from "
				 "its attach on", class_name, rule->pref, rule->dev);
	}
	return 0;
}

int change_commit(struct change *change, struct err *err)
{
	int back, r;

	r = policy_finish(change->next, err);
	if (!r)
		r = policy_align(change->next, change->live, err);
	if (!r)
		r = instance_enter(&change->instance, &back, err);
	if (r)
		return r;
	r = names_resolve(change->next, change->live, err);
	instance_leave(back);
	if (r)
		return r;
	change->next->generation = change->live->generation;
	r = maps_policy_store(&change->maps, change->next, err);
	if (r)
		return r;
	/* the policy is in force; sockets that cannot be told follow with their next packets */
	if (dp_sockets_walk(&change->instance, err)) {
		log_note("%s", err->text);
		err->text[0] = '\0';
	}
	return 0;
}

static int touch(const struct maps *maps, const struct instance *instance, struct policy *policy,
		 struct err *err)
{
	int back, r;

	r = maps_policy_load(maps, policy, err);
	if (!r)
		r = instance_enter(instance, &back, err);
	if (r)
		return r;
	r = names_resolve(policy, NULL, err);
	instance_leave(back);
	return r ?: maps_policy_store(maps, policy, err);
}

int change_touch(const struct instance *instance, struct err *err)
{
	_cleanup_free_ struct policy *policy = calloc(1, sizeof(*policy));
	struct maps maps;
	int r;

	if (!policy)
		return err_set(err, ENOMEM, "out of memory");
	r = maps_open(&maps, instance, err);
	if (r)
		return r;
	r = touch(&maps, instance, policy, err);
	maps_close(&maps);
	return r;
}

int change_words(struct context *context, const char *object, int argc, char **argv)
{
	_cleanup_free_ char **words = calloc(argc + 1, sizeof(*words));
	struct change change;
	int r, status = CMD_DONE;

	if (!words) {
		err_set(&context->err, ENOMEM, "out of memory");
		return CMD_FAILED;
	}
	words[0] = (char *)object;
	for (int i = 0; i < argc; i++)
		words[i + 1] = argv[i];
	/* whoever mistypes need not attach something first to be told */
	if (conf_verb(argc + 1, words, &context->err) < 0)
		return CMD_USAGE;
	r = change_begin(&change, context->netns, &context->err);
	if (!r) {
		r = conf_words(change.next, argc + 1, words, &context->err);
		if (r == -EINVAL || r == -E2BIG)
			status = CMD_USAGE;
	}
	if (!r)
		r = change_commit(&change, &context->err);
	change_end(&change);
	return r && !status ? CMD_FAILED : status;
}
