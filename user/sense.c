// SPDX-License-Identifier: GPL-2.0-only
/*
 * sense.c: looks at each signal when it is due. A look that fails or finds nothing leaves the
 * sample as it was: it grows old, and the controller knows what that means.
 */
#include <stdio.h>
#include <string.h>
#include <weir/level.h>
#include "log.h"
#include "psi.h"
#include "sense.h"

#define SHARE_NS 100000000ULL		/* ce, loss, psi: a look every so often */
#define RTT_NS 50000000ULL		/* rtt: likewise */
#define RATIO_NS 10000000000ULL		/* what passes for each packet answered: of so long */
#define LOOKED_NS 500000000ULL		/* what was answered in a longer time is no rate of now */
#define ANSWERED_PART 0.5		/* of a look, in the rate of answers */
#define WIRE_NS 200000000ULL		/* a class's byte counters: likewise */
#define LIMITED_NS 50000000ULL		/* "the producers want more" stands for so long */
#define USED_NS 20000000.0		/* what a class uses is averaged over */
#define LAST_NS 40000000ULL		/* a class's last packet was so much later at most */
#define STUCK_NS 1000000000ULL
#define QUIET_NS 50000000ULL		/* no sockets, no control: a look every so often */
#define TELL_EVERY_NS 60000000000ULL	/* how often sockets are looked at */
#define DEBT_NS 2000000ULL		/* a class that is so far ahead of its clock is limited */

bool sense_needs_sockets(enum signal_kind kind)
{
	return kind == SIGNAL_BACKLOG || kind == SIGNAL_RTT || kind == SIGNAL_CE ||
	       kind == SIGNAL_LOSS;
}

