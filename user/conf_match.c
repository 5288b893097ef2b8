// SPDX-License-Identifier: GPL-2.0-only
/*
 * conf_match.c: the keys of a match: word to value and back, one table. Lists are bounded by
 * abi.h. Names of devices and cgroups are kept as they are; what they resolve to is the
 * command's business. Pure: no libbpf, no clock, no log.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "conf.h"
#include "dscp.h"
#include "quantity.h"

static const char *const hook_words[] = { "egress", "ingress", NULL };
static const __u8 v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

static const struct {
	const char *name;
	__u8 number;
} protos[] = {
	{ "tcp", 6 },	  { "udp", 17 }, { "icmp", 1 }, { "icmp6", 58 },
	{ "sctp", 132 },  { "gre", 47 }, { "esp", 50 },
};
static const char *const proto_words[] = { "tcp", "udp", "icmp", "icmp6", "sctp", "gre", "esp",
					   NULL };

/* calls item() for each part of a list; the error is about the whole word */
static int list_each(const char *word, int (*item)(const char *text, void *arg, struct err *err),
		     void *arg, struct err *err)
{
	const char *at = word;
	char text[64];

	for (int r;;) {
		size_t n = strcspn(at, ",");

		if (!n)
			return err_set(err, EINVAL, "'%s': an item of the list is empty", word);
		if (n >= sizeof(text))
			return err_set(err, EINVAL, "'%s': too long", word);
		memcpy(text, at, n);
		text[n] = '\0';
		r = item(text, arg, err);
		if (r == -E2BIG)
			err_prefix(err, "'%s': ", word);
		if (r || !at[n])
			return r;
		at += n + 1;
	}
}

static int too_many(const char *what, unsigned int most, struct err *err)
{
	return err_set(err, E2BIG, "more than %u %s; want another match for the rest", most, what);
}

/* "N" or "LO-HI" */
static int range_parse(const char *text, unsigned int max, __u64 *lo, __u64 *hi, struct err *err)
{
	char low[64];
	const char *dash = strchr(text, '-');

	snprintf(low, sizeof(low), "%.*s", dash ? (int)(dash - text) : (int)strlen(text), text);
	if (quantity_count(low, 0, max, lo, err) ||
	    quantity_count(dash ? dash + 1 : low, 0, max, hi, err))
		return err_set(err, EINVAL, "'%s': want a number or a range LO-HI, 0 to %u", text,
			       max);
	if (*lo > *hi)
		return err_set(err, EINVAL, "'%s': a range goes from low to high", text);
	return 0;
}

static int dev_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_rule *rule = target;
	size_t n = strlen(word);

	if (!n || n >= sizeof(rule->dev) || strpbrk(word, "/ ") || conf_has_control(word))
		return err_set(err, EINVAL, "'%s': want the name of a device, 1 to %zu printable "
			       "characters but / and blanks", word, sizeof(rule->dev) - 1);
	memcpy(rule->dev, word, n);
	rule->fields |= key->bit;
	return 0;
}

static int dev_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_rule *rule = target;

	return rule->fields & key->bit ? snprintf(ret->text, sizeof(ret->text), "%s", rule->dev) :
					 0;
}

static int hook_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_rule *rule = target;
	int hook = opts_choice(word, key->choices, err);

	if (hook < 0)
		return hook;
	rule->hook = hook;
	rule->fields |= key->bit;
	return 0;
}

static int hook_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_rule *rule = target;

	if (!(rule->fields & key->bit) || rule->hook >= WEIR_HOOK_COUNT)
		return 0;
	return snprintf(ret->text, sizeof(ret->text), "%s", hook_words[rule->hook]);
}

struct prefixes {
	struct weir_prefix *list;
	__u8 *n;
};

static int prefix_refused(const char *text, struct err *err)
{
	return err_set(err, EINVAL, "'%s': want an address or a prefix such as 10.0.0.0/8 or "
		       "2001:db8::/32", text);
}

static void prefix_text(const struct weir_prefix *prefix, char *buf, size_t size)
{
	bool v4 = !memcmp(prefix->addr, v4_mapped, 12) && prefix->mask[11] == 0xff;
	char address[INET6_ADDRSTRLEN];
	unsigned int plen = 0;

	while (plen < 128 && prefix->mask[plen / 8] & (0x80 >> plen % 8))
		plen++;
	if (v4)
		inet_ntop(AF_INET, prefix->addr + 12, address, sizeof(address));
	else
		inet_ntop(AF_INET6, prefix->addr, address, sizeof(address));
	if (plen == 128)
		snprintf(buf, size, "%s", address);
	else
		snprintf(buf, size, "%s/%u", address, v4 ? plen - 96 : plen);
}

