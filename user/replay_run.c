// SPDX-License-Identifier: GPL-2.0-only
/*
 * replay_run.c: packets from the capture in batches through the datapath of each side, the levels
 * moved in between at their times, and the outcomes to where they are added up. A batch ends where
 * a level is due, and before a packet whose headers do not fit into a slot.
 */
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <weir/bucket.h>
#include "clock.h"
#include "dp_replay.h"
#include "log.h"
#include "quantity.h"
#include "replay.h"

#define TICK_NS 4000000ULL		/* as bpf/timer.h */
#define IDLE_NS 1100000000ULL		/* no packet for so long: a tick does nothing */
#define ALONE_MAX 3456			/* bytes that a test run takes, on pages of 4 KiB */
#define PROGRESS_PACKETS 65536

struct batch {
	unsigned int n;
	struct weir_replay_slot slots[WEIR_REPLAY_BATCH];
	__u32 items[WEIR_REPLAY_BATCH];	/* flows; REPLAY_NO_FLOW */
	__u32 inside[WEIR_REPLAY_BATCH];	/* likewise, where the class looks inside */
	__u8 alone[ALONE_MAX];
};

struct run {
	struct replay *replay;
	struct batch batch;
	struct replay_parser *parser;
	bool fair;			/* levels are to be moved */
	bool inner;			/* a class looks into tunnels */
	__u64 next_tick_ns, last_ns;
	__u64 began_ns, shown_ns;	/* of the progress line, real time */
};

void replay_note(struct replay *replay, const char *format, ...)
{
	va_list args;

	if (replay->n_notes == ARRAY_SIZE(replay->notes))
		return;
	va_start(args, format);
	vsnprintf(replay->notes[replay->n_notes++], sizeof(replay->notes[0]), format, args);
	va_end(args);
}

/* the packet with an Ethernet header and, where it was captured in part, zeros up to its length */
static __u32 frame_make(const struct replay_packet *packet, __u8 *to, __u32 room)
{
	__u32 size = packet->frame_len < room ? packet->frame_len : room;
	__u32 part = packet->l3_size < size - ETH_HLEN ? packet->l3_size : size - ETH_HLEN;
	__be16 type = htons(packet->ethertype);

	memset(to, 0, ETH_HLEN);
	memcpy(to + 2 * ETH_ALEN, &type, 2);
	memcpy(to + ETH_HLEN, packet->l3, part);
	memset(to + ETH_HLEN + part, 0, room - ETH_HLEN - part);
	return size;
}

static int account_link(struct replay_side *side, const struct weir_replay_slot *slot,
			unsigned int class_slot)
{
	__u64 departure = slot->departure_ns > slot->now_ns ? slot->departure_ns : slot->now_ns;
	int r = replay_link_advance(&side->link, slot->now_ns);

	if (r || slot->verdict == TC_ACT_SHOT)
		return r;
	return replay_link_offer(&side->link, departure, slot->bytes, class_slot);
}

static int account(struct run *run, unsigned int which, const struct weir_replay_slot *slot,
		   __u32 item, __u32 inside)
{
	struct replay *replay = run->replay;
	struct replay_side *side = &replay->sides[which];
	struct replay_outcome outcome = {
		.slot = slot->told & (WEIR_MAX_CLASSES - 1),
		.reason = slot->told >> 16 & 0xff,
		.mark = slot->told >> 24 & 1,
		.bytes = slot->bytes,
		.delay_ns = slot->delay_ns,
	};
	int r;

	if (side->policy->classes[outcome.slot].flags & WEIR_CLASS_INNER &&
	    inside != REPLAY_NO_FLOW)
		item = inside;
	if (outcome.reason >= WEIR_R_COUNT)
		return -EPROTO;
	side->reason_bytes[outcome.reason] += outcome.bytes;
	r = replay_tally_add(&side->total, &outcome) ?:
	    replay_tally_add(&side->classes[outcome.slot].tally, &outcome);
	if (!r && item != REPLAY_NO_FLOW) {
		replay->flows.items[item].slots[which] = outcome.slot;
		r = replay_tally_add(&replay->flows.items[item].tallies[which], &outcome);
	}
	return !r && replay->dev_rate_bps ? account_link(side, slot, outcome.slot) : r;
}

