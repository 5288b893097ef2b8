// SPDX-License-Identifier: GPL-2.0-only
/*
 * consumer_report.c: what a run was like, phase by phase (a phase: from one speed to the next).
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "consumer.h"

#define WINDOW_NS (100 * MSEC)		/* queueing times are averaged over */

static int by_us(const void *a, const void *b)
{
	uint32_t x = ((const struct age *)a)->us, y = ((const struct age *)b)->us;

	return (x > y) - (x < y);
}

static double queue_ms(const struct look *l, uint64_t speed_bps)
{
	return speed_bps ? l->unread_bytes * 8e3 / speed_bps : 0;
}

/* mean queueing time of the window that ends with look i */
static double window_ms(const struct run *run, unsigned int i, uint64_t from_ns, uint64_t speed_bps)
{
	double sum = 0;
	unsigned int n = 0;

	for (unsigned int k = i + 1; k-- > 0;) {
		const struct look *l = &run->looks[k];

		if (l->at_ns < from_ns || l->at_ns + WINDOW_NS <= run->looks[i].at_ns)
			break;
		sum += queue_ms(l, speed_bps);
		n++;
	}
	return n ? sum / n : 0;
}

struct phase {
	uint64_t from_ns, to_ns, speed_bps;
	unsigned int number;
};

/* of the window that ends then, since the phase began; its first full one is the first to tell */
static double window_start(const struct phase *p, uint64_t end_ns)
{
	return end_ns > p->from_ns + WINDOW_NS ? end_ns - WINDOW_NS - p->from_ns : 0;
}

static void ages_print(struct run *run, const struct phase *p)
{
	struct age *settled = calloc(run->n_ages + 1, sizeof(*settled));
	unsigned int n = 0;

	for (unsigned int i = 0; i < run->n_ages && settled; i++) {
		uint64_t at_ns = run->ages[i].at_ms * MSEC;

		if (at_ns >= p->from_ns + run->options.after_ns && at_ns < p->to_ns)
			settled[n++] = run->ages[i];
	}
	if (n) {
		qsort(settled, n, sizeof(*settled), by_us);
		printf(",\"age_p50_ms\":%.1f,\"age_p99_ms\":%.1f", settled[n / 2].us / 1e3,
		       settled[(uint64_t)n * 99 / 100].us / 1e3);
	}
	free(settled);
}

static void phase_print(struct run *run, const struct phase *p)
{
	double target_ms = run->options.target_ns / 1e6;
	double near_ms = target_ms * run->options.settled_percent / 100;
	double sum = 0, max = 0, settle_ms = 0, lo = 1e9, hi = 0;
	const struct look *first = NULL, *last = NULL;
	unsigned int n = 0;

	for (unsigned int i = 0; i < run->n_looks; i++) {
		const struct look *l = &run->looks[i];
		double ms = queue_ms(l, p->speed_bps), off;

		if (l->at_ns < p->from_ns || l->at_ns >= p->to_ns)
			continue;
		max = ms > max ? ms : max;
		off = window_ms(run, i, p->from_ns, p->speed_bps) - target_ms;
		if (off > near_ms || off < -near_ms)
			settle_ms = window_start(p, l->at_ns) / 1e6;
		if (l->at_ns < p->from_ns + run->options.after_ns)
			continue;
		lo = off + target_ms < lo ? off + target_ms : lo;
		hi = off + target_ms > hi ? off + target_ms : hi;
		first = first ? first : l;
		last = l;
		sum += ms;
		n++;
	}
	printf("{\"type\":\"phase\",\"n\":%u,\"from_ns\":%llu,\"to_ns\":%llu,\"speed_bps\":%llu",
	       p->number, (unsigned long long)p->from_ns, (unsigned long long)p->to_ns,
	       (unsigned long long)p->speed_bps);
	printf(",\"settle_ms\":%.0f,\"queue_max_ms\":%.1f", settle_ms, max);
	if (n > 1)
		printf(",\"queue_ms\":%.2f,\"queue_low_ms\":%.2f,\"queue_high_ms\":%.2f,"
		       "\"goodput_bps\":%.0f", sum / n, lo, hi,
		       (last->read_bytes - first->read_bytes) * 8e9 / (last->at_ns - first->at_ns));
	ages_print(run, p);
	printf(",\"memory_bytes\":%llu}\n", (unsigned long long)run->memory_bytes[p->number]);
}

static void totals_print(struct run *run)
{
	uint64_t retrans = 0, sent = 0;

	for (unsigned int i = 0; i < run->options.n; i++) {
		struct tcp_info info = {};
		socklen_t len = sizeof(info);

		sent += run->connections[i].seq;
		if (!run->options.udp && !getsockopt(run->connections[i].tx_fd, IPPROTO_TCP,
						     TCP_INFO, &info, &len))
			retrans += info.tcpi_total_retrans;
	}
	printf("{\"type\":\"total\",\"t0_ns\":%llu,\"messages_sent\":%llu,\"messages_read\":%u,"
	       "\"retrans\":%llu}\n", (unsigned long long)run->t0_ns, (unsigned long long)sent,
	       run->n_ages, (unsigned long long)retrans);
}

void report(struct run *run)
{
	struct options *o = &run->options;
	struct phase p = { .to_ns = 0 };

	for (unsigned int i = 0; i <= o->n_events; i++) {
		bool end = i == o->n_events;

		if (!end && o->events[i].command) {
			printf("{\"type\":\"event\",\"at_ns\":%llu,\"status\":%d}\n",
			       (unsigned long long)o->events[i].at_ns, o->events[i].status);
			continue;
		}
		p.to_ns = end ? o->stop_ns : o->events[i].at_ns;
		if (p.number && p.to_ns > p.from_ns)
			phase_print(run, &p);
		if (end)
			break;
		p.from_ns = o->events[i].at_ns;
		p.speed_bps = o->events[i].speed_bps;
		p.number++;
	}
	for (unsigned int i = 0; o->series && i < run->n_looks; i++)
		printf("{\"type\":\"look\",\"at_ns\":%llu,\"unread_bytes\":%llu,\"read_bytes\":%llu}\n",
		       (unsigned long long)run->looks[i].at_ns,
		       (unsigned long long)run->looks[i].unread_bytes,
		       (unsigned long long)run->looks[i].read_bytes);
	totals_print(run);
}
