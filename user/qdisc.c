// SPDX-License-Identifier: GPL-2.0-only
/*
 * qdisc.c: rtnetlink for qdiscs. Replaces in one request, never deletes first: the
 * device keeps a qdisc throughout. What weir puts at a root or a leaf carries handles of its own,
 * by which it is known again; anything else is somebody's and stays.
 */
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "qdisc.h"
#include "rtnl.h"

#define ROOT_HANDLE 0x6fff0000U			/* 6fff: */
#define LEAF_HANDLE(n) ((0x7000U + (n)) << 16)	/* 7001: is below :1, and so on */
#define LEAVES_MAX 4095U
/* weir bounds its queue by time (drop-at); fq's packet limits must not come before */
#define FQ_LIMIT 100000U
#define FQ_FLOW_LIMIT 20000U
/*
 * By how much of their hash fq tells forwarded flows apart. Two that it takes for one wait for each
 * other; of its own 1,024, 120 flows take every ninth place. 150 bytes for each that is in use.
 */
#define FQ_ORPHAN_MASK 0x3ffffU

/* Classless, and their dumped options are what a request takes: these can be put back. */
static const char *const plain_kinds[] = {
	"noqueue", "pfifo_fast", "pfifo", "bfifo", "pfifo_head_drop", "fq_codel", "codel", "pie",
	"fq_pie", "sfq",
};

struct qdisc {
	__u32 handle, parent;
	char kind[16];
	_Alignas(struct nlattr) __u8 options[WEIR_QDISC_SAVE];
	__u16 len;
	bool cut;				/* the options are longer than that */
};

struct qdisc_list {
	__u32 ifindex;
	struct qdisc *items;
	size_t n;
};

static void list_free(struct qdisc_list *list)
{
	free(list->items);
}

static int list_cb(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct qdisc_list *list = arg;
	const struct nlattr *attr;
	struct qdisc *q;

	if ((__u32)tcm->tcm_ifindex != list->ifindex)	/* old kernels dump every device */
		return MNL_CB_OK;
	q = realloc(list->items, (list->n + 1) * sizeof(*q));
	if (!q) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	list->items = q;
	q += list->n++;
	*q = (struct qdisc){ .handle = tcm->tcm_handle, .parent = tcm->tcm_parent };
	mnl_attr_for_each(attr, nlh, sizeof(*tcm)) {
		__u16 len = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == TCA_KIND) {
			snprintf(q->kind, sizeof(q->kind), "%s", mnl_attr_get_str(attr));
		} else if (mnl_attr_get_type(attr) == TCA_OPTIONS) {
			q->cut = len > sizeof(q->options);
			q->len = q->cut ? 0 : len;
			memcpy(q->options, mnl_attr_get_payload(attr), q->len);
		}
	}
	return MNL_CB_OK;
}

static int list_get(__u32 ifindex, struct qdisc_list *list, struct err *err)
{
	char buf[RTNL_BYTES];
	int rc;

	*list = (struct qdisc_list){ .ifindex = ifindex };
	rtnl_tc(buf, RTM_GETQDISC, NLM_F_DUMP, ifindex);
	rc = rtnl_talk((struct nlmsghdr *)buf, list_cb, list);
	return rc ? err_set(err, -rc, "ifindex %u: cannot list its qdiscs: %s", ifindex,
			    strerror(-rc)) : 0;
}

static const struct qdisc *list_find(const struct qdisc_list *list, __u32 parent)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].parent == parent)
			return &list->items[i];
	return NULL;
}

static const struct qdisc *list_root(const struct qdisc_list *list)
{
	return list_find(list, TC_H_ROOT);
}

static bool is_leaf(const struct qdisc *q, const struct qdisc *root)
{
	return q != root && q->parent != TC_H_ROOT && q->parent != TC_H_CLSACT &&
	       TC_H_MAJ(q->parent) == TC_H_MAJ(root->handle) && TC_H_MIN(q->parent);
}

static bool is_plain(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(plain_kinds); i++)
		if (!strcmp(kind, plain_kinds[i]))
			return true;
	return false;
}

static bool is_edt(const struct qdisc *q)
{
	return !strcmp(q->kind, "fq") || !strcmp(q->kind, "etf");
}

/* The kernel's own choice, which nobody has configured: deleting another one brings it back. */
static bool is_default(const struct qdisc *root)
{
	return root && !root->handle;
}

