// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_version.c: weir version: of weir, of the layout of its maps, of libbpf, and what was built
 * in. Nothing of the machine it was built on.
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include <weir/abi.h>
#include "cmd.h"
#include "out.h"
#include "web.h"

#ifndef WEIR_VERSION
#error "WEIR_VERSION comes from the Makefile"
#endif

#ifdef HAVE_TOP
#define WITH_TOP true
#else
#define WITH_TOP false
#endif

/* a build lacks those whose library it did not find */
static const struct {
	const char *name;
	bool in;
} features[] = {
	{ "attach", true }, { "policy", true }, { "show", true }, { "check", true },
	{ "run", true }, { "replay", true }, { "top", WITH_TOP }, { "page", WEB_PAGE },
};

int cmd_version(struct context *context, int argc, char **argv)
{
	char libbpf[32], list[256] = "";
	size_t n = 0;
	struct out *out;

	if (argc) {
		err_set(&context->err, EINVAL, "version: unknown word '%s': want none", argv[0]);
		return CMD_USAGE;
	}
	snprintf(libbpf, sizeof(libbpf), "%u.%u", libbpf_major_version(), libbpf_minor_version());
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (features[i].in)
			n += snprintf(list + n, sizeof(list) - n, "%s%s", n ? " " : "",
				      features[i].name);
	out = out_open(context->json);
	if (!out)
		return CMD_FAILED;
	out_row(out);
	out_str(out, "version", WEIR_VERSION);
	out_u64(out, "abi", WEIR_ABI);
	out_str(out, "libbpf", libbpf);
	out_only(out, OUT_TEXT);
	out_str(out, "features", list);
	out_only(out, OUT_JSON);
	out_sub(out, "features");
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		out_bool(out, features[i].name, features[i].in);
	out_sub_end(out);
	out_row_end(out);
	return out_close(out, &context->err) ? CMD_FAILED : CMD_DONE;
}
