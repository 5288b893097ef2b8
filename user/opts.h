/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * opts.h: words as typed tables. A command's keys are a table; parsing, help, completion and the
 * nearest known word for a wrong one all come from it. Pure: no libbpf, no clock, no log.
 */
#ifndef WEIR_OPTS_H
#define WEIR_OPTS_H

#include <linux/types.h>
#include "util.h"

#define OPTS_ALONE 0x01			/* the key has no value: set() gets "" */
#define OPTS_PACKET 0x02		/* of a packet: nothing that a flow could be chosen by */
#define OPTS_REFUSED 0x04		/* known to be refused with its reason alone: not named */
#define OPTS_LAST 0x08			/* no other may follow */

struct opts_text {			/* what a key's get() writes to */
	char text[2048];
};

struct opts_key {
	const char *name;
	const char *value;		/* of help: "RATE|none" */
	const char *help;
	const char *const *choices;	/* NULL-terminated: words that are accepted as they are */
	unsigned int flags;		/* OPTS_* */
	/* takes a word into the target; the error is about the word alone */
	int (*set)(const struct opts_key *key, const char *word, void *target, struct err *err);
	/* how many of the words that follow are the value, joined by blanks; NULL: one */
	unsigned int (*words)(int argc, char *const *argv);
	/* the word that set() would take to get there; 0 when there is nothing to say */
	int (*get)(const struct opts_key *key, const void *target, struct opts_text *ret);
	/* the same for programs, where get() says it by a name; NULL: as get() */
	int (*plain)(const struct opts_key *key, const void *target, struct opts_text *ret);
	/* what generic set() and get() functions go by */
	size_t offset;			/* of the field in the target */
	__u64 min, max;
	__u32 bit;			/* the field's flag, where it has one */
	__u32 set_bit;			/* says that the user gave it; `default` clears it */
};

/*
 * Takes KEY VALUE pairs up to the end. Refuses an unknown key (naming the nearest), a key given
 * twice, and a key without a value.
 */
int opts_parse(const struct opts_key *keys, unsigned int n_keys, int argc, char *const *argv,
	       void *target, struct err *err);

/* The (first) word of a key's value among words that opts_parse() has taken; NULL: not given. */
const char *opts_value(const struct opts_key *keys, unsigned int n_keys, int argc,
		       char *const *argv, const char *name);

/* The index of word among the choices, or -EINVAL with an error that names them or the nearest. */
int opts_choice(const char *word, const char *const *choices, struct err *err);

/* The known word that is nearest to a wrong one, NULL when none is near. names are strided. */
const char *opts_nearest(const char *word, const char *const *names, unsigned int n,
			 size_t stride);

#endif
