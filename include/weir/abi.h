/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * abi.h: the shape of every pinned map; the one place where kernel and user space agree.
 * Integers are host byte order unless they are __be16; rates are bits per second on the wire
 * (Ethernet header included, no preamble, no FCS); times are ns of CLOCK_MONOTONIC.
 * A change of any size or offset below raises WEIR_ABI: pins of another version are reported,
 * never reinterpreted. Configuration, state and counters are separate maps, so that a writer
 * in user space never clobbers what the kernel moves.
 */
#ifndef WEIR_ABI_H
#define WEIR_ABI_H

#include <linux/types.h>
#include "control_reason.h"
#include "event.h"
#include "reason.h"

#define WEIR_ABI 1
#define WEIR_PIN_ROOT "/sys/fs/bpf/weir/v1"	/* + "/" + instance name ("host" or a netns name) */

#define WEIR_MAX_CLASSES 1024
#define WEIR_MAX_RULES 1024
#define WEIR_NAME_LEN 32		/* with the terminating NUL */
#define WEIR_PATH_LEN 256		/* likewise: a container's cgroup takes some 200 */
#define WEIR_SIGNAL_LEN 288		/* likewise: a word, a URL, or psi of such a cgroup */
#define WEIR_PORT_RANGES 8		/* most ranges in one sport or dport list */
#define WEIR_PREFIXES 4			/* most prefixes in one src or dst list */
#define WEIR_PROTOS 4			/* most protocols in one proto list */
#define WEIR_HIST 24			/* delays: i is [2^i, 2^(i+1)) * 1.024 us, 0 all below */

#define WEIR_RATE_MIN 8000ULL		/* bit/s */
#define WEIR_RATE_MAX 400000000000ULL	/* bit/s */
#define WEIR_NPB_SHIFT 20		/* npb: ns per byte in units of 2^-20 ns */
#define WEIR_SLOW_SHIFT 10		/* a rate in 32 bits: npb / 2^10 */

enum weir_hook { WEIR_EGRESS, WEIR_INGRESS, WEIR_HOOK_COUNT };
enum weir_action { WEIR_PACE, WEIR_POLICE, WEIR_OBSERVE, WEIR_ACTION_COUNT };

/* what one bucket of a class holds */
enum weir_per {
	WEIR_PER_FLOW, WEIR_PER_SRC, WEIR_PER_DST, WEIR_PER_DSCP, WEIR_PER_CGROUP, WEIR_PER_CLASS,
	WEIR_PER_COUNT
};

/*
 * Map "control", array[1]. The policy lives in two banks; bank = generation & 1 is the live
 * one. A writer fills the other bank, then stores generation + 1: that one store is the whole
 * switch. A flow entry that carries an older generation is classified anew at its next packet.
 */
#define WEIR_CAN_SOCKET 0x01		/* sock_ops is attached: sockets can be paced */
struct weir_control {
	__u32 generation;
	__u16 can;			/* WEIR_CAN_*: what this host offers */
	__u16 fields;			/* WEIR_M_*: what any rule in force asks for */
};

/* Map "policy", array[2]: one per bank. */
struct weir_policy {
	__u32 generation;		/* of this bank, when it was written */
	__u32 n_rules;			/* rules 0..n_rules-1 of the bank are in use */
	__u32 n_classes;		/* 1 + the highest class slot in use */
	__u32 reserved;
};

#define WEIR_CLASS_USED 0x01		/* the slot holds a class */
#define WEIR_CLASS_FAIR 0x02		/* max-min shares by the class's level */
#define WEIR_CLASS_ECN 0x04		/* CE may be set */
#define WEIR_CLASS_SOCKET 0x08		/* local TCP sockets are paced */
#define WEIR_CLASS_INNER 0x10		/* classify by the flow inside a tunnel */
#define WEIR_CLASS_FROZEN 0x20		/* rate set by hand: the controller keeps off */
#define WEIR_CLASS_LEASED 0x40		/* an agent may set the rate: look at map "leases" */
/* which values the user gave; the others are defaults and follow them */
#define WEIR_SET_BURST 0x01
#define WEIR_SET_MARK_AT 0x02
#define WEIR_SET_DROP_AT 0x04
#define WEIR_SET_FAIR 0x08
#define WEIR_SET_ECN 0x10
#define WEIR_SET_SOCKET 0x20
#define WEIR_SET_ACTION 0x40
#define WEIR_SET_BURST_BYTES 0x80	/* burst was given as a size */
#define WEIR_SET_TARGET 0x100
#define WEIR_SET_TARGET_TIME 0x200	/* target is ns; else 1e-6 units of the signal */

