/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parse.h: from bytes to struct weir_packet: the flow key, the codepoint, what kind of packet it
 * is and how long its headers are. Reads only through weir_load(), so that no packet has to be
 * linear and the same code is fuzzed on the host; calls no BPF helper but byte swaps.
 * Knows no map and no policy. Sources: RFC 791, 8200, 9293, 768, 792, 4443, IEEE 802.1Q.
 */
#ifndef WEIR_PARSE_H
#define WEIR_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <weir/abi.h>
#include <weir/aqm.h>
#include <weir/bucket.h>

#define WEIR_P_CONTROL 0x01		/* SYN, FIN, RST, pure ACK, ND, MLD, IGMP, DHCP */
#define WEIR_P_OPENS 0x02		/* opens a TCP connection (SYN without ACK) */
#define WEIR_P_SYN 0x04			/* one end of it begins (SYN) */
#define WEIR_P_FIRST 0x08		/* the first of several fragments: has the ports */
#define WEIR_P_LATER 0x10		/* one of the others */
#define WEIR_P_TUNNEL 0x20		/* may carry a packet inside: see tunnel.h */
#define WEIR_P_WHOLE 0x40		/* the IP packet reaches to the end, by its own length */
#define WEIR_P_V6 0x80			/* the header at l3 is IPv6's */
#define WEIR_VXLAN_PORT 4789
#define WEIR_VXLAN_LINUX_PORT 8472	/* its default, and that of overlays */
#define WEIR_GENEVE_PORT 6081
#define WEIR_VLAN_DEPTH 2
#define WEIR_EXT_DEPTH 8		/* extension headers of one packet */
#define WEIR_SMALL_BYTES 256		/* no larger: spared by the AQM */

struct weir_packet {
	struct weir_flow_key key;
	__u32 len;			/* bytes at this hook, all headers included */
	union {
		__be32 id;		/* of a fragment */
		__be32 seq;		/* of TCP that is none */
	};
	__u16 l3;			/* offset of the IP header that a mark goes to */
	__u16 l4;			/* offset of the transport header */
	__u16 headers;			/* bytes before the payload */
	__u8 ecn : 2;			/* codepoint, WEIR_NOT_ECT ... WEIR_CE */
	__u8 dscp : 6;
	__u8 flags;			/* WEIR_P_* */
};

_Static_assert(sizeof(struct weir_packet) == 64, "the stack of kernel 6.1's verifier is full");

struct weir_vlan {
	__be16 tci;
	__be16 proto;
};

/* the parts of a TCP header that are looked at */
struct weir_tcp {
	__be16 sport, dport;
	__be32 seq, ack;
	__u8 doff;			/* high four bits: words */
	__u8 flags;
	__be16 window;
};

#define WEIR_TCP_FIN 0x01
#define WEIR_TCP_SYN 0x02
#define WEIR_TCP_RST 0x04

/* of a UDP packet: DHCP is control, three ports are those of tunnels */
static __always_inline void weir_parse_udp(struct weir_packet *p)
{
	switch (p->key.dport) {
	case __bpf_constant_htons(67):
	case __bpf_constant_htons(68):
	case __bpf_constant_htons(546):
	case __bpf_constant_htons(547):
		p->flags |= WEIR_P_CONTROL;
		break;
	case __bpf_constant_htons(WEIR_VXLAN_PORT):
	case __bpf_constant_htons(WEIR_VXLAN_LINUX_PORT):
	case __bpf_constant_htons(WEIR_GENEVE_PORT):
		p->flags |= WEIR_P_TUNNEL;
		break;
	}
}

/* an echo's identifier stands in for a port; ND and MLD are control */
static __always_inline void weir_parse_icmp(struct weir_packet *p, __u8 type, __be16 id)
{
	if (p->key.proto == IPPROTO_ICMP) {
		if (type == 0 || type == 8)
			p->key.sport = id;
	} else if (type == 128 || type == 129) {
		p->key.sport = id;
	} else if ((type >= 130 && type <= 137) || type == 143) {
		p->flags |= WEIR_P_CONTROL;
	}
}

