// SPDX-License-Identifier: GPL-2.0-only
/*
 * conf.c: commands in words and files of such lines; the printing of a policy as a file. What
 * the keys mean is in conf_class.c and conf_match.c. Pure: no libbpf, no clock, no log.
 */
#include <stdio.h>
#include <string.h>
#include "conf.h"
#include "quantity.h"

#define LINE_WORDS 128

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "_.:@-";
static const char plain_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "_.:@-+,/=%";

int conf_class_name(const char *name, struct err *err)
{
	size_t n = strlen(name);

	if (!n || *name == '-' || n != strspn(name, name_chars))
		return err_set(err, EINVAL, "class name '%s': want letters, digits and _ - . : @, "
			       "not beginning with -", name);
	if (n >= WEIR_NAME_LEN)
		return err_set(err, EINVAL, "class name '%s': longer than %d characters", name,
			       WEIR_NAME_LEN - 1);
	return 0;
}

bool conf_has_control(const char *word)
{
	unsigned char before = 0;

	for (; *word; before = *word++)
		if (is_control(before, *word))
			return true;
	return false;
}

/* the slot of a class that must exist; where it does not, says what is near or what to do */
static int class_known(const struct policy *policy, const char *name, bool wanted, struct err *err)
{
	const char *names[WEIR_MAX_CLASSES], *nearest;
	int slot = policy_class_find(policy, name);
	unsigned int n = 0;

	if (slot >= 0)
		return slot;
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES; i++)
		if (policy->classes[i].flags & WEIR_CLASS_USED)
			names[n++] = policy->classes[i].name;
	nearest = opts_nearest(name, names, n, sizeof(names[0]));
	if (nearest)
		return err_set(err, ENOENT, "no class '%s'; did you mean '%s'?", name, nearest);
	if (!wanted)
		return err_set(err, ENOENT, "no class '%s'", name);
	return err_set(err, ENOENT, "no class '%s'; make it first: weir class set %s", name, name);
}

static const char *class_word(int argc, char *const *argv, const char *key)
{
	return opts_value(conf_class_keys, conf_n_class_keys, argc, argv, key);
}

/*
 * A rate given by itself to a class that is controlled already is set by hand: it keeps the
 * controller off until `rate auto`, which goes back to the rate of before. New words about the
 * control itself do that, too.
 */
static void freeze(const struct weir_class *before, struct weir_class *class, int argc,
		   char *const *argv)
{
	const char *by_hand = class_word(argc, argv, "rate");
	bool rate = by_hand && strcmp(by_hand, "auto");
	bool control = class_word(argc, argv, "control");

	if (control || !class->signal[0]) {
		if (before->flags & WEIR_CLASS_FROZEN && !rate)
			class->rate_bps = before->auto_bps;
		class->flags &= ~WEIR_CLASS_FROZEN;
		class->auto_bps = 0;
	} else if (rate && before->signal[0]) {
		class->auto_bps = before->flags & WEIR_CLASS_FROZEN ? before->auto_bps :
								      before->rate_bps;
		class->flags |= WEIR_CLASS_FROZEN;
	}
}

/*
 * What depends on the control in the end, in whatever order the words came: with `none` goes what
 * was said of it before, or it would have to be taken back first; without one there is nobody to
 * hand a rate to.
 */
static int control_settle(struct weir_class *class, int argc, char *const *argv, struct err *err)
{
	const char *rate = class_word(argc, argv, "rate");

	if (class->signal[0])
		return 0;
	if (rate && !strcmp(rate, "auto"))
		return err_set(err, ENOENT, "rate auto: the class has no control to hand its rate "
			       "to");
	if (!class_word(argc, argv, "control"))
		return 0;
	if (!class_word(argc, argv, "target")) {
		class->set &= ~(WEIR_SET_TARGET | WEIR_SET_TARGET_TIME);
		class->target = 0;
	}
	if (!class_word(argc, argv, "law"))
		class->law = 0;
	if (!class_word(argc, argv, "min"))
		class->min_bps = 0;
	if (!class_word(argc, argv, "max"))
		class->max_bps = 0;
	return 0;
}

static int class_set(struct policy *policy, int argc, char *const *argv, struct err *err)
{
	int slot, r = conf_class_name(argv[0], err);
	struct weir_class before;

	if (r)
		return r;
	slot = policy_class_get(policy, argv[0]);
	if (slot < 0)
		return err_set(err, -slot, "class '%s': all %u classes are in use", argv[0],
			       WEIR_MAX_CLASSES);
	before = policy->classes[slot];
	r = opts_parse(conf_class_keys, conf_n_class_keys, argc - 1, argv + 1,
		       &policy->classes[slot], err);
	if (!r)
		r = control_settle(&policy->classes[slot], argc - 1, argv + 1, err);
	if (r)
		err_prefix(err, "%s: ", argv[0]);
	else
		freeze(&before, &policy->classes[slot], argc - 1, argv + 1);
	return r;
}

