// SPDX-License-Identifier: GPL-2.0-only
/*
 * consumer_loop.c: the thread that produces and the one that consumes. The consumer takes a batch,
 * is busy with it for as long as its speed says, and takes the next; it does not make up for what
 * it has missed while there was nothing to read.
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "consumer.h"

#define SLACK_NS (2 * MSEC)		/* what a late wake-up may be made up for */
#define MEMORY_EVERY 16			/* looks */
#define PUSH_EVERY 2

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

static int wait_ready(int epoll_fd, struct epoll_event *events, int n, uint64_t ns)
{
	struct timespec ts = { .tv_sec = ns / SEC, .tv_nsec = ns % SEC };

	return epoll_pwait2(epoll_fd, events, n, &ts, NULL);
}

/* one message, or what the socket takes of it; false: it takes no more now */
static bool produce(struct run *run, struct connection *c, uint64_t now)
{
	struct options *o = &run->options;
	struct head head = { .sent_ns = now, .seq = c->seq };
	ssize_t n;

	if (!c->tx_left) {
		memcpy(c->tx, &head, sizeof(head));
		c->tx_left = o->message_bytes;
	}
	n = send(c->tx_fd, c->tx + (o->message_bytes - c->tx_left), c->tx_left,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return false;
	c->tx_left -= n;
	if (c->tx_left)
		return false;
	c->seq++;
	return true;
}

/*
 * Asks for the moment at which the socket takes more: TCP_NOTSENT_LOWAT holds for those who wait
 * for it; who just writes fills the last segment up to 64 KB.
 */
static void ask(struct connection *c, int epoll_fd, int op)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLONESHOT, .data.ptr = c };

	epoll_ctl(epoll_fd, op, c->tx_fd, &event);
	c->due_ns = UINT64_MAX;
}

void *producers_main(void *arg)
{
	struct run *run = arg;
	struct options *o = &run->options;
	uint64_t gap_ns = o->message_bytes * 8 * SEC * o->n / o->offer_bps;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[64];

	prctl(PR_SET_TIMERSLACK, 1UL);
	for (unsigned int i = 0; i < o->n; i++)
		ask(&run->connections[i], epoll_fd, EPOLL_CTL_ADD);
	while (!__atomic_load_n(&run->stop, __ATOMIC_ACQUIRE)) {
		uint64_t now = clock_ns(), next = now + 50 * MSEC;
		int n;

		for (unsigned int i = 0; i < o->n; i++) {
			struct connection *c = &run->connections[i];

			if (c->due_ns <= now)
				ask(c, epoll_fd, EPOLL_CTL_MOD);
			if (c->due_ns < next)
				next = c->due_ns;
		}
		now = clock_ns();
		n = wait_ready(epoll_fd, events, 64, next > now ? next - now : 0);
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			bool done = produce(run, c, clock_ns());

			c->next_ns = c->next_ns + gap_ns > now ? c->next_ns + gap_ns : now;
			if (done && c->next_ns > now)
				c->due_ns = c->next_ns;
			else
				ask(c, epoll_fd, EPOLL_CTL_MOD);
		}
	}
	close(epoll_fd);
	return NULL;
}

static void age_add(struct run *run, const struct head *head, uint64_t now)
{
	struct age *age = &run->ages[run->n_ages];

	if (run->n_ages == run->max_ages || now < run->t0_ns)
		return;
	run->n_ages++;
	age->at_ms = (now - run->t0_ns) / MSEC;
	age->us = (now - head->sent_ns) / 1000;
}

/* up to `most` bytes; the heads of messages are looked at when they are complete */
static uint32_t consume_tcp(struct run *run, struct connection *c, char *buf, uint32_t most)
{
	uint32_t size = run->options.message_bytes, used = 0;
	ssize_t n = recv(c->rx_fd, buf, most, MSG_DONTWAIT);
	uint64_t now = clock_ns();

	if (n <= 0)
		return 0;
	while (used < (uint32_t)n) {
		uint32_t part = size - c->rx_have < n - used ? size - c->rx_have : n - used;
		uint32_t head = sizeof(struct head);

		if (c->rx_have < head)
			memcpy((char *)&c->rx + c->rx_have, buf + used,
			       part < head - c->rx_have ? part : head - c->rx_have);
		c->rx_have += part;
		used += part;
		if (c->rx_have == size) {
			age_add(run, &c->rx, now);
			c->rx_have = 0;
		}
	}
	return n;
}

static uint32_t consume_udp(struct run *run, char *buf)
{
	ssize_t n = recv(run->udp_fd, buf, MESSAGE_MAX, MSG_DONTWAIT);

	if (n < (ssize_t)sizeof(struct head))
		return 0;
	age_add(run, (struct head *)buf, clock_ns());
	return n;
}