/* the address and its prefix length in bits of the 128 */
static int prefix_parse(const char *text, struct weir_prefix *ret, unsigned int *ret_plen,
			struct err *err)
{
	const char *slash = strchr(text, '/');
	char address[64];
	__u64 plen;
	bool v4;

	snprintf(address, sizeof(address), "%.*s", slash ? (int)(slash - text) : 63, text);
	v4 = inet_pton(AF_INET, address, ret->addr + 12) == 1;
	if (v4)
		memcpy(ret->addr, v4_mapped, 12);
	else if (inet_pton(AF_INET6, address, ret->addr) != 1)
		return prefix_refused(text, err);
	plen = v4 ? 32 : 128;
	if (slash && quantity_count(slash + 1, 0, plen, &plen, err))
		return prefix_refused(text, err);
	*ret_plen = v4 ? plen + 96 : plen;
	return 0;
}

static int prefix_item(const char *text, void *arg, struct err *err)
{
	struct prefixes *prefixes = arg;
	struct weir_prefix prefix = {}, whole;
	bool outside = false;
	char buf[64];
	unsigned int plen = 0;
	int r = prefix_parse(text, &prefix, &plen, err);

	if (r)
		return r;
	if (*prefixes->n == WEIR_PREFIXES)
		return too_many("prefixes", WEIR_PREFIXES, err);
	for (unsigned int i = 0; i < plen; i++)
		prefix.mask[i / 8] |= 0x80 >> i % 8;
	whole = prefix;
	for (unsigned int i = 0; i < 16; i++) {
		outside |= whole.addr[i] & ~whole.mask[i];
		whole.addr[i] &= whole.mask[i];
	}
	prefix_text(&whole, buf, sizeof(buf));
	if (outside)
		return err_set(err, EINVAL, "'%s': has bits beyond its length; want %s", text, buf);
	prefixes->list[(*prefixes->n)++] = prefix;
	return 0;
}

static int prefixes_set(const struct opts_key *key, const char *word, void *target,
			struct err *err)
{
	struct weir_rule *rule = target;
	bool src = key->bit == WEIR_M_SRC;
	struct prefixes prefixes = { src ? rule->src : rule->dst,
				     src ? &rule->n_src : &rule->n_dst };

	rule->fields |= key->bit;
	return list_each(word, prefix_item, &prefixes, err);
}

static int prefixes_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_rule *rule = target;
	bool src = key->bit == WEIR_M_SRC;
	const struct weir_prefix *list = src ? rule->src : rule->dst;
	unsigned int n = src ? rule->n_src : rule->n_dst;
	char buf[64];
	int at = 0;

	for (unsigned int i = 0; i < n && i < WEIR_PREFIXES && rule->fields & key->bit; i++) {
		prefix_text(&list[i], buf, sizeof(buf));
		at += snprintf(ret->text + at, sizeof(ret->text) - at, "%s%s", i ? "," : "", buf);
	}
	return at;
}

static int proto_item(const char *text, void *arg, struct err *err)
{
	struct weir_rule *rule = arg;
	__u64 number = 256;

	for (unsigned int i = 0; i < ARRAY_SIZE(protos); i++)
		if (!strcmp(protos[i].name, text))
			number = protos[i].number;
	if (number == 256 && quantity_count(text, 0, 255, &number, err))
		return err_set(err, EINVAL, "'%s': want tcp, udp, icmp, icmp6, sctp, gre, esp or a "
			       "number from 0 to 255", text);
	if (rule->n_proto == WEIR_PROTOS)
		return too_many("protocols", WEIR_PROTOS, err);
	rule->proto[rule->n_proto++] = number;
	return 0;
}

static int proto_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_rule *rule = target;

	rule->fields |= key->bit;
	return list_each(word, proto_item, rule, err);
}

const char *conf_proto_name(__u8 number, char buf[CONF_PROTO])
{
	for (unsigned int i = 0; i < ARRAY_SIZE(protos); i++)
		if (protos[i].number == number)
			return protos[i].name;
	quantity_digits(buf, number);
	return buf;
}

