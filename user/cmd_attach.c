// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_attach.c: weir attach DEV [egress|ingress|both] [qdisc keep|fq] [via tcx|clsact] [flows N],
 * and for an agent that puts a hook back. The steps' order and undoing; each is another module's.
 */
#include <stdio.h>
#include <string.h>

#include "change.h"
#include "cmd.h"
#include "device.h"
#include "dp.h"
#include "hook.h"
#include "ifb.h"
#include "link.h"
#include "log.h"
#include "maps.h"
#include "opts.h"
#include "push.h"
#include "qdisc.h"
#include "quantity.h"

struct wish {
	const char *name;
	bool hooks[WEIR_HOOK_COUNT];
	bool keep_qdisc, want_fq;
	enum hook_via via;
	__u32 max_flows;			/* 0: not said */
	struct link link;
	bool l3, updated;		/* for other builds' programs there are this one's now */
	bool back, lost_alone;		/* an agent's: put back, where it is known as lost */
	struct weir_dev lost[WEIR_HOOK_COUNT];	/* records of hooks that somebody has wiped */
};

const char *const attach_directions[] = { "egress", "ingress", "both", NULL };
static const char *const qdiscs[] = { "keep", "fq", NULL };
static const char *const vias[] = { "tcx", "clsact", NULL };

static int set_qdisc(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct wish *wish = target;
	int i = opts_choice(word, qdiscs, err);

	if (i < 0)
		return i;
	wish->keep_qdisc = i == 0;
	wish->want_fq = i == 1;
	return 0;
}

static int set_via(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct wish *wish = target;
	int i = opts_choice(word, vias, err);

	if (i < 0)
		return i;
	wish->via = i == 0 ? HOOK_VIA_TCX : HOOK_VIA_CLSACT;
	return 0;
}

static int set_flows(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct wish *wish = target;
	__u64 n;
	int rc = quantity_count(word, DP_FLOWS_MIN, DP_FLOWS_MAX, &n, err);

	if (!rc)
		wish->max_flows = n;
	return rc;
}

const struct opts_key attach_keys[] = {
	{ .name = "qdisc", .value = "keep|fq", .choices = qdiscs, .set = set_qdisc,
	  .help = "keep: put no fq and no ifb there; fq: fail where there can be none" },
	{ .name = "via", .value = "tcx|clsact", .choices = vias, .set = set_via,
	  .help = "how to attach; the default is tcx where the kernel has it" },
	{ .name = "flows", .value = "N", .set = set_flows,
	  .help = "size of the flow table, when the first device is attached" },
};
const unsigned int attach_n_keys = ARRAY_SIZE(attach_keys);

static int bad_word(const char *word, struct err *err)
{
	static const char *const words[] = { "egress", "ingress", "both", "qdisc", "via", "flows" };
	const char *nearest = opts_nearest(word, words, ARRAY_SIZE(words), sizeof(words[0]));

	if (opts_choice(word, attach_directions, err) >= 0)
		return err_set(err, EINVAL, "attach: '%s': want it right behind DEV, and one of egress, "
			       "ingress and both (the default) alone", word);
	if (nearest)
		return err_set(err, EINVAL, "attach: unknown word '%s'; did you mean '%s'?", word,
			       nearest);
	return err_set(err, EINVAL, "attach: unknown word '%s': want egress, ingress, both, qdisc, via "
		       "or flows", word);
}

static bool is_key(const char *word)
{
	for (unsigned int i = 0; i < attach_n_keys; i++)
		if (!strcmp(word, attach_keys[i].name))
			return true;
	return false;
}

static int parse(struct wish *wish, int argc, char **argv, struct err *err)
{
	int direction = 2, rc;
	struct err ignored;

	if (argc < 1 || !*argv[0])
		return err_set(err, EINVAL, "attach: want DEV [egress|ingress|both] [qdisc keep|fq] "
			       "[via tcx|clsact] [flows N]");
	argc--, wish->name = *argv++;
	for (int i = 0; argc && attach_directions[i]; i++) {
		if (!strcmp(argv[0], attach_directions[i])) {
			direction = i;
			argc--, argv++;
			break;
		}
	}
	wish->hooks[WEIR_EGRESS] = direction != 1;
	wish->hooks[WEIR_INGRESS] = direction != 0;
	/* the first, or a direction behind keys */
	for (int i = 0; i < argc; i += 2)
		if (!is_key(argv[i]) &&
		    (!i || opts_choice(argv[i], attach_directions, &ignored) >= 0))
			return bad_word(argv[i], err);
	rc = opts_parse(attach_keys, attach_n_keys, argc, argv, wish, err);
	if (rc)
		err_prefix(err, "attach: ");
	return rc;
}