static void memory_look(struct run *run, uint64_t at_ns)
{
	struct options *o = &run->options;
	unsigned int phase = 0;
	uint64_t sum = 0;

	for (unsigned int i = 0; i < o->n && i < 64; i++) {
		int fds[] = { run->connections[i].tx_fd,
			      o->udp ? run->udp_fd : run->connections[i].rx_fd };

		for (int k = 0; k < 2; k++) {
			uint32_t info[SK_MEMINFO_VARS] = {};
			socklen_t len = sizeof(info);

			getsockopt(fds[k], SOL_SOCKET, SO_MEMINFO, info, &len);
			sum += k ? info[SK_MEMINFO_RMEM_ALLOC] : info[SK_MEMINFO_WMEM_QUEUED];
		}
		if (o->udp)
			break;
	}
	for (unsigned int i = 0; i < o->n_events; i++)
		phase += !o->events[i].command && o->events[i].at_ns <= at_ns;
	if (sum > run->memory_bytes[phase])
		run->memory_bytes[phase] = sum;
}

/* one that nobody takes is none */
static void push(struct run *run, const struct look *l)
{
	uint64_t speed = __atomic_load_n(&run->speed_bps, __ATOMIC_ACQUIRE);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char text[128];
	int n;

	if (run->push_fd < 0 || !speed)
		return;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", run->options.push);
	if (!strcmp(run->options.as, "messages"))
		n = snprintf(text, sizeof(text), "queue %lu ttl 200ms",
			     l->unread_bytes / run->options.message_bytes);
	else if (!strcmp(run->options.as, "share"))
		n = snprintf(text, sizeof(text), "queue %.3f%% ttl 200ms",
			     l->unread_bytes * 100.0 / run->options.full_bytes);
	else
		n = snprintf(text, sizeof(text), "queue %luus ttl 200ms drain %lukbit",
			     l->unread_bytes * 8 * 1000000 / speed, speed / 1000);
	sendto(run->push_fd, text, n, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
}

static void look(struct run *run, uint64_t now)
{
	struct options *o = &run->options;
	struct look *l = &run->looks[run->n_looks];
	int unread;

	if (run->n_looks == run->max_looks)
		return;
	l->at_ns = now - run->t0_ns;
	l->read_bytes = run->read_bytes;
	for (unsigned int i = 0; i < (o->udp ? 1 : o->n); i++) {
		if (o->udp) {
			uint32_t info[SK_MEMINFO_VARS] = {};
			socklen_t len = sizeof(info);

			/* FIONREAD is the next datagram alone: go by memory, less its overhead */
			getsockopt(run->udp_fd, SOL_SOCKET, SO_MEMINFO, info, &len);
			unread = info[SK_MEMINFO_RMEM_ALLOC] / 2304 * o->message_bytes;
		} else if (ioctl(run->connections[i].rx_fd, FIONREAD, &unread)) {
			unread = 0;
		}
		l->unread_bytes += unread;
	}
	if (run->n_looks % PUSH_EVERY == 0)
		push(run, l);
	if (run->n_looks++ % MEMORY_EVERY == 0)
		memory_look(run, l->at_ns);
}

void *consumer_main(void *arg)
{
	struct run *run = arg;
	struct options *o = &run->options;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	uint64_t busy_ns = run->t0_ns, end_ns = run->t0_ns + o->stop_ns;
	uint64_t look_ns = run->t0_ns;
	char *buf = malloc(MESSAGE_MAX > o->batch_bytes ? MESSAGE_MAX : o->batch_bytes);

	prctl(PR_SET_TIMERSLACK, 1UL);
	for (unsigned int i = 0; i < (o->udp ? 1 : o->n); i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &run->connections[i] };

		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, o->udp ? run->udp_fd : run->connections[i].rx_fd,
			  &event);
	}
	for (uint64_t now = clock_ns(); now < end_ns; now = clock_ns()) {
		uint64_t speed = __atomic_load_n(&run->speed_bps, __ATOMIC_ACQUIRE), wait;
		struct epoll_event event;
		uint32_t n = 0;

		if (now >= look_ns) {
			look(run, now);
			look_ns += o->step_ns;
		}
		wait = look_ns > now ? look_ns - now : 0;
		if (busy_ns > now || !speed) {
			if (speed && busy_ns - now < wait)
				wait = busy_ns - now;
			clock_nanosleep(CLOCK_MONOTONIC, 0,
					&(struct timespec){ wait / SEC, wait % SEC }, NULL);
			continue;
		}
		if (wait_ready(epoll_fd, &event, 1, wait) > 0)
			n = o->udp ? consume_udp(run, buf) :
				     consume_tcp(run, event.data.ptr, buf, o->batch_bytes);
		now = clock_ns();
		if (busy_ns + SLACK_NS < now)
			busy_ns = now - SLACK_NS;
		if (!n)
			busy_ns = busy_ns > now ? busy_ns : now;
		run->read_bytes += n;
		busy_ns += n * 8 * SEC / speed;
	}
	close(epoll_fd);
	free(buf);
	return NULL;
}
