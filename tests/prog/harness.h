/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * harness.h: runs the real programs by BPF_PROG_TEST_RUN: a packet in words, bytes and context
 * in, bytes, context and counters out. In virtual time the caller says what time it is, so that
 * every result is exact. Nothing is pinned or attached; each harness has its own maps.
 */
#ifndef WEIR_HARNESS_H
#define WEIR_HARNESS_H

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <weir/aqm.h>
#include <weir/bucket.h>

#define HARNESS_PASS (-1)		/* TCX_NEXT: go on to the next program */
#define HARNESS_DROP 2			/* TC_ACT_SHOT */
#define HARNESS_REDIRECT 7		/* TC_ACT_REDIRECT: into the ifb */
#define HARNESS_REFUSED (-1000)		/* the kernel makes no skb of so few bytes */
#define HARNESS_IFINDEX 1		/* test runs happen on the loopback device */
#define HARNESS_FLOWS 4096		/* size of the table */
#define HARNESS_T0_NS 1000000000000ULL

struct weir_bpf;

struct harness {
	struct weir_bpf *skel;
	__u64 now_ns;			/* of the next packet; ignored on the real clock */
	__u32 generation;
	unsigned int n_classes, n_rules;
	struct weir_class classes[WEIR_MAX_CLASSES];
	struct weir_rule rules[WEIR_MAX_RULES];
};

#define HARNESS_REAL_CLOCK 0x01
#define HARNESS_L3 0x02			/* load the programs for devices without Ethernet too */

/* A new instance with class "default", unlimited; NULL after a message on stderr. */
struct harness *harness_new(unsigned int flags);
/* The same with another size of the flow table. */
struct harness *harness_new_flows(unsigned int flags, __u32 flows);
void harness_free(struct harness *h);
/* As new: no flow, no count, no debt, class "default" alone. Cheaper than to load again. */
void harness_reset(struct harness *h);

/* The class of a slot, made on first use: police, per flow, a burst of 10 ms, ECN on. */
struct weir_class *harness_class(struct harness *h, unsigned int slot);
void harness_rate(struct weir_class *class, __u64 rate_bps, __u64 flow_rate_bps);
/* One more rule, which matches everything until fields are set. */
struct weir_rule *harness_rule(struct harness *h, unsigned int slot);
/* Makes the policy above the live one, as maps.c does. */
void harness_commit(struct harness *h);
void harness_device(struct harness *h, enum weir_hook hook, __u32 flags);
/* The same at ingress, with the index of its ifb. */
void harness_ifb(struct harness *h, __u32 flags, __u32 ifindex);

/* The pass of the timer that moves the levels and tells events, at h->now_ns. */
void harness_tick(struct harness *h);

/* A packet in words; what is 0 is left out or takes its default. */
struct spec {
	int family;			/* 4 (default) or 6 */
	int proto;			/* default: UDP */
	int ecn, dscp;
	__u8 src, dst;			/* last byte of the address; default 1 and 2 */
	__u16 sport, dport;		/* default 1000 and 2000 */
	__u32 payload;
	__u8 tcp_flags;			/* default: ACK */
	__u32 seq;
	int vlans;			/* tags in the frame */
	int options;			/* IPv4 options, 32-bit words */
	int exts;			/* IPv6 destination options headers */
	int fragment;			/* 1: the first, 2: a later one */
	bool l3;			/* no Ethernet header */
	__u16 ethertype;		/* neither IPv4 nor IPv6 */
	__u32 gso_size, gso_segs;
	__u32 mark;
	__u32 cut;			/* bytes left of the frame */
};

struct frame {
	__u8 data[3400];		/* what a test run takes, less its own rooms */
	__u32 len;
	__u32 headers;			/* bytes before the payload */
	__u32 l3;			/* offset of the IP header */
	struct __sk_buff skb;
};

/* Both clear what they fill. */
void frame_build(struct frame *frame, const struct spec *spec);
void frame_key(const struct spec *spec, enum weir_hook hook, struct weir_flow_key *key);

/* In place of a hook: the classifier that picks what the filter queues; -1 or 0. */
#define HARNESS_WAITS WEIR_HOOK_COUNT

/* Runs one packet at h->now_ns; the frame is then as the program left it. HARNESS_*. */
int harness_run(struct harness *h, enum weir_hook hook, struct frame *frame);
/* The same program over and over; ns per run, negative on failure. */
int harness_repeat(struct harness *h, enum weir_hook hook, const struct frame *frame, int repeat);
/* An established flow: packets until it has an entry. */
void harness_establish(struct harness *h, enum weir_hook hook, const struct spec *spec);

int harness_map(struct harness *h, const char *name);	/* its descriptor */
bool harness_flow(struct harness *h, const struct spec *spec, enum weir_hook hook,
		  struct weir_flow *flow);
bool harness_flow_at(struct harness *h, const struct weir_flow_key *key, struct weir_flow *flow);
void harness_stats(struct harness *h, unsigned int slot, struct weir_class_stats *sum);
/* The class's packets under one reason. */
__u64 harness_count(struct harness *h, unsigned int slot, enum weir_reason reason);

#endif