static int find_device(struct wish *wish, struct err *err)
{
	int rc = device_find(wish->name, &wish->link, &wish->l3, err);

	if (rc)
		return rc;
	wish->name = wish->link.name;
	return device_check_hooks(&wish->link, wish->hooks, err);
}

/*
 * Before anything is changed: is a wanted hook taken? A record whose hook has been wiped by
 * someone (a qdisc gone, a filter replaced) is no obstacle: it is cleared, with its qdisc.
 */
static int check_hooks(const struct instance *instance, struct wish *wish, struct err *err)
{
	_cleanup_(hook_list_free) struct hook_list list = {};
	int rc = hook_list_get(instance, &list, err);

	for (size_t i = 0; i < list.n && !rc; i++) {
		const struct hook_record *r = &list.items[i];

		if (r->dev.flags & WEIR_DEV_IFB && r->dev.ifb_ifindex == wish->link.ifindex)
			return err_set(err, EINVAL, "%s: is weir's own, where what arrives at %s waits: "
				       "want %s", wish->name, r->dev.name, r->dev.name);
		if (r->key.ifindex != wish->link.ifindex || !wish->hooks[r->key.hook] ||
		    !hook_alive(instance, &r->key, &r->dev))
			continue;
		wish->hooks[r->key.hook] = false;
		if (!wish->updated)
			return err_set(err, EEXIST, "%s: %s: attached already", wish->name,
				       hook_name(r->key.hook));
	}
	for (size_t i = 0; i < list.n && !rc; i++) {
		const struct hook_record *r = &list.items[i];

		if (r->key.ifindex != wish->link.ifindex || !wish->hooks[r->key.hook])
			continue;
		rc = qdisc_fq_restore(r->key.ifindex, &r->dev, err);
		if (!rc)
			rc = hook_detach(instance, &r->key, &r->dev, err);
		if (!rc && r->dev.prog_id)
			wish->lost[r->key.hook] = r->dev;
	}
	return rc;
}

/* What is this instance's is known by now: a packet must not be charged by another weir beside. */
static int check_strangers(const struct wish *wish, struct err *err)
{
	static unsigned int said;	/* an agent may try again and again */

	for (int hook = 0; hook < WEIR_HOOK_COUNT; hook++) {
		const struct weir_dev_key key = { .ifindex = wish->link.ifindex, .hook = hook };
		bool unseen = false;
		__u32 id = wish->hooks[hook] ? hook_stranger(&key, &unseen) : 0;

		if (unseen && !said++)
			log_note("%s: %s: others have programs there; whether another weir is among "
				 "them takes CAP_SYS_ADMIN to see", wish->name, hook_name(hook));
		if (id)
			return err_set(err, EBUSY, "%s: %s: another weir's program is there (id %u): "
				       "want it detached where its pins are, which is another bpffs or the "
				       "namespace that the device came from; where they are lost, by tc "
				       "filter or bpftool link", wish->name, hook_name(hook), id);
	}
	return 0;
}

/* Has somebody put on or taken off what an agent is to put back, since that has seen it? */
static int check_back(const struct instance *instance, struct wish *wish, struct err *err)
{
	bool lost = !wish->lost_alone;
	int rc;

	if (!instance_exists(instance))
		return err_set(err, EALREADY, "nothing is attached any more");
	rc = check_hooks(instance, wish, err);
	if (rc)
		return rc == -EEXIST ? -EALREADY : rc;
	for (int hook = 0; hook < WEIR_HOOK_COUNT; hook++) {
		__u32 flags = wish->lost[hook].flags;

		if (!wish->hooks[hook] || !wish->lost[hook].prog_id)
			continue;
		/* as it was put on last, which may be later than what the agent has seen */
		wish->via = flags & WEIR_DEV_TCX ? HOOK_VIA_TCX : HOOK_VIA_CLSACT;
		wish->keep_qdisc = flags & WEIR_DEV_KEEP;
		lost = true;
	}
	return lost ? 0 : err_set(err, EALREADY, "%s: is not known as lost any more", wish->name);
}

/* Nothing came of it: a hook that was lost before stays known as one, or no agent would mend it. */
static void still_lost(const struct instance *instance, const struct wish *wish)
{
	for (int hook = 0; hook < WEIR_HOOK_COUNT; hook++) {
		const struct weir_dev_key key = { .ifindex = wish->link.ifindex, .hook = hook };
		struct weir_dev dev = wish->lost[hook];
		struct err err;

		/* the qdiscs that were weir's have been taken away */
		dev.flags &= WEIR_DEV_TCX | WEIR_DEV_L3 | WEIR_DEV_KEEP;
		if (dev.prog_id && hook_announce(instance, &key, &dev, &err))
			log_note("%s", err.text);
	}
}

