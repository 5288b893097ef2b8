// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic_loop.c: one thread's event loop over sockets and their timers, the clock, and the
 * receiver's time series. Knows no protocol.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include "traffic.h"

uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

void sleep_until(uint64_t ns)
{
	struct timespec ts = {.tv_sec = ns / SEC, .tv_nsec = ns % SEC};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
		;
}

static void *must(void *p)
{
	if (!p) {
		fputs("traffic: out of memory\n", stderr);
		_exit(1);
	}
	return p;
}

int loop_init(struct loop *loop, struct run *run)
{
	memset(loop, 0, sizeof(*loop));
	loop->run = run;
	loop->buf = must(calloc(1, TRAFFIC_BUF));
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -1 : 0;
}

void loop_free(struct loop *loop)
{
	unsigned int i;

	for (i = 0; i < loop->n_ends; i++)
		free(loop->ends[i]);
	free(loop->ends);
	free(loop->buf);
	close(loop->epoll_fd);
}

struct end *loop_add(struct loop *loop, int fd, uint32_t events, struct flow *flow)
{
	struct end *end = must(calloc(1, sizeof(*end)));

	if (loop->n_ends == loop->size) {
		loop->size = loop->size ? 2 * loop->size : 64;
		loop->ends = must(realloc(loop->ends, loop->size * sizeof(*loop->ends)));
	}
	loop->ends[loop->n_ends++] = end;
	end->fd = fd;
	end->due_ns = TRAFFIC_NEVER;
	end->flow = flow;
	if (flow)
		loop->active++;
	if (events)
		loop_events(loop, end, events);
	return end;
}

/* first use adds it: a TCP socket that has not begun to connect reports a hangup all the time */
void loop_events(struct loop *loop, struct end *end, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = end};

	if (epoll_ctl(loop->epoll_fd, end->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, end->fd,
		      &event) < 0) {
		perror("traffic: epoll_ctl");
		_exit(1);
	}
	end->polled = true;
}

/* the socket itself stays open until the run has ended: whoever owns it closes it */
void loop_done(struct loop *loop, struct end *end)
{
	if (end->done)
		return;
	if (end->polled)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, end->fd, NULL);
	end->done = true;
	end->due_ns = TRAFFIC_NEVER;
	if (end->flow)
		loop->active--;
}

/* runs the due timers; returns when the next one is due */
static uint64_t run_timers(struct loop *loop, uint64_t now)
{
	uint64_t next = loop->deadline_ns;
	unsigned int i;

	for (i = 0; i < loop->n_ends; i++) {
		struct end *end = loop->ends[i];

		if (end->due_ns <= now) {
			end->due_ns = TRAFFIC_NEVER;
			end->timer(loop, end, now);
		}
		if (end->due_ns < next)
			next = end->due_ns;
	}
	return next;
}

void *loop_main(void *arg)
{
	struct epoll_event events[64];
	struct loop *loop = arg;

	prctl(PR_SET_TIMERSLACK, 1UL);
	while (loop->active) {
		uint64_t now = clock_ns(), next = run_timers(loop, now), wait_ns;
		struct timespec ts;
		int i, n;

		if (!loop->active || now >= loop->deadline_ns)
			break;
		now = clock_ns();
		wait_ns = next > now ? next - now : 0;
		ts.tv_sec = wait_ns / SEC;
		ts.tv_nsec = wait_ns % SEC;
		n = epoll_pwait2(loop->epoll_fd, events, 64, &ts, NULL);
		if (n < 0 && errno != EINTR)
			break;
		now = clock_ns();
		for (i = 0; i < n; i++) {
			struct end *end = events[i].data.ptr;

			if (!end->done)
				end->ready(loop, end, now);
		}
	}
	return NULL;
}

/* bytes the receiver has just read; before start and after stop they are not the flow's */
void flow_count(struct run *run, struct flow *flow, uint64_t bytes, uint64_t now)
{
	uint64_t bin;

	flow->last_ns = now;
	if (now < flow->start_ns || now >= flow->stop_ns)
		return;
	bin = (now - flow->start_ns) / run->step_ns;
	if (bin < flow->n_bins)
		flow->bins[bin] += bytes;
	flow->bytes += bytes;
}

void values_add(struct values *values, uint64_t v)
{
	if (values->n == values->size) {
		values->size = values->size ? 2 * values->size : 1024;
		values->v = must(realloc(values->v, values->size * sizeof(*values->v)));
	}
	values->v[values->n++] = v;
}
