// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_passed.c: what the agent is told to have passed of a class is the sum of what the CPUs have
 * counted under the reasons that pass, for any range of classes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <weir/passed.h>
#include "passed.skel.h"

struct test {
	struct passed_bpf *skel;
	struct weir_passed want[WEIR_MAX_CLASSES];
};

/* each counter of each CPU and class another number, large and small */
static int set_up(void **state)
{
	int cpus = libbpf_num_possible_cpus();
	struct weir_class_stats *stats = calloc(cpus, sizeof(*stats));
	struct test *test = calloc(1, sizeof(*test));

	if (!stats || !test)
		return -1;
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	*state = test;
	test->skel = passed_bpf__open();
	if (!test->skel)
		return -1;
	test->skel->rodata->n_cpus = cpus;
	if (passed_bpf__load(test->skel))
		return -1;
	srand48(1);
	for (__u32 slot = 0; slot < WEIR_MAX_CLASSES; slot++) {
		for (size_t i = 0; i < cpus * sizeof(*stats) / sizeof(__u64); i++)
			((__u64 *)stats)[i] = (__u64)mrand48() << (lrand48() % 24);
		for (int i = 0; i < cpus * WEIR_R_FIRST_DROP; i++) {
			test->want[slot].bytes += stats[i % cpus].bytes[i / cpus];
			test->want[slot].packets += stats[i % cpus].packets[i / cpus];
		}
		if (bpf_map_update_elem(bpf_map__fd(test->skel->maps.class_stats), &slot, stats,
					BPF_ANY))
			return -1;
	}
	free(stats);
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	passed_bpf__destroy(test->skel);
	free(test);
	return 0;
}

static void all_cpus_are_summed_up(void **state)
{
	const struct test *test = *state;
	int fd = bpf_program__fd(test->skel->progs.weir_passed);

	for (__u32 n = 1; n <= WEIR_PASSED_MAX; n++)
		for (__u32 slot = 0; slot + n <= WEIR_MAX_CLASSES; slot += 1 + slot % 7) {
			LIBBPF_OPTS(bpf_test_run_opts, opts);

			test->skel->bss->ask = (struct weir_passed_ask){ slot, n };
			assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
			assert_memory_equal(test->skel->bss->passed, test->want + slot,
					    n * sizeof(*test->want));
		}
}

/* nor does an odd question write beyond its answer */
static void what_is_no_class_is_not_counted(void **state)
{
	const struct test *test = *state;
	const struct weir_passed_ask odd[] = {
		{ WEIR_MAX_CLASSES, 1 }, { WEIR_MAX_CLASSES - 1, WEIR_PASSED_MAX }, { ~0U, ~0U },
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts);

		memset(test->skel->bss->passed, 0, sizeof(test->skel->bss->passed));
		test->skel->bss->ask = odd[i];
		bpf_prog_test_run_opts(bpf_program__fd(test->skel->progs.weir_passed), &opts);
		assert_int_equal(test->skel->bss->passed[1].packets, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_cpus_are_summed_up),
		cmocka_unit_test(what_is_no_class_is_not_counted),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, set_up, tear_down);
}
