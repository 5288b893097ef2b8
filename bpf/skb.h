/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * skb.h: what is read from an skb: its bytes, its length on the wire, the time. Must not write
 * it (act.h does) and knows no policy.
 */
#ifndef WEIR_SKB_H
#define WEIR_SKB_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <weir/bucket.h>

/*
 * The very program in virtual time: tests and replay put the time into cb[0] and cb[1], and into
 * cb[2] the length of a packet of which only the beginning is there (0: all of it is).
 */
const volatile __u32 test_clock;

struct weir_cursor {
	struct __sk_buff *skb;
};

/*
 * len bytes at off, from the linear part where they are there, else through the helper. They are
 * said to be aligned, so that they are read by words, not byte by byte: the architectures that this
 * is built for read a word anywhere, and on others the verifier refuses the program.
 */
static __always_inline int weir_load(const struct weir_cursor *c, __u32 off, void *to, __u32 len)
{
	void *data = (void *)(long)c->skb->data;
	void *end = (void *)(long)c->skb->data_end;

	/* what is compared is what is added: the verifier follows registers */
	asm volatile("" : "+r"(off));
	if (off > 0x7fff)
		return -1;
	if (data + off + len <= end) {
		if (len % 4)
			__builtin_memcpy(to, __builtin_assume_aligned(data + off, 2), len);
		else
			__builtin_memcpy(to, __builtin_assume_aligned(data + off, 4), len);
		return 0;
	}
	return bpf_skb_load_bytes(c->skb, off, to, len) ? -1 : 0;
}

#include "facts.h"
#include "parse.h"

/* Global: verified once, and what it found are plain numbers for what follows. */
__attribute__((noinline)) int weir_parse_skb(struct __sk_buff *skb, struct weir_packet *p,
					     __u32 off, __u32 proto)
{
	struct weir_cursor cursor = { .skb = skb };
	int reason = WEIR_R_UNPARSED;

	if (p)
		reason = weir_parse(&cursor, p, off, proto);
	/* the compiler would leave out a check of the result that the verifier cannot do without */
	asm volatile("" : "+r"(reason));
	return reason;
}

#define WEIR_BEFORE_IP 64

/*
 * Where IP begins on a device without an Ethernet header: at once, but what IPsec has unpacked
 * (xfrm) still has the one before it that ESP came in, and what GRE without a remote sends and gets
 * the outer header, as it names the peer. The kernel is asked for what lies there, as no field of
 * the context says where.
 */
__attribute__((noinline)) int weir_l3_at(struct __sk_buff *skb)
{
	struct weir_cursor cursor = { .skb = skb };
	__u64 ip[2], here[2];
	int at;

	/* test runs take any packet for one with an Ethernet header */
	if (test_clock || bpf_skb_load_bytes_relative(skb, 0, ip, sizeof(ip), BPF_HDR_START_NET))
		return 0;
	for (at = 0; at < WEIR_BEFORE_IP; at += 2) {
		if (weir_load(&cursor, at, here, sizeof(here)))
			return 0;
		if (!((ip[0] ^ here[0]) | (ip[1] ^ here[1])))
			return at;
	}
	return 0;
}

/*
 * A local TCP packet says when it was sent, in the same clock and some us ago: that spares the
 * reading of it, the dearest instruction here. Not believed when it is from before the timer's
 * last pass (it waited in a device above) or lies ahead (only fq keeps such; the caller says so).
 */
#define WEIR_STAMP_NS 8000000ULL
__u64 last_pass_ns;			/* timer.h moves it */

static __always_inline __u64 weir_now(const struct __sk_buff *skb, int stamped)
{
	if (test_clock)
		return (__u64)skb->cb[1] << 32 | skb->cb[0];
	if (stamped && skb->tstamp_type == BPF_SKB_TSTAMP_DELIVERY_MONO &&
	    skb->tstamp - last_pass_ns < WEIR_STAMP_NS)
		return skb->tstamp;
	return bpf_ktime_get_ns();
}

static __always_inline __u32 weir_len(const struct __sk_buff *skb)
{
	return test_clock && skb->cb[2] ? skb->cb[2] : skb->len;
}

/*
 * Wire packets in this skb, and how much each carries. gso_segs can be forged or missing, so that
 * it is asked only where sizes differ (GSO_BY_FRAGS, of SCTP): then *size is their mean.
 */
#define WEIR_GSO_BY_FRAGS 0xffff
static __always_inline __u32 weir_segments(const struct __sk_buff *skb, const struct weir_packet *p,
					   __u32 *size)
{
	__u32 segments = skb->gso_segs, payload = p->len - p->headers;

	*size = skb->gso_size;
	if (*size == WEIR_GSO_BY_FRAGS && p->key.proto == IPPROTO_SCTP && segments)
		*size = payload / segments;
	else
		segments = *size ? (payload + *size - 1) / *size : 1;
	if (!*size || p->len <= p->headers || *size >= payload)
		return 1;
	return segments > 65535 ? 65535 : segments;
}

/* a negative overhead never makes a packet of no bytes */
static __always_inline __u32 weir_least(__u32 bytes, __u32 mpu)
{
	return (__s32)bytes < (__s32)mpu || (__s32)bytes < 1 ? (mpu ? mpu : 1) : bytes;
}

/*
 * Packets and bytes on the wire from the Ethernet header up, each segment with its own headers. At
 * egress the kernel keeps the same sum in wire_len; it is not used because it trusts gso_segs, and
 * lacks a VLAN tag kept in metadata. What lies before `at` (weir_l3_at()) is no part of it.
 */
static __always_inline void weir_measure(const struct __sk_buff *skb, const struct weir_packet *p,
					 const struct weir_class *class, struct weir_facts *f,
					 __u32 at)
{
	__u32 extra = class->overhead + (skb->vlan_present ? 4 : 0) - at, bytes = 0, last = p->len;
	__u32 size, segments = weir_segments(skb, p, &size);

	if (segments > 1) {
		bytes = (segments - 1) * weir_least(size + p->headers + extra, class->mpu);
		last -= (segments - 1) * size;
	}
	bytes += weir_least(last + extra, class->mpu);
	f->segments = segments;
	f->bytes = bytes < WEIR_BYTES_MAX ? bytes : WEIR_BYTES_MAX;
}

#endif
