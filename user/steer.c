// SPDX-License-Identifier: GPL-2.0-only
/*
 * steer.c: one step of all controllers: what sense.c heard of a class's signal goes to its
 * controller, what that says into its lease. Cost depends on the classes under control alone, in
 * memory that the kernel shares. Decides no rate itself (control.c does).
 */
#include <stdio.h>
#include <string.h>
#include <weir/bucket.h>
#include "log.h"
#include "sense.h"
#include "steer.h"

#define TOLD_PART 64			/* a smaller change of a rate is no event */
#define STEERING_EVERY_NS 1000000000ULL
/*
 * A socket sleeps its pause out: half of one on average where it sends two packets at once, less
 * where one. What is delayed here has its departure.
 */
#define PAUSES_SOCKET 0.3
#define PAUSES_QUEUE 1.0

int steer_init(struct steer *steer, struct err *err)
{
	const size_t size = WEIR_MAX_CLASSES * sizeof(*steer->classes);

	steer->classes = aligned_alloc(_Alignof(struct steer_class), size);
	steer->watch = calloc(WEIR_MAX_CLASSES, sizeof(*steer->watch));
	steer->sources = calloc(WEIR_MAX_CLASSES, sizeof(*steer->sources));
	steer->past = calloc(WEIR_MAX_CLASSES, sizeof(*steer->past));
	steer->policy = calloc(1, sizeof(*steer->policy));
	steer->signals = signals_new();
	steer->interval_ns = steer->told_interval_ns = CONTROL_INTERVAL_MIN_NS;
	if (!steer->classes || !steer->watch || !steer->sources || !steer->past ||
	    !steer->policy || !steer->signals)
		return err_set(err, ENOMEM, "out of memory");
	memset(steer->classes, 0, size);
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES; i++) {
		steer->classes[i].watch = &steer->watch[i];
		steer->classes[i].source = &steer->sources[i];
		steer->classes[i].state.past = steer->past[i];
	}
	return 0;
}

void steer_free(struct steer *steer)
{
	backlog_close(steer->backlog);
	signals_free(steer->signals);
	free(steer->classes);
	free(steer->watch);
	free(steer->sources);
	free(steer->past);
	free(steer->policy);
}

/* nothing is known of it */
static void class_clear(struct steer_class *c)
{
	control_forget(&c->state);
	*c->source = (struct steer_source){};
	*c = (struct steer_class){
		.watch = c->watch, .source = c->source, .state.past = c->state.past,
	};
}

void steer_forget(struct steer *steer)
{
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES; i++)
		class_clear(&steer->classes[i]);
	memset(steer->watch, 0, WEIR_MAX_CLASSES * sizeof(*steer->watch));
	steer->n_classes = 0;
	steer->policy->generation = 0;
	steer->no_backlog_told = false;
}

/* what is served tells how old it has become: of the rate of that time, which is the target's */
static __u64 delay_of(const struct weir_class *class, enum signal_kind kind)
{
	switch (kind) {
	case SIGNAL_BACKLOG:
		return STEER_DELAY_LOCAL_NS;
	case SIGNAL_HTTP:
		return STEER_DELAY_REMOTE_NS;
	case SIGNAL_RTT:
		/* a packet's answer tells of the rate of when it was sent */
		return STEER_DELAY_LOCAL_NS + class->target;
	case SIGNAL_PUSHED:
		if (class->set & WEIR_SET_TARGET_TIME &&
		    class->target < STEER_DELAY_OTHER_NS - STEER_DELAY_REMOTE_NS)
			return STEER_DELAY_REMOTE_NS + class->target;
		return STEER_DELAY_OTHER_NS;
	default:
		return STEER_DELAY_OTHER_NS;
	}
}

static struct control_config config_of(const struct weir_class *class, enum signal_kind kind)
{
	bool by_hand = class->flags & WEIR_CLASS_FROZEN;

