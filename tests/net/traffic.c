// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic.c: the traffic generator and meter of the network tests, the demo and the benches:
 * usage, and the life of a run. See traffic.h for the parts.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "traffic.h"

static const char usage[] =
	"usage: traffic run [OPTION]... [at TIME exec COMMAND]... FLOW...\n"
	"       traffic cc NAME...      which of these congestion controls a socket can have\n"
	"       traffic flood DEV MAC DST COUNT PPS    one packet each of so many flows\n"
	"       traffic clock           CLOCK_MONOTONIC in ns\n"
	"OPTION: step TIME (10ms, of the series)  window TIME (1s, of Jain's index)\n"
	"        after TIME (0s: late_bps and Jain's index leave out what was before)\n"
	"        series on (print each flow's bytes per step)\n"
	"        arrivals on (tcp: count segments as they arrive, repeated ones and those behind a\n"
	"        hole too: what the network did, not what the application could read)\n"
	"FLOW:   tcp|udp|rr addr ADDR [from NETNS] [to NETNS] [port N] [src ADDR] [name NAME]\n"
	"        [group NAME] [n COUNT] [start TIME] [stop TIME (10s)] [tos N] [ecn on|off]\n"
	"  tcp   [cc NAME] [write BYTES (16384)] [rate RATE (of payload)]\n"
	"  udp   rate RATE (on the wire) [size BYTES (64)] [packets N] [spray PORTS] [gaps on]\n"
	"  rr    [cc NAME] [size BYTES (64)] [reply BYTES (64)] [interval TIME (0s)]\n"
	"TIME: 10s, 200ms, 5us; RATE: 10mbit, 1.5gbit. Prints JSON lines.\n";

extern char **environ;

static void *events_main(void *arg)
{
	struct run *run = arg;
	unsigned int i;

	for (i = 0; i < run->n_events; i++) {
		struct event *event = &run->events[i];
		char *argv[] = {"sh", "-c", (char *)event->command, NULL};
		int status = -1;
		posix_spawn_file_actions_t actions;
		pid_t pid;

		/* stdout is ours */
		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
		sleep_until(run->t0_ns + event->at_ns);
		event->begin_ns = clock_ns();
		if (!posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ))
			waitpid(pid, &status, 0);
		event->end_ns = clock_ns();
		posix_spawn_file_actions_destroy(&actions);
		event->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	}
	return NULL;
}

/* sources, sinks, and request/response apart from both: it is what measures latency */
enum { SOURCES, SINKS, RR, LOOPS };

static void fill_loops(struct run *run, struct loop *loops)
{
	unsigned int i;

	for (i = 0; i < run->n_specs; i++) {
		if (run->specs[i].kind == KIND_TCP)
			tcp_sink(&loops[SINKS], &run->specs[i]);
		else if (run->specs[i].kind == KIND_RR)
			rr_server(&loops[RR], &run->specs[i]);
	}
	for (i = 0; i < run->n_flows; i++) {
		struct flow *flow = &run->flows[i];

		if (flow->spec->kind == KIND_TCP) {
			tcp_source(&loops[SOURCES], flow);
		} else if (flow->spec->kind == KIND_RR) {
			rr_client(&loops[RR], flow);
		} else {
			udp_source(&loops[SOURCES], flow);
			if (!flow->spec->spray)
				udp_sink(&loops[SINKS], flow);
		}
	}
}

static void close_all(struct run *run)
{
	unsigned int i;

	for (i = 0; i < run->n_flows; i++) {
		close(run->flows[i].tx_fd);
		close(run->flows[i].rx_fd);
		free(run->flows[i].bins);
		free(run->flows[i].latency.v);
	}
	for (i = 0; i < run->n_specs; i++)
		close(run->specs[i].listen_fd);
	free(run->flows);
	free(run->specs);
}

static int run_flows(struct run *run)
{
	pthread_t threads[LOOPS], events;
	struct loop loops[LOOPS];
	uint64_t last_stop_ns = 0;
	unsigned int i;

	if (setup_flows(run))
		return 1;
	run->t0_ns = clock_ns() + 20 * MSEC;
	for (i = 0; i < run->n_flows; i++) {
		run->flows[i].start_ns = run->t0_ns + run->flows[i].spec->start_ns;
		run->flows[i].stop_ns = run->t0_ns + run->flows[i].spec->stop_ns;
		if (run->flows[i].spec->stop_ns > last_stop_ns)
			last_stop_ns = run->flows[i].spec->stop_ns;
	}
	for (i = 0; i < LOOPS; i++) {
		if (loop_init(&loops[i], run)) {
			perror("traffic: epoll");
			return 1;
		}
		loops[i].deadline_ns = run->t0_ns + last_stop_ns + 5 * SEC;
	}
	fill_loops(run, loops);
	printf("{\"type\":\"run\",\"t0_ns\":%llu}\n", (unsigned long long)run->t0_ns);
	fflush(stdout);
	/* what is measured is the network, not who else runs here */
	setpriority(PRIO_PROCESS, 0, -10);
	stall_begin();
	pthread_create(&events, NULL, events_main, run);
	for (i = 0; i < LOOPS; i++)
		pthread_create(&threads[i], NULL, loop_main, &loops[i]);
	for (i = 0; i < LOOPS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(events, NULL);
	stall_end();
	report(run);
	for (i = 0; i < LOOPS; i++)
		loop_free(&loops[i]);
	close_all(run);
	return 0;
}

int main(int argc, char **argv)
{
	struct run run = {.step_ns = 10 * MSEC, .window_ns = SEC};

	if (argc >= 2 && !strcmp(argv[1], "run")) {
		if (spec_parse(&run, argc - 2, argv + 2))
			return 2;
		return run_flows(&run);
	}
	if (argc >= 2 && !strcmp(argv[1], "cc")) {
		print_available_cc(argc - 2, argv + 2);
		return 0;
	}
	if (argc >= 2 && !strcmp(argv[1], "flood"))
		return flood(argc - 2, argv + 2);
	if (argc == 2 && !strcmp(argv[1], "clock")) {
		printf("%llu\n", (unsigned long long)clock_ns());
		return 0;
	}
	fputs(usage, stderr);
	return 2;
}
