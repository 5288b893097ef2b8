/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * conf.h: the one grammar. A line of a file and the words of a command are the same:
 *
 *	class set NAME KEY VALUE...	class del NAME
 *	match add NAME KEY VALUE...	match del NAME [pref N]
 *
 * Words fill the policy; a policy prints as the lines that make it. In a file '#' begins a
 * comment, quotes and '\' protect characters, and '\' at its end continues a line. Pure: no
 * libbpf, no clock, no log; names of devices and cgroups stay names here.
 */
#ifndef WEIR_CONF_H
#define WEIR_CONF_H

#include "opts.h"
#include "policy.h"

/*
 * Takes one command's words, "class" or "match" first. -EINVAL for words that are wrong in
 * themselves, another code where the policy does not allow it. On failure the policy is half
 * changed: work on a copy.
 */
int conf_words(struct policy *policy, int argc, char *const *argv, struct err *err);

/* Only whether they are the words of a command, which needs no policy: -EINVAL. */
int conf_verb(int argc, char *const *argv, struct err *err);

/* A whole file's text; errors begin with "NAME:LINE: ". */
int conf_text(struct policy *policy, const char *name, const char *text, size_t size,
	      struct err *err);

/* The canonical line of a match. */
int conf_match_line(const struct policy *policy, const struct weir_rule *rule,
		    struct opts_text *ret);

/* Calls line() for every line of the policy's canonical file; stops when it returns non-zero. */
int conf_lines(const struct policy *policy, int (*line)(const char *text, void *arg), void *arg);

/* What one bucket of a class holds, in the words of its key: flow, src/24. 0 when it is unknown. */
int conf_per(const struct weir_class *class, struct opts_text *ret);

/* "tcp" for 6; the number's digits, in buf, where it has no name here. */
#define CONF_PROTO 24
const char *conf_proto_name(__u8 number, char buf[CONF_PROTO]);

/* A flow's protocol for people: tcp, 99, and inside a tunnel tcp/inner or tcp/42 (VNI or key). */
const char *conf_flow_proto(const struct weir_flow_key *key, char buf[CONF_PROTO]);

/* Appends a word, quoted where it must be, after a blank; -ENOSPC. */
int conf_append(struct opts_text *line, const char *word);

/* Has the word characters that a file shows in another way than it reads them? */
bool conf_has_control(const char *word);

/* Class names: letters, digits, '_', '-', '.', ':', '@'. */
int conf_class_name(const char *name, struct err *err);

extern const struct opts_key conf_class_keys[];
extern const unsigned int conf_n_class_keys;
extern const struct opts_key conf_match_keys[];
extern const unsigned int conf_n_match_keys;
extern const struct opts_key conf_pref_key;	/* all that `match del NAME` takes */

#endif