/* the batch through every side; size of a packet that goes alone, 0 of a batch of slots */
static int run_sides(struct run *run, size_t alone_size)
{
	struct replay *replay = run->replay;
	struct batch *batch = &run->batch;
	int r = 0;

	for (unsigned int side = 0; side < replay->n_sides && !r; side++) {
		struct dp_replay *dp = replay->sides[side].dp;
		struct weir_replay_slot *slots = dp_replay_slots(dp);

		memcpy(slots, batch->slots, batch->n * sizeof(*slots));
		r = alone_size ? dp_replay_run_alone(dp, batch->alone, alone_size) :
				 dp_replay_run(dp, batch->n);
		for (unsigned int i = 0; i < batch->n && !r; i++)
			r = account(run, side, &slots[i], batch->items[i],
				    batch->inside[i]);
	}
	for (unsigned int i = 0; i < batch->n && !r && replay->dev_rate_bps; i++) {
		const struct weir_replay_slot *slot = &batch->slots[i];

		r = replay_link_advance(&replay->bare, slot->now_ns) ?:
		    replay_link_offer(&replay->bare, slot->now_ns, slot->len, 0);
	}
	batch->n = 0;
	return r;
}

static int flush(struct run *run)
{
	return run->batch.n ? run_sides(run, 0) : 0;
}

/* the levels, at every multiple of 4 ms up to now at which one of them could move */
static int ticks(struct run *run, __u64 now_ns)
{
	struct replay *replay = run->replay;
	int r = flush(run);

	while (!r && run->next_tick_ns <= now_ns) {
		for (unsigned int side = 0; side < replay->n_sides && !r; side++)
			if (replay->sides[side].fair)
				r = dp_replay_tick(replay->sides[side].dp, run->next_tick_ns);
		run->next_tick_ns += TICK_NS;
		if (run->next_tick_ns > run->last_ns + IDLE_NS && run->next_tick_ns < now_ns)
			run->next_tick_ns = now_ns - (now_ns - run->next_tick_ns) % TICK_NS;
	}
	return r;
}

/* the packet's flows, into the place that the batch has next */
static int note_flows(struct run *run, const struct replay_keys *keys)
{
	struct replay_flows *flows = &run->replay->flows;
	struct batch *batch = &run->batch;
	__u32 at = batch->n++;
	int r = 0;

	batch->items[at] = batch->inside[at] = REPLAY_NO_FLOW;
	if (keys->reason != WEIR_R_CONFORM)
		return 0;
	/* a row for what is inside only where a class may count it there */
	if (run->inner && keys->has_inside)
		r = replay_flows_get(flows, &keys->inside, &batch->inside[at]);
	return r ?: replay_flows_get(flows, &keys->outer, &batch->items[at]);
}

/* A packet whose headers are not all in a slot's bytes goes by itself, with its true length. */
static int take_alone(struct run *run, const struct replay_packet *packet,
		      struct weir_replay_slot *slot)
{
	struct batch *batch = &run->batch;
	struct replay_keys keys;
	__u32 size = frame_make(packet, batch->alone, ALONE_MAX);
	int r;

	replay_parse(run->parser, batch->alone, size, packet, &keys);
	slot->reason = keys.reason;
	r = note_flows(run, &keys);
	return r ?: run_sides(run, size);
}

static int take(struct run *run, const struct replay_packet *packet)
{
	struct batch *batch = &run->batch;
	struct weir_replay_slot *slot;
	struct replay_keys keys;
	__u32 size;
	int r = 0;

	if (batch->n == WEIR_REPLAY_BATCH)
		r = flush(run);
	if (!r && run->fair && packet->now_ns >= run->next_tick_ns)
		r = ticks(run, packet->now_ns);
	if (r)
		return r;
	run->last_ns = packet->now_ns;
	slot = &batch->slots[batch->n];
	slot->now_ns = packet->now_ns;
	slot->len = packet->len;
	size = frame_make(packet, slot->data, WEIR_REPLAY_DATA);
	replay_parse(run->parser, slot->data, size, packet, &keys);
	slot->reason = keys.reason;
	if (keys.reason == WEIR_R_UNPARSED || (run->inner && keys.short_inside &&
					       packet->l3_size > WEIR_REPLAY_DATA - ETH_HLEN)) {
		struct weir_replay_slot alone = *slot;

		r = flush(run);
		batch->slots[0] = alone;
		return r ?: take_alone(run, packet, &batch->slots[0]);
	}
	return note_flows(run, &keys);
}

