// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_show.c: `weir show`: opens the instance, hands to the parts; devices, tables, matches, config
 * and reasons are here, classes and flows in files of their own. Reads only.
 */
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include "clock.h"
#include "conf.h"
#include "dp.h"
#include "help.h"
#include "hook.h"
#include "log.h"
#include "quantity.h"
#include "reasons.h"
#include "show.h"
#include "view.h"

static void device_row(struct show *show, const struct weir_dev_key *key,
		       const struct weir_dev *dev)
{
	static const char *const states[] = {
		[HOOK_ATTACHED] = "attached", [HOOK_LOST] = "lost", [HOOK_GONE] = "gone",
	};
	char name[IF_NAMESIZE];
	enum hook_state state = hook_state(show->instance, key, dev, name);
	struct out *out = show->out;

	out_row(out);
	out_str(out, "dev", name);
	out_only(out, OUT_JSON);
	out_u64(out, "ifindex", key->ifindex);
	out_only(out, OUT_BOTH);
	out_str(out, "hook", hook_name(key->hook));
	out_str(out, "via", dev->flags & WEIR_DEV_TCX ? "tcx" : "clsact");
	out_bool(out, "edt", dev->flags & WEIR_DEV_EDT);
	out_bool(out, "l3", dev->flags & WEIR_DEV_L3);
	/* what weir has put at the root, and what detach puts back there */
	out_str(out, "qdisc", dev->flags & WEIR_DEV_QDISC ? "fq" : dev->flags & WEIR_DEV_KEEP ?
		"keep" : NULL);
	out_str(out, "qdisc_before", dev->flags & WEIR_DEV_QDISC && dev->qdisc_kind[0] ?
		dev->qdisc_kind : NULL);
	out_str(out, "ifb", dev->flags & WEIR_DEV_IFB && if_indextoname(dev->ifb_ifindex, name) ?
		name : NULL);
	out_str(out, "state", states[state]);
	out_only(out, OUT_JSON);
	out_str(out, "program", show->own ? "own" : "other");
	out_only(out, OUT_BOTH);
	out_row_end(out);
}

int show_devices(struct show *show, int argc, char **argv)
{
	_cleanup_(hook_list_free) struct hook_list list = {};
	static bool told;
	int r = hook_list_get(show->instance, &list, &show->context->err);

	if (r)
		return r;
	show->own = dp_is_own(show->instance);
	if (!show->own && !told)
		log_note("%s: " DP_OTHER, show->instance->name);
	told = true;			/* of `watch`, at the first look */
	out_list(show->out, "devices");
	for (size_t i = 0; i < list.n; i++)
		device_row(show, &list.items[i].key, &list.items[i].dev);
	out_list_end(show->out);
	return 0;
}

static int show_matches(struct show *show, int argc, char **argv)
{
	struct opts_text value, words;
	struct out *out = show->out;

	out_list(out, "matches");
	for (unsigned int i = 0; i < show->policy->n_matches; i++) {
		const struct weir_rule *rule = &show->policy->matches[i];

		words.text[0] = '\0';
		out_row(out);
		out_u64(out, "pref", rule->pref);
		out_str(out, "class", show->policy->classes[rule->class_slot].name);
		out_only(out, OUT_JSON);
		for (unsigned int k = 0; k < conf_n_match_keys; k++) {
			const struct opts_key *key = &conf_match_keys[k];
			bool has = key->get(key, rule, &value);

			if (!strcmp(key->name, "pref"))
				continue;
			if (has && (conf_append(&words, key->name) ||
				    conf_append(&words, value.text)))
				return err_set(&show->context->err, ENOSPC, "a match is too long "
					       "to print");
			if (has && key->plain)
				key->plain(key, rule, &value);
			out_str(out, key->name, has ? value.text : NULL);
		}
		out_u64(out, "ifindex", rule->ifindex);
		out_only(out, OUT_TEXT);
		out_str(out, "match", words.text[0] ? words.text : "everything");
		out_row_end(out);
	}
	out_list_end(out);
	return 0;
}

static int config_line(const char *text, void *arg)
{
	out_line(arg, "words", text);
	return 0;
}