/*
 * Map "classes", array[2 * WEIR_MAX_CLASSES]: bank * WEIR_MAX_CLASSES + slot. Slot 0 is
 * "default". A slot keeps its class as long as a class of that name exists.
 */
struct weir_class {
	char name[WEIR_NAME_LEN];
	__u64 rate_bps;			/* total of the class; 0: none */
	__u64 flow_rate_bps;		/* cap of each bucket; 0: none */
	__u64 npb_rate;			/* the same two, as 2^-20 ns per byte; 0: none */
	__u64 npb_flow;
	__u64 burst_ns;			/* depth of a bucket, in time at its own rate */
	__u64 burst_bytes;		/* depth in bytes, where given so; 0: burst_ns counts */
	__u64 mark_at_ns;		/* delay from which CE is set */
	__u64 drop_at_ns;		/* delay beyond which a packet is dropped (pace) */
	__u64 min_bps;			/* the controller's bounds */
	__u64 max_bps;
	__u64 target;			/* of the controller: ns, or 1e-6 units of the signal */
	__u32 flags;			/* WEIR_CLASS_* */
	__u32 set;			/* WEIR_SET_* */
	__u32 overhead;			/* bytes added to every wire packet (int32) */
	__u32 mpu;			/* least bytes of a wire packet, after overhead */
	__u32 conn_rate;		/* new TCP connections per second; 0: no limit */
	__u8 action;			/* enum weir_action */
	__u8 per;			/* enum weir_per */
	__u8 plen4;			/* src/N, dst/N: prefix length for IPv4 ... */
	__u8 plen6;			/* ... and for IPv6 */
	__u8 law;			/* 0 feed-forward, 1 aimd, 2 pi */
	__u8 reserved[3];
	__u64 auto_bps;			/* WEIR_CLASS_FROZEN: what `rate auto` goes back to */
	__u64 since_generation;		/* the slot has had this class from then on */
	__u64 reserved2[2];
	char signal[WEIR_SIGNAL_LEN];	/* what `control` follows; "" none */
};

/* addr and mask in network byte order; IPv4 as ::ffff:a.b.c.d, so a /8 has plen 104 */
struct weir_prefix {
	__u8 addr[16];
	__u8 mask[16];
};

struct weir_range {
	__u16 lo, hi;			/* inclusive, host order */
};

#define WEIR_M_DEV 0x001
#define WEIR_M_HOOK 0x002
#define WEIR_M_SRC 0x004
#define WEIR_M_DST 0x008
#define WEIR_M_PROTO 0x010
#define WEIR_M_SPORT 0x020
#define WEIR_M_DPORT 0x040
#define WEIR_M_DSCP 0x080
#define WEIR_M_MARK 0x100
#define WEIR_M_CGROUP 0x200

/* Map "rules", array[2 * WEIR_MAX_RULES]: bank * WEIR_MAX_RULES + position; first match wins. */
struct weir_rule {
	__u32 fields;			/* WEIR_M_*: which of the below count */
	__u32 pref;			/* the user's order; rules are stored sorted by it */
	__u16 class_slot;
	__u8 hook;			/* enum weir_hook */
	__u8 n_src, n_dst, n_proto, n_sport, n_dport;
	__u32 ifindex;			/* of dev, 0 while no such device exists */
	char dev[16];
	__u8 proto[WEIR_PROTOS];
	__u32 mark, mark_mask;
	__u32 cgroup_level;		/* depth of cgroup_id below the root of cgroup v2 */
	__u64 cgroup_id;
	__u64 dscp;			/* bit n: DSCP n */
	struct weir_range sport[WEIR_PORT_RANGES];
	struct weir_range dport[WEIR_PORT_RANGES];
	struct weir_prefix src[WEIR_PREFIXES];
	struct weir_prefix dst[WEIR_PREFIXES];
	char cgroup[WEIR_PATH_LEN];	/* path below the cgroup v2 mount, as the user gave it */
};