static int check_flows(const struct instance *instance, const struct wish *wish, struct err *err)
{
	struct maps maps;
	int rc;

	if (!wish->max_flows)
		return 0;
	rc = maps_open(&maps, instance, err);
	if (rc)
		return rc;
	if (maps.max_flows != wish->max_flows)
		rc = err_set(err, EBUSY, "flows %u: the table was made for %u flows: want `weir detach "
			     "all` first", wish->max_flows, maps.max_flows);
	maps_close(&maps);
	return rc;
}

struct place {
	const struct instance *instance;
	const struct weir_dev_key *key;
	bool refused;			/* the record, by an error that names the device */
};

static int announce(const struct weir_dev *dev, void *arg, struct err *err)
{
	struct place *place = arg;
	int rc = hook_announce(place->instance, place->key, dev, err);

	place->refused = rc;
	return rc;
}

static int prepare_qdisc(const struct instance *instance, const struct wish *wish,
			 const struct weir_dev_key *key, struct weir_dev *dev, struct err *err)
{
	struct place place = { instance, key, false };
	const struct qdisc_keeper keeper = { announce, &place };
	bool edt = false;
	int rc;

	if (!wish->keep_qdisc) {
		rc = qdisc_fq_put(wish->link.ifindex, dev, &keeper, err);
		if (rc < 0 && (wish->want_fq || (rc != -EBUSY && rc != -ENOENT))) {
			if (!place.refused)
				err_prefix(err, "%s: ", wish->name);
			return rc;
		}
		if (rc == -EBUSY || (rc == 1 && err->text[0]))
			log_note("%s: %s%s", wish->name, err->text, rc == 1 ? "" :
				 "; it keeps no departure times, so that means is left out");
		err->text[0] = '\0';
	}
	rc = qdisc_keeps_edt(wish->link.ifindex, &edt, NULL, err);
	if (!rc && edt)
		dev->flags |= WEIR_DEV_EDT;
	return rc;
}

/* A queue for what arrives, where nobody would miss the packets that come back from it. */
static int put_ifb(const struct instance *instance, const struct weir_dev_key *key, bool l3,
		   bool behind, struct weir_dev *dev, struct err *err)
{
	_cleanup_close_ int queue_fd = dp_queue_fd(instance, err);
	struct maps maps;
	int rc;

	if (queue_fd < 0)
		return queue_fd;
	if (l3)
		return err_set(err, ENOENT, "what has no Ethernet header cannot be queued");
	if (behind)
		return err_set(err, EBUSY, "programs or filters of others follow, which would not see "
			       "what is queued, or generic XDP, which would see it twice");
	rc = maps_open(&maps, instance, err);
	if (rc)
		return rc;
	rc = ifb_put(&maps, key, queue_fd, dev, err);
	maps_close(&maps);
	return rc;
}

/* The hook is on; what more there is to it. */
static int complete(const struct instance *instance, const struct wish *wish,
		    const struct weir_dev_key *key, struct weir_dev *dev, struct err *err)
{
	const char *sees = device_sees(&wish->link, key->hook);
	bool before, behind;
	int rc = hook_others(key, dev, &before, &behind, err);

	if (rc)
		return rc;
	if (before && !(dev->flags & WEIR_DEV_TCX))
		log_note("%s: %s: other filters come first: weir does not see what they end",
			 wish->name, hook_name(key->hook));
	if (*sees)
		log_note("%s: %s: %s", wish->name, hook_name(key->hook), sees);
	if (key->hook == WEIR_EGRESS || wish->keep_qdisc)
		return 0;
	rc = put_ifb(instance, key, wish->l3, behind, dev, err);
	if (!rc)
		return 0;
	err_prefix(err, "%s: ingress: ", wish->name);
	if (wish->want_fq || (rc != -EBUSY && rc != -ENOENT && rc != -EOPNOTSUPP))
		return rc;
	if (rc == -EBUSY)
		log_note("%s; so it is marked and dropped, not queued", err->text);
	err->text[0] = '\0';
	return 0;
}

/* What of it can be undone is; what cannot is said, for the error is another one. */
static void undo(const struct instance *instance, const struct weir_dev_key *key,
		 const struct weir_dev *dev)
{
	struct err err;
	int rc;

	if (qdisc_fq_restore(key->ifindex, dev, &err))
		log_note("%s", err.text);
	rc = hook_detach(instance, key, dev, &err);
	if (rc && rc != -ENOENT)
		log_note("%s", err.text);
}

