// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy.c: the model of a whole policy, its defaults and the checks across values. The numbers
 * of all defaults are at the top of this file and nowhere else. Pure: no libbpf, no clock, no
 * log, no system call.
 */
#include <stdio.h>
#include <string.h>
#include <weir/bucket.h>
#include "conf.h"
#include "policy.h"
#include "quantity.h"
#include "signals.h"

/* pace: CE from a delay that a queue needs anyway; drop where waiting helps nobody any more */
#define PACE_MARK_AT_NS 10000000ULL
#define PACE_DROP_AT_NS 200000000ULL
/* no burst lasts longer at its bucket's rate: keeps bytes times npb far from 2^64 */
#define BURST_MAX_NS 10000000000ULL
#define PREF_STEP 10ULL

static void class_init(struct weir_class *class, const char *name)
{
	memset(class, 0, sizeof(*class));
	snprintf(class->name, sizeof(class->name), "%s", name);
	class->flags = WEIR_CLASS_USED;
	class->plen4 = 32;
	class->plen6 = 128;
}

struct policy *policy_new(void)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (policy)
		class_init(&policy->classes[0], "default");
	return policy;
}

int policy_class_find(const struct policy *policy, const char *name)
{
	for (int i = 0; i < WEIR_MAX_CLASSES; i++)
		if (policy->classes[i].flags & WEIR_CLASS_USED &&
		    !strcmp(policy->classes[i].name, name))
			return i;
	return -ENOENT;
}

int policy_class_get(struct policy *policy, const char *name)
{
	int slot = policy_class_find(policy, name);

	for (int i = 0; slot < 0 && i < WEIR_MAX_CLASSES; i++)
		if (!(policy->classes[i].flags & WEIR_CLASS_USED)) {
			class_init(&policy->classes[i], name);
			slot = i;
		}
	return slot < 0 ? -ENOSPC : slot;
}

int policy_class_del(struct policy *policy, const char *name, struct err *err)
{
	int slot = policy_class_find(policy, name);
	unsigned int n = 0;

	if (slot < 0)
		return err_set(err, ENOENT, "no class '%s'", name);
	if (!slot)
		return err_set(err, EPERM, "class 'default' always exists");
	for (unsigned int i = 0; i < policy->n_matches; i++)
		n += policy->matches[i].class_slot == slot;
	if (n)
		return err_set(err, EBUSY, "class '%s' has %u match%s; delete %s first "
			       "(weir match del %s)", name, n, n == 1 ? "" : "es",
			       n == 1 ? "it" : "them", name);
	memset(&policy->classes[slot], 0, sizeof(policy->classes[slot]));
	return 0;
}

enum { V4 = 1, V6 = 2 };

/* which families the prefixes can match; both where there are none */
static unsigned int families(const struct weir_prefix *prefixes, unsigned int n)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned int ret = n ? 0 : V4 | V6;

	for (unsigned int i = 0; i < n; i++)
		ret |= memcmp(prefixes[i].addr, mapped, 12) ? V6 : V4;
	return ret;
}

/* TCP, UDP, UDP-Lite, SCTP */
static bool has_ports(__u8 proto)
{
	return proto == 6 || proto == 17 || proto == 136 || proto == 132;
}

/* refuses what no packet can ever match */
static int match_check(const struct weir_rule *rule, struct err *err)
{
	unsigned int family = families(rule->src, rule->n_src) & families(rule->dst, rule->n_dst);
	unsigned int wanted = rule->n_proto ? 0 : V4 | V6;
	char number[CONF_PROTO];

	if (!family)
		return err_set(err, EINVAL, "src and dst are of different families; "
			       "no packet can match");
	if (rule->fields & WEIR_M_CGROUP && rule->fields & WEIR_M_HOOK &&
	    rule->hook == WEIR_INGRESS)
		return err_set(err, EINVAL, "cgroup with hook ingress: what arrives has no sender "
			       "here; no packet can match");
	for (unsigned int i = 0; i < rule->n_proto; i++) {
		__u8 proto = rule->proto[i];

		wanted |= proto == 1 ? V4 : proto == 58 ? V6 : V4 | V6;
		if (rule->fields & (WEIR_M_SPORT | WEIR_M_DPORT) && !has_ports(proto))
			return err_set(err, EINVAL, "%s with proto %s: only tcp, udp and sctp "
				       "have ports",
				       rule->fields & WEIR_M_SPORT ? "sport" : "dport",
				       conf_proto_name(proto, number));
	}
	if (!(family & wanted))
		return err_set(err, EINVAL, "proto %s and the addresses are of different families; "
			       "no packet can match", wanted == V4 ? "icmp" : "icmp6");
	return 0;
}