/*
 * Map "flows", LRU hash. Addresses in network byte order, IPv4 as ::ffff:a.b.c.d. Example: TCP
 * from 10.0.0.1:40000 to 10.0.0.2:80 leaving device 7 is {src ::ffff:10.0.0.1, dst
 * ::ffff:10.0.0.2, sport 40000, dport 80, proto 6, hook 0, ifindex 7}. ICMP echo puts its
 * identifier in sport. A later fragment whose first is not known has ports 0 and WEIR_KEY_FRAG.
 * Where the class says `inner on`, the key is of the packet inside and has WEIR_KEY_INNER: the
 * same addresses in two VXLANs are two flows. The outer flow then has an entry too, which says the
 * class and counts only what could not be parsed inside.
 */
#define WEIR_KEY_FRAG 0x01		/* a fragment whose first is not known: no ports */
#define WEIR_KEY_INNER 0x02		/* the flow inside a tunnel */
struct weir_flow_key {
	__u8 src[16];
	__u8 dst[16];
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 hook;
	__u8 flags;			/* WEIR_KEY_* */
	__u8 family;			/* 4 or 6 */
	__u32 ifindex;
	__u32 tunnel;			/* WEIR_KEY_INNER: the VNI or GRE key, else 0 */
};

/*
 * A bucket: its virtual clocks (bucket.h), the state of its AQM (aqm.h) and what the class's
 * level needs to know of it (level.h). One cache line, so that two have one place: a class that
 * changes its action finds a time in place of a debt, which is higher than any and so no minimum;
 * or a debt in place of a time, which is long ago.
 */
#define WEIR_BUCKET_LIMITED 0x01	/* was ahead of its clock in this window */
#define WEIR_BUCKET_ACTIVE 0x04		/* sent more than small packets in this window */
#define WEIR_BUCKET_MARKED 0x02		/* no queue: CE was set once; its slow start is over */
#define WEIR_BUCKET_SEQ 0x08		/* seq is there */
struct weir_bucket {
	__u64 tat;			/* theoretical arrival time; every passed byte is charged */
	__u64 soft;			/* beside pacing: CE-marked ECT(0) bytes are not charged */
	__u64 bytes;			/* passed so far */
	__u64 win_bytes;		/* `bytes` when the level's window began */
	__u32 slowest;			/* set since tat had no debt; leased: npb; / 2^10 */
	union {
		__u32 pi_at_us;		/* delayed: when pi_p was last moved; wraps */
		__u32 low_us;		/* police's law: least debt since its last signal */
	};
	__u32 pi_p;			/* classic AQM: square root of the probability, 2^-32 */
	__u32 pi_delay_us;		/* the delay at pi_at_us */
	__u32 seq;			/* the end of what TCP has sent */
	__u32 window;			/* the window of the class that win_bytes belongs to */
	__u32 flags;			/* WEIR_BUCKET_* */
	__u32 depth_us;			/* police's law: learned; 0 before the first signal */
};

#define WEIR_FLOW_EDT 0x01		/* departure times are kept below (fq) */
#define WEIR_FLOW_LOCAL 0x02		/* a local TCP socket sends it */
#define WEIR_FLOW_ACTUATED 0x04		/* and that socket's pacing rate follows weir */

struct weir_flow {
	struct weir_bucket bucket;	/* used where the class is `per flow` */
	__u32 generation;
	__u16 class_slot;
	__u16 flags;			/* WEIR_FLOW_* */
	__u32 mark;			/* of the packet that the class was found by ... */
	__u16 dscp;			/* ... and its codepoint */
	__u16 window_slot;		/* the class that the bucket's window is of */
	__u64 last_seen_ns;
	__u64 packets;			/* wire packets seen: passed and dropped */
	__u64 bytes;			/* wire bytes seen: passed and dropped */
	__u64 sk_rate;			/* payload bytes/s asked of its socket; 0 none, 1 anew */
	__u32 sk_ratio;			/* payload / wire bytes of recent packets, 2^-16 */
	__u32 last_reason;		/* enum weir_reason */
	__u64 marked;			/* wire packets on which weir set CE */
	__u64 dropped;			/* wire packets */
	__u64 dropped_bytes;
	__u64 delayed;			/* wire packets that had to wait */
	__u64 delay_ns;			/* sum over the delayed */
	__u64 first_seen_ns;
	__u64 rate_at_ns;		/* rate_bps is of the last full span of >= 250 ms */
	__u64 rate_bytes;		/* `bytes` at rate_at_ns */
	__u64 rate_bps;
};

