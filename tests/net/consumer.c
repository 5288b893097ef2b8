// SPDX-License-Identifier: GPL-2.0-only
/*
 * consumer.c: the words, the sockets and the life of a run. See consumer.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "consumer.h"

static const char usage[] =
	"usage: consumer addr ADDR port N [KEY VALUE]... [at TIME speed RATE|0]... [at TIME exec CMD]...\n"
	"KEY: from NETNS, to NETNS, n COUNT (8), cc NAME[,NAME]..., proto tcp|udp, message BYTES (1400),\n"
	"     batch BYTES (read at once; a message), lowat BYTES (4096), offer RATE (500mbit), stop TIME\n"
	"     (9s), step TIME (5ms), target TIME (10ms), settled PERCENT (20), after TIME (1s), series on,\n"
	"     nodelay on (TCP_NODELAY: nothing waits for an ACK), push SOCKET (\"queue\", as an agent\n"
	"     takes it: how long what waits will take, and the speed, with every other step), as\n"
	"     messages|share (instead, no speed: how many wait; their share of), full BYTES (1048576)\n"
	"Prints one line of JSON for each phase between two speeds.\n";

extern char **environ;

uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

/* a number and a unit; 0 is a rate without one */
static int quantity(const char *text, bool time, uint64_t *ret)
{
	static const struct {
		const char *name;
		bool time;
		uint64_t factor;
	} units[] = {
		{ "s", true, SEC }, { "ms", true, MSEC }, { "us", true, 1000 },
		{ "kbit", false, 1000 }, { "mbit", false, 1000000 }, { "gbit", false, 1000000000 },
		{ "", false, 1 },
	};
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	for (unsigned int i = 0; end != text && i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].name) && units[i].time == time) {
			*ret = value * units[i].factor;
			return 0;
		}
	fprintf(stderr, "consumer: '%s': want a %s\n", text, time ? "time" : "number or a rate");
	return -1;
}

static int address(struct options *o, const char *text)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&o->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&o->address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
		return -1;
	v6->sin6_family = AF_INET6;
	return 0;
}

static int number(const char *text, uint32_t *ret)
{
	uint64_t value = 0;

	if (quantity(text, false, &value))
		return -1;
	*ret = value;
	return 0;
}

static int key(struct options *o, const char *word, char *value)
{
	uint32_t port = 0;

	if (!strcmp(word, "from"))
		o->from = value;
	else if (!strcmp(word, "to"))
		o->to = value;
	else if (!strcmp(word, "proto"))
		o->udp = !strcmp(value, "udp");
	else if (!strcmp(word, "push"))
		o->push = value;
	else if (!strcmp(word, "as"))
		o->as = value;
	else if (!strcmp(word, "full"))
		return number(value, &o->full_bytes);
	else if (!strcmp(word, "series"))
		o->series = true;
	else if (!strcmp(word, "nodelay"))
		o->nodelay = true;
	else if (!strcmp(word, "cc"))
		while (o->n_cc < CC_MAX && (o->cc[o->n_cc] = strsep(&value, ",")))
			o->n_cc++;
	else if (!strcmp(word, "addr"))
		return address(o, value);
	else if (!strcmp(word, "port")) {
		if (number(value, &port))
			return -1;
		((struct sockaddr_in *)&o->address)->sin_port = htons(port);
	} else if (!strcmp(word, "n"))
		return number(value, &o->n);
	else if (!strcmp(word, "message"))
		return number(value, &o->message_bytes);
	else if (!strcmp(word, "batch"))
		return number(value, &o->batch_bytes);
	else if (!strcmp(word, "settled"))
		return number(value, &o->settled_percent);
	else if (!strcmp(word, "lowat"))
		return number(value, &o->lowat_bytes);
	else if (!strcmp(word, "offer"))
		return quantity(value, false, &o->offer_bps);
	else if (!strcmp(word, "stop"))
		return quantity(value, true, &o->stop_ns);
	else if (!strcmp(word, "step"))
		return quantity(value, true, &o->step_ns);
	else if (!strcmp(word, "target"))
		return quantity(value, true, &o->target_ns);
	else if (!strcmp(word, "after"))
		return quantity(value, true, &o->after_ns);
	else
		return -1;
	return 0;
}

static int event(struct options *o, char **argv)
{
	struct event *e = &o->events[o->n_events];

	if (o->n_events == EVENTS_MAX || quantity(argv[0], true, &e->at_ns))
		return -1;
	o->n_events++;
	if (!strcmp(argv[1], "exec")) {
		e->command = argv[2];
		return 0;
	}
	return strcmp(argv[1], "speed") ? -1 : quantity(argv[2], false, &e->speed_bps);
}