int policy_match_add(struct policy *policy, const struct weir_rule *rule, struct err *err)
{
	unsigned int n = policy->n_matches, at;
	__u32 pref = rule->pref;
	int r = match_check(rule, err);

	if (r)
		return r;
	if (n == WEIR_MAX_RULES)
		return err_set(err, ENOSPC, "all %u matches are in use", WEIR_MAX_RULES);
	if (!pref) {
		__u64 next = n ? policy->matches[n - 1].pref / PREF_STEP * PREF_STEP + PREF_STEP :
				 PREF_STEP;

		if (next > ~0U)
			return err_set(err, ERANGE, "no pref is left behind %u; want pref N",
				       policy->matches[n - 1].pref);
		pref = next;
	}
	for (at = n; at && policy->matches[at - 1].pref > pref; at--)
		;
	memmove(&policy->matches[at + 1], &policy->matches[at],
		(n - at) * sizeof(policy->matches[0]));
	policy->matches[at] = *rule;
	policy->matches[at].pref = pref;
	policy->n_matches++;
	return 0;
}

int policy_match_del(struct policy *policy, const char *class_name, __u32 pref, struct err *err)
{
	int slot = policy_class_find(policy, class_name);
	unsigned int kept = 0, n = policy->n_matches;

	if (slot < 0)
		return err_set(err, ENOENT, "no class '%s'", class_name);
	for (unsigned int i = 0; i < n; i++) {
		const struct weir_rule *rule = &policy->matches[i];

		if (rule->class_slot == slot && (!pref || rule->pref == pref))
			continue;
		if (kept != i)
			policy->matches[kept] = *rule;
		kept++;
	}
	if (kept == n && pref)
		return err_set(err, ENOENT, "class '%s' has no match with pref %u", class_name,
			       pref);
	if (kept == n)
		return err_set(err, ENOENT, "class '%s' has no match", class_name);
	memset(&policy->matches[kept], 0, (n - kept) * sizeof(policy->matches[0]));
	policy->n_matches = kept;
	return 0;
}

bool policy_class_has(const struct weir_class *class, const struct weir_flow *flow)
{
	/* generations wrap */
	return class->flags & WEIR_CLASS_USED &&
	       (__s32)(flow->generation - (__u32)class->since_generation) >= 0;
}

static void flag_default(struct weir_class *class, __u32 set_bit, __u32 flag, bool value)
{
	if (class->set & set_bit)
		return;
	class->flags &= ~flag;
	if (value)
		class->flags |= flag;
}

static int fair_check(const struct weir_class *class, struct err *err)
{
	if (!(class->set & WEIR_SET_FAIR) || !(class->flags & WEIR_CLASS_FAIR))
		return 0;
	if (!class->rate_bps && !class->signal[0])
		return err_set(err, EINVAL, "fair on: there is nothing to share without a rate; "
			       "want rate RATE as well");
	if (class->per == WEIR_PER_CLASS)
		return err_set(err, EINVAL, "fair on with per class: one bucket has nobody to "
			       "share with; want per flow, src, dst, dscp or cgroup");
	return 0;
}

static int rates_check(const struct weir_class *class, struct err *err)
{
	if (class->rate_bps && class->flow_rate_bps > class->rate_bps)
		return err_set(err, EINVAL, "flow-rate %s: more than the class's rate %s",
			       quantity_rate_exact(class->flow_rate_bps).text,
			       quantity_rate_exact(class->rate_bps).text);
	if (class->min_bps && class->max_bps && class->min_bps > class->max_bps)
		return err_set(err, EINVAL, "min %s: more than max %s",
			       quantity_rate_exact(class->min_bps).text,
			       quantity_rate_exact(class->max_bps).text);
	return 0;
}

