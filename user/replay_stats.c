// SPDX-License-Identifier: GPL-2.0-only
/*
 * replay_stats.c: what a replay adds up: times as distributions, outcomes as tallies, and the
 * table of flows. Knows neither packets nor output.
 */
#include <string.h>
#include "replay.h"

/* bins: 16 for the first 16 us (of 1024 ns), then 16 for each doubling, as many as it takes */
#define SHIFT 10
#define PART 16

static unsigned int bin_of(__u64 ns)
{
	__u64 value = ns >> SHIFT;
	unsigned int top;

	if (value < PART)
		return value;
	top = 63 - __builtin_clzll(value);
	return PART + (top - 4) * PART + ((value >> (top - 4)) & (PART - 1));
}

/* the largest time that falls into the bin */
static __u64 bin_end(unsigned int bin)
{
	unsigned int octave;

	if (bin < PART)
		return ((bin + 1ULL) << SHIFT) - 1;
	octave = bin / PART - 1;
	return (((__u64)(PART + bin % PART) + 1) << (octave + SHIFT)) - 1;
}

/* room for the bin; the last of its doubling comes along */
static int bins_grow(struct replay_delays *delays, unsigned int bin)
{
	unsigned int n = bin / PART * PART + PART;
	__u32 *bins = realloc(delays->bins, n * sizeof(*bins));

	if (!bins)
		return -ENOMEM;
	memset(bins + delays->n_bins, 0, (n - delays->n_bins) * sizeof(*bins));
	delays->bins = bins;
	delays->n_bins = n;
	return 0;
}

int replay_delays_add(struct replay_delays *delays, __u64 ns)
{
	unsigned int bin = bin_of(ns);

	if (bin >= delays->n_bins && bins_grow(delays, bin))
		return -ENOMEM;
	delays->n++;
	delays->sum_ns += ns;
	if (ns > delays->max_ns)
		delays->max_ns = ns;
	delays->bins[bin]++;
	return 0;
}

__u64 replay_delays_at(const struct replay_delays *delays, unsigned int permille)
{
	__u64 want = (delays->n * permille + 999) / 1000, seen = 0, end;

	for (unsigned int i = 0; i < delays->n_bins; i++) {
		seen += delays->bins[i];
		end = bin_end(i);
		if (seen >= want)
			return end < delays->max_ns ? end : delays->max_ns;
	}
	return delays->max_ns;
}

__u64 replay_delays_mean(const struct replay_delays *delays)
{
	return delays->n ? delays->sum_ns / delays->n : 0;
}

int replay_tally_add(struct replay_tally *tally, const struct replay_outcome *outcome)
{
	tally->packets++;
	tally->bytes += outcome->bytes;
	tally->marked += outcome->mark;
	tally->reasons[outcome->reason]++;
	if (outcome->reason >= WEIR_R_FIRST_DROP) {
		tally->dropped++;
		tally->dropped_bytes += outcome->bytes;
		return 0;
	}
	return outcome->delay_ns ? replay_delays_add(&tally->delays, outcome->delay_ns) : 0;
}

__u32 replay_key_hash(const struct weir_flow_key *key)
{
	__u32 words[sizeof(*key) / 4];
	__u64 h = 0;

	memcpy(words, key, sizeof(words));
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15ULL;
	return h >> 32;
}

/* twice the items, and an index of which at most half is used */
static int grow(struct replay_flows *flows)
{
	__u32 room = flows->room ? 2 * flows->room : 1024, mask = 2 * room - 1;
	struct replay_flow *items = realloc(flows->items, room * sizeof(*items));
	__u32 *index;

	if (!items)
		return -ENOMEM;
	flows->items = items;
	index = calloc(mask + 1, sizeof(*index));
	if (!index)
		return -ENOMEM;
	for (__u32 i = 0; i < flows->n; i++) {
		__u32 at = replay_key_hash(&items[i].key) & mask;

		while (index[at])
			at = (at + 1) & mask;
		index[at] = i + 1;
	}
	free(flows->index);
	flows->index = index;
	flows->index_mask = mask;
	flows->room = room;
	return 0;
}

int replay_flows_get(struct replay_flows *flows, const struct weir_flow_key *key, __u32 *ret_item)
{
	struct replay_flow *flow;
	__u32 at;

	if (flows->n == flows->room && flows->n < REPLAY_FLOWS_MAX && grow(flows))
		return -ENOMEM;
	for (at = replay_key_hash(key) & flows->index_mask; flows->index[at];
	     at = (at + 1) & flows->index_mask) {
		*ret_item = flows->index[at] - 1;
		if (!memcmp(&flows->items[*ret_item].key, key, sizeof(*key)))
			return 0;
	}
	if (flows->n == REPLAY_FLOWS_MAX) {
		flows->left_out++;
		*ret_item = REPLAY_NO_FLOW;
		return 0;
	}
	flow = &flows->items[flows->n];
	*flow = (struct replay_flow){ .key = *key };
	flow->tallies = calloc(flows->n_sides, sizeof(*flow->tallies));
	if (!flow->tallies)
		return -ENOMEM;
	*ret_item = flows->n++;
	flows->index[at] = flows->n;
	return 0;
}

void replay_flows_free(struct replay_flows *flows)
{
	for (__u32 i = 0; i < flows->n; i++) {
		for (unsigned int side = 0; side < flows->n_sides; side++)
			free(flows->items[i].tallies[side].delays.bins);
		free(flows->items[i].tallies);
	}
	free(flows->items);
	free(flows->index);
}
