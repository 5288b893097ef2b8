// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_top.c: `weir top`: looks at the maps once a second, less often where a look costs more than
 * a fifth of a core, and shows what goes on. Owns the loop, the terminal and the maps; reads only.
 * The instance may go and come while it runs.
 */
#include "cmd.h"

#ifdef HAVE_TOP

#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "clock.h"
#include "top.h"
#include "view.h"

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = 1;
}

static bool wanted(const struct weir_flow_key *key, const char *class_name, const void *arg)
{
	const struct top *top = arg;

	if (top->view == TOP_FLOW)
		return !memcmp(key, &top->flow_key, sizeof(*key));
	return flow_filter_wants(&top->filter, key, class_name);
}

/* opens the maps each time: a detach and an attach in between make new ones */
static int look(struct top *top, const struct context *context, struct err *err)
{
	_cleanup_(view_close) struct view view = VIEW_NONE;
	struct snapshot *next = NULL;
	struct err gone;
	int r = view_open(&view, context->netns, err);

	if (r)
		return r;
	top_filter_take(top);
	/* a device that is gone leaves nothing to show, which is no error */
	flow_filter_resolve(&top->filter, &gone);
	top->query.max_flows = top->view == TOP_FLOW ? 1 : TOP_FLOWS;
	top->query.wanted = wanted;
	top->query.arg = top;
	r = snapshot_take(&view.maps, &view.instance, &top->query, top->snapshot, &next, err);
	if (r)
		return r;
	snapshot_free(top->snapshot);
	top->snapshot = next;
	return 0;
}

static __u64 now_ms(void)
{
	return clock_now_ns() / 1000000;
}

/* all keys that have come; -EIO when the terminal is gone. Signals come while it waits, alone */
static int keys_read(struct top *top, int timeout_ms)
{
	const struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
	bool one = false;
	int key, n = ppoll(&fd, 1, timeout_ms < 0 ? NULL : &timeout, &top->signals);

	if (n < 0 && errno != EINTR)
		return -errno;
	while (!top->quit && (key = getch()) != ERR) {
		top_key(top, key);
		one = true;
	}
	return n > 0 && !one && !(fd.revents & POLLIN && !(fd.revents & POLLHUP)) ? -EIO : 0;
}

/* when the next look is due: by the interval as it is now, which keys change */
static __u64 due_ms(const struct top *top, __u64 looked_ms)
{
	return looked_ms + (top->apart_ms > top->interval_ms ? top->apart_ms : top->interval_ms);
}

/* looks and draws until the user has seen enough */
static int run(struct top *top, const struct context *context)
{
	/* rates need a second look: soon */
	__u64 looked = now_ms() - top->interval_ms * 3 / 4, due;
	bool failed = false;

	while (!top->quit && !stopped) {
		struct err err = {};
		__u64 now = now_ms();
		int r;

		if (top->stale || (!top->paused && now >= due_ms(top, looked))) {
			r = look(top, context, &err);
			if (r)
				snprintf(top->message, sizeof(top->message), "%.255s", err.text);
			else if (failed)
				top->message[0] = '\0';
			failed = r;
			top->stale = false;
			top->apart_ms = top->snapshot ?
					snapshot_apart_ns(top->snapshot) / 1000000 : 0;
			looked = now;
		}
		top_draw(top);
		due = due_ms(top, looked);
		r = keys_read(top, top->paused ? -1 : due > now ? (int)(due - now) : 0);
		if (r)
			return r;
	}
	return 0;
}

static void colors_start(struct top *top)
{
	static const short colors[] = { [TOP_GOOD] = COLOR_GREEN, [TOP_HELD] = COLOR_YELLOW,
					[TOP_BAD] = COLOR_RED, [TOP_MARK] = COLOR_CYAN };

	if (!has_colors() || start_color() == ERR)
		return;
	use_default_colors();
	for (int i = TOP_GOOD; i <= TOP_MARK; i++)
		init_pair(i, colors[i], -1);
	top->colors = true;
}

static int screen_open(struct top *top, SCREEN **ret, struct err *err)
{
	const char *term = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return err_set(err, ENOTTY, "top: want a terminal; for programs there is "
			       "`weir -j show`");
	setlocale(LC_ALL, "");
	top->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	*ret = newterm(NULL, stdout, stdin);
	if (!*ret)
		return err_set(err, ENOTTY, "top: terminal '%s' is not known here; want another "
			       "TERM, such as xterm or vt100", term ?: "");
	if (!tigetstr("cup")) {
		endwin();
		delscreen(*ret);
		return err_set(err, ENOTTY, "top: terminal '%s' cannot place its cursor; want another "
			       "TERM, such as xterm or vt100", term ?: "");
	}
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	colors_start(top);
	return 0;
}

/*
 * Signals are taken while keys are waited for, at no other time: on Control-Z ncurses draws in the
 * very handler, and would do so in the middle of its own drawing.
 */
static void signals_take(struct top *top)
{
	static const int taken[] = { SIGINT, SIGTERM, SIGHUP, SIGTSTP };
	struct sigaction action = { .sa_handler = stop };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		sigaddset(&set, taken[i]);
		if (taken[i] != SIGTSTP)
			sigaction(taken[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &set, &top->signals);
}

int cmd_top(struct context *context, int argc, char **argv)
{
	struct top top = { .interval_ms = 1000 };
	SCREEN *screen = NULL;
	int r;

	if (argc) {
		err_set(&context->err, EINVAL, "top: unknown word '%s': want none", argv[0]);
		return CMD_USAGE;
	}
	if (context->json) {
		err_set(&context->err, EINVAL, "top: has no JSON; for programs there is `weir -j "
			"show`");
		return CMD_USAGE;
	}
	/* what is wrong from the start is said on the terminal as it was */
	r = look(&top, context, &context->err);
	if (!r)
		r = screen_open(&top, &screen, &context->err);
	if (!r) {
		signals_take(&top);
		r = run(&top, context);
		/* where there is no second screen, the shell goes on below what was shown */
		move(LINES - 1, 0);
		clrtoeol();
		refresh();
		endwin();
		delscreen(screen);
		if (r)
			err_set(&context->err, -r, "top: the terminal is gone: %s", strerror(-r));
	}
	snapshot_free(top.snapshot);
	return r ? CMD_FAILED : CMD_DONE;
}

#else

int cmd_top(struct context *context, int argc, char **argv)
{
	err_set(&context->err, ENOSYS, "top: this weir was built without ncursesw (Debian: "
		"libncurses-dev)");
	return CMD_FAILED;
}

#endif