__u64 policy_class_rate(const struct weir_class *class)
{
	return class->rate_bps ?: class->signal[0] ? class->max_bps : 0;
}

/* what the controller needs */
static int control_finish(struct weir_class *class, struct err *err)
{
	__u64 base_bps = class->flags & WEIR_CLASS_FROZEN ? class->auto_bps : class->rate_bps;
	bool is_time;
	__u64 target;

	class->flags &= ~WEIR_CLASS_LEASED;
	if (!class->signal[0]) {
		if (class->set & WEIR_SET_TARGET || class->law)
			return err_set(err, EINVAL, "%s: the class has no control; want control "
				       "SIGNAL as well",
				       class->set & WEIR_SET_TARGET ? "target" : "law");
		if (class->min_bps || class->max_bps)
			return err_set(err, EINVAL, "%s: the class has no control, whose bound it "
				       "is; want control SIGNAL as well",
				       class->min_bps ? "min" : "max");
		return 0;
	}
	target = signal_target_default(class->signal, &is_time);
	if (!(class->set & WEIR_SET_TARGET)) {
		if (!target)
			return err_set(err, EINVAL, "control %s: want target VALUE as well",
				       class->signal);
		class->target = target;
		class->set &= ~WEIR_SET_TARGET_TIME;
		class->set |= is_time ? WEIR_SET_TARGET_TIME : 0;
	} else if (target && signal_kind_of(class->signal) != SIGNAL_HTTP &&
		   is_time != !!(class->set & WEIR_SET_TARGET_TIME)) {
		return err_set(err, EINVAL, "target of control %s: want %s", class->signal,
			       is_time ? "a time such as 10ms" : "a share such as 1%");
	} else if (target && !is_time && class->target >= 100 * 1000000ULL) {
		return err_set(err, EINVAL, "target of control %s: want a share below 100%%",
			       class->signal);
	}
	if (base_bps && class->min_bps > base_bps && !class->max_bps)
		return err_set(err, EINVAL, "min %s: more than rate %s, beyond which no controller "
			       "goes; want max RATE as well",
			       quantity_rate_exact(class->min_bps).text,
			       quantity_rate_exact(base_bps).text);
	if (!(class->flags & WEIR_CLASS_FROZEN))
		class->flags |= WEIR_CLASS_LEASED;
	return 0;
}

/* burst_ns from what was given, or the action's default */
static int burst_finish(struct weir_class *class, struct err *err)
{
	__u64 npb = class->npb_flow ?: class->npb_rate, ns;

	if (class->set & WEIR_SET_BURST_BYTES) {
		ns = ((unsigned __int128)class->burst_bytes * npb) >> WEIR_NPB_SHIFT;
		if (ns > BURST_MAX_NS)
			return err_set(err, EINVAL, "burst %s: more than 10s at %s",
				       quantity_size_exact(class->burst_bytes).text,
				       quantity_rate_exact(class->flow_rate_bps ?:
							   policy_class_rate(class)).text);
		class->burst_ns = ns;
		return 0;
	}
	class->burst_bytes = 0;
	if (!(class->set & WEIR_SET_BURST))
		class->burst_ns = 0;	/* the datapath's own: it knows the level */
	else if (!class->burst_ns && class->action == WEIR_POLICE)
		return err_set(err, EINVAL, "burst 0 with action police: it would pass nothing; "
			       "want more than 0");
	return 0;
}

