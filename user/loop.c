// SPDX-License-Identifier: GPL-2.0-only
/*
 * loop.c: the agent: takes its name's lock, enters its namespace, opens what it reads and writes,
 * gives up what it does not need, and then turns: a step of all controllers, every interval where
 * something has to be looked at, else when something is heard or grows old.
 * Survives a detach and an attach. What it leaves behind are leases that run out.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "caps.h"
#include "clock.h"
#include "conf.h"
#include "dp.h"
#include "http.h"
#include "http_seen.h"
#include "lock.h"
#include "log.h"
#include "loop.h"
#include "notify.h"
#include "push.h"
#include "repair.h"
#include "serve.h"
#include "steer.h"
#include "watch.h"

#define SETTLE_MS 50			/* news of devices come in bursts */
#define LOOK_NS 1000000000ULL		/* is the instance still the same? */
#define IDLE_NS 100000000ULL		/* nothing to do: is the policy still the same? */
/* a step may come so much sooner: what is sent every interval does not come at equal intervals */
#define EARLY_NS (CONTROL_INTERVAL_MIN_NS / 8)

enum { EV_STEP, EV_PUSH, EV_WATCH, EV_REPAIR, EV_WATCHDOG, EV_TERM, EV_INT, EV_HUP, EV_N };

struct loop {
	struct context *context;
	const struct loop_options *options;
	struct instance instance;
	int back_fd, lock_fd, push_fd;
	struct event_base *base;
	struct event *events[EV_N];
	struct maps maps;
	struct steer steer;
	struct tell tell;
	struct repair *repair;
	struct watch *watch;
	struct http *http;
	struct serve *serve;
	struct http_seen *http_seen;
	ino_t seen;			/* of the instance's pin; 0: none */
	bool looked;			/* one was seen before */
	__u64 next_look_ns;
	__u64 step_ns, due_ns, news_ns;	/* the last step; the next; the last for news from afar */
	bool policy_failed;		/* to be read again at the next look */
	int failed;			/* the last step's error, told already */
	int unusable;			/* the last look's, of pins that are there; told already */
	int result;			/* why it has ended; 0: it was told to */
};

static void policy_read(struct loop *loop)
{
	struct steer *steer = &loop->steer;
	struct err err = {};
	int r = maps_policy_load(&loop->maps, steer->policy, &err);

	if (!r)
		r = steer_policy(steer, clock_now_ns(), &err);
	if (r)
		log_note("%s", err.text);
	loop->policy_failed = r;
}

static void instance_lost(struct loop *loop)
{
	if (!loop->steer.maps)
		return;
	backlog_close(loop->steer.backlog);
	passed_close(loop->steer.passed);
	loop->steer.backlog = NULL;
	loop->steer.passed = NULL;
	loop->steer.maps = NULL;
	maps_close(&loop->maps);
}

/* the file in place of the policy in force; a bad one changes nothing */
static int conf_apply(struct loop *loop)
{
	struct context context = { .netns = loop->context->netns };
	char *words[] = { (char *)loop->options->conf, NULL };

	if (!loop->options->conf || cmd_apply(&context, 1, words) == CMD_DONE)
		return 0;
	return err_set(&loop->context->err, EINVAL, "%s", context.err.text);
}

/* of a pipe nothing is left, and that would be a policy without a class */
static int conf_again(struct loop *loop)
{
	const char *conf = loop->options->conf;
	struct stat st;

	if (conf && (!strcmp(conf, "-") || (!stat(conf, &st) && !S_ISREG(st.st_mode))))
		return err_set(&loop->context->err, EINVAL, "%s: is no file, and cannot be read "
			       "again", conf);
	return conf_apply(loop);
}

static int has_line(const char *text, void *arg)
{
	return 1;
}

/* with its rights the agent gives up to read what is not its user's, which root alone is used to */
static void conf_check(const struct loop *loop)
{
	const char *conf = loop->options->conf;

	if (conf && strcmp(conf, "-") && faccessat(AT_FDCWD, conf, R_OK, AT_EACCESS))
		log_note("%s: cannot be read again by the agent, neither on SIGHUP nor for what is "
			 "attached anew: %s", conf, strerror(errno));
}

