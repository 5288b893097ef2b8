// SPDX-License-Identifier: GPL-2.0-only
/*
 * passed.bpf.c: sums up what has passed of classes in a row over the CPUs. No per-CPU map can be
 * shared, and a call that reads one copies all of its counters, of each CPU, twice. Run by
 * user/passed.c, which shares the memory of the answer. Writes nothing of the datapath's.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <weir/passed.h>
#include "stats_maps.h"

const volatile __u32 n_cpus = 1;
struct weir_passed_ask ask;
struct weir_passed passed[WEIR_PASSED_MAX];

static long sum_class(__u32 i, void *context)
{
	__u64 bytes = 0, packets = 0;
	__u32 slot = ask.slot + i;

	/* no call for each CPU: its return would cost more than all else */
	for (__u32 cpu = 0; cpu < n_cpus; cpu++) {
		const struct weir_class_stats *stats =
			bpf_map_lookup_percpu_elem(&class_stats, &slot, cpu);

		if (!stats)
			return 1;
		for (int reason = 0; reason < WEIR_R_FIRST_DROP; reason++) {
			bytes += stats->bytes[reason];
			packets += stats->packets[reason];
		}
	}
	passed[i % WEIR_PASSED_MAX] = (struct weir_passed){ bytes, packets };
	return 0;
}

SEC("syscall")
int weir_passed(void *context)
{
	bpf_loop(ask.n, sum_class, NULL, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