/* ports of the transport header; a packet without all of it is not parsed, and passes */
static __always_inline int weir_parse_l4(const struct weir_cursor *c, struct weir_packet *p,
					 __u32 end)
{
	struct weir_tcp tcp;
	__be16 ports[4];

	switch (p->key.proto) {
	case IPPROTO_TCP:
		if (weir_load(c, p->l4, &tcp, sizeof(tcp)))
			return -1;
		p->key.sport = tcp.sport;
		p->key.dport = tcp.dport;
		p->headers = p->l4 + (tcp.doff >> 4) * 4;
		if (!(p->flags & WEIR_P_FIRST))
			p->seq = tcp.seq;
		if ((tcp.flags & (WEIR_TCP_SYN | WEIR_TCP_FIN | WEIR_TCP_RST)) || p->headers >= end)
			p->flags |= WEIR_P_CONTROL;
		/* arithmetic: SYN to WEIR_P_SYN, and to WEIR_P_OPENS where there is no ACK */
		p->flags |= (tcp.flags & WEIR_TCP_SYN) << 1;
		p->flags |= tcp.flags & ~(tcp.flags >> 3) & WEIR_TCP_SYN;
		return 0;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
		if (weir_load(c, p->l4, ports, 8))
			return -1;
		p->key.sport = ports[0];
		p->key.dport = ports[1];
		p->headers = p->l4 + (p->key.proto == IPPROTO_SCTP ? 12 : 8);
		if (p->key.proto == IPPROTO_UDP)
			weir_parse_udp(p);
		return 0;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (weir_load(c, p->l4, ports, 8))
			return -1;
		p->headers = p->l4 + 8;
		weir_parse_icmp(p, *(__u8 *)ports, ports[2]);
		return 0;
	case IPPROTO_IGMP:
		p->flags |= WEIR_P_CONTROL;
		return 0;
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
	case IPPROTO_GRE:
		p->flags |= WEIR_P_TUNNEL;
		return 0;
	}
	return 0;
}

static __always_inline void weir_map_v4(__u8 to[16], __be32 from)
{
	__u32 *words = (__u32 *)to;

	words[0] = 0;
	words[1] = 0;
	words[2] = __bpf_constant_htonl(0xffff);
	words[3] = from;
}

/* a fragment: true where it is a later one, which has no transport header */
static __always_inline int weir_fragment_of(struct weir_packet *p, int later)
{
	p->flags &= ~WEIR_P_FIRST;	/* a fragment of a fragment is what its last header says */
	p->flags |= later ? WEIR_P_LATER : WEIR_P_FIRST;
	if (later)
		p->key.flags |= WEIR_KEY_FRAG;
	return later;
}

static __always_inline enum weir_reason weir_parse_v4(const struct weir_cursor *c,
						      struct weir_packet *p, __u32 l3)
{
	struct iphdr ip;
	__u32 end;

	if (weir_load(c, l3, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
		return WEIR_R_UNPARSED;
	p->key.family = 4;
	p->key.proto = ip.protocol;
	weir_map_v4(p->key.src, ip.saddr);
	weir_map_v4(p->key.dst, ip.daddr);
	p->ecn = ip.tos & 3;
	p->dscp = ip.tos >> 2;
	p->l4 = l3 + ip.ihl * 4;
	p->headers = p->l4;
	/* Ethernet pads short frames: the header's own length says where the payload ends. BIG
	 * TCP over IPv4 says 0. */
	end = ip.tot_len ? l3 + __bpf_ntohs(ip.tot_len) : p->len;
	if (end >= p->len)
		p->flags |= WEIR_P_WHOLE;
	if (ip.frag_off & __bpf_constant_htons(0x3fff)) {
		p->id = (__be32)ip.id;
		if (weir_fragment_of(p, ip.frag_off & __bpf_constant_htons(0x1fff)))
			return WEIR_R_CONFORM;
	}
	return weir_parse_l4(c, p, end) ? WEIR_R_UNPARSED : WEIR_R_CONFORM;
}

/* an IPv6 header up to its addresses */
struct weir_v6 {
	__be32 first;			/* version, traffic class, flow label */
	__be16 len;
	__u8 next;
	__u8 hops;
};

struct weir_ext {
	__u8 next;
	__u8 len;
	__be16 frag;			/* of a fragment header: offset and flags */
	__be32 id;			/* likewise */
};

/* the hop-by-hop header that older kernels put into a BIG TCP packet, and take from its segments */
#define WEIR_JUMBO __bpf_constant_htons(0xc204)

static __always_inline enum weir_reason weir_parse_v6(const struct weir_cursor *c,
						      struct weir_packet *p, __u32 l3)
{
	struct weir_v6 ip;
	struct weir_ext ext;
	__u32 off = l3 + sizeof(struct ipv6hdr), end, jumbo = 0;
	__u8 next;
	int i;

	/* the addresses lie in the key as they do in the header */
	if (weir_load(c, l3, &ip, sizeof(ip)) || (__bpf_ntohl(ip.first) >> 28) != 6 ||
	    weir_load(c, l3 + sizeof(ip), p->key.src, 32))
		return WEIR_R_UNPARSED;
	p->key.family = 6;
	p->flags |= WEIR_P_V6;
	p->ecn = (__bpf_ntohl(ip.first) >> 20) & 3;
	p->dscp = (__bpf_ntohl(ip.first) >> 22) & 63;
	end = ip.len ? off + __bpf_ntohs(ip.len) : p->len;
	if (end >= p->len)
		p->flags |= WEIR_P_WHOLE;
	next = ip.next;
	for (i = 0; i < WEIR_EXT_DEPTH; i++) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_AH && next != IPPROTO_MH)
			break;
		if (weir_load(c, off, &ext, sizeof(ext)))
			return WEIR_R_UNPARSED;
		if (next == IPPROTO_FRAGMENT) {
			off += 8;
			p->id = ext.id;
			/* one that is alone (RFC 6946) is none */
			if ((ext.frag & __bpf_constant_htons(0xfff9)) &&
			    weir_fragment_of(p, ext.frag & __bpf_constant_htons(0xfff8))) {
				p->key.proto = ext.next;
				p->l4 = off;
				p->headers = off;
				return WEIR_R_CONFORM;
			}
		} else if (next == IPPROTO_AH) {
			off += (ext.len + 2) * 4;
		} else {
			if (!ip.len && next == IPPROTO_HOPOPTS && ext.frag == WEIR_JUMBO)
				jumbo = 8;
			off += (ext.len + 1) * 8;
		}
		next = ext.next;
	}
	p->key.proto = next;
	p->l4 = off;
	p->headers = off;
	if (weir_parse_l4(c, p, end))
		return WEIR_R_UNPARSED;
	p->headers -= jumbo;
	p->len -= jumbo;
	return WEIR_R_CONFORM;
}

