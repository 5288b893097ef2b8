/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * conf_control.h: what the table of class keys (conf_class.c) takes from conf_control.c.
 */
#ifndef WEIR_CONF_CONTROL_H
#define WEIR_CONF_CONTROL_H

#include <weir/abi.h>
#include "opts.h"

unsigned int conf_control_words(int argc, char *const *argv);
int conf_control_set(const struct opts_key *key, const char *word, void *target, struct err *err);
int conf_control_get(const struct opts_key *key, const void *target, struct opts_text *ret);
int conf_target_set(const struct opts_key *key, const char *word, void *target, struct err *err);
int conf_target_get(const struct opts_key *key, const void *target, struct opts_text *ret);
extern const char *const conf_law_words[];
int conf_law_set(const struct opts_key *key, const char *word, void *target, struct err *err);
int conf_law_get(const struct opts_key *key, const void *target, struct opts_text *ret);

#endif