/* An attach begins with an empty policy; where one has been applied since, that is meant. */
static void conf_of_new(struct loop *loop)
{
	if (!loop->options->conf || conf_lines(loop->steer.policy, has_line, NULL))
		return;
	if (conf_again(loop)) {
		log_error("%s; the policy is empty", loop->context->err.text);
		loop->context->err.text[0] = '\0';
		return;
	}
	log_note("%s: applied", loop->options->conf);
	policy_read(loop);
}

/* the maps may have gone, or be those of another attach, not of an update; -errno: no use */
static int instance_look(struct loop *loop)
{
	char path[320];
	struct stat st;
	ino_t now = 0;
	int r;

	instance_path(&loop->instance, "control", path, sizeof(path));
	if (instance_exists(&loop->instance) && !stat(path, &st))
		now = st.st_ino;
	if (now == loop->seen)
		return 0;
	if (!now)
		log_note("%s: nothing is attached any more; waiting for `weir attach`",
			 loop->instance.name);
	instance_lost(loop);
	loop->seen = 0;
	r = now ? maps_open(&loop->maps, &loop->instance, &loop->context->err) : 0;
	if (r || !now)
		return r;
	loop->seen = now;
	maps_share(&loop->maps);
	r = passed_open(&loop->steer.passed, &loop->maps);
	if (r)
		log_debug("counters are read one by one: %s", strerror(-r));
	loop->steer.maps = &loop->maps;
	steer_forget(&loop->steer);
	tell_start(&loop->tell, &loop->maps);
	policy_read(loop);
	if (loop->looked) {
		log_note("%s: was attached anew", loop->instance.name);
		conf_of_new(loop);
	}
	loop->looked = true;
	if (!dp_is_own(&loop->instance))
		log_note("%s: " DP_OTHER, loop->instance.name);
	return 0;
}

static void instance_look_again(struct loop *loop)
{
	int r = instance_look(loop);

	if (r && r != loop->unusable)
		log_note("%s", loop->context->err.text);
	loop->unusable = r;
	loop->context->err.text[0] = '\0';
}

/* what it is in has no devices that anybody reaches, and is kept alive by the agent alone */
static void netns_lost(struct loop *loop)
{
	loop->result = err_set(&loop->context->err, ESTALE, "%s: the network namespace of that name "
			       "is gone, or another one; the agent ends", loop->instance.name);
	event_base_loopbreak(loop->base);
}

static void step(struct loop *loop, __u64 now_ns)
{
	bool look = now_ns >= loop->next_look_ns;
	__u32 generation;
	int r;

	if (look) {
		loop->next_look_ns = now_ns + LOOK_NS;
		if (!instance_is_named(&loop->instance)) {
			netns_lost(loop);
			return;
		}
		instance_look_again(loop);
		/* a link that somebody has detached makes no news */
		if (loop->steer.maps)
			repair_check(loop->repair, &loop->instance, loop->context->netns,
				     loop->steer.policy);
	}
	if (!loop->steer.maps)
		return;
	r = maps_generation(&loop->maps, &generation);
	if (!r && (loop->policy_failed ? look : generation != loop->steer.policy->generation))
		policy_read(loop);
	if (!r)
		r = steer_step(&loop->steer, now_ns);
	if (r && r != loop->failed)
		log_error("%s: a step failed: %s", loop->instance.name, strerror(-r));
	loop->failed = r;
	if (loop->serve)
		serve_step(loop->serve, now_ns);
}

static void step_at(struct loop *loop, __u64 due_ns)
{
	__u64 now_ns = clock_now_ns(), wait_us = due_ns > now_ns ? (due_ns - now_ns) / 1000 : 0;
	const struct timeval wait = { .tv_usec = wait_us };

	loop->due_ns = due_ns;
	evtimer_add(loop->events[EV_STEP], &wait);
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	__u64 now_ns = clock_now_ns(), next_ns;

	step(loop, now_ns);
	/* an interval is one, however late a step came */
	loop->step_ns = now_ns - loop->due_ns < CONTROL_INTERVAL_MIN_NS ? loop->due_ns : now_ns;
	next_ns = loop->step_ns + IDLE_NS;
	if (loop->steer.maps && loop->steer.next_ns < next_ns)
		next_ns = loop->steer.next_ns;
	if (next_ns < loop->step_ns + CONTROL_INTERVAL_MIN_NS)
		next_ns = loop->step_ns + CONTROL_INTERVAL_MIN_NS;
	step_at(loop, next_ns);
}

