// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_parse.c: the packet parser on the host, against arbitrary bytes, and into tunnels. Owns the
 * loads that stand in for those of bpf/skb.h; what must hold of every packet is asserted here.
 * Input: one byte (bit 0: the device has no Ethernet header, bit 1: then IPv6, else IPv4; bit 2:
 * the packet is longer than what was captured), then the packet.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <weir/bucket.h>

struct weir_cursor {
	const __u8 *data;
	__u32 len;
};

static int weir_load(const struct weir_cursor *c, __u32 off, void *to, __u32 len)
{
	if (off > 0x7fff || off + len > c->len)
		return -1;
	memcpy(to, c->data + off, len);
	return 0;
}

#include "../../bpf/tunnel.h"

/* the most that is read of a transport header */
#define TCP_LOAD ((__u32)sizeof(struct weir_tcp))

static enum weir_reason parse(const __u8 *data, __u32 captured, __u32 len, int how,
			      struct weir_packet *p)
{
	struct weir_cursor c = { data, captured };
	__be16 proto = how & 2 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);

	memset(p, 0, sizeof(*p));
	p->len = len;
	return weir_parse(&c, p, 0, how & 1 ? proto : bpf_htons(ETH_P_TEB));
}

static void check(const struct weir_packet *p, int how)
{
	const struct weir_flow_key *key = &p->key;
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	assert(key->family == 4 || key->family == 6);
	assert(p->ecn <= 3 && p->dscp <= 63);
	assert(p->l4 >= (how & 1 ? 20u : 34u) && p->headers + 8u >= p->l4);
	assert((p->flags & WEIR_P_V6 ? 6 : 4) == key->family && p->l3 < p->l4);
	assert(!(p->flags & WEIR_P_FIRST) || !(p->flags & WEIR_P_LATER));
	assert(!(key->flags & WEIR_KEY_FRAG) == !(p->flags & WEIR_P_LATER));
	if (key->family == 4)
		assert(!memcmp(key->src, mapped, 12) && !memcmp(key->dst, mapped, 12));
	if (key->flags & WEIR_KEY_FRAG)
		assert(!key->sport && !key->dport && !(p->flags & WEIR_P_SYN));
	if (p->flags & WEIR_P_SYN)
		assert(key->proto == IPPROTO_TCP && p->flags & WEIR_P_CONTROL);
}

/* as bpf/inner.h does */
static void look_inside(const __u8 *data, __u32 captured, const struct weir_packet *outer)
{
	struct weir_cursor c = { data, captured };
	struct weir_packet p = *outer;
	struct weir_inside in;
	__u8 ecn;

	memset(&in, 0xa5, sizeof(in));
	if (weir_tunnel(&c, &p, &in))
		return;
	assert(in.off >= p.l4 && in.packet.len == p.len);
	if (weir_parse(&c, &in.packet, in.off, in.proto) != WEIR_R_CONFORM)
		return;
	check(&in.packet, 1);
	assert(in.packet.l3 >= p.l4);
	ecn = in.packet.ecn;
	weir_tunnel_headers(&p, &in);
	assert(p.headers >= outer->headers && p.len <= outer->len);
	weir_tunnel_enter(&p, &in);
	assert(p.key.flags & WEIR_KEY_INNER && !(p.flags & WEIR_P_TUNNEL));
	assert(p.key.hook == outer->key.hook && p.key.ifindex == outer->key.ifindex);
	/* a mark goes to a header that is ECN-capable, and never where the packet would be lost */
	if (p.ecn == WEIR_ECT0 || p.ecn == WEIR_ECT1)
		assert(ecn == p.ecn && (p.l3 == outer->l3) == (outer->ecn != WEIR_NOT_ECT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_packet p, again;
	enum weir_reason reason;
	__u32 captured, len;

	if (size < 1 || size > 4096)
		return 0;
	captured = size - 1;
	len = data[0] & 4 ? captured + 1500 : captured;
	reason = parse(data + 1, captured, len, data[0], &p);
	if (reason != WEIR_R_CONFORM) {
		assert(reason == WEIR_R_UNPARSED || reason == WEIR_R_NOT_IP);
		return 0;
	}
	check(&p, data[0]);
	if (p.flags & WEIR_P_TUNNEL)
		look_inside(data + 1, captured, &p);
	/* nothing beyond the headers matters */
	if (captured > p.l4 + TCP_LOAD)
		captured = p.l4 + TCP_LOAD;
	assert(parse(data + 1, captured, len, data[0], &again) == reason);
	assert(!memcmp(&p, &again, sizeof(p)));
	return 0;
}
