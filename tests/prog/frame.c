// SPDX-License-Identifier: GPL-2.0-only
/*
 * frame.c: see harness.h. Owns how a packet in words becomes bytes, and the key that weir is to
 * find in them; knows no program and no map.
 */
#include <string.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include "harness.h"

/*
 * 10.0.0.N and fd00::N. A test run always takes the first 14 bytes for an Ethernet header, so
 * where there is none the source address has the EtherType in its place: 8.0.0.N, and
 * 0:0:86dd::N.
 */
static void address(const struct spec *spec, bool src, __u8 addr[16])
{
	__u8 last = src ? (spec->src ? spec->src : 1) : (spec->dst ? spec->dst : 2);

	memset(addr, 0, 16);
	addr[15] = last;
	if (spec->family == 6) {
		addr[0] = src && spec->l3 ? 0 : 0xfd;
		if (src && spec->l3)
			memcpy(addr + 4, "\x86\xdd", 2);
		return;
	}
	addr[10] = addr[11] = 0xff;
	addr[12] = src && spec->l3 ? 8 : 10;
}

static __u16 port(__u16 given, __u16 standard)
{
	return htons(given ? given : standard);
}

static int proto_of(const struct spec *spec)
{
	return spec->proto ? spec->proto : IPPROTO_UDP;
}

void frame_key(const struct spec *spec, enum weir_hook hook, struct weir_flow_key *key)
{
	memset(key, 0, sizeof(*key));
	address(spec, true, key->src);
	address(spec, false, key->dst);
	key->family = spec->family == 6 ? 6 : 4;
	key->proto = proto_of(spec);
	key->hook = hook;
	key->ifindex = HARNESS_IFINDEX;
	if (spec->fragment == 2) {
		key->flags = WEIR_KEY_FRAG;
	} else if (key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6) {
		key->sport = port(spec->sport, 1000);
	} else if (key->proto == IPPROTO_TCP || key->proto == IPPROTO_UDP ||
		   key->proto == IPPROTO_SCTP) {
		key->sport = port(spec->sport, 1000);
		key->dport = port(spec->dport, 2000);
	}
}

static void *put(struct frame *frame, const void *bytes, size_t n)
{
	void *at = frame->data + frame->len;

	if (bytes)
		memcpy(at, bytes, n);
	else
		memset(at, 0, n);
	frame->len += n;
	return at;
}

static void put_ethernet(struct frame *frame, const struct spec *spec)
{
	__be16 type = htons(spec->ethertype ? spec->ethertype :
			    spec->family == 6 ? ETH_P_IPV6 : ETH_P_IP);
	int i;

	put(frame, "\x02\0\0\0\0\2\x02\0\0\0\0\1", 12);
	for (i = 0; i < spec->vlans; i++) {
		__be16 tag[2] = { htons(i || spec->vlans == 1 ? ETH_P_8021Q : ETH_P_8021AD),
				  htons(102 - i) };

		put(frame, tag, 4);
	}
	put(frame, &type, 2);
}

static void put_transport(struct frame *frame, const struct spec *spec)
{
	__be16 ports[2] = { port(spec->sport, 1000), port(spec->dport, 2000) };

	if (spec->fragment == 2)
		return;
	switch (proto_of(spec)) {
	case IPPROTO_TCP: {
		struct tcphdr *tcp = put(frame, NULL, sizeof(*tcp));

		memcpy(tcp, ports, 4);
		tcp->doff = 5;
		tcp->seq = htonl(spec->seq);
		((__u8 *)tcp)[13] = spec->tcp_flags ? spec->tcp_flags : 0x10;
		break;
	}
	case IPPROTO_UDP: {
		struct udphdr *udp = put(frame, NULL, sizeof(*udp));

		memcpy(udp, ports, 4);
		udp->len = htons(sizeof(*udp) + spec->payload);
		break;
	}
	case IPPROTO_SCTP:
		memcpy(put(frame, NULL, 12), ports, 4);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: {
		__u8 *icmp = put(frame, NULL, 8);

		icmp[0] = proto_of(spec) == IPPROTO_ICMP ? 8 : 128;
		memcpy(icmp + 4, ports, 2);
		break;
	}
	}
}

static __u16 ip_checksum(const void *header, size_t n)
{
	const __u8 *p = header;
	__u32 sum = 0;

	for (; n; n -= 2, p += 2)
		sum += p[0] << 8 | p[1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

static void put_ipv4(struct frame *frame, const struct spec *spec)
{
	struct iphdr *ip = put(frame, NULL, sizeof(*ip) + spec->options * 4);
	__u8 addr[16];

	memset(ip + 1, 1, spec->options * 4);	/* no-operation */
	put_transport(frame, spec);
	ip->version = 4;
	ip->ihl = 5 + spec->options;
	ip->tos = spec->dscp << 2 | spec->ecn;
	ip->ttl = 64;
	ip->protocol = proto_of(spec);
	ip->tot_len = htons(frame->len - frame->l3 + spec->payload);
	ip->frag_off = htons(spec->fragment == 1 ? 0x2000 : spec->fragment == 2 ? 0x0010 : 0);
	address(spec, true, addr);
	memcpy(&ip->saddr, addr + 12, 4);
	address(spec, false, addr);
	memcpy(&ip->daddr, addr + 12, 4);
	ip->check = ip_checksum(ip, ip->ihl * 4);
}

static void put_ipv6(struct frame *frame, const struct spec *spec)
{
	struct ipv6hdr *ip = put(frame, NULL, sizeof(*ip));
	__be32 first = htonl(6 << 28 | (spec->dscp << 2 | spec->ecn) << 20);
	__u8 *next = &ip->nexthdr, *ext;
	int i;

	for (i = 0; i < spec->exts; i++) {
		*next = IPPROTO_DSTOPTS;
		next = put(frame, NULL, 8);
		next[2] = 1;			/* PadN over the other four */
		next[3] = 4;
	}
	if (spec->fragment) {
		*next = IPPROTO_FRAGMENT;
		ext = put(frame, NULL, 8);
		ext[2] = spec->fragment == 1 ? 0 : 1;
		ext[3] = 1;
		next = ext;
	}
	*next = proto_of(spec);
	put_transport(frame, spec);
	memcpy(ip, &first, 4);
	ip->hop_limit = 64;
	ip->payload_len = htons(frame->len - frame->l3 - sizeof(*ip) + spec->payload);
	address(spec, true, (__u8 *)&ip->saddr);
	address(spec, false, (__u8 *)&ip->daddr);
}

void frame_build(struct frame *frame, const struct spec *spec)
{
	memset(frame, 0, sizeof(*frame));
	if (!spec->l3)
		put_ethernet(frame, spec);
	frame->l3 = frame->len;
	if (spec->ethertype)
		put(frame, NULL, 46);
	else if (spec->family == 6)
		put_ipv6(frame, spec);
	else
		put_ipv4(frame, spec);
	frame->headers = frame->len;
	put(frame, NULL, spec->payload);
	if (spec->cut && spec->cut < frame->len)
		frame->len = spec->cut;
	frame->skb.gso_size = spec->gso_size;
	frame->skb.gso_segs = spec->gso_segs;
	frame->skb.mark = spec->mark;
}