/* the least flow_limit of any fq there, or weir's own where that is less */
static __u32 list_flow_limit(const struct qdisc_list *list)
{
	__u32 least = FQ_FLOW_LIMIT;
	const struct nlattr *attr;

	for (size_t i = 0; i < list->n; i++) {
		const struct qdisc *q = &list->items[i];

		if (strcmp(q->kind, "fq"))
			continue;
		mnl_attr_for_each_payload((const struct nlattr *)q->options, q->len)
			if (mnl_attr_get_type(attr) == TCA_FQ_FLOW_PLIMIT &&
			    mnl_attr_get_u32(attr) < least)
				least = mnl_attr_get_u32(attr);
	}
	return least;
}

static bool list_keeps_edt(const struct qdisc_list *list)
{
	const struct qdisc *root = list_root(list);
	size_t leaves = 0;

	if (!root)
		return false;
	if (strcmp(root->kind, "mq"))
		return is_edt(root);
	for (size_t i = 0; i < list->n; i++) {
		if (!is_leaf(&list->items[i], root))
			continue;
		if (!is_edt(&list->items[i]))
			return false;
		leaves++;
	}
	return leaves;
}

/* options NULL: fq with weir's limits where the kind is fq, else none */
static int put(__u32 ifindex, __u32 parent, __u32 handle, const char *kind, const void *options,
	       __u16 len)
{
	char buf[RTNL_BYTES];
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	struct tcmsg *tcm;

	tcm = rtnl_tc(buf, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, ifindex);
	tcm->tcm_parent = parent;
	tcm->tcm_handle = handle;
	mnl_attr_put_strz(nlh, TCA_KIND, kind);
	if (!options && !strcmp(kind, "fq")) {
		struct nlattr *nest = mnl_attr_nest_start(nlh, TCA_OPTIONS);

		mnl_attr_put_u32(nlh, TCA_FQ_PLIMIT, FQ_LIMIT);
		mnl_attr_put_u32(nlh, TCA_FQ_FLOW_PLIMIT, FQ_FLOW_LIMIT);
		mnl_attr_put_u32(nlh, TCA_FQ_ORPHAN_MASK, FQ_ORPHAN_MASK);
		mnl_attr_nest_end(nlh, nest);
	} else if (len) {
		mnl_attr_put(nlh, TCA_OPTIONS, len, options);
	}
	return rtnl_talk(nlh, NULL, NULL);
}

static int del(__u32 ifindex, __u32 parent, __u32 handle)
{
	char buf[RTNL_BYTES];
	struct tcmsg *tcm = rtnl_tc(buf, RTM_DELQDISC, NLM_F_ACK, ifindex);

	tcm->tcm_parent = parent;
	tcm->tcm_handle = handle;
	return rtnl_talk((struct nlmsghdr *)buf, NULL, NULL);
}

/* before anything is changed: a command that dies in between must not lose somebody's qdisc */
static int note(struct weir_dev *dev, const char *kind, __u32 handle, const struct qdisc *options,
		const struct qdisc_keeper *keeper, struct err *err)
{
	snprintf(dev->qdisc_kind, sizeof(dev->qdisc_kind), "%s", kind);
	dev->qdisc_handle = handle;
	dev->qdisc_len = options ? options->len : 0;
	memset(dev->qdisc_options, 0, sizeof(dev->qdisc_options));
	if (options)
		memcpy(dev->qdisc_options, options->options, options->len);
	dev->flags |= WEIR_DEV_QDISC;
	return keeper ? keeper->keep(dev, keeper->arg, err) : 0;
}

int qdisc_keeps_edt(__u32 ifindex, bool *ret_yes, bool *ret_default, struct err *err)
{
	_cleanup_(list_free) struct qdisc_list list;
	int rc = list_get(ifindex, &list, err);

	if (rc)
		return rc;
	*ret_yes = list_keeps_edt(&list);
	if (ret_default)
		*ret_default = is_default(list_root(&list));
	return 0;
}

static int put_error(int rc, __u32 ifindex, struct err *err)
{
	if (rc == -ENOENT)
		return err_set(err, ENOENT, "this kernel has no fq (module sch_fq)");
	return err_set(err, -rc, "ifindex %u: cannot put fq there: %s", ifindex, strerror(-rc));
}