static int parse(struct options *o, int argc, char **argv)
{
	*o = (struct options){
		.from = "-", .to = "-", .n = 8, .message_bytes = 1400, .lowat_bytes = 4096,
		.offer_bps = 500000000, .stop_ns = 9 * SEC, .step_ns = 5 * MSEC,
		.target_ns = 10 * MSEC, .after_ns = SEC, .settled_percent = 20,
		.as = "time", .full_bytes = 1 << 20,
	};
	for (int i = 0; i < argc;) {
		bool is_event = !strcmp(argv[i], "at");
		int words = is_event ? 4 : 2;

		if (i + words > argc || (is_event ? event(o, argv + i + 1) :
						    key(o, argv[i], argv[i + 1]))) {
			fprintf(stderr, "consumer: '%s': not understood\n%s", argv[i], usage);
			return -1;
		}
		i += words;
	}
	if (!o->batch_bytes)
		o->batch_bytes = o->message_bytes;
	if (!o->address.ss_family || !o->n || o->message_bytes < sizeof(struct head) ||
	    o->message_bytes > MESSAGE_MAX) {
		fprintf(stderr, "%s", usage);
		return -1;
	}
	return 0;
}

static int enter(const char *netns)
{
	char path[128];
	int fd, r;

	if (!strcmp(netns, "-"))
		return 0;
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -1 : setns(fd, CLONE_NEWNET);
	if (r)
		fprintf(stderr, "consumer: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return r;
}

static socklen_t address_len(const struct options *o)
{
	return o->address.ss_family == AF_INET ? sizeof(struct sockaddr_in) :
						 sizeof(struct sockaddr_in6);
}

static int fail(const char *what)
{
	fprintf(stderr, "consumer: %s: %s\n", what, strerror(errno));
	return -1;
}

static int connect_one(struct run *run, struct connection *c, unsigned int i, int listen_fd)
{
	struct options *o = &run->options;
	const char *cc = o->n_cc ? o->cc[i % o->n_cc] : NULL;

	if (enter(o->from))
		return -1;
	c->tx_fd = socket(o->address.ss_family, o->udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (c->tx_fd < 0)
		return fail("socket");
	if (!o->udp && cc && setsockopt(c->tx_fd, IPPROTO_TCP, TCP_CONGESTION, cc, strlen(cc)))
		return fail(cc);
	if (!o->udp && o->lowat_bytes)
		setsockopt(c->tx_fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &o->lowat_bytes, 4);
	if (!o->udp && o->nodelay)
		setsockopt(c->tx_fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (connect(c->tx_fd, (struct sockaddr *)&o->address, address_len(o)))
		return fail("connect");
	c->tx = calloc(1, o->message_bytes);
	if (o->udp)
		return 0;
	c->rx_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	return c->rx_fd < 0 ? fail("accept") : 0;
}

int setup(struct run *run)
{
	struct options *o = &run->options;
	struct rlimit files = { 65536, 65536 };
	int fd, on = 1;

	setrlimit(RLIMIT_NOFILE, &files);
	run->connections = calloc(o->n, sizeof(*run->connections));
	run->max_looks = o->stop_ns / o->step_ns + 16;
	run->looks = calloc(run->max_looks, sizeof(*run->looks));
	run->max_ages = 4U << 20;
	run->ages = calloc(run->max_ages, sizeof(*run->ages));
	if (!run->connections || !run->looks || !run->ages)
		return fail("memory");
	if (enter(o->to))
		return -1;
	fd = socket(o->address.ss_family, o->udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&o->address, address_len(o)) ||
	    (!o->udp && listen(fd, 1024)))
		return fail("listen");
	run->udp_fd = o->udp ? fd : -1;
	run->push_fd = o->push ? socket(AF_UNIX, SOCK_DGRAM, 0) : -1;
	for (unsigned int i = 0; i < o->n; i++)
		if (connect_one(run, &run->connections[i], i, fd))
			return -1;
	if (!o->udp)
		close(fd);
	return 0;
}

void teardown(struct run *run)
{
	for (unsigned int i = 0; i < run->options.n; i++) {
		close(run->connections[i].tx_fd);
		if (!run->options.udp)
			close(run->connections[i].rx_fd);
		free(run->connections[i].tx);
	}
	free(run->connections);
	free(run->looks);
	free(run->ages);
}

static void events_run(struct run *run)
{
	for (unsigned int i = 0; i < run->options.n_events; i++) {
		struct event *e = &run->options.events[i];
		uint64_t at = run->t0_ns + e->at_ns;
		struct timespec ts = { .tv_sec = at / SEC, .tv_nsec = at % SEC };
		char *argv[] = { "sh", "-c", (char *)e->command, NULL };
		pid_t pid;

		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
			;
		if (!e->command)
			__atomic_store_n(&run->speed_bps, e->speed_bps, __ATOMIC_RELEASE);
		else if (!posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ))
			waitpid(pid, &e->status, 0);
	}
}

int main(int argc, char **argv)
{
	pthread_t producers, consumer;
	struct run run = {};

	if (parse(&run.options, argc - 1, argv + 1))
		return 2;
	if (setup(&run))
		return 1;
	run.t0_ns = clock_ns() + 10 * MSEC;
	if (run.options.n_events && !run.options.events[0].at_ns)
		run.speed_bps = run.options.events[0].speed_bps;
	pthread_create(&consumer, NULL, consumer_main, &run);
	pthread_create(&producers, NULL, producers_main, &run);
	events_run(&run);
	pthread_join(consumer, NULL);
	__atomic_store_n(&run.stop, true, __ATOMIC_RELEASE);
	pthread_join(producers, NULL);
	report(&run);
	teardown(&run);
	return 0;
}