static int class_del(struct policy *policy, int argc, char *const *argv, struct err *err)
{
	int slot = class_known(policy, argv[0], false, err);

	if (argc > 1)
		return err_set(err, EINVAL, "class del %s: nothing may follow, not '%s'", argv[0],
			       argv[1]);
	return slot < 0 ? slot : policy_class_del(policy, argv[0], err);
}

static int match_add(struct policy *policy, int argc, char *const *argv, struct err *err)
{
	struct weir_rule rule;
	int slot = class_known(policy, argv[0], true, err), r;

	if (slot < 0)
		return slot;
	/* also the bytes between the fields: rules are compared as bytes */
	memset(&rule, 0, sizeof(rule));
	rule.class_slot = slot;
	r = opts_parse(conf_match_keys, conf_n_match_keys, argc - 1, argv + 1, &rule, err);
	if (!r)
		r = policy_match_add(policy, &rule, err);
	if (r)
		err_prefix(err, "%s: ", argv[0]);
	return r;
}

static int match_del(struct policy *policy, int argc, char *const *argv, struct err *err)
{
	int slot = class_known(policy, argv[0], false, err), r;
	struct weir_rule rule = {};

	if (slot < 0)
		return slot;
	r = opts_parse(&conf_pref_key, 1, argc - 1, argv + 1, &rule, err);
	if (r) {
		err_prefix(err, "%s: ", argv[0]);
		return r;
	}
	return policy_match_del(policy, argv[0], rule.pref, err);
}

static const struct {
	const char *object, *verb;
	int (*run)(struct policy *policy, int argc, char *const *argv, struct err *err);
} verbs[] = {
	{ "class", "set", class_set },
	{ "class", "del", class_del },
	{ "match", "add", match_add },
	{ "match", "del", match_del },
};

int conf_verb(int argc, char *const *argv, struct err *err)
{
	const char *names[ARRAY_SIZE(verbs)];
	unsigned int n = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!argc || strcmp(argv[0], verbs[i].object))
			continue;
		names[n++] = verbs[i].verb;
		if (argc < 2 || strcmp(argv[1], verbs[i].verb))
			continue;
		if (argc < 3)
			return err_set(err, EINVAL, "%s %s: the name of a class is missing",
				       argv[0], argv[1]);
		return i;
	}
	if (!n)
		return err_set(err, EINVAL, "unknown word '%s'; want class or match",
			       argc ? argv[0] : "");
	return err_set(err, EINVAL, "%s: %s%s%s; want %s or %s", argv[0],
		       argc < 2 ? "a word is missing" : "unknown word '", argc < 2 ? "" : argv[1],
		       argc < 2 ? "" : "'", names[0], names[1]);
}

int conf_words(struct policy *policy, int argc, char *const *argv, struct err *err)
{
	int verb = conf_verb(argc, argv, err);

	return verb < 0 ? verb : verbs[verb].run(policy, argc - 2, argv + 2, err);
}

/* where the reading of a file stands; words are unquoted into scratch */
struct lexer {
	const char *at, *end;
	char *to;
	unsigned int line;
};

static int lex_quoted(struct lexer *lexer, struct err *err)
{
	char quote = *lexer->at++;

	for (; lexer->at < lexer->end && *lexer->at != '\n'; lexer->at++) {
		if (*lexer->at == quote) {
			lexer->at++;
			return 0;
		}
		if (quote == '"' && *lexer->at == '\\' && lexer->at + 1 < lexer->end &&
		    lexer->at[1] != '\n')
			lexer->at++;
		*lexer->to++ = *lexer->at;
	}
	return err_set(err, EINVAL, "a quote is not closed");
}

/* a backslash at the end of the line; the number of bytes that it takes up */
static size_t continuation(const struct lexer *lexer)
{
	size_t left = lexer->end - lexer->at;

	if (left >= 2 && !memcmp(lexer->at, "\\\n", 2))
		return 2;
	return left >= 3 && !memcmp(lexer->at, "\\\r\n", 3) ? 3 : 0;
}

static int lex_word(struct lexer *lexer, struct err *err)
{
	while (lexer->at < lexer->end && !strchr(" \t\r\n", *lexer->at) && !continuation(lexer)) {
		if (*lexer->at == '\'' || *lexer->at == '"') {
			int r = lex_quoted(lexer, err);

			if (r)
				return r;
			continue;
		}
		if (*lexer->at == '\\' && ++lexer->at == lexer->end)
			return err_set(err, EINVAL, "the file ends in a backslash");
		*lexer->to++ = *lexer->at++;
	}
	*lexer->to++ = '\0';
	return 0;
}