/*
 * What tells a fragmented packet from others, in the shape of a flow's key. IPv6 does so by
 * addresses and id alone: its later fragments may name another header.
 */
static __always_inline void weir_fragment_key(const struct weir_packet *p,
					      struct weir_flow_key *key)
{
	*key = p->key;
	key->flags &= ~WEIR_KEY_FRAG;
	key->sport = (__be16)p->id;
	key->dport = p->id >> 16;
	if (key->family == 6)
		key->proto = 0;
}

/*
 * The first fragment says what ports the others have; one that comes before it, after 30 s, or
 * whose entry was pushed out, has a key without ports. Nothing is kept of a fragment itself, so
 * overlaps are the receiver's matter, and an id that is used again belongs to the newer packet.
 */
static __always_inline void weir_fragment_note(struct weir_fragment *first,
					       const struct weir_packet *p, __u64 now)
{
	*first = (struct weir_fragment){
		.seen_ns = now, .sport = p->key.sport, .dport = p->key.dport, .proto = p->key.proto,
	};
}

static __always_inline void weir_fragment_follow(struct weir_packet *p,
						 const struct weir_fragment *first, __u64 now)
{
	if (weir_since(first->seen_ns, now) > WEIR_FRAGMENT_NS)
		return;
	p->key.sport = first->sport;
	p->key.dport = first->dport;
	p->key.proto = first->proto;
	p->key.flags &= ~WEIR_KEY_FRAG;
}

/*
 * Fills p, whose key.ifindex, key.hook and len are set, from the header at off. proto says which:
 * an EtherType, or ETH_P_TEB for an Ethernet header (VLAN tags may follow).
 */
static __always_inline enum weir_reason weir_parse(const struct weir_cursor *c,
						   struct weir_packet *p, __u32 off, __be16 proto)
{
	struct weir_vlan vlan;
	int i;

	if (proto == __bpf_constant_htons(ETH_P_TEB)) {
		if (weir_load(c, off + ETH_ALEN * 2, &proto, 2))
			return WEIR_R_UNPARSED;
		off += ETH_HLEN;
		for (i = 0; i < WEIR_VLAN_DEPTH; i++) {
			if (proto != __bpf_constant_htons(ETH_P_8021Q) &&
			    proto != __bpf_constant_htons(ETH_P_8021AD))
				break;
			if (weir_load(c, off, &vlan, sizeof(vlan)))
				return WEIR_R_UNPARSED;
			proto = vlan.proto;
			off += sizeof(vlan);
		}
	}
	p->l3 = off;
	if (proto == __bpf_constant_htons(ETH_P_IP))
		return weir_parse_v4(c, p, off);
	if (proto == __bpf_constant_htons(ETH_P_IPV6))
		return weir_parse_v6(c, p, off);
	return WEIR_R_NOT_IP;
}

#endif
