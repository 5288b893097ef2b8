// SPDX-License-Identifier: GPL-2.0-only
/*
 * ifb.c: makes and deletes the ifb of an ingress hook. It is known again by its name, which has the
 * index of the device that it serves in it, where the record does not know its index yet.
 */
#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "ifb.h"
#include "link.h"
#include "qdisc.h"

#define KIND "ifb"

struct ifb_name {
	char text[16];
};

static struct ifb_name name_of(const struct weir_dev_key *key)
{
	struct ifb_name name;

	snprintf(name.text, sizeof(name.text), "weir-%u", key->ifindex);
	return name;
}

static int record(const struct maps *maps, const struct weir_dev_key *key,
		  const struct weir_dev *dev, struct err *err)
{
	int rc = maps_device_put(maps, key, dev);

	return rc ? err_set(err, -rc, "cannot record its ifb: %s", strerror(-rc)) : 0;
}

static int make(const struct maps *maps, const struct weir_dev_key *key, int prog_fd,
		struct weir_dev *dev, struct err *err)
{
	struct weir_dev unused = {};
	int rc = record(maps, key, dev, err);

	/* of a weir that was killed */
	if (!rc)
		rc = link_del(0, name_of(key).text, KIND, err);
	if (!rc)
		rc = link_make(KIND, name_of(key).text, &dev->ifb_ifindex, err);
	if (!rc)
		rc = record(maps, key, dev, err);
	/* before it is up: no packet, and no qdisc of the system's choice */
	if (!rc)
		rc = qdisc_fq_put(dev->ifb_ifindex, &unused, NULL, err);
	if (rc >= 0)
		rc = link_up(dev->ifb_ifindex, err);
	if (!rc && !(dev->flags & WEIR_DEV_TCX))
		rc = filter_queue_put(key->ifindex, prog_fd, dev->ifb_ifindex, false, err);
	return rc;
}

int ifb_put(const struct maps *maps, const struct weir_dev_key *key, int prog_fd,
	    struct weir_dev *dev, struct err *err)
{
	struct err ignored;
	int rc;

	dev->flags |= WEIR_DEV_IFB;
	rc = make(maps, key, prog_fd, dev, err);
	if (!rc) {
		dev->flags |= WEIR_DEV_EDT;
		rc = record(maps, key, dev, err);
	}
	if (rc && !ifb_remove(key, dev, &ignored))
		record(maps, key, dev, &ignored);
	return rc;
}

int ifb_remove(const struct weir_dev_key *key, struct weir_dev *dev, struct err *err)
{
	int rc;

	if (!(dev->flags & WEIR_DEV_IFB))
		return 0;
	rc = dev->flags & WEIR_DEV_TCX ? 0 : filter_queue_del(key->ifindex, err);
	if (!rc)
		rc = link_del(dev->ifb_ifindex, name_of(key).text, KIND, err);
	if (!rc) {
		dev->flags &= ~(WEIR_DEV_IFB | WEIR_DEV_EDT);
		dev->ifb_ifindex = 0;
	}
	return rc;
}

unsigned int ifb_filters(const struct weir_dev *dev)
{
	return (dev->flags & (WEIR_DEV_IFB | WEIR_DEV_EDT | WEIR_DEV_TCX)) ==
	       (WEIR_DEV_IFB | WEIR_DEV_EDT);
}

bool ifb_works(const struct weir_dev_key *key, const struct weir_dev *dev)
{
	struct filter_count filters;
	struct err ignored;
	bool edt = false;

	if (!(dev->flags & WEIR_DEV_EDT) || !link_is_up(dev->ifb_ifindex, KIND) ||
	    qdisc_keeps_edt(dev->ifb_ifindex, &edt, NULL, &ignored) || !edt)
		return false;
	return !ifb_filters(dev) || (!qdisc_clsact_others(key->ifindex, WEIR_INGRESS, FILTER_LAST,
							  &filters, &ignored) && filters.at);
}
