// SPDX-License-Identifier: GPL-2.0-only
/*
 * opts.c: walks KEY VALUE words by a table of keys. Owns the checks that every command shares
 * (unknown, twice, missing); what a value means is the table's. Pure.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "opts.h"

#define WORD_MAX 32			/* no known word is longer */
#define KEYS_MAX 64
#define WORDS_BYTES 512
#define KEYS_FEW 24			/* so many are named where none is near */

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* edits between two words, a swap of neighbours counting as one (optimal string alignment) */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int rows[3][WORD_MAX + 1], la = strlen(a), lb = strlen(b);
	unsigned int *before = rows[0], *last = rows[1], *now = rows[2], *spare;

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (unsigned int j = 0; j <= lb; j++)
		last[j] = j;
	for (unsigned int i = 1; i <= la; i++) {
		now[0] = i;
		for (unsigned int j = 1; j <= lb; j++) {
			now[j] = least(least(last[j] + 1, now[j - 1] + 1),
				       last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[lb];
}

const char *opts_nearest(const char *word, const char *const *names, unsigned int n,
			 size_t stride)
{
	const char *best = NULL;
	unsigned int best_distance = WORD_MAX, d;

	for (unsigned int i = 0; i < n; i++) {
		const char *name = *(const char *const *)((const char *)names + i * stride);
		size_t length = strlen(word), shorter = least(length, strlen(name));

		d = distance(word, name);
		/* half a word is near, too: "flow" for "flow-rate" */
		if (length >= 2 && !strncmp(word, name, length))
			d = 1;
		/* a letter is near no other */
		if (d < best_distance && d < shorter && d <= (shorter + 2) / 3) {
			best_distance = d;
			best = name;
		}
	}
	return best;
}

/* "a, b or c" */
static void list_of(const char *const *words, char *list, size_t size)
{
	size_t at = 0;

	*list = '\0';
	for (unsigned int n = 0; words[n] && at < size; n++)
		at += snprintf(list + at, size - at, "%s%s",
			       !n ? "" : words[n + 1] ? ", " : " or ", words[n]);
}

int opts_choice(const char *word, const char *const *choices, struct err *err)
{
	char list[256];

	for (unsigned int n = 0; choices[n]; n++)
		if (!strcmp(word, choices[n]))
			return n;
	list_of(choices, list, sizeof(list));
	return err_set(err, EINVAL, "'%s': want %s", word, list);
}

static const struct opts_key *key_find(const struct opts_key *keys, unsigned int n_keys,
				       const char *word, struct err *err)
{
	const char *nearest, *names[KEYS_FEW + 1] = {};
	unsigned int n_names = 0;
	char list[256];

	for (unsigned int i = 0; i < n_keys; i++) {
		if (!strcmp(keys[i].name, word))
			return &keys[i];
		if (n_keys <= KEYS_FEW && !(keys[i].flags & OPTS_REFUSED))
			names[n_names++] = keys[i].name;
	}
	list_of(names, list, sizeof(list));
	nearest = opts_nearest(word, &keys->name, n_keys, sizeof(*keys));
	if (nearest)
		err_set(err, EINVAL, "unknown word '%s'; did you mean '%s'?", word, nearest);
	else
		err_set(err, EINVAL, "unknown word '%s'%s%s", word, *list ? "; want " : "", list);
	return NULL;
}

/* how many of the words behind a key are its value */
static int value_words(const struct opts_key *key, int argc, char *const *argv)
{
	if (key->flags & OPTS_ALONE)
		return 0;
	return key->words ? (int)key->words(argc, argv) : 1;
}

/* words that are one value, with a blank between them */
static int join(char *const *argv, int n, char joined[WORDS_BYTES], struct err *err)
{
	size_t at = 0;

	for (int i = 0; i < n && n > 1; i++) {
		at += snprintf(joined + at, WORDS_BYTES - at, "%s%s", i ? " " : "", argv[i]);
		if (at >= WORDS_BYTES)
			return err_set(err, EINVAL, "'%.80s': too long", argv[i]);
	}
	return 0;
}

int opts_parse(const struct opts_key *keys, unsigned int n_keys, int argc, char *const *argv,
	       void *target, struct err *err)
{
	bool seen[KEYS_MAX] = {};
	char joined[WORDS_BYTES];
	int r, n = 1;

	for (int i = 0; i < argc; i += 1 + n) {
		const struct opts_key *key = key_find(keys, n_keys, argv[i], err);

		if (!key)
			return -EINVAL;
		if (seen[key - keys])
			return err_set(err, EINVAL, "%s: given twice", key->name);
		seen[key - keys] = true;
		n = value_words(key, argc - i - 1, argv + i + 1);
		if (n && i + 1 == argc)
			return err_set(err, EINVAL, "%s: a value is missing; want %s", key->name,
				       key->value);
		r = join(argv + i + 1, n, joined, err);
		if (!r)
			r = key->set(key, n > 1 ? joined : n ? argv[i + 1] : "", target, err);
		if (r) {
			err_prefix(err, "%s ", key->name);
			return r;
		}
	}
	return 0;
}

const char *opts_value(const struct opts_key *keys, unsigned int n_keys, int argc,
		       char *const *argv, const char *name)
{
	const struct opts_key *key;
	struct err ignored;

	for (int i = 0; i + 1 < argc; i += 1 + value_words(key, argc - i - 1, argv + i + 1)) {
		if (!strcmp(argv[i], name))
			return argv[i + 1];
		key = key_find(keys, n_keys, argv[i], &ignored);
		if (!key)
			break;
	}
	return NULL;
}