const char *conf_flow_proto(const struct weir_flow_key *key, char buf[CONF_PROTO])
{
	const char *name = conf_proto_name(key->proto, buf);
	size_t n = strlen(name);

	if (name != buf)
		memcpy(buf, name, n + 1);
	if (key->flags & WEIR_KEY_INNER && key->tunnel)
		snprintf(buf + n, CONF_PROTO - n, "/%u", key->tunnel);
	else if (key->flags & WEIR_KEY_INNER)
		snprintf(buf + n, CONF_PROTO - n, "/inner");
	return buf;
}

static int proto_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_rule *rule = target;
	char number[CONF_PROTO];
	int at = 0;

	for (unsigned int i = 0; i < rule->n_proto && i < WEIR_PROTOS; i++)
		at += snprintf(ret->text + at, sizeof(ret->text) - at, "%s%s", i ? "," : "",
			       conf_proto_name(rule->proto[i], number));
	return rule->fields & key->bit ? at : 0;
}

struct ports {
	struct weir_range *list;
	__u8 *n;
};

static int port_item(const char *text, void *arg, struct err *err)
{
	struct ports *ports = arg;
	__u64 lo, hi;
	int r = range_parse(text, 65535, &lo, &hi, err);

	if (r)
		return r;
	if (*ports->n == WEIR_PORT_RANGES)
		return too_many("ports or ranges", WEIR_PORT_RANGES, err);
	ports->list[(*ports->n)++] = (struct weir_range){ lo, hi };
	return 0;
}

static int ports_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_rule *rule = target;
	bool src = key->bit == WEIR_M_SPORT;
	struct ports ports = { src ? rule->sport : rule->dport,
			       src ? &rule->n_sport : &rule->n_dport };

	rule->fields |= key->bit;
	return list_each(word, port_item, &ports, err);
}

static int range_text(char *buf, size_t size, bool first, unsigned int lo, unsigned int hi)
{
	if (lo == hi)
		return snprintf(buf, size, "%s%u", first ? "" : ",", lo);
	return snprintf(buf, size, "%s%u-%u", first ? "" : ",", lo, hi);
}

static int ports_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_rule *rule = target;
	bool src = key->bit == WEIR_M_SPORT;
	const struct weir_range *list = src ? rule->sport : rule->dport;
	unsigned int n = src ? rule->n_sport : rule->n_dport;
	int at = 0;

	for (unsigned int i = 0; i < n && i < WEIR_PORT_RANGES && rule->fields & key->bit; i++)
		at += range_text(ret->text + at, sizeof(ret->text) - at, !i, list[i].lo,
				 list[i].hi);
	return at;
}

static int dscp_item(const char *text, void *arg, struct err *err)
{
	__u64 *bits = arg, lo, hi;
	int named = dscp_code(text);

	if (named >= 0) {
		*bits |= 1ULL << named;
		return 0;
	}
	if (range_parse(text, 63, &lo, &hi, err))
		return err_set(err, EINVAL, "'%s': want a number from 0 to 63, a range LO-HI or a "
			       "name: cs0-cs7, af11-af43, ef, le", text);
	for (; lo <= hi; lo++)
		*bits |= 1ULL << lo;
	return 0;
}

static int dscp_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_rule *rule = target;

	rule->fields |= key->bit;
	return list_each(word, dscp_item, &rule->dscp, err);
}

/* ranges are numbers: what lies between two names is not to be seen */
static int dscp_text(const struct weir_rule *rule, bool names, struct opts_text *ret)
{
	__u64 bits = rule->fields & WEIR_M_DSCP ? rule->dscp : 0;
	unsigned int lo = 0, hi;
	char name[DSCP_NAME];
	int at = 0;

	while (lo < 64 && bits >> lo) {
		if (!(bits >> lo & 1)) {
			lo++;
			continue;
		}
		for (hi = lo; hi < 63 && bits >> (hi + 1) & 1; hi++)
			;
		if (names && lo == hi && dscp_name(lo, name))
			at += snprintf(ret->text + at, sizeof(ret->text) - at, "%s%s",
				       at ? "," : "", name);
		else
			at += range_text(ret->text + at, sizeof(ret->text) - at, !at, lo, hi);
		lo = hi + 1;
	}
	return at;
}

static int dscp_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	return dscp_text(target, true, ret);
}

static int dscp_plain(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	return dscp_text(target, false, ret);
}

