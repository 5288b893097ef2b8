// SPDX-License-Identifier: GPL-2.0-only
/*
 * repair.c: compares the records in map "devices" with what is there. First without the lock, so
 * that a command at work is not waited for in vain; what seems amiss is looked at again under it.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include "change.h"
#include "dp.h"
#include "hook.h"
#include "ifb.h"
#include "log.h"
#include "qdisc.h"
#include "repair.h"

struct repair {
	unsigned int failed, failed_before;	/* hooks that cannot be put on, in a look */
};

struct repair *repair_new(void)
{
	return calloc(1, sizeof(struct repair));
}

void repair_free(struct repair *repair)
{
	free(repair);
}

enum ailment { WELL, GONE, RENAMED, LOST, NO_QDISC, NEW_QDISC, NO_QUEUE };

static enum ailment examine(const struct instance *instance, const struct hook_record *r)
{
	char name[IF_NAMESIZE];
	enum hook_state state = hook_state(instance, &r->key, &r->dev, name);
	bool edt, dflt, before, behind;
	struct err ignored;

	if (state == HOOK_GONE)
		return GONE;
	/* announced: a command is at work there, or died; it is not known to be wanted */
	if (!r->dev.prog_id)
		return WELL;
	if (state == HOOK_LOST)
		return LOST;
	if (strcmp(name, r->dev.name))
		return RENAMED;
	if (r->dev.flags & WEIR_DEV_IFB)
		return ifb_works(&r->key, &r->dev) &&
		       !hook_others(&r->key, &r->dev, &before, &behind, &ignored) && !behind ?
		       WELL : NO_QUEUE;
	if (r->key.hook != WEIR_EGRESS || qdisc_keeps_edt(r->key.ifindex, &edt, &dflt, &ignored))
		return WELL;
	/* a default fq in the place of weir's drops what waits in it (flow_limit) */
	if (r->dev.flags & WEIR_DEV_EDT && (!edt || (r->dev.flags & WEIR_DEV_QDISC && dflt)))
		return NO_QDISC;
	return !(r->dev.flags & WEIR_DEV_EDT) && edt ? NEW_QDISC : WELL;
}

static void record(const struct instance *instance, const struct hook_record *r)
{
	struct maps maps;
	struct err err;
	int rc = maps_open(&maps, instance, &err);

	if (!rc) {
		rc = maps_device_put(&maps, &r->key, &r->dev);
		maps_close(&maps);
	}
	if (rc)
		log_note("%s: cannot record it: %s", r->dev.name, strerror(-rc));
}

static void await(const struct instance *instance, const struct hook_record *r)
{
	struct hook_record own = *r, dropped;
	char name[IF_NAMESIZE];
	struct err err = {};

	/* its qdisc went with it: one that is empty there is of another, who has its index */
	if (if_indextoname(r->key.ifindex, name))
		own.dev.flags &= ~WEIR_DEV_CLSACT;
	if (hook_await(instance, &own.key, &own.dev, &dropped, &err)) {
		log_note("%s", err.text);
		return;
	}
	log_note("%s: %s: the device is gone; weir is put on again when one of that name comes",
		 r->dev.name, hook_name(r->key.hook));
	if (dropped.dev.name[0])
		log_note("%s: %s: is not waited for any more: %d others are", dropped.dev.name,
			 hook_name(dropped.key.hook), HOOK_AWAITED_MAX);
}

/* weir's own fq comes back, unless what took its place was configured by somebody */
static void qdisc_repair(struct hook_record *r)
{
	struct err err;
	bool edt = false;

	if (r->dev.flags & WEIR_DEV_QDISC) {
		r->dev.flags &= ~WEIR_DEV_QDISC;
		if (qdisc_fq_put(r->key.ifindex, &r->dev, NULL, &err) >= 0 &&
		    !qdisc_keeps_edt(r->key.ifindex, &edt, NULL, &err) && edt) {
			log_note("%s: its qdisc was replaced; fq is put back", r->dev.name);
			return;
		}
		log_note("%s: its qdisc was replaced: %s", r->dev.name, err.text);
	}
	r->dev.flags &= ~WEIR_DEV_EDT;
	log_note("%s: it keeps no departure times any more; that means is left out", r->dev.name);
}