/* The leaves that must be replaced are of one plain kind with the same options, or it is -EBUSY. */
static int check_leaves(const struct qdisc_list *list, const struct qdisc *root,
			const struct qdisc **ret_first, struct err *err)
{
	const struct qdisc *first = NULL;

	for (size_t i = 0; i < list->n; i++) {
		const struct qdisc *q = &list->items[i];

		if (!is_leaf(q, root) || is_edt(q))
			continue;
		if (!is_plain(q->kind) || q->cut)
			return err_set(err, EBUSY, "qdisc %s below mq is configured: left as it is",
				       q->kind);
		if (first && (strcmp(first->kind, q->kind) || first->len != q->len ||
			      memcmp(first->options, q->options, q->len)))
			return err_set(err, EBUSY, "the qdiscs below mq differ: left as they are");
		first = first ? first : q;
	}
	if (!first)
		return err_set(err, EBUSY, "mq shows no leaves: left as it is");
	*ret_first = first;
	return 0;
}

static int put_leaves(const struct qdisc_list *list, const struct qdisc *root, const char *kind,
		      const struct weir_dev *restore)
{
	int rc = 0;

	for (size_t i = 0; i < list->n && !rc; i++) {
		const struct qdisc *q = &list->items[i];
		__u32 n = TC_H_MIN(q->parent);

		if (!is_leaf(q, root) || n > LEAVES_MAX)
			continue;
		if (!restore && (!is_edt(q) || root->handle == ROOT_HANDLE))
			rc = put(list->ifindex, q->parent, LEAF_HANDLE(n), "fq", NULL, 0);
		else if (restore && q->handle == LEAF_HANDLE(n) && is_edt(q))
			rc = put(list->ifindex, q->parent, 0, kind, restore->qdisc_options,
				 restore->qdisc_len);
	}
	return rc;
}

/* The kernel's own mq (handle 0) has no addressable leaves: one with a handle takes its place. */
static int fq_below_default_mq(__u32 ifindex, struct err *err)
{
	_cleanup_(list_free) struct qdisc_list list = {};
	const struct qdisc *root;
	int rc = put(ifindex, TC_H_ROOT, ROOT_HANDLE, "mq", NULL, 0);

	if (rc)
		return put_error(rc, ifindex, err);
	rc = list_get(ifindex, &list, err);
	root = rc ? NULL : list_root(&list);
	if (root)
		rc = put_leaves(&list, root, "fq", NULL);
	if (rc || !root) {
		del(ifindex, TC_H_ROOT, ROOT_HANDLE);
		return put_error(rc ? rc : -ENODEV, ifindex, err);
	}
	return 0;
}

static int fq_below_own_mq(const struct qdisc_list *list, const struct qdisc *root,
			   const struct weir_dev *dev, struct err *err)
{
	int rc = put_leaves(list, root, "fq", NULL);

	if (rc) {
		_cleanup_(list_free) struct qdisc_list now = {};

		if (!list_get(list->ifindex, &now, err) && list_root(&now))
			put_leaves(&now, list_root(&now), dev->qdisc_kind, dev);
		return put_error(rc, list->ifindex, err);
	}
	return 0;
}

/* what is there is noted, then changed */
static int fq_put(const struct qdisc_list *list, const struct qdisc *root, struct weir_dev *dev,
		  const struct qdisc_keeper *keeper, struct err *err)
{
	bool mq = root && !strcmp(root->kind, "mq");
	const struct qdisc *was = mq ? NULL : root;
	int rc = 0;

	if (mq && root->handle)
		rc = check_leaves(list, root, &was, err);
	else if (was && !is_default(was) && (!is_plain(was->kind) || was->cut))
		rc = err_set(err, EBUSY, "root qdisc %s is configured: left as it is", was->kind);
	if (!rc)
		rc = note(dev, was ? was->kind : mq ? "mq" : "", root ? root->handle : 0, was,
			  keeper, err);
	if (rc)
		return rc;
	if (mq)
		return root->handle ? fq_below_own_mq(list, root, dev, err) :
				      fq_below_default_mq(list->ifindex, err);
	rc = put(list->ifindex, TC_H_ROOT, ROOT_HANDLE, "fq", NULL, 0);
	return rc ? put_error(rc, list->ifindex, err) : 0;
}

int qdisc_fq_put(__u32 ifindex, struct weir_dev *dev, const struct qdisc_keeper *keeper,
		 struct err *err)
{
	_cleanup_(list_free) struct qdisc_list list;
	const struct qdisc *root;
	int rc = list_get(ifindex, &list, err);

	if (rc)
		return rc;
	root = list_root(&list);
	if (list_keeps_edt(&list) && !is_default(root)) {
		/* of a weir that nothing is known of any more */
		if (root->handle == ROOT_HANDLE)
			return note(dev, "", 0, NULL, keeper, err);
		err->text[0] = '\0';
		if (list_flow_limit(&list) < FQ_FLOW_LIMIT)
			err_set(err, EBUSY, "the fq there drops of each flow what waits beyond its "
				"flow_limit of %u, and is left as it is: want %u, and a limit of %u",
				list_flow_limit(&list), FQ_FLOW_LIMIT, FQ_LIMIT);
		return 1;
	}
	rc = fq_put(&list, root, dev, keeper, err);
	if (rc)
		dev->flags &= ~WEIR_DEV_QDISC;
	return rc;
}