/* a signal from afar has been under way for long enough; a flood of them makes no more steps */
static void step_now(void *arg)
{
	struct loop *loop = arg;
	__u64 now_ns = clock_now_ns(), due_ns = loop->news_ns + CONTROL_INTERVAL_MIN_NS / 2;

	/* not counted from any step: one that found nothing new would hold up what comes then */
	if (now_ns >= due_ns) {
		loop->news_ns = now_ns;
		event_active(loop->events[EV_STEP], EV_TIMEOUT, 0);
	} else if (due_ns < loop->due_ns) {
		loop->news_ns = due_ns;
		step_at(loop, due_ns);
	}
}

static void on_push(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	__u64 now_ns = clock_now_ns(), due_ns = loop->step_ns + CONTROL_INTERVAL_MIN_NS;

	push_read(fd, loop->steer.signals, now_ns);
	if (now_ns + EARLY_NS >= due_ns)
		on_step(-1, EV_TIMEOUT, loop);
	else if (due_ns < loop->due_ns)
		step_at(loop, due_ns);
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval settle = { .tv_usec = SETTLE_MS * 1000 };
	struct loop *loop = arg;

	if (watch_read(loop->watch) && !evtimer_pending(loop->events[EV_REPAIR], NULL))
		evtimer_add(loop->events[EV_REPAIR], &settle);
}

static void on_repair(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	if (loop->steer.maps)
		repair_check(loop->repair, &loop->instance, loop->context->netns,
			     loop->steer.policy);
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	notify_send("WATCHDOG=1");
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	notify_send("STOPPING=1");
	log_note("%s: the agent ends; what it has set holds for %llu s more", loop->instance.name,
		 STEER_LEASE_NS / 1000000000);
	event_base_loopbreak(loop->base);
}

static void on_hup(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	notify_send("RELOADING=1");
	if (conf_again(loop))
		log_error("%s; the policy stays as it is", loop->context->err.text);
	else
		log_note("%s: read again", loop->options->conf ? loop->options->conf : "the policy");
	loop->context->err.text[0] = '\0';
	if (loop->steer.maps)
		policy_read(loop);
	notify_send("READY=1");
}

static int events_make(struct loop *loop)
{
	const struct {
		int fd;
		short what;
		event_callback_fn fn;
	} table[EV_N] = {
		[EV_STEP] = { -1, 0, on_step },
		[EV_PUSH] = { loop->push_fd, EV_READ | EV_PERSIST, on_push },
		[EV_WATCH] = { watch_fd(loop->watch), EV_READ | EV_PERSIST, on_watch },
		[EV_REPAIR] = { -1, 0, on_repair },
		[EV_WATCHDOG] = { -1, EV_PERSIST, on_watchdog },
		[EV_TERM] = { SIGTERM, EV_SIGNAL | EV_PERSIST, on_end },
		[EV_INT] = { SIGINT, EV_SIGNAL | EV_PERSIST, on_end },
		[EV_HUP] = { SIGHUP, EV_SIGNAL | EV_PERSIST, on_hup },
	};
	const struct timeval step = { .tv_usec = CONTROL_INTERVAL_MIN_NS / 1000 };
	__u64 watchdog_us = notify_watchdog_us() / 2;
	const struct timeval alive = { watchdog_us / 1000000, watchdog_us % 1000000 };

	for (unsigned int i = 0; i < EV_N; i++) {
		const struct timeval *wait = i == EV_STEP ? &step :
					     i == EV_WATCHDOG ? &alive : NULL;

		loop->events[i] = event_new(loop->base, table[i].fd, table[i].what, table[i].fn,
					    loop);
		if (!loop->events[i])
			return -ENOMEM;
		if (i == EV_REPAIR || (i == EV_WATCHDOG && !watchdog_us))
			continue;
		if (event_add(loop->events[i], wait))
			return -EIO;
	}
	return 0;
}

