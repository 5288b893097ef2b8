// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_replay.c: `weir replay FILE [conf FILE] [diff FILE] [dev-rate RATE] [hook HOOK] [dev NAME]`:
 * the words, the policies and what a capture cannot tell of them. Reads only: the live policy is
 * copied, nothing is attached or pinned.
 */
#include <stdio.h>
#include <string.h>
#include "cmd.h"
#include "conf.h"
#include "conf_file.h"
#include "maps.h"
#include "opts.h"
#include "quantity.h"
#include "replay.h"

static const char *const hook_words[] = { "egress", "ingress", NULL };

struct words {
	const char *conf, *diff, *dev;
	int hook;
	__u64 dev_rate_bps;
};

static int text_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	*(const char **)((char *)target + key->offset) = word;
	return *word ? 0 : err_set(err, EINVAL, "'': want %s", key->value);
}

static int hook_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct words *words = target;
	int hook = opts_choice(word, key->choices, err);

	if (hook < 0)
		return hook;
	words->hook = hook;
	return 0;
}

static int rate_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	return quantity_rate(word, &((struct words *)target)->dev_rate_bps, err);
}

const struct opts_key replay_keys[] = {
	{ "conf", "FILE", "the policy, - from the standard input; the live one",
	  .set = text_set, .offset = offsetof(struct words, conf) },
	{ "diff", "FILE", "another one, shown beside it; or -", .set = text_set,
	  .offset = offsetof(struct words, diff) },
	{ "dev", "DEV", "the device that the capture stands for", .set = text_set,
	  .offset = offsetof(struct words, dev) },
	{ "hook", "egress|ingress", "where the packets pass; egress", .choices = hook_words,
	  .set = hook_set },
	{ "dev-rate", "RATE", "a link of that rate behind weir", .set = rate_set },
};
const unsigned int replay_n_keys = ARRAY_SIZE(replay_keys);

static int policy_from_file(struct replay_side *side, const char *word, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	const char *name;
	size_t size;
	int r = conf_file_read(word, &name, &text, &size, err);

	if (r)
		return r;
	side->name = name;
	side->policy = policy_new();
	if (!side->policy)
		return err_set(err, ENOMEM, "out of memory");
	r = conf_text(side->policy, name, text, size, err);
	if (r)
		return r;
	r = policy_finish(side->policy, err);
	if (r)
		err_prefix(err, "%s: ", name);
	return r;
}

/* a copy of what is in force, and of the size of its flow table */
static int policy_from_live(struct replay *replay, const char *netns, struct err *err)
{
	struct instance instance = { .netns_fd = -1, .lock_fd = -1 };
	struct replay_side *side = &replay->sides[0];
	struct maps maps;
	int r;

	side->name = "live";
	side->policy = calloc(1, sizeof(*side->policy));
	if (!side->policy)
		return err_set(err, ENOMEM, "out of memory");
	r = instance_open(&instance, netns, false, err);
	if (r)
		return r;
	r = maps_open(&maps, &instance, err);
	if (r == -ENOENT)
		err_set(err, ENOENT, "nothing is attached in '%s', so there is no live policy to "
			"replay: want conf FILE", netns ? netns : "host");
	if (!r) {
		r = maps_policy_load(&maps, side->policy, err);
		replay->max_flows = maps.max_flows;
		maps_close(&maps);
	}
	instance_close(&instance);
	side->policy->generation = 0;
	return r;
}

/* A capture is of one device: matches with another one cannot match. */
static int devices_resolve(struct policy *policy, const char *dev, const char *name,
			   struct err *err)
{
	const char *only = dev;

	for (unsigned int i = 0; i < policy->n_matches; i++) {
		struct weir_rule *rule = &policy->matches[i];

		if (!(rule->fields & WEIR_M_DEV))
			continue;
		if (!dev && only && strcmp(only, rule->dev))
			return err_set(err, EINVAL, "%s: matches name the devices '%s' and '%s': say "
				       "which one the capture stands for: want dev NAME",
				       name, only, rule->dev);
		only = only ?: rule->dev;
		rule->ifindex = !strcmp(only, rule->dev);	/* 1, the replay's device */
	}
	return 0;
}

