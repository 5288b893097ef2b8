/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plant.h: what a controller controls, in simulated time: producers that send two packets at once
 * and then pause for the next two, by the rate of that moment; a rate that takes effect some time
 * after it was decided, a consumer that takes messages at a speed that changes, and a look at its
 * counters now and then, with noise. user/sample.c and user/control.c run as they are.
 */
#ifndef PLANT_H
#define PLANT_H

#include "unit.h"
#include "control.h"
#include "sample.h"
#include "util.h"

#define MS 1000000ULL
#define SEC (1000 * MS)
#define MBIT 1000000ULL
#define PLANT_FLOWS 1024
#define PLANT_PAST 4096

/* of a controller's state, at the begin */
#define CONTROL_NEW { .past = (struct control_past[CONTROL_PAST]){} }

struct plant {
	/* set by the test */
	__u64 speed_bps;		/* of the consumer; 0: it has stopped */
	__u64 interval_ns, delay_ns;	/* of the looks; from a decision to the producers */
	unsigned int flows;
	__u64 offer_bps;		/* what all producers together want; 0: no end */
	double noise;			/* of the value: a part, either way */
	bool blind;			/* no drain rate is told */
	struct control_config config;
	/* state */
	struct control_state state;
	struct control_past rates[CONTROL_PAST];
	struct control_sample sample;
	struct sample_state sampler;
	struct control_decision decision;
	__u64 now, next_look, tick;
	__u64 next_send[PLANT_FLOWS];
	double unread, served, received, credit;
	__u64 past[PLANT_PAST];		/* decided rates, one for each tick */
	/* over the window that the test asked for */
	double sum, most;
	unsigned int n;
	double served_before;
};

/* a step: an eighth of the looks' interval, a ms at most */
static inline void plant_init(struct plant *p)
{
	p->tick = p->interval_ns / 8 < MS ? p->interval_ns / 8 : MS;
	p->now = SEC;
	p->next_look = p->now;
	p->state.past = p->rates;
	if (!p->config.interval_ns)
		p->config.interval_ns = p->interval_ns;
	if (!p->config.delay_ns)
		p->config.delay_ns = p->delay_ns;
	p->config.pauses = 0.5;
	for (unsigned int i = 0; i < p->flows; i++)
		p->next_send[i] = p->now + unit_below(10 * MS);
}

/* the rate that the producers know: decided a delay ago; without a lease the configured one */
static inline double plant_rate(const struct plant *p)
{
	__u64 at = (p->now - p->delay_ns) / p->tick;
	__u64 rate = p->now < SEC + p->delay_ns ? 0 : p->past[at % PLANT_PAST];

	rate = rate ? rate : p->config.base_bps ? p->config.base_bps : 1000 * MBIT;
	return p->offer_bps && rate > p->offer_bps ? p->offer_bps : rate;
}

static inline void plant_look(struct plant *p)
{
	struct sample_counters counters = {
		.at_ns = p->now, .unread_bytes = p->unread, .served_bytes = p->served,
		.received_bytes = p->received,
	};
	double off = 1 + p->noise * (unit_below(2001) / 1000.0 - 1);

	sample_step(&p->sampler, &counters, &p->sample);
	p->sample.value *= off;
	p->sample.ttl_ns = 20 * p->interval_ns;
	p->sample.limited = !p->offer_bps || plant_rate(p) < p->offer_bps;
	p->sample.used_bps = plant_rate(p);
	p->sample.active = p->flows;
	if (p->blind)
		p->sample.drain_bps = 0;
	p->next_look += p->interval_ns;
}

/* one tick */
static inline void plant_step(struct plant *p)
{
	double rate = plant_rate(p), bytes = 2 * 1448, take;

	for (unsigned int i = 0; i < p->flows; i++)
		while (p->next_send[i] <= p->now) {
			p->unread += bytes;
			p->received += bytes;
			p->next_send[i] += bytes * 8e9 * p->flows / rate;
			if (p->next_send[i] + 100 * MS < p->now)
				p->next_send[i] = p->now;
		}
	take = p->speed_bps / 8e9 * p->tick;
	take = take < p->unread ? take : p->unread;
	p->unread -= take;
	p->served += take;
	if (p->now >= p->next_look) {
		plant_look(p);
		p->decision = control_step(&p->config, &p->state, &p->sample, p->now);
	}
	p->past[p->now / p->tick % PLANT_PAST] = p->decision.rate_bps;
	p->now += p->tick;
	p->sum += p->unread;
	p->most = p->unread > p->most ? p->unread : p->most;
	p->n++;
}

/* for so long; mean queueing time in ms at the consumer's speed */
static inline double plant_run(struct plant *p, __u64 ns)
{
	__u64 end = p->now + ns;

	p->sum = p->most = p->n = 0;
	p->served_before = p->served;
	while (p->now < end)
		plant_step(p);
	return p->speed_bps ? p->sum / p->n * 8e3 / p->speed_bps : 0;
}

/* of the last run: bit/s */
static inline double plant_goodput(const struct plant *p)
{
	return (p->served - p->served_before) * 8e9 / (p->n * p->tick);
}

/*
 * Runs for so long; the ms after which every window of ten looks has its mean within a part of
 * the target.
 */
static inline double plant_settle(struct plant *p, __u64 ns, double part)
{
	__u64 window = 10 * p->interval_ns, start = p->now, end = p->now + ns, bad = start;

	while (p->now < end) {
		__u64 from = p->now;
		double off = plant_run(p, window) * 1e6 / p->config.target - 1;

		if (off > part || off < -part)
			bad = from + window;
	}
	return (bad - start) / 1e6;
}

#endif