	return (struct control_config){
		.law = class->law,
		.target = class->target,
		.min_bps = class->min_bps,
		.max_bps = class->max_bps,
		.base_bps = by_hand ? class->auto_bps : class->rate_bps,
		.interval_ns = CONTROL_INTERVAL_MIN_NS,
		.delay_ns = delay_of(class, kind),
		.pauses = kind == SIGNAL_BACKLOG ? PAUSES_QUEUE : PAUSES_SOCKET,
		.by_hand = by_hand,
	};
}

/* another agent's lease of a class that this one has not seen before */
static void left_read(const struct steer *steer, unsigned int slot, __u64 now_ns)
{
	struct steer_class *c = &steer->classes[slot];
	struct weir_lease lease;

	if (!steer->maps || maps_lease_get(steer->maps, slot, &lease) || lease.expires_ns <= now_ns)
		return;
	c->left_bps = lease.rate_bps;
	c->left_until_ns = lease.expires_ns;
}

/* of a class by another name, or of one that was deleted and set again since the last look */
static bool is_new(const struct steer_class *c, const struct weir_class *class)
{
	return strcmp(c->name, class->name) ||
	       c->source->since_generation != class->since_generation;
}

static void class_policy(struct steer_class *c, const struct weir_class *class, bool observe)
{
	enum signal_kind kind = class->flags & WEIR_CLASS_USED ? signal_kind_of(class->signal) :
								 SIGNAL_NONE;
	struct steer_source *source = c->source;
	__u64 interval_ns = c->config.interval_ns;

	if (!(class->flags & WEIR_CLASS_USED)) {
		class_clear(c);
		return;
	}
	if (is_new(c, class)) {
		class_clear(c);
		memcpy(c->name, class->name, sizeof(c->name));
		source->since_generation = class->since_generation;
	}
	/* a controller that follows something else starts anew */
	if (strcmp(source->signal, class->signal)) {
		control_forget(&c->state);
		memset(&c->sample, 0, sizeof(c->sample));
		memcpy(source->signal, class->signal, sizeof(source->signal));
		source->has_before = c->other_unit_told = false;
		source->psi_at_ns = interval_ns = 0;
		source->psi_failed = 0;
		source->rtt_us = source->rtt_n = source->looked_ns = source->ratio_ns = 0;
		source->per_packet = 0;
	}
	c->kind = kind;
	c->config = config_of(class, kind);
	/* how often it is heard is known */
	if (interval_ns)
		c->config.interval_ns = interval_ns;
	c->flags = (class->set & WEIR_SET_TARGET_TIME ? WEIR_D_TIME : 0) |
		   (observe ? WEIR_D_OBSERVE : 0);
}

/*
 * What arrives is delayed by departure times where every device keeps them, else it is policed. A
 * hold is kept by the buckets' clocks, or it would turn a flow's order around.
 */
static void arrivals_set(struct steer *steer, const struct hook_list *hooks)
{
	unsigned int edt = 0, police = 0;

	for (size_t i = 0; i < hooks->n; i++)
		if (hooks->items[i].key.hook == WEIR_INGRESS)
			*(hooks->items[i].dev.flags & WEIR_DEV_EDT ? &edt : &police) += 1;
	for (unsigned int i = 0; i < steer->n_classes; i++) {
		const struct weir_class *class = &steer->policy->classes[i];
		struct steer_class *c = &steer->classes[i];
		bool delays = edt && !police && class->action == WEIR_PACE;

		c->source->policed = c->kind == SIGNAL_BACKLOG && edt + police && !delays;
		if (c->kind != SIGNAL_BACKLOG || !delays)
			continue;
		c->config.delays = class->flags & WEIR_CLASS_FAIR || class->npb_flow;
		c->config.delay_ns = STEER_DELAY_QUEUE_NS;
	}
}

static int sockets_open(struct steer *steer, struct err *err)
{
	int r = backlog_open(&steer->backlog, steer->instance, err);

	/* of these there may be enough again */
	if (!r || r == -EMFILE || r == -ENFILE || r == -ENOMEM)
		return r;
	log_note("%s; signals of local sockets are not to be had", err->text);
	err->text[0] = '\0';
	steer->no_backlog_told = true;
	return 0;
}