/* what a capture does not hold matches nothing, and is said */
static void policy_notes(struct replay *replay, const struct replay_side *side)
{
	bool cgroup = false, mark = false, per_cgroup = false;

	for (unsigned int i = 0; i < side->policy->n_matches; i++) {
		struct weir_rule *rule = &side->policy->matches[i];

		mark |= !!(rule->fields & WEIR_M_MARK);
		if (rule->fields & WEIR_M_CGROUP) {
			cgroup = true;
			rule->cgroup_id = ~0ULL;
		}
	}
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES; i++)
		per_cgroup |= side->policy->classes[i].flags & WEIR_CLASS_USED &&
			      side->policy->classes[i].per == WEIR_PER_CGROUP;
	if (cgroup)
		replay_note(replay, "%s: no packet matches a cgroup: a capture does not say",
			    side->name);
	if (mark)
		replay_note(replay, "%s: every packet has mark 0: a capture does not say",
			    side->name);
	if (per_cgroup)
		replay_note(replay, "%s: per cgroup: all packets share one bucket", side->name);
}

static int policies_load(struct replay *replay, const struct words *words, const char *netns,
			 struct err *err)
{
	int r = words->conf ? policy_from_file(&replay->sides[0], words->conf, err) :
			      policy_from_live(replay, netns, err);

	if (!r && words->diff) {
		replay->n_sides = 2;
		r = policy_from_file(&replay->sides[1], words->diff, err);
	}
	for (unsigned int i = 0; i < replay->n_sides && !r; i++) {
		struct replay_side *side = &replay->sides[i];

		r = devices_resolve(side->policy, words->dev, side->name, err);
		policy_notes(replay, side);
	}
	return r;
}

static void assumptions(struct replay *replay)
{
	const struct replay_capture *capture = replay_reader_capture(replay->reader);

	replay_note(replay, "every packet is taken to pass this hook, with fq below: classes that pace "
		    "delay");
	replay_note(replay, "no socket is paced here, and no sender answers to marks, drops and delay: "
		    "live ones would slow down");
	if (!strcmp(capture->link, "RAW") || !strcmp(capture->link, "IPV4") ||
	    !strcmp(capture->link, "IPV6"))
		replay_note(replay, "bytes count from the IP header on: there is no Ethernet header");
}

static void findings(struct replay *replay)
{
	const struct replay_capture *capture = replay_reader_capture(replay->reader);

	if (capture->truncated)
		replay_note(replay, "%llu packets were captured in part; their original length counts",
			    capture->truncated);
	if (capture->backwards)
		replay_note(replay, "%llu packets are earlier than one before them; put at its time",
			    capture->backwards);
	if (capture->runts)
		replay_note(replay, "%llu packets are too short for a link header; left out",
			    capture->runts);
	if (capture->unsegmented)
		replay_note(replay, "%llu packets were captured before segmentation; each counts as one",
			    capture->unsegmented);
	if (replay->flows.left_out)
		replay_note(replay, "%llu packets of flows beyond the first %u are in no flow's row",
			    replay->flows.left_out, REPLAY_FLOWS_MAX);
}

static int run(struct context *context, struct replay *replay, const char *file,
	       const struct words *words)
{
	struct err *err = &context->err;
	int r = pin_privileges(err), shown;

	if (!r)
		r = replay_reader_open(&replay->reader, file, err);
	if (!r)
		r = policies_load(replay, words, context->netns, err);
	if (r)
		return r;
	replay->hook = words->hook;
	replay->dev_rate_bps = words->dev_rate_bps;
	assumptions(replay);
	r = replay_run(replay, err);
	if (r && r != -EIO)
		return r;
	findings(replay);
	shown = replay_show(replay, context->json, err);
	return r ?: shown;
}

static bool is_stdin(const char *word)
{
	return word && !strcmp(word, "-");
}

int cmd_replay(struct context *context, int argc, char **argv)
{
	struct replay *replay;
	struct words words = {};
	int r;

	if (!argc || !*argv[0]) {
		err_set(&context->err, EINVAL, "replay: want a capture FILE, or - for the standard "
			"input");
		return CMD_USAGE;
	}
	if (opts_parse(replay_keys, replay_n_keys, argc - 1, argv + 1, &words, &context->err)) {
		err_prefix(&context->err, "replay: ");
		return CMD_USAGE;
	}
	if (is_stdin(argv[0]) + is_stdin(words.conf) + is_stdin(words.diff) > 1) {
		err_set(&context->err, EINVAL, "replay: the standard input can be read once: want - "
			"for one file");
		return CMD_USAGE;
	}
	replay = calloc(1, sizeof(*replay));
	if (!replay) {
		err_set(&context->err, ENOMEM, "out of memory");
		return CMD_FAILED;
	}
	replay->n_sides = 1;
	r = run(context, replay, argv[0], &words);
	replay_free(replay);
	free(replay);
	return r ? CMD_FAILED : CMD_DONE;
}
