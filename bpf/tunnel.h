/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tunnel.h: where the packet inside a tunnel's packet begins, and what becomes of the two once
 * both are parsed: the key, the headers, the codepoint and where a mark goes. One level: a tunnel
 * in a tunnel is the outer's packet. As parse.h: no helper, map or policy, fuzzed on the host.
 * Sources: RFC 7348 (VXLAN), 8926 (Geneve), 2784 and 2890 (GRE), 2003, 4213, 2473, 6040 (ECN).
 */
#ifndef WEIR_TUNNEL_H
#define WEIR_TUNNEL_H

#include "parse.h"

/* the way in, and what is there */
struct weir_inside {
	struct weir_packet packet;
	__u32 off;			/* of the first header inside */
	__u32 id;			/* VNI or GRE key; 0: none */
	__be16 proto;			/* of that header, as weir_parse() takes it */
	__u16 covered;			/* a checksum of the outer packet covers the inside */
};

#define WEIR_GRE_CSUM __bpf_constant_htons(0x8000)
#define WEIR_GRE_KEY __bpf_constant_htons(0x2000)
#define WEIR_GRE_SEQ __bpf_constant_htons(0x1000)
#define WEIR_GRE_UNKNOWN __bpf_constant_htons(0x4fff)	/* routing, reserved, version */
#define WEIR_VXLAN_VNI 0x08		/* flag: the VNI is valid */

static __always_inline int weir_gre(const struct weir_cursor *c, const struct weir_packet *p,
				    struct weir_inside *in)
{
	__be16 head[2];
	__be32 key;

	if (weir_load(c, p->l4, head, 4) || head[0] & WEIR_GRE_UNKNOWN)
		return -1;
	in->proto = head[1];
	in->off += 4;
	if (head[0] & WEIR_GRE_CSUM) {
		in->covered = 1;
		in->off += 4;
	}
	if (head[0] & WEIR_GRE_KEY) {
		if (weir_load(c, in->off, &key, 4))
			return -1;
		in->id = __bpf_ntohl(key);
		in->off += 4;
	}
	if (head[0] & WEIR_GRE_SEQ)
		in->off += 4;
	return 0;
}

/* both have flags, a protocol (VXLAN: none) and the VNI at the same places behind UDP */
static __always_inline int weir_udp_tunnel(const struct weir_cursor *c, const struct weir_packet *p,
					   struct weir_inside *in)
{
	struct {
		__be16 udp[4];
		__u8 first, flags;
		__be16 proto;
		__be32 vni;
	} head;

	if (weir_load(c, p->l4, &head, sizeof(head)))
		return -1;
	in->covered = head.udp[3] != 0;
	in->id = __bpf_ntohl(head.vni) >> 8;
	in->off += sizeof(head);
	in->proto = __bpf_constant_htons(ETH_P_TEB);
	if (p->key.dport != __bpf_constant_htons(WEIR_GENEVE_PORT))
		return head.first & WEIR_VXLAN_VNI ? 0 : -1;
	if (head.first >> 6)
		return -1;
	in->off += (head.first & 0x3f) * 4;
	in->proto = head.proto;
	return 0;
}

/* clears and fills all but what weir_parse() does; an error: nothing that could be looked at */
static __always_inline int weir_tunnel(const struct weir_cursor *c, const struct weir_packet *p,
				       struct weir_inside *in)
{
	__builtin_memset(in, 0, sizeof(*in));
	in->packet.len = p->len;
	in->packet.key.hook = p->key.hook;
	in->packet.key.ifindex = p->key.ifindex;
	in->off = p->l4;
	switch (p->key.proto) {
	case IPPROTO_UDP:
		return weir_udp_tunnel(c, p, in);
	case IPPROTO_GRE:
		return weir_gre(c, p, in);
	case IPPROTO_IPIP:
		in->proto = __bpf_constant_htons(ETH_P_IP);
		return 0;
	case IPPROTO_IPV6:
		in->proto = __bpf_constant_htons(ETH_P_IPV6);
		return 0;
	}
	return -1;
}

/*
 * The segments of a GSO packet carry the headers inside, too, where it is the packet inside that
 * is cut: that one then reaches to the end. A UDP socket that sends several tunnel packets at once
 * is cut outside.
 */
static __always_inline void weir_tunnel_headers(struct weir_packet *p, const struct weir_inside *in)
{
	if (!(in->packet.flags & WEIR_P_WHOLE))
		return;
	p->headers = in->packet.headers;
	p->len = in->packet.len;
}

/*
 * The packet inside takes the outer's place. What the receiver's decapsulator makes of the two
 * codepoints is in RFC 6040, 4.2: outer CE reaches the flow inside only if that is ECN-capable,
 * else the packet is dropped: then there is nothing to mark. Where the outer is Not-ECT, the
 * tunnel does not carry ECN outside (compatibility mode, or another's encapsulator): outer bits
 * stay as they are, and the inner header is marked, which every decapsulator leaves in place. That
 * is neutral to a checksum around an inner IPv4 header, whose own one makes up for it, but not
 * around an IPv6 header: an outer checksum may be complete or still to be filled in, which a
 * program cannot tell, so such a packet cannot be marked.
 */
static __always_inline void weir_tunnel_enter(struct weir_packet *p, struct weir_inside *in)
{
	struct weir_packet *inside = &in->packet;

	if (p->ecn == WEIR_NOT_ECT) {
		if (inside->flags & WEIR_P_V6 && in->covered && inside->ecn != WEIR_CE)
			inside->ecn = WEIR_NOT_ECT;
	} else {
		if (p->ecn == WEIR_CE && inside->ecn != WEIR_NOT_ECT)
			inside->ecn = WEIR_CE;
		inside->l3 = p->l3;
		inside->flags = (inside->flags & ~WEIR_P_V6) | (p->flags & WEIR_P_V6);
	}
	inside->headers = p->headers;
	inside->len = p->len;
	inside->key.flags |= WEIR_KEY_INNER;
	inside->key.tunnel = in->id;
	inside->flags &= ~WEIR_P_TUNNEL;
	*p = *inside;
}

#endif
