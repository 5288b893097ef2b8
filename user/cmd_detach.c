// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_detach.c: weir detach DEV [egress|ingress|both] | all. Takes off what attach made and puts
 * back what was there; with the last hook the instance goes. Works by the records, so that a
 * device may have been renamed or deleted meanwhile.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "change.h"
#include "cmd.h"
#include "dp.h"
#include "hook.h"
#include "link.h"
#include "lock.h"
#include "log.h"
#include "opts.h"
#include "qdisc.h"

struct wish {
	const char *name;			/* NULL: all */
	__u32 ifindex;				/* of the device that has the name now; 0: none */
	bool hooks[WEIR_HOOK_COUNT];
};

static int parse(struct wish *wish, int argc, char **argv, struct err *err)
{
	int direction = 2;

	if (argc < 1 || !*argv[0])
		return err_set(err, EINVAL, "detach: want DEV [egress|ingress|both], or all");
	if (strcmp(argv[0], "all"))
		wish->name = argv[0];
	if (argc > (wish->name ? 2 : 1))
		return err_set(err, EINVAL, "detach %s: nothing may follow, not '%s'; want DEV "
			       "[egress|ingress|both], or all", wish->name ? argv[1] : "all",
			       argv[wish->name ? 2 : 1]);
	if (argc == 2) {
		direction = opts_choice(argv[1], attach_directions, err);
		if (direction < 0) {
			err_prefix(err, "detach: ");
			return direction;
		}
	}
	wish->hooks[WEIR_EGRESS] = direction != 1;
	wish->hooks[WEIR_INGRESS] = direction != 0;
	return 0;
}

/* By the name it has now; where no device has that, by the one that it was attached by. */
static bool wanted(const struct instance *instance, const struct wish *wish,
		   const struct hook_record *r)
{
	char now[IF_NAMESIZE];

	if (!wish->hooks[r->key.hook])
		return false;
	if (!wish->name || r->key.ifindex == wish->ifindex)
		return true;
	return hook_name_was(instance, r, wish->name) &&
	       (!wish->ifindex || !if_indextoname(r->key.ifindex, now));
}

/* The qdisc first: once the record is gone, nobody knows what was there. */
static int detach_one(const struct instance *instance, const struct hook_record *r,
		      struct err *err)
{
	int rc = qdisc_fq_restore(r->key.ifindex, &r->dev, err);

	return rc ? rc : hook_detach(instance, &r->key, &r->dev, err);
}

/* The hooks are off: what else there is to be done does not make that undone. */
static void refresh(const struct instance *instance)
{
	struct err err;

	if (dp_sockets_release(instance, &err))
		log_note("%s: sockets keep the pacing that they have: %s", instance->name,
			 err.text);
	if (change_touch(instance, &err))
		log_note("%s: flows go on by the devices of before: %s", instance->name, err.text);
}

static int not_attached(const struct wish *wish, struct err *err)
{
	if (wish->hooks[WEIR_EGRESS] && wish->hooks[WEIR_INGRESS])
		return err_set(err, ENOENT, "%s: not attached", wish->name);
	return err_set(err, ENOENT, "%s: %s: not attached", wish->name,
		       hook_name(wish->hooks[WEIR_EGRESS] ? WEIR_EGRESS : WEIR_INGRESS));
}

/* Not known what there is: links go with their pins, filters and qdiscs are left to the user. */
static int detach_unknown(const struct instance *instance, struct err *err)
{
	log_note("%s", err->text);
	log_note("%s: the pins are removed; filters on clsact, fq and ifb, where there were some, are "
		 "not: tc filter, tc qdisc and ip link show them", instance->name);
	return dp_destroy(instance, err);
}

static int detach(const struct instance *instance, struct wish *wish, struct err *err)
{
	_cleanup_(hook_list_free) struct hook_list list = {};
	size_t found = 0;
	int rc, failed = 0, remain;

	if (wish->name)
		wish->ifindex = link_index(wish->name);
	rc = hook_list_get(instance, &list, err);
	if (rc == -EPROTO && !wish->name)
		return detach_unknown(instance, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < list.n; i++) {
		if (!wanted(instance, wish, &list.items[i]))
			continue;
		found++;
		rc = detach_one(instance, &list.items[i], err);
		if (rc && failed)
			log_error("%s", err->text);
		failed = failed ? failed : rc;
	}
	if (failed)
		return failed;
	/* nor is it put on again, where it is gone */
	rc = wish->name ? hook_forget(instance, wish->name, wish->hooks, err) : 0;
	if (rc < 0)
		return rc;
	if (!found && !rc && wish->name)
		return not_attached(wish, err);
	remain = hook_reap(instance, err);
	if (remain < 0)
		return remain;
	if (!remain)
		return dp_destroy(instance, err);
	refresh(instance);
	return 0;
}

/* Pins that lead to nothing: their namespace is gone, or another has its name now. */
static int clean(struct instance *instance, struct err *err)
{
	int rc = access(instance->dir, F_OK) ? -ENOENT : instance_lock(instance, err);

	if (!rc)
		rc = instance_remove_pins(instance, err);
	instance_close(instance);
	if (!rc)
		log_note("%s: the namespace is gone; what was left of it is removed",
			 instance->name);
	return rc;
}

static int detach_locked(const struct instance *instance, struct wish *wish, struct err *err)
{
	int back, rc;

	/* no more than what a killed attach has left */
	if (!instance_exists(instance))
		return wish->name ? not_attached(wish, err) : instance_remove_pins(instance, err);
	/* else a link would be off before its pin cannot be removed */
	if (access(instance->dir, W_OK))
		return err_set(err, errno, "%s: nothing can be removed there: %s", instance->dir,
			       strerror(errno));
	rc = instance_enter(instance, &back, err);
	if (rc)
		return rc;
	rc = detach(instance, wish, err);
	instance_leave(back);
	return rc;
}

int cmd_detach(struct context *context, int argc, char **argv)
{
	struct instance instance;
	struct wish wish = {};
	int rc;

	if (parse(&wish, argc, argv, &context->err))
		return CMD_USAGE;
	rc = instance_open(&instance, context->netns, false, &context->err);
	if (rc) {
		if (!wish.name && instance.dir[0] && (rc == -ESTALE || rc == -ENOENT))
			rc = clean(&instance, &context->err);
	} else {
		rc = instance_lock(&instance, &context->err);
		if (!rc)
			rc = detach_locked(&instance, &wish, &context->err);
		instance_close(&instance);
	}
	if (rc)
		return CMD_FAILED;
	/* a living agent waits for the next attach */
	if (!instance_exists(&instance))
		lock_sweep(instance.name);
	context->err.text[0] = '\0';
	return CMD_DONE;
}