/* the words of the next line, comments left out; argc or -errno */
static int lex_line(struct lexer *lexer, char **argv, struct err *err)
{
	int argc = 0, r;
	size_t n;

	while (lexer->at < lexer->end && *lexer->at != '\n') {
		if (strchr(" \t\r", *lexer->at)) {
			lexer->at++;
		} else if ((n = continuation(lexer))) {
			lexer->at += n;
			lexer->line++;
		} else if (*lexer->at == '#') {
			while (lexer->at < lexer->end && *lexer->at != '\n')
				lexer->at++;
		} else {
			if (argc == LINE_WORDS)
				return err_set(err, E2BIG, "more than %d words", LINE_WORDS);
			argv[argc++] = lexer->to;
			r = lex_word(lexer, err);
			if (r)
				return r;
		}
	}
	return argc;
}

int conf_text(struct policy *policy, const char *name, const char *text, size_t size,
	      struct err *err)
{
	/* a word is never longer than its text, but for the NUL of the last one */
	_cleanup_free_ char *scratch = malloc(size + 1);
	struct lexer lexer = { .at = text, .line = 1 };
	char *argv[LINE_WORDS];
	int argc, r = 0;

	if (!size)
		return 0;
	lexer.end = text + size;
	/* an editor's mark that what follows is UTF-8 */
	if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		lexer.at += 3;
	if (!scratch)
		return err_set(err, ENOMEM, "%s: out of memory", name);
	if (memchr(text, '\0', size))
		return err_set(err, EINVAL, "%s: holds a NUL byte; want text", name);
	while (lexer.at < lexer.end) {
		unsigned int first = lexer.line;

		lexer.to = scratch;
		argc = lex_line(&lexer, argv, err);
		r = argc > 0 ? conf_words(policy, argc, argv, err) : argc;
		if (r) {
			err_prefix(err, "%s:%u: ", name, first);
			return r;
		}
		lexer.at += lexer.at < lexer.end;
		lexer.line++;
	}
	return 0;
}

int conf_append(struct opts_text *line, const char *word)
{
	bool plain = *word && strspn(word, plain_chars) == strlen(word);
	size_t at = strlen(line->text);

	/* at worst every character is escaped; blank, quotes and NUL */
	if (at + 2 * strlen(word) + 4 > sizeof(line->text))
		return -ENOSPC;
	if (at)
		line->text[at++] = ' ';
	if (!plain)
		line->text[at++] = '"';
	for (; *word; word++) {
		if (!plain && (*word == '"' || *word == '\\'))
			line->text[at++] = '\\';
		line->text[at++] = *word;
	}
	if (!plain)
		line->text[at++] = '"';
	line->text[at] = '\0';
	return 0;
}

/* "VERB NAME" and what the target says of each key */
static int line_of(const char *object, const char *verb, const char *name,
		   const struct opts_key *keys, unsigned int n_keys, const void *target,
		   struct opts_text *ret)
{
	struct opts_text value;
	int r;

	ret->text[0] = '\0';
	r = conf_append(ret, object) ?: conf_append(ret, verb) ?: conf_append(ret, name);
	for (unsigned int i = 0; i < n_keys && !r; i++) {
		value.text[0] = '\0';
		if (keys[i].get && keys[i].get(&keys[i], target, &value))
			r = conf_append(ret, keys[i].name) ?: conf_append(ret, value.text);
	}
	return r;
}

static int class_line(const struct weir_class *class, struct opts_text *ret)
{
	return line_of("class", "set", class->name, conf_class_keys, conf_n_class_keys, class,
		       ret);
}

int conf_match_line(const struct policy *policy, const struct weir_rule *rule,
		    struct opts_text *ret)
{
	return line_of("match", "add", policy->classes[rule->class_slot].name, conf_match_keys,
		       conf_n_match_keys, rule, ret);
}

/* one set by hand takes two: what `rate auto` goes back to, and the rate */
static int class_lines(const struct weir_class *class, bool is_default,
		       int (*line)(const char *text, void *arg), void *arg)
{
	struct weir_class base = *class;
	struct opts_text text;
	int r;

	if (class->flags & WEIR_CLASS_FROZEN)
		base.rate_bps = class->auto_bps;
	r = class_line(&base, &text);
	/* "default" is there without a word */
	if (!r && (!is_default || strcmp(text.text, "class set default")))
		r = line(text.text, arg);
	if (r || !(class->flags & WEIR_CLASS_FROZEN))
		return r;
	snprintf(text.text, sizeof(text.text), "class set %s rate %s", class->name,
		 class->rate_bps ? quantity_rate_exact(class->rate_bps).text : "none");
	return line(text.text, arg);
}

int conf_lines(const struct policy *policy, int (*line)(const char *text, void *arg), void *arg)
{
	struct opts_text text;
	int r = 0;

	for (unsigned int i = 0; i < WEIR_MAX_CLASSES && !r; i++) {
		if (!(policy->classes[i].flags & WEIR_CLASS_USED))
			continue;
		r = class_lines(&policy->classes[i], !i, line, arg);
	}
	for (unsigned int i = 0; i < policy->n_matches && !r; i++)
		r = conf_match_line(policy, &policy->matches[i], &text) ?: line(text.text, arg);
	return r;
}