static void progress(struct run *run)
{
	const struct replay_capture *capture = replay_reader_capture(run->replay->reader);
	__u64 now = clock_now_ns(), at = replay_reader_offset(run->replay->reader), took, left;

	if (now - run->shown_ns < 250000000)
		return;
	run->shown_ns = now;
	took = now - run->began_ns;
	if (!capture->size || !at) {
		log_progress("replay: %llu packets, %llu packets/s", capture->packets,
			     capture->packets * 1000 / (took / 1000000));
		return;
	}
	left = at < capture->size ? (double)took * (capture->size - at) / at : 0;
	log_progress("replay: %llu %% of %s, %llu packets/s, %llu s left", at * 100 / capture->size,
		     quantity_size_show(capture->size).text,
		     capture->packets * 1000 / (took / 1000000), (left + 999999999) / 1000000000);
}

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = 1;
}

/* Control-C ends the reading, and the report is of what was read; a second one ends the command. */
static void stop_on_interrupt(void)
{
	const struct sigaction action = { .sa_handler = stop, .sa_flags = SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
}

static int run_all(struct run *run, struct err *err)
{
	const struct replay_capture *capture = replay_reader_capture(run->replay->reader);
	struct replay_packet packet;
	__u64 packets = 0;
	int r = 0, read = 0;

	while (!stopped && (read = replay_reader_next(run->replay->reader, &packet, err)) > 0) {
		if (!packets)
			run->next_tick_ns = packet.now_ns;
		r = take(run, &packet);
		if (r)
			break;
		if (++packets % PROGRESS_PACKETS == 0)
			progress(run);
	}
	log_progress_end();
	if (stopped && !capture->complete)
		read = err_set(err, EIO, "%s: interrupted behind packet %llu; the report covers what "
			       "was read", capture->file, capture->packets + capture->runts);
	/* a capture that is cut off has a report, too, of what was there */
	if (!r)
		r = flush(run);
	for (unsigned int side = 0; side < run->replay->n_sides && !r; side++)
		r = replay_link_advance(&run->replay->sides[side].link, ~0ULL);
	if (!r)
		r = replay_link_advance(&run->replay->bare, ~0ULL);
	return r ? err_set(err, -r, "cannot replay: packet %llu: %s", packets, strerror(-r)) : read;
}

static int sides_open(struct run *run, struct err *err)
{
	struct replay *replay = run->replay;
	int r = 0;

	for (unsigned int i = 0; i < replay->n_sides && !r; i++) {
		struct replay_side *side = &replay->sides[i];

		for (unsigned int slot = 0; slot < WEIR_MAX_CLASSES; slot++) {
			side->fair |= !!(side->policy->classes[slot].flags & WEIR_CLASS_FAIR);
			run->inner |= !!(side->policy->classes[slot].flags & WEIR_CLASS_INNER);
		}
		run->fair |= side->fair;
		side->classes = calloc(WEIR_MAX_CLASSES, sizeof(*side->classes));
		if (!side->classes)
			return err_set(err, ENOMEM, "out of memory");
		side->link.classes = side->classes;
		side->link.npb = weir_npb(replay->dev_rate_bps);
		r = dp_replay_open(&side->dp, side->policy, replay->hook, replay->max_flows, err);
	}
	replay->bare.npb = weir_npb(replay->dev_rate_bps);
	replay->flows.n_sides = replay->n_sides;
	return r;
}

int replay_run(struct replay *replay, struct err *err)
{
	struct run *run = calloc(1, sizeof(*run));
	cpu_set_t cpu;
	int r;

	if (!run)
		return err_set(err, ENOMEM, "out of memory");
	/* which entry a full table gives up depends on the CPU: stay on one */
	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	run->replay = replay;
	run->parser = replay_parser_new(replay->hook);
	r = run->parser ? sides_open(run, err) : err_set(err, ENOMEM, "out of memory");
	if (!r) {
		stop_on_interrupt();
		run->began_ns = run->shown_ns = clock_now_ns();
		r = run_all(run, err);
	}
	free(run->parser);
	free(run);
	return r;
}

void replay_free(struct replay *replay)
{
	for (unsigned int i = 0; i < replay->n_sides; i++) {
		struct replay_side *side = &replay->sides[i];

		for (unsigned int slot = 0; side->classes && slot < WEIR_MAX_CLASSES; slot++) {
			free(side->classes[slot].tally.delays.bins);
			free(side->classes[slot].queue.bins);
		}
		free(side->classes);
		free(side->total.delays.bins);
		free(side->policy);
		replay_link_free(&side->link);
		dp_replay_close(side->dp);
	}
	replay_link_free(&replay->bare);
	replay_flows_free(&replay->flows);
	replay_reader_close(replay->reader);
}
