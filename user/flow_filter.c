// SPDX-License-Identifier: GPL-2.0-only
/*
 * flow_filter.c: chooses flows by the keys of a match. Knows no map and prints nothing.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>
#include "conf.h"
#include "flow_filter.h"

static int class_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct flow_filter *filter = target;
	int r = conf_class_name(word, err);

	if (!r)
		strcpy(filter->class_name, word);
	return r;
}

const struct opts_key flow_filter_class_key = { "class", "CLASS", "flows of this class",
						.set = class_set };

static int not_kept(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	return err_set(err, EINVAL, "'%s': not kept with a flow; want dev, hook, src, dst, proto, "
		       "sport, dport or class", word);
}

int flow_filter_words(struct flow_filter *filter, const struct opts_key *more, unsigned int n_more,
		      int argc, char *const *argv, struct err *err)
{
	struct opts_key keys[32];
	unsigned int n = 0;

	keys[n++] = flow_filter_class_key;
	for (unsigned int i = 0; i < conf_n_match_keys && n < ARRAY_SIZE(keys); i++) {
		keys[n] = conf_match_keys[i];
		if (keys[n].flags & OPTS_PACKET) {
			keys[n].set = not_kept;
			keys[n].flags |= OPTS_REFUSED;
		}
		n++;
	}
	for (unsigned int i = 0; i < n_more && n < ARRAY_SIZE(keys); i++)
		keys[n++] = more[i];
	return opts_parse(keys, n, argc, argv, filter, err);
}

int flow_filter_resolve(struct flow_filter *filter, struct err *err)
{
	if (!(filter->rule.fields & WEIR_M_DEV))
		return 0;
	filter->ifindex = if_nametoindex(filter->rule.dev);
	return filter->ifindex ? 0 : err_set(err, ENODEV, "no device '%s'", filter->rule.dev);
}

/* as bpf/classify.h: a prefix shorter than the ::ffff: of IPv4 means IPv6 alone */
static bool in_prefixes(const struct weir_flow_key *key, const __u8 addr[16],
			const struct weir_prefix *list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		bool same = key->family != 4 || list[i].mask[11] == 0xff;

		for (unsigned int b = 0; b < 16; b++)
			same &= (addr[b] & list[i].mask[b]) == list[i].addr[b];
		if (same)
			return true;
	}
	return false;
}

static bool in_ranges(__be16 port, const struct weir_range *list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (ntohs(port) >= list[i].lo && ntohs(port) <= list[i].hi)
			return true;
	return false;
}

bool flow_filter_wants(const struct flow_filter *filter, const struct weir_flow_key *key,
		       const char *class_name)
{
	const struct weir_rule *rule = &filter->rule;
	__u32 fields = rule->fields;

	if (filter->class_name[0] && (!class_name || strcmp(class_name, filter->class_name)))
		return false;
	if (fields & WEIR_M_DEV && key->ifindex != filter->ifindex)
		return false;
	if (fields & WEIR_M_HOOK && key->hook != rule->hook)
		return false;
	if (fields & WEIR_M_PROTO && !memchr(rule->proto, key->proto, rule->n_proto))
		return false;
	if (fields & WEIR_M_SRC && !in_prefixes(key, key->src, rule->src, rule->n_src))
		return false;
	if (fields & WEIR_M_DST && !in_prefixes(key, key->dst, rule->dst, rule->n_dst))
		return false;
	if (fields & WEIR_M_SPORT && !in_ranges(key->sport, rule->sport, rule->n_sport))
		return false;
	return !(fields & WEIR_M_DPORT) || in_ranges(key->dport, rule->dport, rule->n_dport);
}