static int show_config(struct show *show, int argc, char **argv)
{
	int r;

	out_list(show->out, "config");
	r = conf_lines(show->policy, config_line, show->out);
	out_list_end(show->out);
	return r ? err_set(&show->context->err, -r, "a line is too long to print") : 0;
}

static int show_reasons(struct show *show, int argc, char **argv)
{
	struct weir_class_stats sum = {}, stats;
	struct out *out = show->out;

	for (unsigned int slot = 0; slot < WEIR_MAX_CLASSES; slot++) {
		if (!(show->policy->classes[slot].flags & WEIR_CLASS_USED) ||
		    maps_class_stats(show->maps, slot, &stats))
			continue;
		for (unsigned int i = 0; i < WEIR_R_COUNT; i++) {
			sum.packets[i] += stats.packets[i];
			sum.bytes[i] += stats.bytes[i];
		}
	}
	out_list(out, "reasons");
	for (unsigned int i = 0; i < WEIR_R_COUNT; i++) {
		out_row(out);
		out_str(out, "reason", reasons[i].name);
		out_bool(out, "drops", reasons[i].drops);
		out_u64(out, "packets", sum.packets[i]);
		out_size(out, "bytes", sum.bytes[i]);
		out_str(out, "text", reasons[i].text);
		out_row_end(out);
	}
	out_list_end(out);
	return 0;
}

/* its entries as of before they are counted: what comes meanwhile must not look like evictions */
static int table_row(struct show *show, enum weir_table_index which)
{
	static const char *const names[WEIR_TABLE_COUNT] = { "flows", "buckets" };
	__u64 size = show->maps->max_flows, used;
	struct out *out = show->out;
	struct weir_table table;
	int r = maps_table_get(show->maps, which, &table);

	if (!r)
		r = maps_table_count(show->maps, which, &used);
	if (r)
		return r;
	out_row(out);
	out_str(out, "table", names[which]);
	out_u64(out, "used", used);
	out_u64(out, "size", size);
	out_str(out, "state", table.made >= size ? "full" :
		table.made >= size - size / 8 ? "filling" : "room");
	out_u64(out, "made", table.made);
	out_u64(out, "evicted", table.made > used ? table.made - used : 0);
	out_u64(out, "refused", table.refused);
	out_row_end(out);
	return 0;
}

static int show_tables(struct show *show, int argc, char **argv)
{
	int r = 0;

	out_list(show->out, "tables");
	for (int which = 0; which < WEIR_TABLE_COUNT && !r; which++)
		r = table_row(show, which);
	out_list_end(show->out);
	return r ? err_set(&show->context->err, -r, "cannot read the tables: %s", strerror(-r)) : 0;
}

static int show_summary(struct show *show, int argc, char **argv)
{
	int r;

	out_group(show->out);
	r = show_devices(show, 0, NULL);
	if (!r)
		r = show_classes(show, 0, NULL);
	if (!r)
		r = show_tables(show, 0, NULL);
	out_group_end(show->out);
	return r;
}

/* `classes` and `flows` take words: last, and not among those that help names together */
#define PARTS(X) X(devices) X(tables) X(matches) X(signals) X(config) X(reasons)

static const struct {
	const char *name;
	int (*run)(struct show *show, int argc, char **argv);
	bool takes_words;
} parts[] = {
#define X(part) { #part, show_##part, false },
	PARTS(X)
#undef X
	{ "classes", show_classes, true },
	{ "flows", show_flows, true },
};

const char *const show_parts[] = {
#define X(part) #part,
	PARTS(X)
#undef X
	NULL
};

/* the index among the parts, -1 for the summary; -EINVAL */
static int part_find(int argc, char **argv, struct err *err)
{
	const char *nearest;

	if (!argc)
		return -1;
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		if (strcmp(parts[i].name, argv[0]))
			continue;
		if (argc > 1 && !parts[i].takes_words)
			return err_set(err, EINVAL, "show %s: nothing may follow, not '%s'",
				       argv[0], argv[1]);
		return i;
	}
	nearest = opts_nearest(argv[0], &parts[0].name, ARRAY_SIZE(parts), sizeof(parts[0]));
	if (nearest)
		return err_set(err, EINVAL, "show: unknown word '%s'; did you mean '%s'?", argv[0],
			       nearest);
	return err_set(err, EINVAL, "show: unknown word '%s'; want devices, classes, tables, matches, "
		       "flows, signals, config or reasons", argv[0]);
}

