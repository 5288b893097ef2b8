// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_monitor.c: `weir monitor`: what changes, line by line: the kernel's events, the agent's
 * steps, the policy, devices, connections that were refused. The first two come from rings that any
 * number of readers follow, each with its own place in them; devices are looked at when rtnetlink
 * has news, and once a second, as are the counters of refused connections. Reads only.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include "clock.h"
#include "cmd.h"
#include "control.h"
#include "monitor.h"
#include "view.h"
#include "watch.h"

#define INTERVAL_NS 100000000L
#define LOOK_NS 1000000000ULL		/* at the devices, where there is no news of them */

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = 1;
}

struct follow {
	struct monitor monitor;
	const char *netns;
	struct watch *watch;
	struct monitor_device devices[MONITOR_DEVICES];
	unsigned int n_devices;
	__u64 looked_ns;		/* at the devices */
	struct policy *policy;		/* as of `generation` */
	__u64 refused[WEIR_MAX_CLASSES];	/* connections of each of its classes, told */
	__u64 counted_ns;		/* when these were looked at */
	__u64 event_seq, decision_seq;	/* the last ones told */
	__u64 events_missed, decisions_missed;	/* overwritten before they were read */
	__u32 generation;
	bool begun, lost;
};

static __u64 refused_of(const struct maps *maps, unsigned int slot)
{
	struct weir_class_stats stats;

	return maps_class_stats(maps, slot, &stats) ? 0 : stats.packets[WEIR_R_DROP_CONN];
}

/* the policy in force; a class that was not there begins to count with it */
static int policy_get(struct follow *follow, const struct maps *maps)
{
	struct policy *policy = policy_new();
	struct err ignored;
	int r = policy ? maps_policy_load(maps, policy, &ignored) : -ENOMEM;

	if (r) {
		free(policy);
		return r;
	}
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES; i++) {
		if (!(policy->classes[i].flags & WEIR_CLASS_USED))
			continue;
		if (!follow->begun)
			follow->refused[i] = refused_of(maps, i);
		else if (strcmp(policy->classes[i].name, follow->policy->classes[i].name))
			follow->refused[i] = 0;
	}
	free(follow->policy);
	follow->policy = policy;
	follow->generation = policy->generation;
	return 0;
}

/* counts, and no state that could flutter: once a second is as often as they are told */
static void conns_follow(struct follow *follow, const struct maps *maps)
{
	__u64 now = follow->monitor.now_ns, refused;

	if (now - follow->counted_ns < WEIR_EVENT_NS)
		return;
	follow->counted_ns = now;
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES; i++) {
		const struct weir_class *class = &follow->policy->classes[i];

		if (!(class->flags & WEIR_CLASS_USED) || !class->conn_rate)
			continue;
		refused = refused_of(maps, i);
		if (refused > follow->refused[i])
			monitor_conns(&follow->monitor, class, refused - follow->refused[i]);
		follow->refused[i] = refused;
	}
}

/* where the rings and the policy are now: what comes is told from here on */
static int begin(struct follow *follow, const struct maps *maps)
{
	int r = maps_event_last(maps, &follow->event_seq);

	if (!r)
		r = maps_decision_last(maps, &follow->decision_seq);
	if (!r)
		r = policy_get(follow, maps);
	follow->n_devices = 0;
	return r;
}

/* the next event; -ENOENT: none. One that was overwritten unread is counted. */
static int event_next(struct follow *follow, const struct maps *maps, struct weir_event *event)
{
	__u64 last;
	int r = maps_event_last(maps, &last);

	/* numbers that go back are those of another instance */
	if (!r && last < follow->event_seq)
		return -ESTALE;
	while (!r && follow->event_seq < last) {
		r = maps_event_get(maps, follow->event_seq + 1, event);
		if (r != -ENOENT)
			return r;
		follow->events_missed++;
		follow->event_seq++;
		r = 0;
	}
	return r ?: -ENOENT;
}

static int decision_next(struct follow *follow, const struct maps *maps,
			 struct weir_decision *decision)
{
	__u64 last;
	int r = maps_decision_get(maps, follow->decision_seq + 1, decision);

	if (r != -ENODATA)
		return r;
	r = maps_decision_last(maps, &last);
	if (r)
		return r;
	follow->decisions_missed += last - follow->decision_seq;
	follow->decision_seq = last;
	return -ENOENT;
}