/* mark-at and drop-at; one that was not given keeps clear of one that was */
static int delays_finish(struct weir_class *class, struct err *err)
{
	bool mark = class->set & WEIR_SET_MARK_AT, drop = class->set & WEIR_SET_DROP_AT;

	if (class->action == WEIR_POLICE && drop)
		return err_set(err, EINVAL, "drop-at with action police: it drops beyond its "
			       "burst; want burst TIME instead");
	if (class->action == WEIR_POLICE) {
		class->drop_at_ns = PACE_DROP_AT_NS;	/* unused, but for an agent's rate */
		if (!mark)
			class->mark_at_ns = 0;		/* its burst */
		if (class->burst_ns && class->mark_at_ns > class->burst_ns)
			return err_set(err, EINVAL, "mark-at %s: later than burst %s, beyond which "
				       "action police drops",
				       quantity_time_exact(class->mark_at_ns).text,
				       quantity_time_exact(class->burst_ns).text);
		return 0;
	}
	if (!mark)
		class->mark_at_ns = drop && class->drop_at_ns / 2 < PACE_MARK_AT_NS ?
				    class->drop_at_ns / 2 : PACE_MARK_AT_NS;
	if (!drop)
		class->drop_at_ns = mark && class->mark_at_ns * 2 > PACE_DROP_AT_NS ?
				    class->mark_at_ns * 2 : PACE_DROP_AT_NS;
	if (class->mark_at_ns > class->drop_at_ns)
		return err_set(err, EINVAL, "mark-at %s: later than drop-at %s",
			       quantity_time_exact(class->mark_at_ns).text,
			       quantity_time_exact(class->drop_at_ns).text);
	return 0;
}

static int class_finish(struct weir_class *class, struct err *err)
{
	int r;

	class->npb_rate = weir_npb(policy_class_rate(class));
	class->npb_flow = weir_npb(class->flow_rate_bps);
	if (!(class->set & WEIR_SET_ACTION))
		class->action = WEIR_PACE;
	flag_default(class, WEIR_SET_FAIR, WEIR_CLASS_FAIR,
		     (class->rate_bps || class->signal[0]) && class->per != WEIR_PER_CLASS);
	flag_default(class, WEIR_SET_ECN, WEIR_CLASS_ECN, true);
	flag_default(class, WEIR_SET_SOCKET, WEIR_CLASS_SOCKET, true);
	r = rates_check(class, err);
	if (!r)
		r = control_finish(class, err);
	if (!r)
		r = fair_check(class, err);
	if (!r)
		r = burst_finish(class, err);
	if (!r)
		r = delays_finish(class, err);
	return r;
}

int policy_finish(struct policy *policy, struct err *err)
{
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES; i++) {
		struct weir_class *class = &policy->classes[i];
		int r;

		if (!(class->flags & WEIR_CLASS_USED))
			continue;
		r = class_finish(class, err);
		if (r) {
			err_prefix(err, "%s: ", class->name);
			return r;
		}
	}
	return 0;
}

/* a slot for class i of next that is not taken yet, if possible one that live does not use */
static int slot_choose(const struct weir_class *class, const struct policy *live,
		       const struct weir_class *taken)
{
	int slot = policy_class_find(live, class->name), any = -1;

	if (slot >= 0)
		return slot;
	for (int i = 1; i < WEIR_MAX_CLASSES; i++) {
		if (taken[i].flags & WEIR_CLASS_USED)
			continue;
		if (!(live->classes[i].flags & WEIR_CLASS_USED))
			return i;
		if (any < 0)
			any = i;
	}
	return any;
}

int policy_align(struct policy *next, const struct policy *live, struct err *err)
{
	_cleanup_free_ struct weir_class *classes = calloc(WEIR_MAX_CLASSES, sizeof(*classes));
	__u16 moved[WEIR_MAX_CLASSES] = {};

	if (!classes)
		return err_set(err, ENOMEM, "out of memory");
	/* those that live knows first: their slots are not free for the others */
	for (int known = 1; known >= 0; known--)
		for (unsigned int i = 0; i < WEIR_MAX_CLASSES; i++) {
			const struct weir_class *class = &next->classes[i];
			int slot;

			if (!(class->flags & WEIR_CLASS_USED) ||
			    (policy_class_find(live, class->name) >= 0) != known)
				continue;
			slot = slot_choose(class, live, classes);
			classes[slot] = *class;
			classes[slot].since_generation = known ?
				live->classes[slot].since_generation : live->generation + 1;
			moved[i] = slot;
		}
	for (unsigned int i = 0; i < next->n_matches; i++)
		next->matches[i].class_slot = moved[next->matches[i].class_slot];
	memcpy(next->classes, classes, sizeof(next->classes));
	return 0;
}
