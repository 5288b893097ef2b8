/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * replay.h: a capture through the datapath in virtual time: read (replay_read.c), run
 * (replay_run.c), add up (replay_stats.c), queue at a link behind it (replay_link.c), print
 * (replay_show.c). One side per policy; with two, both see every packet in lockstep.
 * Memory grows with the flows and with what is delayed, never with the capture.
 */
#ifndef WEIR_REPLAY_USER_H
#define WEIR_REPLAY_USER_H

#include <stdbool.h>
#include <weir/abi.h>
#include "policy.h"
#include "util.h"

/* --- replay_read.c */

/* where virtual time begins, as if the machine had been up for a while */
#define REPLAY_T0_NS 1000000000000ULL

struct replay_packet {
	__u64 now_ns;			/* virtual time; never goes back */
	__u32 len;			/* bytes as they count on the wire */
	__u32 frame_len;		/* the same, with an Ethernet header in any case */
	__u16 ethertype;		/* behind VLAN tags */
	const __u8 *l3;			/* captured bytes behind the link header ... */
	__u32 l3_size;			/* ... and how many; valid until the next read */
};

struct replay_capture {
	const char *file;		/* as given; "-": the standard input */
	const char *link;		/* "EN10MB" and the like */
	__u64 size;			/* of the file; 0: not known */
	__u64 packets, bytes;
	__u64 span_ns;
	__u64 truncated;		/* captured in part; the original length counts */
	__u64 backwards;		/* earlier than the one before; put at the same time */
	__u64 runts;			/* too short to have a link header; left out */
	__u64 unsegmented;		/* longer than any frame: captured before segmentation */
	bool complete;			/* read to its end */
};

struct replay_reader;

/* -errno with words: no file, empty, no capture, a link type that is not known here. */
int replay_reader_open(struct replay_reader **ret_reader, const char *file, struct err *err);
void replay_reader_close(struct replay_reader *reader);

/* 1 a packet, 0 the end, -EIO with words where the file is cut off, broken or of mixed links. */
int replay_reader_next(struct replay_reader *reader, struct replay_packet *ret_packet,
		       struct err *err);

const struct replay_capture *replay_reader_capture(const struct replay_reader *reader);
__u64 replay_reader_offset(const struct replay_reader *reader);

/* --- replay_stats.c */

/* a distribution of times: exact to 1/16 and 1 us */
struct replay_delays {
	__u64 n, max_ns;
	unsigned __int128 sum_ns;	/* behind a slow link each of millions may wait for hours */
	__u32 *bins;			/* NULL as long as there is nothing */
	unsigned int n_bins;		/* up to that of max_ns */
};

int replay_delays_add(struct replay_delays *delays, __u64 ns);	/* -ENOMEM */
/* the time that so many thousandths do not exceed; 0 of none */
__u64 replay_delays_at(const struct replay_delays *delays, unsigned int permille);
__u64 replay_delays_mean(const struct replay_delays *delays);

struct replay_tally {
	__u64 packets, bytes;		/* seen */
	__u64 marked, dropped, dropped_bytes;
	__u64 reasons[WEIR_R_COUNT];	/* packets */
	struct replay_delays delays;	/* of the delayed */
};

struct replay_class {
	struct replay_tally tally;
	struct replay_delays queue;	/* at the link behind */
};

/* one packet's outcome */
struct replay_outcome {
	unsigned int slot;
	enum weir_reason reason;
	bool mark;
	__u32 bytes;
	__u64 delay_ns;
};

int replay_tally_add(struct replay_tally *tally, const struct replay_outcome *outcome);

struct replay_flow {
	struct weir_flow_key key;
	__u16 slots[2];			/* its class at its last packet, of each side */
	struct replay_tally *tallies;	/* one of each side */
};

#define REPLAY_FLOWS_MAX 262144		/* rows; what comes after is counted in none */

struct replay_flows {
	struct replay_flow *items;
	__u32 n, room;
	__u32 *index;			/* open addressing: 1 + item, 0 free */
	__u32 index_mask;
	__u64 left_out;			/* packets of flows beyond REPLAY_FLOWS_MAX */
	unsigned int n_sides;
};

#define REPLAY_NO_FLOW (~0U)

__u32 replay_key_hash(const struct weir_flow_key *key);

/* The item's number, made on first sight; REPLAY_NO_FLOW where the table is full. -ENOMEM. */
int replay_flows_get(struct replay_flows *flows, const struct weir_flow_key *key, __u32 *ret_item);
void replay_flows_free(struct replay_flows *flows);

/* --- replay_parse.c */

/* what the datapath's parser makes of a packet */
struct replay_keys {
	enum weir_reason reason;	/* but for CONFORM there are no keys */
	bool has_inside;
	bool short_inside;		/* more bytes could show what is inside */
	struct weir_flow_key outer, inside;
};

struct replay_parser;			/* remembers fragments; free() is enough */

struct replay_parser *replay_parser_new(enum weir_hook hook);
void replay_parse(struct replay_parser *parser, const __u8 *frame, __u32 size,
		  const struct replay_packet *packet, struct replay_keys *ret_keys);

/* --- replay_link.c */

/* A FIFO of unlimited length in front of a link of a rate. */
struct replay_link {
	__u64 npb;
	__u64 free_at_ns;
	struct replay_delays queue;
	__u64 bytes;
	struct replay_class *classes;	/* NULL: only the whole is of interest */
	struct replay_waiting {
		__u64 departure_ns, number;
		__u32 bytes, slot;
	} *heap;			/* what has not left weir yet, the earliest first */
	size_t n, room;
	__u64 number;
};

/* A packet leaves weir at departure_ns, which is not before the time of the last advance. */
int replay_link_offer(struct replay_link *link, __u64 departure_ns, __u32 bytes, unsigned int slot);
/* Nothing will be offered for a time before now_ns any more. */
int replay_link_advance(struct replay_link *link, __u64 now_ns);
void replay_link_free(struct replay_link *link);

/* --- replay_run.c */

struct dp_replay;

struct replay_side {
	const char *name;		/* where the policy comes from */
	struct policy *policy;
	bool fair;
	struct dp_replay *dp;
	struct replay_class *classes;	/* WEIR_MAX_CLASSES */
	struct replay_tally total;
	__u64 reason_bytes[WEIR_R_COUNT];
	struct replay_link link;
};

struct replay {
	struct replay_reader *reader;
	enum weir_hook hook;
	__u64 dev_rate_bps;		/* 0: no link */
	__u32 max_flows;		/* of the datapath's table; 0: its default */
	unsigned int n_sides;
	struct replay_side sides[2];
	struct replay_flows flows;
	struct replay_link bare;	/* the link without weir */
	char notes[16][256];		/* what the reader should know */
	unsigned int n_notes;
};

void replay_note(struct replay *replay, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Loads the sides, whose policies are finished, and runs the whole capture through them. */
int replay_run(struct replay *replay, struct err *err);
void replay_free(struct replay *replay);

/* --- replay_show.c */

/* 0, or -errno of the output with words where there are none yet. */
int replay_show(const struct replay *replay, bool json, struct err *err);

#endif