/* Map "buckets", LRU hash: where the class is per src, dst, dscp, cgroup. */
struct weir_bucket_key {
	__u8 id[16];			/* masked address, DSCP, or cgroup id in its first bytes */
	__u16 class_slot;
	__u8 per;
	__u8 hook;
	__u32 ifindex;
	__u32 tunnel;			/* src, dst: as in the flow's key */
};

/* What the buckets of a class did in one window of its level; see level.h. */
struct weir_window {
	__u64 bytes;			/* of all buckets that were active */
	__u64 free_bytes;		/* of those that the level did not limit */
	__u32 active;			/* buckets */
	__u32 limited;			/* buckets that the level limited */
	__u32 now_limited;		/* buckets ahead of their clock in the current window */
	__u32 now_active;		/* buckets that send more than small packets in it */
};

/* Map "class_state", array[WEIR_MAX_CLASSES]: moved by the kernel alone. */
struct weir_class_state {
	__u64 tat;			/* the class clock */
	__u64 npb_level;		/* the level as 2^-20 ns per byte; 0: no level yet */
	__u64 limited_bytes;		/* a bucket with more than this in a window was limited */
	__u64 newcomer_tat;		/* clock of first packets, while the class is busy */
	__u64 mean_bucket;		/* debt that packets of limited buckets met there */
	__u64 idle_ns;			/* that tat was not ahead of now in this window */
	__u32 window;			/* number of the current window */
	__u32 slowest;			/* rate since tat had no debt, 2^-10 ns per byte */
	__u64 level_at;			/* when the current window began */

	struct weir_window windows[2];	/* [window & 1] collects what happened in window - 1 */
	__u64 level_bps;		/* max-min fair share of each bucket */
	__u64 used_bps;			/* measured over the last window */
	__u64 limited_at;		/* when the class last had a limited bucket */
	__u32 active;			/* buckets in the last window */
	__u32 limited;
	__u64 conn_tat;			/* clock of conn-rate */
	__u64 last_ns;			/* a packet of the class was seen, to some 16 ms */
	__u64 rate_bps;			/* that level_bps is a share of */
	__u64 held_since;		/* held_at when that began, after 200 ms without */

	__u64 rest_tat;			/* fair: clock of what has no bucket of its own */
	__u64 cut_at;			/* when an agent last cut the rate by a quarter or more */
	__u64 npb_window;		/* npb_level when the window began */
	__u32 gain;			/* correction of the level by measured use, 2^-16 */
	__u32 burst;			/* bytes of the largest packets of late */
	__u64 held_at;			/* a packet was last held back, to some 16 ms */
	__u64 span_ns;			/* length of the last window */
	__u64 held_until;		/* latest hold that a packet met: it stands */
	__u32 newcomer_slowest;		/* as slowest, of newcomer_tat and of rest_tat */
	__u32 rest_slowest;
};

/* Map "class_stats", per-CPU array[WEIR_MAX_CLASSES]: wire packets and bytes by reason. */
struct weir_class_stats {
	__u64 packets[WEIR_R_COUNT];
	__u64 bytes[WEIR_R_COUNT];
	__u64 marked;			/* CE set, whatever the reason says */
	__u64 delayed;
	__u64 delay_ns;
	__u64 flows;			/* flow entries made */
	__u64 delay_hist[WEIR_HIST];	/* of every packet of a class with a rate */
};

/*
 * Map "leases", array[WEIR_MAX_CLASSES]: written by the agent; past expires_ns it is void. What a
 * packet reads while it is written may be the old rate or the new one with the other's times; and
 * on a 32-bit kernel, whose programs load a __u64 in two halves (its own copy of an update stores
 * them so, too), half of each: for that packet alone.
 */
struct weir_lease {
	__u64 rate_bps;
	__u64 npb_rate;
	__u64 expires_ns;
	__u64 hold_until_ns;		/* who waits for a departure has none before; by bucket */
};

/*
 * What the agent has decided for a class. Map "steering", array[WEIR_MAX_CLASSES]: the latest of
 * each class, written anew at least once a second while an agent runs; older than three seconds it
 * says nothing. Map "decisions", array[WEIR_DECISIONS]: every change, a ring: number seq, counted
 * from 1, is at seq % WEIR_DECISIONS.
 */
