// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_budget.c: every program passes the verifier with room to spare: the instructions that it
 * follows, as the kernel counts them, against tests/prog/budget.txt. What grows beyond is either
 * worth a larger number there, in the same commit, or a mistake.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <weir/abi.h>
#include "weir.skel.h"

#define BUDGETS "tests/prog/budget.txt"

/* the number behind the program's name; 0 where it is not listed */
static unsigned int budget(const char *name)
{
	FILE *file = fopen(BUDGETS, "re");
	unsigned int found = 0, n;
	char line[128], word[64];

	if (!file)
		fail_msg("%s: %s (run from the top of the tree)", BUDGETS, strerror(errno));
	while (!found && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %u", word, &n) == 2 && !strcmp(word, name))
			found = n;
	fclose(file);
	return found;
}

static unsigned int verified(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len), 0);
	return info.verified_insns;
}

static void every_program_is_within_its_budget(void **state)
{
	struct weir_bpf *skel;
	struct bpf_program *program;
	int over = 0;

	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	skel = weir_bpf__open_and_load();
	assert_non_null(skel);
	bpf_object__for_each_program(program, skel->obj) {
		const char *name = bpf_program__name(program);
		unsigned int limit = budget(name), n = verified(program);

		print_message("# %-18s %7u of %7u verified instructions%s\n", name, n, limit,
			      n > limit ? ": over" : "");
		over += n > limit;
	}
	weir_bpf__destroy(skel);
	assert_int_equal(over, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_program_is_within_its_budget),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, NULL, NULL);
}
