// SPDX-License-Identifier: GPL-2.0-only
/*
 * passed.c: loads bpf/passed.bpf.c (bpf_map_lookup_percpu_elem() is of 5.19), shares its memory and
 * runs it. Decides nothing.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <string.h>
#include "log.h"
#include "passed.h"
#include "passed.skel.h"

struct passed {
	struct passed_bpf *skel;
};

/* are the CPUs that there may be all those below their number? The program counts them up. */
static bool cpus_in_a_row(void)
{
	_cleanup_close_ int fd = open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);
	char text[64] = "";

	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && text[0] == '0' &&
	       !strchr(text, ',');
}

static int load(struct passed *passed, const struct maps *maps)
{
	struct passed_bpf *skel;
	int r;

	libbpf_set_print(log_libbpf);
	passed->skel = skel = passed_bpf__open();
	if (!skel)
		return -errno;
	skel->rodata->n_cpus = maps->n_cpus;
	r = bpf_map__reuse_fd(skel->maps.class_stats, maps->class_stats);
	return r ? r : passed_bpf__load(skel);
}

int passed_open(struct passed **ret, const struct maps *maps)
{
	struct passed *passed = calloc(1, sizeof(*passed));
	int r = passed ? cpus_in_a_row() ? load(passed, maps) : -EOPNOTSUPP : -ENOMEM;

	if (r)
		passed_close(passed);
	else
		*ret = passed;
	return r;
}

void passed_close(struct passed *passed)
{
	if (passed)
		passed_bpf__destroy(passed->skel);
	free(passed);
}

int passed_get(struct passed *passed, const struct maps *maps, unsigned int slot, unsigned int n,
	       const struct weir_passed **ret)
{
	static struct weir_passed copied[WEIR_PASSED_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (!passed) {
		*ret = copied;
		return maps_passed_get(maps, slot, n, copied);
	}
	passed->skel->bss->ask = (struct weir_passed_ask){ .slot = slot, .n = n };
	if (bpf_prog_test_run_opts(bpf_program__fd(passed->skel->progs.weir_passed), &opts))
		return -errno;
	*ret = passed->skel->bss->passed;
	return 0;
}