static __u64 longest(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

/*
 * What weir has let pass of a class. As files are read ahead: of classes that are asked for in a
 * row, twice as many at once as long as half of them were of use.
 */
static int ahead_get(struct steer *steer, unsigned int slot, __u64 now_ns,
		     struct weir_passed *ret)
{
	struct steer_ahead *ahead = &steer->ahead;
	unsigned int end = ahead->slot + ahead->n, n = 1;
	int r;

	if (ahead->at_ns != now_ns || slot < ahead->slot || slot >= end) {
		if (ahead->at_ns == now_ns && slot - end < ahead->n)
			n = ahead->used * 2 >= ahead->n ? ahead->n * 2 : ahead->n / 2;
		n = n < WEIR_PASSED_MAX ? n : WEIR_PASSED_MAX;
		n = n < steer->n_classes - slot ? n : steer->n_classes - slot;
		ahead->at_ns = 0;
		r = passed_get(steer->passed, steer->maps, slot, n, &ahead->passed);
		if (r)
			return r;
		ahead->at_ns = now_ns;
		ahead->slot = slot;
		ahead->n = n;
		ahead->used = 0;
	}
	ahead->used++;
	*ret = ahead->passed[slot - ahead->slot];
	return 0;
}

static int wire_read(struct steer *steer, unsigned int slot, __u64 now_ns)
{
	struct steer_class *c = &steer->classes[slot];
	struct weir_passed passed;
	int r = ahead_get(steer, slot, now_ns, &passed);

	if (r)
		return r;
	c->wire_bytes = passed.bytes;
	c->wire_packets = passed.packets;
	c->wire_at_ns = now_ns;
	return 0;
}

int sense_producers(struct steer *steer, unsigned int slot,
		    const struct weir_class_state *state, __u64 now_ns)
{
	__u64 window_ns = state->npb_level ? weir_cost(WEIR_WINDOW_BYTES, state->npb_level) : 0;
	__u64 recent = longest(LIMITED_NS, 2 * (window_ns < 500000000 ? window_ns : 500000000));
	struct steer_class *c = &steer->classes[slot];
	double span_ns, bps, part;
	int r = 0;

	c->sample.limited = (state->limited_at && now_ns < state->limited_at + recent) ||
			    weir_debt(state->tat, now_ns) > DEBT_NS;
	c->sample.active = state->active;
	span_ns = now_ns - c->used_at_ns;
	/* counters are not asked for where no packet has come since: a call for each idle class */
	if (span_ns > USED_NS / 4 && c->wire_at_ns != now_ns &&
	    (!c->used_at_ns || state->last_ns + LAST_NS > c->used_at_ns))
		r = wire_read(steer, slot, now_ns);
	if (r)
		return r;
	/* the first look has nothing to compare with, nor one at counters that begin anew */
	if (!c->used_at_ns || c->wire_bytes < c->used_bytes) {
		c->used_known = false;
		c->used_bytes = c->wire_bytes;
		c->used_at_ns = now_ns;
	} else if (span_ns > USED_NS / 4) {
		bps = (c->wire_bytes - c->used_bytes) * 8e9 / span_ns;
		part = c->used_known && span_ns < USED_NS ? span_ns / USED_NS : 1;
		c->used_bps += (bps - c->used_bps) * part;
		c->used_known = true;
		c->used_bytes = c->wire_bytes;
		c->used_at_ns = now_ns;
	}
	c->sample.used_bps = c->used_bps;
	c->sample.silent = c->used_known && !c->sample.used_bps;
	return 0;
}

/* UDP sockets keep no counts: what passed, less what waits and what was dropped, has been read */
static void udp_counters(const struct steer_class *c, const struct weir_backlog *b,
			 struct sample_counters *counters)
{
	__u64 mean = c->wire_packets ? c->wire_bytes / c->wire_packets : 0;
	__u64 waiting = b->udp_packets * mean, lost = b->udp_dropped * mean;

	counters->unread_bytes += waiting;
	if (b->sockets > b->udp_sockets)
		return;			/* with TCP beside it, TCP's drain rate must do */
	counters->received_bytes = c->wire_bytes;
	counters->served_bytes =
		c->wire_bytes > waiting + lost ? c->wire_bytes - waiting - lost : 0;
	counters->wire_bytes = 0;
}

/* no consumer is there, and no controller waits for one: a look now and then keeps that known */
static bool is_quiet(const struct steer_class *c, const struct weir_backlog *b, __u64 now_ns)
{
	return !b->sockets && !b->listening && !c->state.rate_bps && c->sample.clear &&
	       now_ns < c->sample.at_ns + QUIET_NS;
}

static int backlog_sample(struct steer *steer, unsigned int slot, __u64 now_ns)
{
	const struct weir_backlog *b = backlog_class(steer->backlog, slot);
	struct steer_class *c = &steer->classes[slot];
	struct sample_state *sampler = &c->source->sampler;
	struct sample_counters counters = {
		.at_ns = now_ns, .unread_bytes = b->unread, .served_bytes = b->served,
		.received_bytes = b->received,
		/* those that wait no more, whether they are still there or not */
		.accepted = b->arrived > b->waiting ? b->arrived - b->waiting : 0,
		.waiting = longest(b->waiting, b->listening),
	};
	int r = 0;

	if (!steer->serve && is_quiet(c, b, now_ns))
		return 0;
	/* a socket that nobody reads says nothing of a consumer that reads others */
	if (now_ns > sampler->bytes.taken_ns + STUCK_NS)
		counters.unread_bytes += b->stuck;
	if (b->udp_sockets || now_ns > c->wire_at_ns + WIRE_NS)
		r = wire_read(steer, slot, now_ns);
	counters.wire_bytes = c->wire_at_ns == now_ns ? c->wire_bytes : 0;
	if (b->udp_packets || b->udp_sockets)
		udp_counters(c, b, &counters);
	if (r || !sample_step(sampler, &counters, &c->sample))
		return r;
	/* a datagram that was dropped is not sent again */
	if (c->source->policed)
		c->config.delay_ns = b->sockets > b->udp_sockets ? STEER_DELAY_POLICE_NS :
								   STEER_DELAY_LOCAL_NS;
	c->sample.ttl_ns = longest(4 * steer->interval_ns, 200000000);
	c->watch->quiet_until_ns = 0;
	c->config.interval_ns = steer->interval_ns;
	return 0;
}

/* wire bytes of the class for each packet that was answered: another's packets, headers, all */
static double per_packet(struct steer_class *c, const struct weir_backlog *b, __u64 now_ns)
{
	struct steer_source *source = c->source;
	__u64 answered = b->delivered - source->ratio_delivered;

	if (!source->ratio_ns || (now_ns > source->ratio_ns + RATIO_NS && answered)) {
		if (source->ratio_ns)
			source->per_packet =
				(double)(c->wire_bytes - source->ratio_wire) / answered;
		source->ratio_ns = now_ns;
		source->ratio_wire = c->wire_bytes;
		source->ratio_delivered = b->delivered;
	}
	if (source->per_packet)
		return source->per_packet;
	return c->wire_packets ? (double)c->wire_bytes / c->wire_packets : 0;
}

/*
 * How fast packets are answered: what the way takes where the signal is above its target, since
 * something waits on it; below, what it takes at least. 0: a first look, or one after a silence.
 */
static double answered(struct steer_class *c, const struct weir_backlog *b, __u64 now_ns)
{
	struct steer_source *source = c->source;
	__u64 span_ns = now_ns - source->looked_ns;
	double bytes = per_packet(c, b, now_ns) * (b->delivered - source->before.delivered);
	double bps = bytes * 8e9 / span_ns;

	if (span_ns > LOOKED_NS)
		source->answered_bps = 0;
	else
		source->answered_bps += (bps - source->answered_bps) *
					(source->answered_bps ? ANSWERED_PART : 1);
	source->looked_ns = now_ns;
	source->before = *b;
	return source->answered_bps;
}

/* round trip, CE, loss of the class's local senders since the last look */
static void sender_sample(struct steer *steer, unsigned int slot, __u64 now_ns)
{
	const struct weir_backlog *b = backlog_class(steer->backlog, slot);
	struct steer_class *c = &steer->classes[slot];
	struct steer_source *source = c->source;
	const struct weir_backlog *before = &source->before;
	__u64 span_ns = c->kind == SIGNAL_RTT ? RTT_NS : SHARE_NS, value;
	bool heard;

	/* the counts go on where a slot's class is another, or follows something else */
	if (!source->has_before) {
		source->has_before = true;
		source->before = *b;
	}
	source->rtt_us += b->rtt_us;
	source->rtt_n += b->rtt_n;
	/* a timer may be a little early */
	if (now_ns + CONTROL_INTERVAL_MIN_NS / 2 < source->next_ns)
		return;
	if (c->kind == SIGNAL_RTT) {
		heard = source->rtt_n;
		value = heard ? source->rtt_us * 1000 / source->rtt_n : 0;
	} else if (c->kind == SIGNAL_CE) {
		heard = sample_share(before->delivered_ce, b->delivered_ce, before->delivered,
				     b->delivered, &value);
	} else {
		/* what was lost was sent as well: a link that lets nothing through is heard, too */
		heard = sample_share(before->lost, b->lost, before->delivered + before->lost,
				     b->delivered + b->lost, &value);
	}
	if (!heard)
		return;
	c->watch->quiet_until_ns = 0;
	source->next_ns = now_ns + span_ns;
	source->rtt_us = source->rtt_n = 0;
	c->sample = (struct control_sample){
		.at_ns = now_ns, .ttl_ns = 10 * SHARE_NS, .value = value, .clear = !value,
		.is_time = c->kind == SIGNAL_RTT, .answered = true,
		.drain_bps = answered(c, b, now_ns),
	};
	c->config.interval_ns = span_ns;
}

static void left_out_tell(struct steer *steer)
{
	__u32 n = backlog_left_out(steer->backlog);

	if (n && !steer->left_out_told)
		log_note("%u sockets are not looked at: on this kernel at most %u are, bound to %u "
			 "devices at most", n, WEIR_BACKLOG_KEYS, WEIR_BACKLOG_BOUND);
	else if (!n && steer->left_out_told)
		log_note("all sockets are looked at again");
	steer->left_out_told = n;
}

static int sockets_step(struct steer *steer, __u64 now_ns)
{
	__u64 interval;
	__s64 cost;
	int r;

	if (!steer->backlog || !steer->need_backlog || now_ns < steer->next_pass_ns)
		return 0;
	r = backlog_pass(steer->backlog, now_ns);
	if (r)
		return r;
	left_out_tell(steer);
	cost = (__s64)backlog_cost_ns(steer->backlog) - (__s64)steer->pass_ns;
	steer->pass_ns += cost / (cost > 0 ? 2 : 8);
	interval = sample_interval_ns(steer->pass_ns);
	if (interval > steer->interval_ns * 5 / 4 || interval < steer->interval_ns * 3 / 4)
		steer->interval_ns = interval;
	/* said where it is another by half, and not over and over again */
	if ((steer->interval_ns > steer->told_interval_ns * 3 / 2 ||
	     steer->interval_ns < steer->told_interval_ns * 2 / 3) &&
	    (!steer->interval_told_ns || steer->interval_told_ns + TELL_EVERY_NS <= now_ns)) {
		steer->told_interval_ns = steer->interval_ns;
		steer->interval_told_ns = now_ns;
		log_note("a pass over the sockets takes %llu us: one every %llu ms",
			 steer->pass_ns / 1000, interval / 1000000);
	}
	steer->next_pass_ns = now_ns + steer->interval_ns - CONTROL_INTERVAL_MIN_NS / 2;
	for (unsigned int i = 0; i < steer->n_classes && !r; i++) {
		struct steer_class *c = &steer->classes[i];

		if (c->kind == SIGNAL_BACKLOG ||
		    (steer->serve && c->name[0] && !c->kind &&
		     backlog_class(steer->backlog, i)->sockets))
			r = backlog_sample(steer, i, now_ns);
		else if (sense_needs_sockets(c->kind))
			sender_sample(steer, i, now_ns);
	}
	return r;
}

static void psi_sample(struct steer_class *c, const char *words, __u64 now_ns)
{
	struct steer_source *source = c->source;
	__u64 us, span_us;
	int r;

	/* a timer may be a little early */
	if (now_ns + CONTROL_INTERVAL_MIN_NS / 2 < source->next_ns)
		return;
	source->next_ns = now_ns + SHARE_NS;
	r = psi_read(words, &us);
	if (r != source->psi_failed && r)
		log_note("class %s: signal \"%s\": %s", c->name, words, strerror(-r));
	source->psi_failed = r;
	if (r)
		return;
	if (source->psi_at_ns && us >= source->psi_us) {
		c->watch->quiet_until_ns = 0;
		span_us = longest((now_ns - source->psi_at_ns) / 1000, us - source->psi_us);
		c->sample = (struct control_sample){
			.at_ns = now_ns, .ttl_ns = 10 * SHARE_NS,
			.value = (us - source->psi_us) * 100 * 1000000 / (span_us ? span_us : 1),
			.clear = us == source->psi_us,
		};
		c->config.interval_ns = SHARE_NS;
	}
	source->psi_us = us;
	source->psi_at_ns = now_ns;
}

/* a time is no number of anything: what is not in the unit of the target says nothing of it */
static bool is_of_target(struct steer_class *c, const struct signal *signal, const char *words)
{
	bool is_time = c->flags & WEIR_D_TIME;
	/* zero is zero */
	bool other = signal->value && signal->is_time != is_time;

	if (other && !c->other_unit_told)
		log_note("class %s: signal \"%s\": %s is %s; want %s, as the target %s is", c->name,
			 words, signal_value_show(signal->value, signal->is_time).text,
			 is_time ? "no time" : "a time", is_time ? "one" : "a number or a share",
			 signal_value_show(c->config.target, is_time).text);
	/* which says nothing of what was told, either */
	if (signal->value)
		c->other_unit_told = other;
	return !other;
}

/* how often it is heard tells the controller how long its steps are */
void sense_heard(struct steer *steer, unsigned int slot)
{
	struct steer_class *c = &steer->classes[slot];
	const struct signal *signal = c->watch->heard;
	const char *words = steer->policy->classes[slot].signal;
	__u64 span;

	c->watch->heard_at_ns = signal->at_ns;
	/* after an apply it is looked at once more: it is not heard twice */
	if (signal->at_ns == c->sample.at_ns || !is_of_target(c, signal, words))
		return;
	c->watch->quiet_until_ns = 0;
	span = c->sample.at_ns ? signal->at_ns - c->sample.at_ns : CONTROL_INTERVAL_MIN_NS;
	if (span > CONTROL_INTERVAL_MAX_NS)
		span = CONTROL_INTERVAL_MAX_NS;
	c->config.interval_ns += ((__s64)span - (__s64)c->config.interval_ns) / 8;
	if (c->config.interval_ns < CONTROL_INTERVAL_MIN_NS)
		c->config.interval_ns = CONTROL_INTERVAL_MIN_NS;
	c->sample = (struct control_sample){
		.at_ns = signal->at_ns, .ttl_ns = signal->ttl_ns, .value = signal->value,
		.is_time = c->flags & WEIR_D_TIME, .clear = signal->clear,
		.stalled = signal->stalled, .drain_bps = signal->drain_bps,
	};
}

/* where the signals are that others send: until names come or go, or the policy changes */
static void find_heard(struct steer *steer)
{
	if (steer->signals_epoch == signals_epoch(steer->signals))
		return;
	for (unsigned int i = 0; i < steer->n_classes; i++) {
		struct steer_watch *watch = &steer->watch[i];
		const char *words = steer->policy->classes[i].signal;

		if (watch->kind == SIGNAL_PUSHED)
			watch->heard = signals_find(steer->signals, words);
		else if (watch->kind == SIGNAL_HTTP)
			watch->heard = remotes_find(steer->remotes, words);
	}
	steer->signals_epoch = signals_epoch(steer->signals);
}

int sense_step(struct steer *steer, __u64 now_ns, __u64 *ret_next_ns)
{
	__u64 next_ns = steer->need_backlog ? now_ns : ~0ULL;
	int r = sockets_step(steer, now_ns);

	find_heard(steer);
	for (unsigned int i = 0; i < steer->n_classes && steer->need_psi; i++) {
		if (steer->watch[i].kind != SIGNAL_PSI)
			continue;
		psi_sample(&steer->classes[i], steer->policy->classes[i].signal, now_ns);
		if (steer->sources[i].next_ns < next_ns)
			next_ns = steer->sources[i].next_ns;
	}
	*ret_next_ns = next_ns;
	return r;
}

bool sense_serve(const struct steer_class *c, struct signal *ret)
{
	if (!c->sample.at_ns || (c->kind && c->kind != SIGNAL_BACKLOG))
		return false;
	*ret = (struct signal){
		.value = c->sample.value, .is_time = c->sample.is_time,
		.stalled = c->sample.stalled, .clear = c->sample.clear,
		.at_ns = c->sample.at_ns, .ttl_ns = c->sample.ttl_ns,
		.drain_bps = c->sample.drain_bps,
	};
	snprintf(ret->name, sizeof(ret->name), "%s", c->name);
	return true;
}