static int mark_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	const char *slash = strchr(word, '/');
	struct weir_rule *rule = target;
	__u64 mark, mask = ~0U;
	size_t n = slash ? (size_t)(slash - word) : strlen(word);
	char value[32];

	snprintf(value, sizeof(value), "%.*s", (int)n, word);
	if (n >= sizeof(value) || quantity_bits(value, ~0U, &mark, err) ||
	    (slash && quantity_bits(slash + 1, ~0U, &mask, err)))
		return err_set(err, EINVAL, "'%s': want a mark such as 7, 0x10 or 0x10/0xff", word);
	if (!mask || mark & ~mask)
		return err_set(err, EINVAL, "'%s': %s", word, mask ? "has bits outside its mask; "
			       "no packet can match" : "an empty mask says nothing of a packet");
	rule->mark = mark;
	rule->mark_mask = mask;
	rule->fields |= key->bit;
	return 0;
}

static int mark_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_rule *rule = target;

	if (!(rule->fields & key->bit))
		return 0;
	if (rule->mark_mask == ~0U)
		return snprintf(ret->text, sizeof(ret->text), "0x%x", rule->mark);
	return snprintf(ret->text, sizeof(ret->text), "0x%x/0x%x", rule->mark, rule->mark_mask);
}

static int cgroup_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_rule *rule = target;
	char path[sizeof(rule->cgroup) + 2];
	size_t n = strlen(word);

	snprintf(path, sizeof(path), "/%s/", word);
	if (!n || n >= sizeof(rule->cgroup) || conf_has_control(word) || strstr(path, "/./") ||
	    strstr(path, "/../"))
		return err_set(err, EINVAL, "'%s': want a path below the cgroup v2 mount, such as "
			       "system.slice/nginx.service, without . and .., up to %zu characters",
			       word, sizeof(rule->cgroup) - 1);
	memcpy(rule->cgroup, word, n);
	rule->fields |= key->bit;
	return 0;
}

static int cgroup_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_rule *rule = target;

	if (!(rule->fields & key->bit))
		return 0;
	return snprintf(ret->text, sizeof(ret->text), "%s", rule->cgroup);
}

static int pref_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_rule *rule = target;
	__u64 pref;
	int r = quantity_count(word, 1, ~0U, &pref, err);

	if (!r)
		rule->pref = pref;
	return r;
}

static int pref_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_rule *rule = target;

	return rule->pref ? snprintf(ret->text, sizeof(ret->text), "%u", rule->pref) : 0;
}

#define PREF { "pref", "N", "order; the lowest matches first", .set = pref_set, .get = pref_get, \
	       .flags = OPTS_PACKET }

const struct opts_key conf_pref_key = PREF;

const struct opts_key conf_match_keys[] = {
	{ "dev", "DEV", "the device", .set = dev_set, .get = dev_get, .bit = WEIR_M_DEV },
	{ "hook", "egress|ingress", "the direction", .choices = hook_words, .set = hook_set,
	  .get = hook_get, .bit = WEIR_M_HOOK },
	{ "src", "PREFIX,...", "source addresses", .set = prefixes_set, .get = prefixes_get,
	  .bit = WEIR_M_SRC },
	{ "dst", "PREFIX,...", "destination addresses", .set = prefixes_set, .get = prefixes_get,
	  .bit = WEIR_M_DST },
	{ "proto", "PROTO,...", "tcp, udp, icmp, icmp6, sctp, gre, esp or a number",
	  .choices = proto_words, .set = proto_set, .get = proto_get, .bit = WEIR_M_PROTO },
	{ "sport", "PORT|LO-HI,...", "source ports", .set = ports_set, .get = ports_get,
	  .bit = WEIR_M_SPORT },
	{ "dport", "PORT|LO-HI,...", "destination ports", .set = ports_set, .get = ports_get,
	  .bit = WEIR_M_DPORT },
	{ "dscp", "N|LO-HI|NAME,...", "DS field code points", .set = dscp_set, .get = dscp_get,
	  .plain = dscp_plain, .bit = WEIR_M_DSCP, .flags = OPTS_PACKET },
	{ "mark", "MARK[/MASK]", "the firewall mark", .set = mark_set, .get = mark_get,
	  .bit = WEIR_M_MARK, .flags = OPTS_PACKET },
	{ "cgroup", "PATH", "the sending process's cgroup, or one below it", .set = cgroup_set,
	  .get = cgroup_get, .bit = WEIR_M_CGROUP, .flags = OPTS_PACKET },
	PREF,
};

const unsigned int conf_n_match_keys = ARRAY_SIZE(conf_match_keys);