static int show_open(struct show *show, struct view *view)
{
	struct err *err = &show->context->err;
	int r = view_open(view, show->context->netns, err);

	if (r)
		return r;
	show->policy = calloc(1, sizeof(*show->policy));
	show->out = out_open(show->context->json);
	if (!show->policy || !show->out)
		return err_set(err, ENOMEM, "out of memory");
	r = maps_policy_load(show->maps, show->policy, err);
	show->now_ns = clock_now_ns();
	return r;
}

/* over what was there, and no more than there is room for: else each look would scroll the last */
static void on_screen(struct out *out)
{
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row > 1 && size.ws_col)
		out_screen(out, size.ws_row - 1, size.ws_col);
}

static int show_once(struct context *context, int argc, char **argv, bool again)
{
	_cleanup_(view_close) struct view view = VIEW_NONE;
	struct show show = { .context = context, .instance = &view.instance, .maps = &view.maps };
	int part = part_find(argc, argv, &context->err), r, closed;
	bool wrong_words = false;

	if (part < -1)
		return CMD_USAGE;
	r = show_open(&show, &view);
	if (!r) {
		if (again && !context->json)
			on_screen(show.out);
		r = part < 0 ? show_summary(&show, 0, NULL) :
			       parts[part].run(&show, argc - 1, argv + 1);
		wrong_words = r == -EINVAL;
	}
	closed = show.out ? out_close(show.out, &context->err) : 0;
	r = r ?: closed;
	free(show.policy);
	return wrong_words ? CMD_USAGE : r ? CMD_FAILED : CMD_DONE;
}

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = 1;
}

static int watch_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	__u64 seconds;
	int r;

	if (quantity_is_time(word))
		return quantity_time(word, 100000000, 3600000000000ULL, target, err);
	r = quantity_count(word, 1, 3600, &seconds, err);
	if (r)
		return err_set(err, EINVAL, "'%s': want seconds, 1 to 3600, or a time such as 500ms",
			       word);
	*(__u64 *)target = seconds * 1000000000;
	return 0;
}

const struct opts_key show_watch_keys[] = {
	{ "watch", "SECONDS", "look again every so many, or after a time such as 500ms",
	  .flags = OPTS_LAST, .set = watch_set },
};
const unsigned int show_watch_n_keys = ARRAY_SIZE(show_watch_keys);

/* among pairs, every second word is a value, and may be called so */
static bool is_watch(char **argv, int i)
{
	return i >= 0 && !strcmp(argv[i], show_watch_keys[0].name) &&
	       (strcmp(argv[0], "flows") || i % 2);
}

/* `watch N` at the end: how long from one look to the next; 0: look once */
static int watch_take(int *argc, char **argv, __u64 *ret_ns, struct err *err)
{
	int r;

	*ret_ns = 0;
	if (is_watch(argv, *argc - 1))
		return err_set(err, EINVAL, "show: watch: a value is missing; want seconds, or a "
			       "time such as 500ms");
	if (is_watch(argv, *argc - 2)) {
		r = opts_parse(show_watch_keys, show_watch_n_keys, 2, argv + *argc - 2, ret_ns,
			       err);
		if (r) {
			err_prefix(err, "show: ");
			return r;
		}
		*argc -= 2;
	}
	/* a class may be called so */
	for (int i = 0; i < *argc; i++)
		if (is_watch(argv, i) && (*argc != 2 || strcmp(argv[0], "classes")))
			return err_set(err, EINVAL, "show: watch: want it once, behind all else");
	return 0;
}

int cmd_show(struct context *context, int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct timespec pause;
	__u64 every_ns;
	int status;

	if (argc == 2 && !strcmp(argv[1], "help"))
		return help_run(context, 1, argv - 1);
	if (watch_take(&argc, argv, &every_ns, &context->err))
		return CMD_USAGE;
	if (!every_ns)
		return show_once(context, argc, argv, false);
	pause = (struct timespec){ every_ns / 1000000000, every_ns % 1000000000 };
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	do {
		status = show_once(context, argc, argv, true);
	} while (!status && !stopped && (nanosleep(&pause, NULL), !stopped));
	return status;
}