static int base_make(struct loop *loop)
{
	struct event_config *config = event_config_new();

	if (config)
		event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	loop->base = config ? event_base_new_with_config(config) : NULL;
	event_config_free(config);
	return loop->base ? 0 : -ENOMEM;
}

static int http_make(struct loop *loop, struct err *err)
{
	int r;

	if (!loop->options->listen)
		return 0;
	r = http_open(&loop->http, loop->base, loop->options->listen, err);
	if (!r) {
		r = serve_open(&loop->serve, loop->http, &loop->steer);
		if (!r)
			r = http_seen_open(&loop->http_seen, loop->base, loop->http,
					   loop->context->netns);
		if (r)
			err_set(err, -r, "cannot serve: %s", strerror(-r));
	}
	return r;
}

static int loop_open(struct loop *loop, struct err *err)
{
	int r;

	loop->lock_fd = lock_take(loop->instance.name, err);
	if (loop->lock_fd < 0)
		return loop->lock_fd;
	/* both made here: the ways to who pushes, and to who is told, are of this namespace */
	notify_open();
	loop->push_fd = push_open(loop->instance.name, err);
	if (loop->push_fd < 0)
		return loop->push_fd;
	r = instance_enter(&loop->instance, &loop->back_fd, err);
	if (r)
		return r;
	r = base_make(loop);
	loop->repair = repair_new();
	loop->steer.remotes = r ? NULL : remotes_new(loop->base, step_now, loop);
	if (r || !loop->repair || !loop->steer.remotes)
		return err_set(err, ENOMEM, "out of memory");
	loop->steer.instance = &loop->instance;
	loop->steer.tell = &loop->tell;
	loop->steer.observe = loop->options->observe;
	loop->steer.serve = loop->options->listen;
	loop->tell.json = loop->context->json;
	r = steer_init(&loop->steer, err);
	if (!r)
		r = watch_open(&loop->watch, err);
	/* a port that is in use has changed no policy */
	if (!r)
		r = http_make(loop, err);
	if (!r)
		r = conf_apply(loop);
	if (r)
		return r;
	r = events_make(loop);
	return r ? err_set(err, -r, "event loop: %s", strerror(-r)) : 0;
}

static void loop_close(struct loop *loop)
{
	closep(&loop->push_fd);
	http_close(loop->http);
	serve_close(loop->serve);
	http_seen_close(loop->http_seen);
	remotes_free(loop->steer.remotes);
	watch_close(loop->watch);
	repair_free(loop->repair);
	for (unsigned int i = 0; i < EV_N; i++)
		if (loop->events[i])
			event_free(loop->events[i]);
	if (loop->base)
		event_base_free(loop->base);
	instance_lost(loop);
	steer_free(&loop->steer);
	if (loop->lock_fd >= 0)
		lock_drop(loop->instance.name, loop->lock_fd);
	closep(&loop->back_fd);
	instance_close(&loop->instance);
}

/* of maps, cgroups, other agents and HTTP clients there may be more than the usual 1024 */
static void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int loop_run(struct context *context, const struct loop_options *options)
{
	struct loop loop = {
		.context = context, .options = options, .back_fd = -1, .lock_fd = -1, .push_fd = -1,
	};
	int r = instance_open(&loop.instance, context->netns, false, &context->err);

	if (r)
		return r;
	descriptors_raise();
	r = loop_open(&loop, &context->err);
	/* programs are loaded before the capabilities to do so would be missed */
	if (!r) {
		r = instance_look(&loop);
		if (!r && !loop.steer.maps)
			r = err_set(&context->err, ENOENT, "%s: nothing is attached: want `weir "
				    "attach DEV` first", loop.instance.name);
	}
	if (!r)
		r = caps_drop(context->netns, &context->err);
	if (!r) {
		conf_check(&loop);
		log_nowait();
		log_note("%s: the agent runs%s", loop.instance.name,
			 options->observe ? "; it observes and changes nothing" : "");
		notify_send("READY=1\nSTATUS=running");
		event_base_dispatch(loop.base);
		r = loop.result;
	}
	loop_close(&loop);
	return r;
}