int qdisc_fq_restore(__u32 ifindex, const struct weir_dev *dev, struct err *err)
{
	_cleanup_(list_free) struct qdisc_list list = {};
	const struct qdisc *root;
	int rc;

	if (!(dev->flags & WEIR_DEV_QDISC))
		return 0;
	rc = list_get(ifindex, &list, err);
	if (rc)
		return rc;
	root = list_root(&list);
	if (!root)
		return 0;
	if (root->handle == ROOT_HANDLE && !dev->qdisc_handle)
		rc = del(ifindex, TC_H_ROOT, ROOT_HANDLE);	/* the default comes back */
	else if (root->handle == ROOT_HANDLE)
		rc = put(ifindex, TC_H_ROOT, dev->qdisc_handle, dev->qdisc_kind,
			 dev->qdisc_options, dev->qdisc_len);
	else if (!strcmp(root->kind, "mq") && root->handle == dev->qdisc_handle)
		rc = put_leaves(&list, root, dev->qdisc_kind, dev);
	if (rc && rc != -ENODEV)
		return err_set(err, -rc, "%s: cannot put qdisc %s back: %s", dev->name,
			       dev->qdisc_kind, strerror(-rc));
	return 0;
}

int qdisc_clsact_make(__u32 ifindex, enum weir_hook hook, struct err *err)
{
	_cleanup_(list_free) struct qdisc_list list = {};
	char buf[RTNL_BYTES];
	const struct qdisc *q;
	struct tcmsg *tcm;
	int rc;

	tcm = rtnl_tc(buf, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, ifindex);
	tcm->tcm_parent = TC_H_CLSACT;
	tcm->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	mnl_attr_put_strz((struct nlmsghdr *)buf, TCA_KIND, "clsact");
	rc = rtnl_talk((struct nlmsghdr *)buf, NULL, NULL);
	if (!rc)
		return 1;
	if (rc != -EEXIST)
		return err_set(err, -rc, "ifindex %u: cannot make qdisc clsact: %s", ifindex,
			       rc == -ENOENT ? "this kernel has none" : strerror(-rc));
	rc = list_get(ifindex, &list, err);
	if (rc)
		return rc;
	q = list_find(&list, TC_H_CLSACT);	/* also that of `ingress` */
	if (q && strcmp(q->kind, "clsact") && hook == WEIR_EGRESS)
		return err_set(err, EBUSY, "qdisc %s is there, which has no egress hook: want clsact in "
			       "its place", q->kind);
	return 0;
}

int qdisc_clsact_others(__u32 ifindex, enum weir_hook hook, __u32 priority,
			struct filter_count *ret, struct err *err)
{
	_cleanup_(list_free) struct qdisc_list list = {};
	int rc = list_get(ifindex, &list, err);

	if (rc)
		return rc;
	*ret = (struct filter_count){};
	if (list_find(&list, TC_H_CLSACT))
		rc = filter_count(ifindex, hook, priority, ret);
	return rc ? err_set(err, -rc, "ifindex %u: cannot list its filters: %s", ifindex,
			    strerror(-rc)) : 0;
}

int qdisc_clsact_remove_if_empty(__u32 ifindex, struct err *err)
{
	_cleanup_(list_free) struct qdisc_list list = {};
	struct filter_count in = {}, out = {};
	const struct qdisc *q;
	int tries = 1000, rc = list_get(ifindex, &list, err);

	if (rc)
		return rc;
	q = list_find(&list, TC_H_CLSACT);
	if (!q || strcmp(q->kind, "clsact"))
		return 0;
	rc = filter_count(ifindex, WEIR_INGRESS, 0, &in);
	if (!rc)
		rc = filter_count(ifindex, WEIR_EGRESS, 0, &out);
	/* busy: somebody reads its filters just now (weir show) */
	while (!rc && !in.behind && !out.behind && tries--) {
		rc = del(ifindex, TC_H_CLSACT, q->handle);
		if (rc != -EBUSY)
			break;
		rc = tries ? 0 : -EBUSY;
	}
	if (rc && rc != -ENODEV)
		return err_set(err, -rc, "ifindex %u: cannot remove qdisc clsact: %s", ifindex,
			       strerror(-rc));
	return 0;
}
