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

#define WEIR_P_CONTROL 0x01		/* SYN, FIN, RST, pure ACK, ND, DHCP: last to be dropped */
#define WEIR_P_SMALL 0x02		/* at most 256 bytes: spared by the AQM */
#define WEIR_P_SYN 0x04			/* opens a TCP connection (SYN without ACK) */
#define WEIR_VLAN_DEPTH 2
#define WEIR_EXT_DEPTH 8		/* extension headers of one packet */

struct weir_packet {
	struct weir_flow_key key;
	__u32 len;			/* bytes at this hook, all headers included */
	__u32 l3;			/* offset of the IP header */
	__u32 l4;			/* offset of the transport header */
	__u32 headers;			/* bytes before the payload */
	__u8 ecn;			/* codepoint, WEIR_NOT_ECT ... WEIR_CE */
	__u8 dscp;
	__u8 flags;			/* WEIR_P_* */
};

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
#define WEIR_TCP_ACK 0x10

/* ports of the transport header; an error there leaves a portless key, never a drop */
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
		if ((tcp.flags & (WEIR_TCP_SYN | WEIR_TCP_FIN | WEIR_TCP_RST)) || p->headers >= end)
			p->flags |= WEIR_P_CONTROL;
		if ((tcp.flags & (WEIR_TCP_SYN | WEIR_TCP_ACK)) == WEIR_TCP_SYN)
			p->flags |= WEIR_P_SYN;
		return 0;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
		if (weir_load(c, p->l4, ports, 8))
			return -1;
		p->key.sport = ports[0];
		p->key.dport = ports[1];
		p->headers = p->l4 + (p->key.proto == IPPROTO_SCTP ? 12 : 8);
		if (p->key.proto == IPPROTO_UDP &&
		    (ports[1] == __bpf_constant_htons(67) || ports[1] == __bpf_constant_htons(68) ||
		     ports[1] == __bpf_constant_htons(546) ||
		     ports[1] == __bpf_constant_htons(547)))
			p->flags |= WEIR_P_CONTROL;
		return 0;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (weir_load(c, p->l4, ports, 8))
			return -1;
		p->headers = p->l4 + 8;
		/* type and code are the first bytes; an echo's identifier stands in for a port */
		if (p->key.proto == IPPROTO_ICMP) {
			__u8 type = *(__u8 *)ports;

			if (type == 0 || type == 8)
				p->key.sport = ports[2];
		} else {
			__u8 type = *(__u8 *)ports;

			if (type == 128 || type == 129)
				p->key.sport = ports[2];
			if (type >= 133 && type <= 137)
				p->flags |= WEIR_P_CONTROL;
		}
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
	if (ip.frag_off & __bpf_constant_htons(0x1fff)) {
		p->key.flags |= WEIR_KEY_FRAG;
		return WEIR_R_CONFORM;
	}
	return weir_parse_l4(c, p, end) ? WEIR_R_UNPARSED : WEIR_R_CONFORM;
}

struct weir_ext {
	__u8 next;
	__u8 len;
	__be16 frag;			/* of a fragment header: offset and flags */
};

static __always_inline enum weir_reason weir_parse_v6(const struct weir_cursor *c,
						      struct weir_packet *p, __u32 l3)
{
	struct ipv6hdr ip;
	struct weir_ext ext;
	__u32 off = l3 + sizeof(ip), end;
	__be32 first;
	__u8 next;
	int i;

	if (weir_load(c, l3, &ip, sizeof(ip)) || ip.version != 6)
		return WEIR_R_UNPARSED;
	p->key.family = 6;
	__builtin_memcpy(p->key.src, &ip.saddr, 16);
	__builtin_memcpy(p->key.dst, &ip.daddr, 16);
	__builtin_memcpy(&first, &ip, 4);
	p->ecn = (__bpf_ntohl(first) >> 20) & 3;
	p->dscp = (__bpf_ntohl(first) >> 22) & 63;
	end = ip.payload_len ? off + __bpf_ntohs(ip.payload_len) : p->len;
	next = ip.nexthdr;
	for (i = 0; i < WEIR_EXT_DEPTH; i++) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_AH && next != IPPROTO_MH)
			break;
		if (weir_load(c, off, &ext, sizeof(ext)))
			return WEIR_R_UNPARSED;
		if (next == IPPROTO_FRAGMENT) {
			off += 8;
			if (ext.frag & __bpf_constant_htons(0xfff8)) {
				p->key.flags |= WEIR_KEY_FRAG;
				p->key.proto = ext.next;
				p->l4 = off;
				p->headers = off;
				return WEIR_R_CONFORM;
			}
		} else if (next == IPPROTO_AH) {
			off += (ext.len + 2) * 4;
		} else {
			off += (ext.len + 1) * 8;
		}
		next = ext.next;
	}
	p->key.proto = next;
	p->l4 = off;
	p->headers = off;
	return weir_parse_l4(c, p, end) ? WEIR_R_UNPARSED : WEIR_R_CONFORM;
}

/*
 * Fills p, whose key.ifindex, key.hook and len are set. l3: the device has no Ethernet header.
 * proto: the kernel's own idea of the protocol, used where there is no Ethernet header.
 */
static __always_inline enum weir_reason weir_parse(const struct weir_cursor *c,
						   struct weir_packet *p, int l3, __be16 proto)
{
	struct weir_vlan vlan;
	__u32 off = 0;
	int i;

	if (!l3) {
		if (weir_load(c, ETH_ALEN * 2, &proto, 2))
			return WEIR_R_UNPARSED;
		off = ETH_HLEN;
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
	if (p->len <= 256)
		p->flags |= WEIR_P_SMALL;
	if (proto == __bpf_constant_htons(ETH_P_IP))
		return weir_parse_v4(c, p, off);
	if (proto == __bpf_constant_htons(ETH_P_IPV6))
		return weir_parse_v6(c, p, off);
	return WEIR_R_NOT_IP;
}

#endif
