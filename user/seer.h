/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * seer.h: looks at the maps for the HTTP side in a thread of its own, so that a pass over a million
 * flows never holds up the loop that moves the rates. The loop asks and later collects; all calls
 * are the loop's. What is asked while a look is under way is one look more, not many. Questions
 * with the same words share one answer, and passes for different ones are apart as looks are
 * (snapshot_apart_ns()): who asks without a pause does not cost a core.
 */
#ifndef WEIR_SEER_H
#define WEIR_SEER_H

#include "metrics.h"
#include "text.h"

/* one look, in all its forms */
struct seen {
	__u64 at_ns;			/* CLOCK_MONOTONIC */
	__u64 apart_ns;			/* the next one is to begin so much later, or more */
	struct text metrics[2];		/* by enum metrics_form */
	struct text live;		/* JSON */
	struct err err;			/* where there was nothing to see; the texts are empty */
};

void seen_free(struct seen *seen);

/* what `weir -j show` says to these words */
#define SEER_WORDS 40
struct seer_answer {
	void *owner;			/* who asked; NULL where they have gone since */
	int argc;
	char *argv[SEER_WORDS + 1];	/* point into words */
	char words[2048];
	char *body;			/* JSON; NULL where it failed */
	size_t size;
	int result;			/* 0, or -errno and err */
	struct err err;
	__u64 fresh_until_ns;		/* CLOCK_MONOTONIC: will do for others until then */
	struct seer_answer *next;
};

void seer_answer_free(struct seer_answer *answer);

struct seer;

/* netns as `weir -n` has it, NULL: host. */
int seer_start(const char *netns, struct seer **ret, struct err *err);

/* Waits for a look that is under way. NULL is allowed. */
void seer_stop(struct seer *seer);

/* Readable when there is something to collect. */
int seer_fd(const struct seer *seer);

void seer_look(struct seer *seer);

/*
 * Asks for what `show` with these words says; takes the question over, also on failure. -EBUSY
 * where too many wait, or it would for too long.
 */
int seer_ask(struct seer *seer, struct seer_answer *question);

/* The owner is gone: its answer will come without one. */
void seer_forget(struct seer *seer, const void *owner);

/* Takes what has come: the latest look or NULL, and a list of answers. The caller frees both. */
void seer_collect(struct seer *seer, struct seen **ret_seen, struct seer_answer **ret_answers);

#endif