#define WEIR_DECISIONS 4096
#define WEIR_DECISION_OLD_NS 3000000000ULL
#define WEIR_D_TIME 0x01		/* value and target are ns; else 1e-6 units of the signal */
#define WEIR_D_VALUE 0x02		/* the signal has a value */
#define WEIR_D_OBSERVE 0x04		/* `observe`: nothing was done */
struct weir_decision {
	__u64 seq;			/* 0: none */
	__u64 at_ns;
	__u64 old_bps, new_bps;		/* 0: the configured rate */
	__u64 value, target;		/* of the signal */
	__u64 drain_bps;		/* what the consumer takes; 0: not known */
	char class[WEIR_NAME_LEN];
	__u16 class_slot;
	__u8 reason;			/* enum weir_control_reason */
	__u8 law;
	__u8 flags;			/* WEIR_D_* */
	__u8 interval;			/* between two looks at the signal, in WEIR_D_INTERVAL_NS */
	__u8 reserved[2];
};
#define WEIR_D_INTERVAL_NS 10000000ULL

/*
 * What the kernel has to tell. Map "events", array[WEIR_EVENTS], a ring like "decisions": number
 * seq, counted from 1, is at seq % WEIR_EVENTS. An array and no BPF ring buffer, so that any
 * number of readers can each go their own way, and one that comes late sees what was.
 * Map "event_state", array[1]: the last number, and what the table's events come from. Map "told",
 * array[WEIR_MAX_CLASSES]: what was last told of each class. The level's timer alone writes here.
 */
#define WEIR_EVENTS 1024
struct weir_event {
	__u64 seq;			/* 0: none, or being written */
	__u64 at_ns;
	__u64 value;			/* class: the rate in force, bit/s; table: entries */
	__u64 more;			/* class: its level, bit/s; table: its size */
	char class[WEIR_NAME_LEN];	/* "": none */
	__u16 kind;			/* enum weir_event_kind */
	__u16 class_slot;
	__u32 left_out;			/* changes before this one that were not told */
	__u64 reserved;
};

struct weir_event_state {
	__u64 seq;			/* of the last event */
	__u64 pass_ns;			/* when the timer last looked */
	__u64 refused_told;		/* of the flow table's `refused` */
	__u64 second_ns;		/* the second that churn is measured over began, ... */
	__u64 second_made;		/* ... and its `made` was this */
	struct weir_told size, churn, failure;
};

struct weir_class_told {
	struct weir_told held, lease;
};

/*
 * Map "devices", hash: one entry per attached hook, and one per hook of a device that is gone and
 * awaited: under a number that none has, since another may come to have its own.
 */
#define WEIR_IFINDEX_AWAITED 0x80000000U
struct weir_dev_key {
	__u32 ifindex;
	__u32 hook;			/* enum weir_hook */
};

#define WEIR_DEV_TCX 0x01		/* a pinned link; else a clsact filter */
#define WEIR_DEV_EDT 0x02		/* fq is below: departure times are kept */
#define WEIR_DEV_L3 0x04		/* no Ethernet header */
#define WEIR_DEV_QDISC 0x08		/* weir put the fq there; detach restores */
#define WEIR_DEV_CLSACT 0x10		/* weir made the clsact qdisc */
#define WEIR_DEV_KEEP 0x20		/* the user said: qdisc keep */
#define WEIR_DEV_IFB 0x40		/* weir made an ifb for ingress */
#define WEIR_DEV_AWAITED 0x80		/* gone: an agent attaches one of its name */
#define WEIR_QDISC_SAVE 448

struct weir_dev {
	char name[16];			/* at attach */
	__u32 flags;			/* WEIR_DEV_* */
	__u32 tc_handle;		/* of the clsact filter */
	__u32 tc_priority;
	__u32 prog_id;
	__u32 ifb_ifindex;
	__u16 qdisc_len;		/* bytes of qdisc_options */
	__u16 reserved;
	char qdisc_kind[16];		/* the root qdisc that was there; "" none */
	__u32 qdisc_handle;		/* its handle; 0: the kernel's default */
	__u32 prog_next;		/* takes prog_id's place right now, or has; 0: none */
	__u8 qdisc_options[WEIR_QDISC_SAVE];	/* its TCA_OPTIONS as dumped */
};