/* both rings, in the order of time */
static int rings_follow(struct follow *follow, const struct maps *maps)
{
	struct weir_decision decision;
	struct weir_event event;
	int e, d;

	while (1) {
		e = event_next(follow, maps, &event);
		d = decision_next(follow, maps, &decision);
		if ((e && e != -ENOENT) || (d && d != -ENOENT))
			return e && e != -ENOENT ? e : d;
		if (!e && (d || event.at_ns <= decision.at_ns)) {
			monitor_event(&follow->monitor, &event, follow->events_missed);
			follow->events_missed = 0;
			follow->event_seq++;
		} else if (!d) {
			monitor_decision(&follow->monitor, &decision, follow->decisions_missed);
			follow->decisions_missed = 0;
			follow->decision_seq++;
		} else {
			return 0;
		}
	}
}

static int policy_follow(struct follow *follow, const struct maps *maps)
{
	__u32 generation;
	int r = maps_generation(maps, &generation);

	if (r || generation == follow->generation)
		return r;
	r = policy_get(follow, maps);
	if (!r)
		monitor_policy(&follow->monitor, follow->generation);
	return r == -EAGAIN ? 0 : r;		/* it keeps changing: at the next look */
}

/* attach and detach are seen at once; whether a hook is still there is asked now and then */
static int devices_follow(struct follow *follow, const struct instance *instance, bool all,
			  struct err *err)
{
	_cleanup_(hook_list_free) struct hook_list list = {};
	struct monitor_device now[MONITOR_DEVICES];
	unsigned int n;
	int r = hook_list_get(instance, &list, err);

	if (r)
		return r;
	n = monitor_devices_get(instance, &list, all, follow->devices, follow->n_devices, now);
	if (follow->begun)
		monitor_devices(&follow->monitor, follow->devices, follow->n_devices, now, n);
	memcpy(follow->devices, now, n * sizeof(*now));
	follow->n_devices = n;
	return 0;
}

/* in the instance's network namespace */
static int look_inside(struct follow *follow, const struct instance *instance,
		       const struct maps *maps, struct err *err)
{
	__u64 now = follow->monitor.now_ns;
	bool news = false;
	int r = 0;

	if (!follow->watch)
		r = watch_open(&follow->watch, err);
	if (r)
		return r;
	if (watch_read(follow->watch) || now - follow->looked_ns >= LOOK_NS) {
		follow->looked_ns = now;
		news = true;
	}
	if (!follow->begun)
		r = begin(follow, maps);
	else
		r = rings_follow(follow, maps);
	if (!r && follow->begun)
		r = policy_follow(follow, maps);
	if (!r)
		conns_follow(follow, maps);
	if (r)
		return err_set(err, -r, r == -ESTALE ? "another instance is there" :
			       "cannot read the maps: %s", strerror(-r));
	r = devices_follow(follow, instance, news, err);
	follow->begun = !r;
	return r;
}

/* opens the maps each time: a detach and an attach in between make new ones */
static int look(struct follow *follow, struct err *err)
{
	_cleanup_(view_close) struct view view = VIEW_NONE;
	int r = view_open(&view, follow->netns, err);

	follow->monitor.now_ns = clock_now_ns();
	follow->monitor.unix_ms = clock_ns(CLOCK_REALTIME) / 1000000;
	return r ?: look_inside(follow, &view.instance, &view.maps, err);
}

/* until there is news of devices, or it is time */
static void pause_a_while(const struct follow *follow)
{
	const struct timespec interval = { .tv_nsec = INTERVAL_NS };
	struct pollfd fd = { .fd = follow->watch ? watch_fd(follow->watch) : -1, .events = POLLIN };

	ppoll(&fd, 1, &interval, NULL);
}

static void forget(struct follow *follow)
{
	watch_close(follow->watch);
	follow->watch = NULL;
	follow->begun = false;
}

int cmd_monitor(struct context *context, int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	_cleanup_free_ struct follow *follow = calloc(1, sizeof(*follow));
	struct err err = {};
	int r;

	if (argc) {
		err_set(&context->err, EINVAL, "monitor: unknown word '%s': want none", argv[0]);
		return CMD_USAGE;
	}
	if (!follow)
		return CMD_FAILED;
	follow->monitor.json = context->json;
	follow->netns = context->netns;
	r = look(follow, &context->err);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	while (!r && !stopped && !follow->monitor.failed) {
		bool lost;

		pause_a_while(follow);
		lost = look(follow, &err);
		if (lost && !follow->lost) {
			monitor_instance(&follow->monitor, "lost", err.text);
			forget(follow);
		} else if (!lost && follow->lost) {
			monitor_instance(&follow->monitor, "found", "attached again");
		}
		follow->lost = lost;
	}
	forget(follow);
	free(follow->policy);
	/* a reader that has seen enough is nothing to talk about */
	if (!r && follow->monitor.failed && follow->monitor.failed != -EPIPE) {
		r = follow->monitor.failed;
		err_set(&context->err, -r, "cannot write the output: %s", strerror(-r));
	}
	return r ? CMD_FAILED : CMD_DONE;
}
