// SPDX-License-Identifier: GPL-2.0-only
/*
 * conf_class.c: the keys of a class: word to value and back, one table. Checks that need more
 * than one value are policy.c's. Pure: no libbpf, no clock, no log.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "conf.h"
#include "conf_control.h"
#include "quantity.h"
#include "signals.h"

#define DELAY_MIN_NS 1000ULL
#define DELAY_MAX_NS 5000000000ULL	/* fq drops what departs more than 10 s from now */
#define BURST_MAX_NS 10000000000ULL
#define BURST_MAX_BYTES (16ULL << 20)	/* for more a time is the better word */
#define CONN_RATE_MAX 1000000000ULL

static const char *const switch_words[] = { "off", "on", NULL };
static const char *const action_words[] = { "pace", "police", "observe", NULL };
static const char *const per_words[] = { "flow", "src", "dst", "dscp", "cgroup", "class", NULL };

static void *field(const struct opts_key *key, void *target)
{
	return (char *)target + key->offset;
}

static const void *field_of(const struct opts_key *key, const void *target)
{
	return (const char *)target + key->offset;
}

/* "default" takes back what was given; finish fills the default in */
static bool to_default(const struct opts_key *key, const char *word, struct weir_class *class)
{
	if (!key->set_bit || strcmp(word, "default"))
		return false;
	class->set &= ~key->set_bit;
	return true;
}

static int rate_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_class *class = target;

	if (!strcmp(word, "none")) {
		*(__u64 *)field(key, target) = 0;
		return 0;
	}
	/* only of `rate`: hands it back to the controller */
	if (key->bit && !strcmp(word, "auto")) {
		if (class->flags & key->bit)
			class->rate_bps = class->auto_bps;
		class->auto_bps = 0;
		class->flags &= ~key->bit;
		return 0;
	}
	return quantity_rate(word, field(key, target), err);
}

static int rate_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	__u64 bps = *(const __u64 *)field_of(key, target);

	if (!bps)
		return 0;
	return snprintf(ret->text, sizeof(ret->text), "%s", quantity_rate_exact(bps).text);
}

static int time_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_class *class = target;
	int r;

	if (to_default(key, word, class))
		return 0;
	r = quantity_time(word, key->min, key->max, field(key, target), err);
	if (!r)
		class->set |= key->set_bit;
	return r;
}

static int time_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_class *class = target;

	if (!(class->set & key->set_bit))
		return 0;
	return snprintf(ret->text, sizeof(ret->text), "%s",
			quantity_time_exact(*(const __u64 *)field_of(key, target)).text);
}

static int burst_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_class *class = target;
	int r;

	if (to_default(key, word, class))
		return 0;
	if (quantity_is_time(word)) {
		r = quantity_time(word, 0, BURST_MAX_NS, &class->burst_ns, err);
	} else {
		r = quantity_size(word, 1, BURST_MAX_BYTES, &class->burst_bytes, err);
		if (r && !strpbrk(word, "bB"))
			return err_set(err, EINVAL, "'%s': want a time such as 20ms or a size "
				       "such as 64kb", word);
	}
	if (r)
		return r;
	class->set &= ~key->set_bit;
	class->set |= WEIR_SET_BURST | (quantity_is_time(word) ? 0 : WEIR_SET_BURST_BYTES);
	return 0;
}

static int burst_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_class *class = target;

	if (class->set & WEIR_SET_BURST_BYTES)
		return snprintf(ret->text, sizeof(ret->text), "%s",
				quantity_size_exact(class->burst_bytes).text);
	if (class->set & WEIR_SET_BURST)
		return snprintf(ret->text, sizeof(ret->text), "%s",
				quantity_time_exact(class->burst_ns).text);
	return 0;
}

static int switch_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_class *class = target;
	int on;

	if (to_default(key, word, class))
		return 0;
	on = opts_choice(word, key->choices, err);
	if (on < 0)
		return on;
	class->set |= key->set_bit;
	class->flags = on ? class->flags | key->bit : class->flags & ~key->bit;
	return 0;
}

static int switch_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_class *class = target;
	bool on = class->flags & key->bit;

	/* one without a default of its own is off unless it is on */
	if (key->set_bit ? !(class->set & key->set_bit) : !on)
		return 0;
	return snprintf(ret->text, sizeof(ret->text), "%s", switch_words[on]);
}

static int action_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_class *class = target;
	int action;

	if (to_default(key, word, class))
		return 0;
	action = opts_choice(word, key->choices, err);
	if (action < 0)
		return action;
	class->action = action;
	class->set |= key->set_bit;
	return 0;
}

static int action_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_class *class = target;

	if (!(class->set & key->set_bit) || class->action >= WEIR_ACTION_COUNT)
		return 0;
	return snprintf(ret->text, sizeof(ret->text), "%s", action_words[class->action]);
}

/*
 * src/N and dst/N: up to 32 N is of IPv4 and IPv6 goes by its /64, a customer's usual network;
 * beyond 32 it is of IPv6 and IPv4 goes by the whole address.
 */
static int per_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_class *class = target;
	const char *slash = strchr(word, '/');
	__u64 plen4 = 32, plen6 = 128;
	char head[8];
	int per;

	snprintf(head, sizeof(head), "%.*s", slash ? (int)(slash - word) : 7, word);
	per = opts_choice(slash ? head : word, key->choices, err);
	if (per < 0 || (slash && per != WEIR_PER_SRC && per != WEIR_PER_DST))
		return err_set(err, EINVAL, "'%s': want flow, src, dst, src/N, dst/N, dscp, cgroup "
			       "or class", word);
	if (slash) {
		__u64 plen;

		if (quantity_count(slash + 1, 1, 128, &plen, err)) {
			err_prefix(err, "'%s': prefix length ", word);
			return -EINVAL;
		}
		plen4 = plen > 32 ? 32 : plen;
		plen6 = plen > 32 ? plen : 64;
	}
	class->per = per;
	class->plen4 = plen4;
	class->plen6 = plen6;
	return 0;
}