int steer_policy(struct steer *steer, __u64 now_ns, struct err *err)
{
	_cleanup_(hook_list_free) struct hook_list hooks = {};
	int r = 0;

	steer->n_classes = 0;
	steer->signals_epoch = 0;
	steer->need_backlog = steer->serve;
	steer->need_psi = false;
	remotes_begin(steer->remotes);
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES && !r; i++) {
		const struct weir_class *class = &steer->policy->classes[i];
		struct steer_class *c = &steer->classes[i];
		bool begins = is_new(c, class);

		class_policy(c, class, steer->observe);
		if (begins && c->kind)
			left_read(steer, i, now_ns);
		*c->watch = (struct steer_watch){ .kind = c->kind };
		if (!c->name[0])
			continue;
		steer->n_classes = i + 1;
		if (c->kind == SIGNAL_HTTP)
			r = remotes_follow(steer->remotes, class->signal, err);
		steer->need_backlog |= sense_needs_sockets(c->kind);
		steer->need_psi |= c->kind == SIGNAL_PSI;
	}
	remotes_end(steer->remotes);
	if (!r && steer->need_backlog && !steer->backlog && !steer->no_backlog_told)
		r = sockets_open(steer, err);
	if (!r && steer->backlog)
		r = hook_list_get(steer->instance, &hooks, err);
	if (r)
		return r;
	if (steer->backlog)
		backlog_policy(steer->backlog, steer->policy, &hooks);
	arrivals_set(steer, &hooks);
	return 0;
}

static int lease_write(const struct maps *maps, struct steer_class *c, unsigned int slot,
		       const struct control_decision *decision, __u64 now_ns)
{
	__u64 rate_bps = decision->rate_bps;
	bool renew = rate_bps && c->lease_until_ns < now_ns + STEER_LEASE_NS / 2;

	if (rate_bps == c->lease_bps && decision->hold_until_ns == c->hold_until_ns && !renew)
		return 0;
	c->lease_bps = rate_bps;
	c->hold_until_ns = decision->hold_until_ns;
	c->lease_until_ns = rate_bps ? now_ns + STEER_LEASE_NS : 0;
	return maps_lease_put(maps, slot, &(struct weir_lease){
		.rate_bps = rate_bps, .npb_rate = weir_npb(rate_bps),
		.expires_ns = c->lease_until_ns, .hold_until_ns = c->hold_until_ns,
	});
}

static bool worth_telling(const struct steer_told *told, const struct control_decision *decision)
{
	__u64 bps = decision->rate_bps;
	__u64 moved = bps > told->bps ? bps - told->bps : told->bps - bps;

	if (decision->reason != told->reason || !told->at_ns)
		return true;
	return moved > told->bps / TOLD_PART;
}

/* when the decision may be another without a new sample, or what it wrote grows old */
static __u64 quiet_until(const struct steer_class *c, __u64 now_ns)
{
	__u64 until = c->told.at_ns + STEERING_EVERY_NS;
	__u64 stale = c->sample.at_ns + c->sample.ttl_ns + 1;

	if (c->lease_until_ns && c->lease_until_ns - STEER_LEASE_NS / 2 < until)
		until = c->lease_until_ns - STEER_LEASE_NS / 2;
	if (stale <= now_ns)
		stale += c->sample.ttl_ns;
	return stale > now_ns && stale < until ? stale : until;
}

