/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * conf_file.h: the text of a policy from a file, or from the standard input where its name is "-".
 */
#ifndef WEIR_CONF_FILE_H
#define WEIR_CONF_FILE_H

#include <stddef.h>
#include "util.h"

/* The caller frees the text; *ret_name is what errors about it call it. */
int conf_file_read(const char *word, const char **ret_name, char **ret_text, size_t *ret_size,
		   struct err *err);

#endif
