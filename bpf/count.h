/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * count.h: every packet is counted once in its class under its verdict's reason (per CPU, no
 * atomics needed: tc runs with bottom halves off) and once in its flow. A failed lookup here
 * never changes a verdict.
 */
#ifndef WEIR_COUNT_H
#define WEIR_COUNT_H

#include "charge.h"

#define WEIR_RATE_SPAN_NS 250000000ULL

/* floor(log2 us), clamped; global, so that its branches are not multiplied with the caller's */
__attribute__((noinline)) int weir_hist_bucket(__u64 ns)
{
	__u64 us = ns >> 10;		/* 1.024 us: close enough for powers of two */
	int i = 0;

	while (us > 1 && i < WEIR_HIST - 1) {
		us >>= 1;
		i++;
	}
	return i;
}

static __always_inline void weir_count_class(__u32 slot, enum weir_reason reason, __u32 packets,
					     __u32 bytes)
{
	struct weir_class_stats *stats = bpf_map_lookup_elem(&class_stats, &slot);

	if (!stats || reason >= WEIR_R_COUNT)
		return;
	stats->packets[reason] += packets;
	stats->bytes[reason] += bytes;
}

static __always_inline void weir_count_flow(struct weir_flow *flow, const struct weir_facts *f)
{
	__u64 at = *(volatile __u64 *)&flow->rate_at_ns, before;

	__sync_fetch_and_add(&flow->packets, f->segments);
	before = __sync_fetch_and_add(&flow->bytes, f->bytes);
	flow->last_seen_ns = f->now;
	flow->last_reason = f->reason;
	if (f->mark)
		__sync_fetch_and_add(&flow->marked, f->segments);
	if (f->reason >= WEIR_R_FIRST_DROP) {
		__sync_fetch_and_add(&flow->dropped, f->segments);
		__sync_fetch_and_add(&flow->dropped_bytes, f->bytes);
	} else if (f->delay) {
		__sync_fetch_and_add(&flow->delayed, f->segments);
		__sync_fetch_and_add(&flow->delay_ns, f->delay * f->segments);
	}
	/* one CPU closes a span: to another that saw it open, rate_bytes may lie ahead */
	if (weir_since(at, f->now) >= WEIR_RATE_SPAN_NS &&
	    __sync_val_compare_and_swap(&flow->rate_at_ns, at, f->now) == at) {
		flow->rate_bps = (before - flow->rate_bytes) * 8000 / ((f->now - at) / 1000000);
		flow->rate_bytes = before;
	}
}

static __always_inline void weir_count(struct weir_job *job)
{
	struct weir_class_stats *stats = bpf_map_lookup_elem(&class_stats, &job->slot);
	const struct weir_facts *f = &job->facts;
	__u32 at;

	if (stats && f->reason < WEIR_R_COUNT) {
		stats->packets[f->reason] += f->segments;
		stats->bytes[f->reason] += f->bytes;
		if (f->mark)
			stats->marked += f->segments;
		if (f->delay && f->reason < WEIR_R_FIRST_DROP) {
			stats->delayed += f->segments;
			stats->delay_ns += f->delay * f->segments;
		}
		if ((f->npb_bucket | f->npb_class) && f->reason < WEIR_R_FIRST_DROP) {
			at = f->delay ? weir_hist_bucket(f->delay) : 0;
			if (at < WEIR_HIST)
				stats->delay_hist[at] += f->segments;
		}
	}
	if (job->bucket && f->reason < WEIR_R_FIRST_DROP)
		__sync_fetch_and_add(&job->bucket->bytes, f->bytes);
	if (job->flow)
		weir_count_flow(job->flow, f);
	if (weir_since(job->state->last_ns, f->now) > WEIR_WINDOW_MIN_NS)
		job->state->last_ns = f->now;
}

#endif