static int attach_hook(const struct instance *instance, const struct wish *wish,
		       enum weir_hook hook, struct weir_dev *dev, struct err *err)
{
	const struct weir_dev_key key = { .ifindex = wish->link.ifindex, .hook = hook };
	int rc = 0;

	snprintf(dev->name, sizeof(dev->name), "%s", wish->name);
	if (wish->keep_qdisc)
		dev->flags |= WEIR_DEV_KEEP;
	if (hook == WEIR_EGRESS)
		rc = prepare_qdisc(instance, wish, &key, dev, err);
	if (!rc)
		rc = hook_attach(instance, wish->link.ifindex, hook, wish->via, wish->l3, dev, err);
	if (!rc)
		rc = complete(instance, wish, &key, dev, err);
	if (rc)
		undo(instance, &key, dev);
	return rc;
}

/* Flows that are there learn of the device's flags, and its sockets of weir. */
static int refresh(const struct instance *instance, struct err *err)
{
	/* matches may have waited for this device: their names are resolved again */
	int rc = change_touch(instance, err);

	if (!rc && dp_sockets_walk(instance, err)) {
		log_note("sockets older than weir are not paced: %s", err->text);
		err->text[0] = '\0';
	}
	return rc;
}

static int attach_hooks(const struct instance *instance, const struct wish *wish, struct err *err)
{
	struct weir_dev_key key = { .ifindex = wish->link.ifindex };
	struct weir_dev devs[WEIR_HOOK_COUNT] = {};
	int rc = 0, hook;

	for (hook = 0; hook < WEIR_HOOK_COUNT && !rc; hook++)
		if (wish->hooks[hook])
			rc = attach_hook(instance, wish, hook, &devs[hook], err);
	/* the one that failed has been undone */
	if (rc)
		hook--;
	else
		rc = refresh(instance, err);
	while (rc && hook--) {
		key.hook = hook;
		if (wish->hooks[hook])
			undo(instance, &key, &devs[hook]);
	}
	return rc;
}

static int attach(const struct instance *instance, struct wish *wish, struct err *err)
{
	struct err ignored;
	bool made = false;
	int rc = find_device(wish, err);

	if (rc)
		return rc;
	if (wish->back) {
		rc = check_back(instance, wish, err);
	} else if (instance_exists(instance)) {
		rc = check_flows(instance, wish, err);
		if (!rc)
			rc = dp_update(instance, &wish->updated, err);
		if (!rc)
			rc = check_hooks(instance, wish, err);
	} else {
		/* links that a killed command has left are no stranger's */
		rc = instance_remove_pins(instance, err);
	}
	if (!rc)
		rc = check_strangers(wish, err);
	if (!rc && !instance_exists(instance)) {
		rc = dp_create(instance, wish->max_flows, err);
		made = !rc;
	}
	if (!rc)
		rc = attach_hooks(instance, wish, err);
	/* as it is now it is wanted: when it is taken off, it is not put on again */
	if (!rc && hook_forget(instance, wish->name, wish->hooks, &ignored) < 0)
		log_note("%s", ignored.text);
	if (rc)
		still_lost(instance, wish);
	if (rc && made)
		dp_destroy(instance, &ignored);
	/* what is left of devices that have gone; an agent, who waits for them, does it itself */
	if (!rc && !push_is_heard(instance->name) && hook_reap(instance, &ignored) < 0)
		log_note("%s", ignored.text);
	if (!rc && !wish->link.up)
		log_note("%s: is down: nothing passes until it is up", wish->name);
	return rc;
}

static int run(struct context *context, struct wish *wish)
{
	struct instance instance;
	int back, rc = instance_open(&instance, context->netns, !wish->back, &context->err);

	if (rc)
		return rc;
	rc = instance_lock(&instance, &context->err);
	if (rc == -ENOENT && wish->back)
		rc = -EALREADY;
	if (!rc)
		rc = instance_enter(&instance, &back, &context->err);
	if (!rc) {
		rc = attach(&instance, wish, &context->err);
		instance_leave(back);
	}
	instance_close(&instance);
	return rc;
}

int cmd_attach(struct context *context, int argc, char **argv)
{
	struct wish wish = {};

	if (parse(&wish, argc, argv, &context->err))
		return CMD_USAGE;
	return run(context, &wish) ? CMD_FAILED : CMD_DONE;
}

int attach_back(struct context *context, bool lost, int argc, char **argv)
{
	struct wish wish = { .back = true, .lost_alone = lost };
	int rc = parse(&wish, argc, argv, &context->err);

	return rc ? rc : run(context, &wish);
}
