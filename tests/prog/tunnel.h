/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tunnel.h: packets in packets for the program tests, written from the inside out: what is built
 * knows its own key, lengths and checksums, so that nothing is parsed to know what is expected.
 */
#ifndef WEIR_TEST_TUNNEL_H
#define WEIR_TEST_TUNNEL_H

#include <stdlib.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include "fixture.h"

enum tunnel { VXLAN, GENEVE, GRE, GRETAP, IPIP, TUNNELS };

/* one IP packet's header; addresses are 10.NET.0.HOST and fdNN::HOST */
struct ip_layer {
	int family, ecn, dscp;
	int options;			/* IPv4: words, IPv6: 8-byte destination options */
	int net, src, dst;
	int fragment;			/* offset in units of 8 bytes */
	bool more;			/* MF: one of several fragments */
	__u32 id;
};

struct packet {
	struct ip_layer outer, inside;
	enum tunnel tunnel;
	__u32 id;			/* VNI (24 bits), or GRE key; GRE without one: 0 */
	int proto;			/* inside */
	__u16 sport, dport;
	__u32 payload;
	bool checksum;			/* of the outer UDP, of GRE */
	bool sequence;			/* GRE */
	int tunnel_options;		/* Geneve, words */
	int vlans, inside_vlans;
	__u16 cover;			/* outer UDP source port */
	__u32 gso_size;
};

/* written backwards, from the end */
struct writer {
	__u8 data[3000];
	__u32 at;
	__u32 inside_l3, l3;		/* from the end */
};

static inline __u8 *prepend(struct writer *w, __u32 n)
{
	assert_true(w->at >= n);
	w->at -= n;
	memset(w->data + w->at, 0, n);
	return w->data + w->at;
}

static inline __u32 written(const struct writer *w)
{
	return sizeof(w->data) - w->at;
}

static inline void put16(__u8 *to, __u32 value)
{
	to[0] = value >> 8;
	to[1] = value;
}

static inline void put32(__u8 *to, __u32 value)
{
	put16(to, value >> 16);
	put16(to + 2, value);
}

