/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backlog.h: what the iterators over local sockets (bpf/backlog.bpf.c) hand to the agent, through
 * memory that both map. Private to the two: not pinned, so of no ABI version.
 */
#ifndef WEIR_BACKLOG_H
#define WEIR_BACKLOG_H

#include <linux/types.h>
#include "abi.h"

#define WEIR_BACKLOG_DEVICES 256		/* hooks whose flows are looked for */
#define WEIR_BACKLOG_KEYS 65536		/* sockets that are asked for by address and port */
#define WEIR_BACKLOG_BOUND 16		/* devices whose sockets, bound to them, are asked for */
#define WEIR_NO_CLASS 0xffff

/* Of one class. Gauges are set to 0 by the agent before a pass; counts only grow. */
struct weir_backlog {
	/* as a receiver: gauges */
	__u64 unread;			/* bytes in receive queues (TCP) */
	__u64 stuck;			/* of sockets that have not been read for a second */
	__u32 sockets;			/* TCP connections and UDP sockets */
	__u32 waiting;			/* connections not yet accepted, by their flow */
	__u32 listening;		/* the same, by the listener's port */
	__u32 udp_packets;		/* in receive queues */
	__u32 udp_sockets;
	__u32 reserved;
	/* counts */
	__u64 served;			/* bytes read (TCP) */
	__u64 received;			/* bytes arrived in order (TCP) */
	__u64 arrived;			/* connections first seen while not yet accepted */
	__u64 udp_dropped;
	/* as a sender: gauges of the sockets that had an answer since the last pass */
	__u64 rtt_us;			/* sum of round trips */
	__u64 rtt_n;
	/* counts of packets, as TCP does */
	__u64 delivered, delivered_ce, lost;
};

/* Why a class's slot was chosen for a local port: from the rules, for sockets that are no flow. */
struct weir_ports {
	__u16 tcp[65536];		/* class slot, or WEIR_NO_CLASS */
	__u16 udp[65536];
};

/* Of one socket: what it showed at the last pass. */
struct weir_seen {
	__u64 read_ns;			/* when it was last read, or had nothing unread */
	__u64 looked_ns;		/* by its key: at the last look, or when it was found */
	__u64 generation;		/* of the policy that the slots are of, + 1 */
	__u32 copied, received;
	__u32 delivered, delivered_ce, lost;
	__u32 drops;			/* UDP */
	__u16 in_slot, out_slot;	/* class as a receiver, as a sender */
	__u8 known;
	__u8 reserved[3];
};

#endif