/* made anew, unless somebody has come behind weir; its packets are lost either way */
static void queue_repair(const struct instance *instance, struct hook_record *r)
{
	struct err err = {};
	_cleanup_close_ int queue_fd = dp_queue_fd(instance, &err);
	bool before, behind = true;
	struct maps maps;

	if (queue_fd < 0 || maps_open(&maps, instance, &err)) {
		log_note("%s: %s", r->dev.name, err.text);
		return;
	}
	if (!hook_others(&r->key, &r->dev, &before, &behind, &err) && behind)
		err_set(&err, EBUSY, "programs or filters of others follow now, which would not see "
			"what is queued, or generic XDP, which would see it twice");
	if (ifb_remove(&r->key, &r->dev, &err))
		behind = true;
	if (!behind && !ifb_put(&maps, &r->key, queue_fd, &r->dev, &err))
		log_note("%s: the queue of what arrives was taken away; it is put back",
			 r->dev.name);
	else
		log_note("%s: what arrives is not queued any more: %s", r->dev.name, err.text);
	maps_close(&maps);
	record(instance, r);
}

/* what is done under the lock; true where every flow must be classified anew */
static bool treat(const struct instance *instance, struct hook_record *r)
{
	char name[IF_NAMESIZE];

	switch (examine(instance, r)) {
	case GONE:
		await(instance, r);
		return true;
	case RENAMED:
		if_indextoname(r->key.ifindex, name);
		log_note("%s: %s: the device is called %s now", r->dev.name,
			 hook_name(r->key.hook), name);
		hook_name_keep(instance, r->key.ifindex, r->dev.name);
		snprintf(r->dev.name, sizeof(r->dev.name), "%s", name);
		record(instance, r);
		return true;
	case NO_QDISC:
		qdisc_repair(r);
		record(instance, r);
		return true;
	case NO_QUEUE:
		queue_repair(instance, r);
		return true;
	case NEW_QDISC:
		log_note("%s: keeps departure times now: packets can be delayed", r->dev.name);
		r->dev.flags |= WEIR_DEV_EDT;
		record(instance, r);
		return true;
	default:
		return false;
	}
}

/*
 * `weir attach` does it, with the words of then: what a wiped hook has left it clears itself. It is
 * tried again at each look; that it fails is said when more do than at the last one. -EALREADY: who
 * was at work there meanwhile has left nothing to be put back.
 */
static int attach_again(struct repair *repair, const char *netns, bool lost, const char *name,
			enum weir_hook hook, __u32 flags)
{
	struct context context = { .netns = netns };
	const char *why = context.err.text;
	char *words[6], what[IF_NAMESIZE + 16];
	int n = 0, r;

	snprintf(what, sizeof(what), "%s: %s: ", name, hook_name(hook));
	words[n++] = (char *)name;
	words[n++] = (char *)hook_name(hook);
	words[n++] = "via";
	words[n++] = flags & WEIR_DEV_TCX ? "tcx" : "clsact";
	if (flags & WEIR_DEV_KEEP) {
		words[n++] = "qdisc";
		words[n++] = "keep";
	}
	r = attach_back(&context, lost, n, words);
	if (!r || r == -EALREADY)
		return r;
	if (++repair->failed > repair->failed_before)
		log_note("%scannot be put on again, and is tried every second: %s", what,
			 strncmp(why, what, strlen(what)) ? why : why + strlen(what));
	return r;
}