/* Map "sockets", sk_storage: what weir asks of a local TCP socket, and what was there before. */
#define WEIR_SK_APPLIED 0x01		/* saved_* are valid */
#define WEIR_SK_LEASED 0x02		/* an agent moves the rate */
#define WEIR_SK_HEADER 0x04		/* weir has had it asked for header options */
#define WEIR_ASKED_SHIFT 20		/* CLOCK_MONOTONIC in 1.05 ms, modulo 2^32 */
#define WEIR_ASKED_STANDS 192		/* so long no other class may ask for more: 201 ms */
#define WEIR_ASKED_LOST 10240		/* longer than fq keeps a packet: 10.7 s */
struct weir_sock {
	__u64 rate;			/* wanted pacing rate, payload bytes/s; 0: none */
	__u64 applied;			/* last set */
	__u32 saved_rate;		/* the application's own SO_MAX_PACING_RATE */
	__u32 asked_at;			/* when rate was asked for, ns >> WEIR_ASKED_SHIFT */
	__u32 saved_lowat;		/* the application's own TCP_NOTSENT_LOWAT */
	__u16 flags;			/* WEIR_SK_* */
	__u16 class_slot;
	__u32 clamp;			/* its window's bound, segments; 0: weir has set none */
	__u32 level;			/* weir_slow(npb_level) that rate goes by; 0: by none */
	__u32 set_rate;			/* what weir has set last of the two; 0: nothing */
	__u32 set_lowat;
};

/*
 * Map "fragments", LRU hash: of a fragmented packet, what only its first fragment tells. The key is
 * that of the flow with the packet's id in place of the ports (IPv6: and no protocol).
 */
#define WEIR_FRAGMENTS 4096
#define WEIR_FRAGMENT_NS 30000000000ULL	/* an older entry is not believed */
struct weir_fragment {
	__u64 seen_ns;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 reserved[3];
};

/*
 * Map "tables", array[WEIR_TABLE_COUNT]: how fast entries are made. Once a table has been filled,
 * an entry that is made evicts the one that was silent longest.
 */
enum weir_table_index { WEIR_TABLE_FLOWS, WEIR_TABLE_BUCKETS, WEIR_TABLE_COUNT };
struct weir_table {
	__u64 made;			/* entries, since the maps were made */
	__u64 refused;			/* that it had no place for, or not so soon */
	__u64 tat;			/* virtual clock of the making (bucket.h) */
};

/* Map "door", array: the doorkeeper. A flow gets an entry when its fingerprint is seen again. */
#define WEIR_DOOR_SLOTS 65536
struct weir_door {
	__u32 fingerprint;
	__u32 seen_ms;
};

#define WEIR_ASSERT_SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), #type " changed: raise WEIR_ABI")
WEIR_ASSERT_SIZE(weir_control, 8);
WEIR_ASSERT_SIZE(weir_policy, 16);
WEIR_ASSERT_SIZE(weir_class, 472);
WEIR_ASSERT_SIZE(weir_rule, 648);
WEIR_ASSERT_SIZE(weir_flow_key, 48);
WEIR_ASSERT_SIZE(weir_bucket, 64);
WEIR_ASSERT_SIZE(weir_flow, 192);
WEIR_ASSERT_SIZE(weir_bucket_key, 28);
WEIR_ASSERT_SIZE(weir_fragment, 16);
WEIR_ASSERT_SIZE(weir_class_state, 256);
WEIR_ASSERT_SIZE(weir_class_stats, 16 * WEIR_R_COUNT + 32 + 8 * WEIR_HIST);
WEIR_ASSERT_SIZE(weir_lease, 32);
WEIR_ASSERT_SIZE(weir_table, 24);
WEIR_ASSERT_SIZE(weir_decision, 96);
WEIR_ASSERT_SIZE(weir_event, 80);
WEIR_ASSERT_SIZE(weir_event_state, 88);
WEIR_ASSERT_SIZE(weir_class_told, 32);
WEIR_ASSERT_SIZE(weir_dev_key, 8);
WEIR_ASSERT_SIZE(weir_dev, 512);
WEIR_ASSERT_SIZE(weir_sock, 48);

#endif