static inline __u32 add_up(const __u8 *p, __u32 n, __u32 sum)
{
	__u32 i;

	for (i = 0; i < n; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline void layer_address(const struct ip_layer *ip, int host, __u8 addr[16])
{
	memset(addr, 0, 16);
	addr[15] = host;
	if (ip->family == 6) {
		addr[0] = 0xfd;
		addr[1] = ip->net;
		return;
	}
	addr[10] = addr[11] = 0xff;
	addr[12] = 10;
	addr[13] = ip->net;
}

static inline void write_ipv4(struct writer *w, const struct ip_layer *ip, int proto)
{
	__u32 size = 20 + ip->options * 4, len = written(w) + size;
	__u8 *h = prepend(w, size), addr[16];

	memset(h + 20, 1, size - 20);
	h[0] = 0x45 + ip->options;
	h[1] = ip->dscp << 2 | ip->ecn;
	put16(h + 2, len);
	put16(h + 4, ip->id);
	put16(h + 6, ip->fragment | (ip->more ? 0x2000 : 0));
	h[8] = 64;
	h[9] = proto;
	layer_address(ip, ip->src, addr);
	memcpy(h + 12, addr + 12, 4);
	layer_address(ip, ip->dst, addr);
	memcpy(h + 16, addr + 12, 4);
	put16(h + 10, ~add_up(h, size, 0));
}

static inline void write_ipv6(struct writer *w, const struct ip_layer *ip, int proto)
{
	__u32 len;
	__u8 *h;
	int i;

	if (ip->fragment || ip->more) {
		h = prepend(w, 8);
		h[0] = proto;
		put16(h + 2, ip->fragment << 3 | ip->more);
		put32(h + 4, ip->id);
		proto = IPPROTO_FRAGMENT;
	}
	for (i = 0; i < ip->options; i++) {
		h = prepend(w, 8);
		h[0] = proto;
		h[2] = 1;
		h[3] = 4;
		proto = IPPROTO_DSTOPTS;
	}
	len = written(w);
	h = prepend(w, 40);
	put32(h, 6U << 28 | (__u32)(ip->dscp << 2 | ip->ecn) << 20 | 0x12345);
	put16(h + 4, len);
	h[6] = proto;
	h[7] = 64;
	layer_address(ip, ip->src, h + 8);
	layer_address(ip, ip->dst, h + 24);
}

static inline int write_ip(struct writer *w, const struct ip_layer *ip, int proto)
{
	if (ip->family == 6)
		write_ipv6(w, ip, proto);
	else
		write_ipv4(w, ip, proto);
	return ip->family == 6 ? ETH_P_IPV6 : ETH_P_IP;
}

static inline void write_ethernet(struct writer *w, int type, int vlans)
{
	__u8 *h;

	for (; vlans; vlans--) {
		h = prepend(w, 4);
		put16(h, 0x66);		/* VLAN 102: looks as ECT(0) */
		put16(h + 2, type);
		type = ETH_P_8021Q;
	}
	h = prepend(w, ETH_HLEN);
	memcpy(h, "\x02\0\0\0\0\2\x02\0\0\0\0\1", 12);
	put16(h + 12, type);
}

static inline void write_transport(struct writer *w, const struct packet *p)
{
	__u8 *h = prepend(w, p->payload);
	__u32 i;

	for (i = 0; i < p->payload; i++)
		h[i] = i * 7;
	if (p->inside.fragment)
		return;
	switch (p->proto) {
	case IPPROTO_TCP:
		h = prepend(w, 32);
		h[12] = 0x80;
		h[13] = 0x10;
		break;
	case IPPROTO_UDP:
		h = prepend(w, 8);
		put16(h + 4, 8 + p->payload);
		break;
	case IPPROTO_SCTP:
		h = prepend(w, 12);
		break;
	default:
		return;
	}
	put16(h, p->sport);
	put16(h + 2, p->dport);
}

/* of VXLAN the assigned one and Linux's own default, by the VNI */
static inline __u16 tunnel_port(const struct packet *p)
{
	return p->tunnel == GENEVE ? 6081 : p->id & 1 ? 8472 : 4789;
}

/* the outer UDP header and the tunnel's own, or GRE's; the outer protocol */
static inline int write_udp(struct writer *w, const struct packet *p)
{
	__u8 *h = prepend(w, 8), pseudo[40] = {}, addr[16];
	__u32 sum, len = written(w);
	int v6 = p->outer.family == 6, i;

	put16(h, p->cover);
	put16(h + 2, tunnel_port(p));
	put16(h + 4, len);
	if (!p->checksum)
		return IPPROTO_UDP;
	for (i = 0; i < 2; i++) {
		layer_address(&p->outer, i ? p->outer.dst : p->outer.src, addr);
		memcpy(pseudo + (v6 ? 16 : 4) * i, addr + (v6 ? 0 : 12), v6 ? 16 : 4);
	}
	put32(pseudo + 32, IPPROTO_UDP + len);
	sum = ~add_up(h, len, add_up(pseudo, sizeof(pseudo), 0)) & 0xffff;
	put16(h + 6, sum ? sum : 0xffff);
	return IPPROTO_UDP;
}

static inline int write_gre(struct writer *w, const struct packet *p, int type)
{
	int size = 4 + 4 * (p->checksum + !!p->id + p->sequence);
	__u8 *h = prepend(w, size);

	put16(h, (p->checksum ? 0x8000 : 0) | (p->id ? 0x2000 : 0) | (p->sequence ? 0x1000 : 0));
	put16(h + 2, type);
	if (p->id)
		put32(h + 4 + 4 * p->checksum, p->id);
	if (p->sequence)
		put32(h + size - 4, 0xfffefdfc);
	if (p->checksum)
		put16(h + 4, ~add_up(h, written(w), 0));
	return IPPROTO_GRE;
}

static inline int write_tunnel(struct writer *w, const struct packet *p, int type)
{
	__u8 *h;

	switch (p->tunnel) {
	case VXLAN:
		h = prepend(w, 8);
		h[0] = 0x08;
		put32(h + 4, p->id << 8);
		return write_udp(w, p);
	case GENEVE:
		memset(prepend(w, 4 * p->tunnel_options), 0x5a, 4 * p->tunnel_options);
		h = prepend(w, 8);
		h[0] = p->tunnel_options;
		put16(h + 2, type);
		put32(h + 4, p->id << 8);
		return write_udp(w, p);
	case GRE:
	case GRETAP:
		return write_gre(w, p, type);
	default:
		return type == ETH_P_IPV6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	}
}

/* has an Ethernet header inside: VXLAN always, Geneve as its packet says by VLANs or an even id */
static inline bool inside_is_ethernet(const struct packet *p)
{
	return p->tunnel == VXLAN || p->tunnel == GRETAP ||
	       (p->tunnel == GENEVE && (p->inside_vlans || !(p->id & 1)));
}

/* from the end to the front: the payload first; *type is what is there */
static inline struct writer *frame_begin(struct frame *frame, const struct packet *p, int *type)
{
	struct writer *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	memset(frame, 0, sizeof(*frame));
	w->at = sizeof(w->data);
	write_transport(w, p);
	*type = write_ip(w, &p->inside, p->proto);
	return w;
}

static inline void frame_end(struct frame *frame, struct writer *w)
{
	frame->len = written(w);
	memcpy(frame->data, w->data + w->at, frame->len);
	free(w);
}

static inline void packet_build(struct frame *frame, const struct packet *p)
{
	int type;
	struct writer *w = frame_begin(frame, p, &type);
	__u32 inside_l3;

	inside_l3 = written(w);
	if (inside_is_ethernet(p)) {
		write_ethernet(w, type, p->inside_vlans);
		type = ETH_P_TEB;
	}
	type = write_ip(w, &p->outer, write_tunnel(w, p, type));
	frame->l3 = written(w);
	write_ethernet(w, type, p->vlans);
	frame_end(frame, w);
	frame->headers = frame->len - p->payload;
	frame->l3 = frame->len - inside_l3;	/* of the packet inside */
	frame->skb.gso_size = p->gso_size;
}

static inline void layer_key(const struct ip_layer *ip, enum weir_hook hook,
			     struct weir_flow_key *key)
{
	memset(key, 0, sizeof(*key));
	layer_address(ip, ip->src, key->src);
	layer_address(ip, ip->dst, key->dst);
	key->family = ip->family;
	key->hook = hook;
	key->ifindex = HARNESS_IFINDEX;
}

static inline void inside_key(const struct packet *p, enum weir_hook hook,
			      struct weir_flow_key *key)
{
	layer_key(&p->inside, hook, key);
	key->proto = p->proto;
	key->flags = WEIR_KEY_INNER;
	key->tunnel = p->tunnel == IPIP ? 0 : p->id;
	if (p->proto != IPPROTO_ESP) {
		key->sport = htons(p->sport);
		key->dport = htons(p->dport);
	}
}

static inline void outer_key(const struct packet *p, enum weir_hook hook,
			     struct weir_flow_key *key)
{
	layer_key(&p->outer, hook, key);
	if (p->tunnel <= GENEVE) {
		key->proto = IPPROTO_UDP;
		key->sport = htons(p->cover);
		key->dport = htons(tunnel_port(p));
	} else if (p->tunnel == IPIP) {
		key->proto = p->inside.family == 6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	} else {
		key->proto = IPPROTO_GRE;
	}
}

static inline void random_layer(struct ip_layer *ip, int net)
{
	*ip = (struct ip_layer){
		.family = random_u32() & 1 ? 6 : 4, .ecn = random_u32() & 3,
		.dscp = random_u32() & 63, .net = net, .src = 1 + random_u32() % 250,
		.dst = 1 + random_u32() % 250,
	};
	ip->options = random_u32() % 4 ? 0 : random_u32() % (ip->family == 6 ? 4 : 11);
}

static inline void random_packet(struct packet *p)
{
	static const int protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ESP };

	*p = (struct packet){
		.tunnel = random_u32() % TUNNELS, .id = random_u32() & 0xffffff,
		.proto = protos[random_u32() & 3], .sport = 1 + random_u32() % 65535,
		.dport = 1 + random_u32() % 65535, .payload = random_u32() % 1400,
		.checksum = random_u32() & 1, .sequence = random_u32() & 1,
		.tunnel_options = random_u32() % 3 ? 0 : random_u32() % 64,
		.vlans = random_u32() % 3, .cover = 1 + random_u32() % 65535,
	};
	random_layer(&p->outer, 1);
	random_layer(&p->inside, 2);
	if (p->tunnel == GRE || p->tunnel == GRETAP)
		p->id = random_u32() & 1 ? random_u32() : 0;
	if (p->tunnel <= GENEVE || p->tunnel == GRETAP)
		p->inside_vlans = random_u32() % 3;
}

#endif