int conf_per(const struct weir_class *class, struct opts_text *ret)
{
	const char *word;

	if (class->per >= WEIR_PER_COUNT)
		return 0;
	word = per_words[class->per];
	if (class->plen4 == 32 && class->plen6 == 128)
		return snprintf(ret->text, sizeof(ret->text), "%s", word);
	return snprintf(ret->text, sizeof(ret->text), "%s/%u", word,
			class->plen6 == 64 ? class->plen4 : class->plen6);
}

static int per_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_class *class = target;

	return class->per == WEIR_PER_FLOW ? 0 : conf_per(class, ret);
}

static int number_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	__u64 value;
	int r = quantity_count(word, key->min, key->max, &value, err);

	if (!r)
		*(__u32 *)field(key, target) = value;
	return r;
}

static int number_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	__u32 value = *(const __u32 *)field_of(key, target);

	return value ? snprintf(ret->text, sizeof(ret->text), "%u", value) : 0;
}

static int overhead_set(const struct opts_key *key, const char *word, void *target,
			struct err *err)
{
	__s64 value;
	int r = quantity_signed(word, -64, 256, &value, err);

	if (!r)
		*(__u32 *)field(key, target) = (__u32)value;
	return r;
}

static int overhead_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	__s32 value = (__s32) * (const __u32 *)field_of(key, target);

	return value ? snprintf(ret->text, sizeof(ret->text), "%d", value) : 0;
}

static int conn_rate_set(const struct opts_key *key, const char *word, void *target,
			 struct err *err)
{
	__u64 value = 0;
	int r = strcmp(word, "none") ? quantity_per_second(word, key->max, &value, err) : 0;

	if (!r)
		*(__u32 *)field(key, target) = value;
	return r;
}

static int conn_rate_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	__u32 value = *(const __u32 *)field_of(key, target);

	return value ? snprintf(ret->text, sizeof(ret->text), "%u/s", value) : 0;
}

#define AT(member) .offset = offsetof(struct weir_class, member)
#define SWITCH(flag, given) \
	.value = "on|off", .choices = switch_words, .set = switch_set, .get = switch_get, \
	.bit = (flag), .set_bit = (given)
#define DELAY(member, given) \
	.value = "TIME", .set = time_set, .get = time_get, AT(member), .min = DELAY_MIN_NS, \
	.max = DELAY_MAX_NS, .set_bit = (given)
#define RATE(member) .set = rate_set, .get = rate_get, AT(member)

const struct opts_key conf_class_keys[] = {
	{ "rate", "RATE|none|auto", "the class's total", RATE(rate_bps),
	  .bit = WEIR_CLASS_FROZEN },
	{ "flow-rate", "RATE|none", "the cap of each bucket", RATE(flow_rate_bps) },
	{ "per", "flow|src|dst|src/N|dst/N|dscp|cgroup|class", "what one bucket holds",
	  .choices = per_words, .set = per_set, .get = per_get },
	{ "burst", "TIME|SIZE", "the depth of a bucket", .set = burst_set, .get = burst_get,
	  .set_bit = WEIR_SET_BURST | WEIR_SET_BURST_BYTES },
	{ "fair", .help = "equal (max-min) shares of the class's rate",
	  SWITCH(WEIR_CLASS_FAIR, WEIR_SET_FAIR) },
	{ "action", "pace|police|observe", "what happens beyond the rate", .choices = action_words,
	  .set = action_set, .get = action_get, .set_bit = WEIR_SET_ACTION },
	{ "ecn", .help = "mark ECN-capable packets", SWITCH(WEIR_CLASS_ECN, WEIR_SET_ECN) },
	{ "socket", .help = "pace local TCP senders at their sockets",
	  SWITCH(WEIR_CLASS_SOCKET, WEIR_SET_SOCKET) },
	{ "mark-at", .help = "the delay from which packets are marked",
	  DELAY(mark_at_ns, WEIR_SET_MARK_AT) },
	{ "drop-at", .help = "the delay beyond which packets are dropped",
	  DELAY(drop_at_ns, WEIR_SET_DROP_AT) },
	{ "overhead", "BYTES", "added to every packet on the wire (-64 to 256)",
	  .set = overhead_set, .get = overhead_get, AT(overhead) },
	{ "mpu", "BYTES", "the least a packet counts on the wire", .set = number_set,
	  .get = number_get, AT(mpu), .max = 2048 },
	{ "min", "RATE|none", "the controller's lower bound", RATE(min_bps) },
	{ "max", "RATE|none", "the controller's upper bound", RATE(max_bps) },
	{ "control", "SIGNAL|none", "what the controller follows", .choices = signal_words,
	  .words = conf_control_words, .set = conf_control_set, .get = conf_control_get },
	{ "target", "VALUE", "where the controller keeps its signal", .set = conf_target_set,
	  .get = conf_target_get, .set_bit = WEIR_SET_TARGET },
	{ "law", "ff|aimd|pi", "how the controller moves the rate", .choices = conf_law_words,
	  .set = conf_law_set, .get = conf_law_get },
	{ "conn-rate", "N/s|none", "most new TCP connections", .set = conn_rate_set,
	  .get = conn_rate_get, AT(conn_rate), .max = CONN_RATE_MAX },
	{ "inner", .help = "the flows inside a tunnel instead of the tunnel's own",
	  SWITCH(WEIR_CLASS_INNER, 0) },
};

const unsigned int conf_n_class_keys = ARRAY_SIZE(conf_class_keys);