static int steering_write(struct steer *steer, unsigned int slot,
			  const struct control_decision *decision, bool tell, __u64 now_ns)
{
	struct steer_class *c = &steer->classes[slot];
	const char *signal = steer->policy->classes[slot].signal;
	struct weir_decision d = {
		.seq = c->told.seq,
		.at_ns = now_ns,
		.old_bps = c->told.bps,
		.new_bps = decision->rate_bps,
		.value = c->sample.value,
		.target = c->config.target,
		.drain_bps = c->sample.drain_bps,
		.class_slot = slot,
		.reason = decision->reason,
		.law = control_law_in_force(&c->config, &c->sample),
		.flags = c->flags | (c->sample.at_ns ? WEIR_D_VALUE : 0),
		.interval = (c->config.interval_ns + WEIR_D_INTERVAL_NS / 2) / WEIR_D_INTERVAL_NS,
	};

	memcpy(d.class, c->name, sizeof(d.class));
	if (tell)
		tell_decision(steer->tell, steer->maps, &d, signal, &c->budget);
	else
		tell_late(steer->tell, d, signal, &c->budget);
	c->told = (struct steer_told){ d.seq, now_ns, decision->rate_bps, decision->reason };
	return maps_steering_put(steer->maps, &d);
}

static int decide(struct steer *steer, unsigned int slot, __u64 now_ns)
{
	struct steer_class *c = &steer->classes[slot];
	struct control_decision decision;
	bool tell;
	int r = 0;

	/* what the agent before has set stands: it goes on from there, not from the whole rate */
	if (c->sample.at_ns && !c->state.rate_bps && now_ns < c->left_until_ns)
		c->state.rate_bps = c->left_bps;
	decision = control_step(&c->config, &c->state, &c->sample, now_ns);
	tell = worth_telling(&c->told, &decision);
	if (!steer->observe)
		r = lease_write(steer->maps, c, slot, &decision, now_ns);
	if (!r && (tell || c->told.at_ns + STEERING_EVERY_NS <= now_ns))
		r = steering_write(steer, slot, &decision, tell, now_ns);
	c->watch->quiet_until_ns = quiet_until(c, now_ns);
	return r;
}

static int class_step(struct steer *steer, unsigned int slot,
		      const struct weir_class_state **states, __u64 now_ns)
{
	const struct steer_class *c = &steer->classes[slot];
	int r = 0;

	/* a controller goes by what is new: the rest need not be looked at, but for what passes, or
	 * one that takes over would go by the mean of hours */
	if (c->sample.at_ns > c->state.seen_ns || c->used_at_ns + STEERING_EVERY_NS <= now_ns) {
		if (!*states)
			r = maps_class_states(steer->maps, steer->n_classes, states);
		if (!r)
			r = sense_producers(steer, slot, &(*states)[slot], now_ns);
		/* one that stood before it was followed waits for what there is to begin from */
		if (!r && !c->used_known && c->sample.at_ns) {
			c->watch->quiet_until_ns = now_ns;
			return 0;
		}
	}
	return r ?: decide(steer, slot, now_ns);
}

int steer_step(struct steer *steer, __u64 now_ns)
{
	const struct weir_class_state *states = NULL;
	__u64 next_ns;
	int r = 0, failed;

	if (!steer->maps)
		return 0;
	/* sockets that cannot be looked at hold up nobody who follows something else */
	failed = sense_step(steer, now_ns, &next_ns);
	for (unsigned int i = 0; i < steer->n_classes && !r; i++) {
		const struct steer_watch *watch = &steer->watch[i];

		if (watch->heard && watch->heard->at_ns != watch->heard_at_ns)
			sense_heard(steer, i);
		if (!watch->kind)
			continue;
		if (watch->quiet_until_ns <= now_ns)
			r = class_step(steer, i, &states, now_ns);
		if (watch->quiet_until_ns < next_ns)
			next_ns = watch->quiet_until_ns;
	}
	steer->next_ns = next_ns;
	return r ?: failed;
}

bool steer_signal(const struct steer *steer, const char *name, __u64 now_ns, struct signal *ret)
{
	const struct signal *pushed = signals_find(steer->signals, name);

	if (pushed && signal_fresh(pushed, now_ns)) {
		*ret = *pushed;
		return true;
	}
	for (unsigned int i = 0; i < steer->n_classes; i++)
		if (!strcmp(steer->classes[i].name, name))
			return sense_serve(&steer->classes[i], ret) && signal_fresh(ret, now_ns);
	return false;
}
