// SPDX-License-Identifier: GPL-2.0-only
/*
 * filter.c: rtnetlink for filters on clsact. Deletes only the filter that has its own handle.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <string.h>

#include "filter.h"
#include "rtnl.h"

#define QUEUE_HANDLE 0x77656972		/* "weir" */

struct counting {
	struct filter_count *count;
	__u32 ours;			/* priority */
};

static int count_cb(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const struct counting *counting = arg;
	__u32 priority = tcm->tcm_info >> 16;

	if (!tcm->tcm_handle)		/* a priority, not a filter */
		return MNL_CB_OK;
	if (priority < counting->ours)
		counting->count->before++;
	else if (priority > counting->ours)
		counting->count->behind++;
	else
		counting->count->at++;
	return MNL_CB_OK;
}

static int dump(__u32 ifindex, enum weir_hook hook, mnl_cb_t cb, void *arg)
{
	char buf[RTNL_BYTES];
	struct tcmsg *tcm = rtnl_tc(buf, RTM_GETTFILTER, NLM_F_DUMP, ifindex);

	tcm->tcm_parent = TC_H_MAKE(TC_H_CLSACT, hook == WEIR_EGRESS ? TC_H_MIN_EGRESS :
								       TC_H_MIN_INGRESS);
	return rtnl_talk((struct nlmsghdr *)buf, cb, arg);
}

int filter_count(__u32 ifindex, enum weir_hook hook, __u32 priority, struct filter_count *ret)
{
	struct counting counting = { ret, priority };

	*ret = (struct filter_count){};
	return dump(ifindex, hook, count_cb, &counting);
}

struct programs {
	__u32 *ids;
	size_t n, max;
};

static int programs_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct programs *programs = arg;
	const struct nlattr *attr, *in;
	bool bpf = false;

	mnl_attr_for_each(attr, nlh, sizeof(struct tcmsg)) {
		/* the kind comes first */
		if (mnl_attr_get_type(attr) == TCA_KIND)
			bpf = !strcmp(mnl_attr_get_str(attr), "bpf");
		if (mnl_attr_get_type(attr) != TCA_OPTIONS || !bpf)
			continue;
		mnl_attr_for_each_nested(in, attr)
			if (mnl_attr_get_type(in) == TCA_BPF_ID && programs->n < programs->max)
				programs->ids[programs->n++] = mnl_attr_get_u32(in);
	}
	return MNL_CB_OK;
}

size_t filter_programs(__u32 ifindex, enum weir_hook hook, __u32 *ids, size_t max)
{
	struct programs programs = { ids, 0, max };

	return dump(ifindex, hook, programs_cb, &programs) ? 0 : programs.n;
}

static struct nlmsghdr *queue_request(char *buf, __u16 type, __u16 flags, __u32 ifindex)
{
	struct tcmsg *tcm = rtnl_tc(buf, type, NLM_F_ACK | flags, ifindex);

	tcm->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	tcm->tcm_handle = QUEUE_HANDLE;
	tcm->tcm_info = TC_H_MAKE((__u32)FILTER_LAST << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz((struct nlmsghdr *)buf, TCA_KIND, "bpf");
	return (struct nlmsghdr *)buf;
}

static void put_redirect(struct nlmsghdr *nlh, __u32 to)
{
	const struct tc_mirred mirred = {
		.action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = to,
	};
	struct nlattr *list = mnl_attr_nest_start(nlh, TCA_BPF_ACT);
	struct nlattr *first = mnl_attr_nest_start(nlh, 1), *options;

	mnl_attr_put_strz(nlh, TCA_ACT_KIND, "mirred");
	options = mnl_attr_nest_start(nlh, TCA_ACT_OPTIONS);
	mnl_attr_put(nlh, TCA_MIRRED_PARMS, sizeof(mirred), &mirred);
	mnl_attr_nest_end(nlh, options);
	mnl_attr_nest_end(nlh, first);
	mnl_attr_nest_end(nlh, list);
}

int filter_queue_put(__u32 ifindex, int prog_fd, __u32 to, bool replace, struct err *err)
{
	char buf[RTNL_BYTES];
	struct nlmsghdr *nlh = queue_request(buf, RTM_NEWTFILTER, NLM_F_CREATE |
					     (replace ? NLM_F_REPLACE : NLM_F_EXCL), ifindex);
	struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	int rc;

	mnl_attr_put_u32(nlh, TCA_BPF_FD, prog_fd);
	mnl_attr_put_strz(nlh, TCA_BPF_NAME, "weir_waits");
	put_redirect(nlh, to);
	mnl_attr_nest_end(nlh, options);
	rc = rtnl_talk(nlh, NULL, NULL);
	if (rc == -ENOENT)
		return err_set(err, ENOENT, "this kernel has no act_mirred");
	return rc ? err_set(err, -rc, "cannot make the filter that queues: %s", strerror(-rc)) : 0;
}

int filter_queue_del(__u32 ifindex, struct err *err)
{
	char buf[RTNL_BYTES];
	int rc = rtnl_talk(queue_request(buf, RTM_DELTFILTER, 0, ifindex), NULL, NULL);

	/* no such filter, priority, clsact or device */
	if (!rc || rc == -ENOENT || rc == -EINVAL || rc == -ENODEV)
		return 0;
	return err_set(err, -rc, "cannot remove the filter that queues: %s", strerror(-rc));
}
