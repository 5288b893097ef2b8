// SPDX-License-Identifier: GPL-2.0-only
/*
 * pace.c: does a thread that waits for a timer come to its turns, or does something hold it up?
 * Looks every half millisecond how often it has gone to sleep; what lies between is how long it
 * took from one turn to the next. Time in which it was ready and the machine was busy with others
 * is not counted. Prints the median, the 99th percentile and the longest of these, in us.
 *
 *	pace PID SECONDS
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SPANS 100000

static unsigned int spans[SPANS], n;

static unsigned long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000UL + now.tv_nsec / 1000;
}

struct look {
	unsigned long at_us, ready_us;		/* ready: and not run */
	unsigned long sleeps;			/* and one, as it may not have slept yet; 0: gone */
};

static int status_fd, sched_fd;

static struct look look(void)
{
	static const char name[] = "\nvoluntary_ctxt_switches:";
	char text[8192], *at;
	struct look ret = { .at_us = now_us() };
	ssize_t got = pread(sched_fd, text, sizeof(text) - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	at = strchr(text, ' ');		/* ran, was ready, how often; ns */
	ret.ready_us = at ? strtoul(at, NULL, 10) / 1000 : 0;
	got = pread(status_fd, text, sizeof(text) - 1, 0);
	text[got > 0 ? got : 0] = '\0';
	at = strstr(text, name);
	ret.sleeps = at ? strtoul(at + sizeof(name) - 1, NULL, 10) + 1 : 0;
	return ret;
}

static int open_of(const char *pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/task/%s/%s", pid, pid, name);
	return open(path, O_RDONLY);
}

static void measure(unsigned long us)
{
	const struct itimerspec often = { { .tv_nsec = 500000 }, { .tv_nsec = 500000 } };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t ticks;
	struct look first = look(), last = first, now = first;

	if (timerfd_settime(timer, 0, &often, NULL))
		return;
	while (now.sleeps && n < SPANS && now.at_us - first.at_us < us) {
		unsigned long span;

		if (read(timer, &ticks, sizeof(ticks)) < 0)
			return;
		now = look();
		if (now.sleeps <= last.sleeps)
			continue;
		span = now.at_us - last.at_us;
		span -= now.ready_us - last.ready_us < span ? now.ready_us - last.ready_us : span;
		/* where this here was late itself, it has missed some */
		spans[n++] = span / (now.sleeps - last.sleeps);
		last = now;
	}
	n = now.sleeps ? n : 0;
}

static int order(const void *a, const void *b)
{
	return (*(const unsigned int *)a > *(const unsigned int *)b) -
	       (*(const unsigned int *)a < *(const unsigned int *)b);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: pace PID SECONDS\n");
		return 2;
	}
	setpriority(PRIO_PROCESS, 0, -20);
	status_fd = open_of(argv[1], "status");
	sched_fd = open_of(argv[1], "schedstat");
	measure(strtoul(argv[2], NULL, 10) * 1000000);
	if (!n) {
		fprintf(stderr, "pace: %s is gone or does not wake\n", argv[1]);
		return 1;
	}
	qsort(spans, n, sizeof(*spans), order);
	printf("%u %u %u\n", spans[n / 2], spans[n * 99 / 100], spans[n - 1]);
	return 0;
}