static void treat_all(const char *netns)
{
	_cleanup_(hook_list_free) struct hook_list list = {};
	struct instance instance;
	struct err err = {};
	bool touch = false;
	int r = instance_open(&instance, netns, false, &err);

	if (!r)
		r = instance_lock(&instance, &err);
	if (!r)
		r = hook_list_get(&instance, &list, &err);
	for (size_t i = 0; i < list.n && !r; i++)
		touch |= treat(&instance, &list.items[i]);
	if (!r && touch)
		r = change_touch(&instance, &err);
	if (r)
		log_note("repair: %s", err.text);
	instance_close(&instance);
}

static void attach_lost(struct repair *repair, const struct instance *instance, const char *netns)
{
	_cleanup_(hook_list_free) struct hook_list list = {};
	struct err err;

	if (hook_list_get(instance, &list, &err))
		return;
	for (size_t i = 0; i < list.n; i++) {
		const struct hook_record *r = &list.items[i];
		char name[IF_NAMESIZE];

		if (examine(instance, r) != LOST || !if_indextoname(r->key.ifindex, name))
			continue;
		if (!attach_again(repair, netns, true, name, r->key.hook, r->dev.flags))
			log_note("%s: %s: weir's program had been taken off; it is put back", name,
				 hook_name(r->key.hook));
	}
}

/* somebody was sooner: it is as they want it, and not put on again when they take it off */
static bool has_record(const struct hook_list *list, __u32 ifindex, enum weir_hook hook)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].key.ifindex == ifindex && list->items[i].key.hook == hook)
			return true;
	return false;
}

static void devices_back(struct repair *repair, const struct instance *instance,
			 const struct hook_list *list, const char *netns)
{
	_cleanup_(hook_list_free) struct hook_list awaited = {};
	struct err err;

	if (hook_list_awaited(instance, &awaited, &err))
		return;
	for (size_t i = 0; i < awaited.n; i++) {
		const struct hook_record *r = &awaited.items[i];
		__u32 ifindex = if_nametoindex(r->dev.name);

		if (!ifindex || has_record(list, ifindex, r->key.hook) ||
		    attach_again(repair, netns, false, r->dev.name, r->key.hook, r->dev.flags))
			continue;
		log_note("%s: %s: the device is back; weir is put on again", r->dev.name,
			 hook_name(r->key.hook));
	}
}

/* devices' names in rules that now lead to another device, or to none */
static bool rules_moved(const struct policy *policy)
{
	for (unsigned int i = 0; i < policy->n_matches; i++)
		if (policy->matches[i].fields & WEIR_M_DEV &&
		    if_nametoindex(policy->matches[i].dev) != policy->matches[i].ifindex)
			return true;
	return false;
}

static void touch_rules(const char *netns)
{
	struct instance instance;
	struct err err = {};
	int r = instance_open(&instance, netns, false, &err);

	if (!r)
		r = instance_lock(&instance, &err);
	if (!r)
		r = change_touch(&instance, &err);
	if (r)
		log_note("repair: %s", err.text);
	else
		log_note("devices or cgroups have changed: matches by their names are resolved anew");
	instance_close(&instance);
}

void repair_check(struct repair *repair, const struct instance *instance, const char *netns,
		  const struct policy *policy)
{
	_cleanup_(hook_list_free) struct hook_list list = {};
	bool ill = false, lost = false;
	struct err err;

	if (hook_list_get(instance, &list, &err))
		return;
	for (size_t i = 0; i < list.n; i++) {
		enum ailment ailment = examine(instance, &list.items[i]);

		lost |= ailment == LOST;
		ill |= ailment != WELL && ailment != LOST;
	}
	if (ill)
		treat_all(netns);
	repair->failed_before = repair->failed;
	repair->failed = 0;
	if (lost)
		attach_lost(repair, instance, netns);
	devices_back(repair, instance, &list, netns);
	if (rules_moved(policy) || change_cgroups_moved(policy))
		touch_rules(netns);
}
