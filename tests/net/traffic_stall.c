// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic_stall.c: how long the machine did not run us: one thread on each CPU wakes every 5 ms
 * and adds up by how much it is late. A rate missed because nobody could send is then told from
 * a rate missed by the shaper.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include "traffic.h"

#define PERIOD_NS (5 * MSEC)
#define LATE_NS (2 * MSEC)		/* less is ordinary scheduling */

struct stall {
	pthread_t thread;
	int cpu;
	uint64_t sum_ns, max_ns;
};

static struct stall *stalls;
static unsigned int n_stalls;
static bool ended;

static void *stall_main(void *arg)
{
	struct stall *stall = arg;
	cpu_set_t set;
	uint64_t due = clock_ns();

	CPU_ZERO(&set);
	CPU_SET(stall->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	prctl(PR_SET_TIMERSLACK, 1UL);
	while (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE)) {
		uint64_t late;

		due += PERIOD_NS;
		sleep_until(due);
		late = clock_ns() - due;
		if (late > LATE_NS) {
			stall->sum_ns += late;
			stall->max_ns = late > stall->max_ns ? late : stall->max_ns;
			due += late;
		}
	}
	return NULL;
}

void stall_begin(void)
{
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set))
		return;
	stalls = calloc(CPU_COUNT(&set), sizeof(*stalls));
	for (cpu = 0; stalls && cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		stalls[n_stalls].cpu = cpu;
		if (!pthread_create(&stalls[n_stalls].thread, NULL, stall_main, &stalls[n_stalls]))
			n_stalls++;
	}
}

void stall_end(void)
{
	unsigned int i;

	__atomic_store_n(&ended, true, __ATOMIC_RELEASE);
	for (i = 0; i < n_stalls; i++) {
		pthread_join(stalls[i].thread, NULL);
		printf("{\"type\":\"stall\",\"cpu\":%d,\"ms\":%.1f,\"max_ms\":%.1f}\n",
		       stalls[i].cpu, stalls[i].sum_ns / 1e6, stalls[i].max_ns / 1e6);
	}
	free(stalls);
}
