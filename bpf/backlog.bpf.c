// SPDX-License-Identifier: GPL-2.0-only
/*
 * backlog.bpf.c: how far behind the local sockets are, class by class: iterators over TCP and UDP
 * sockets of one network namespace, run by the agent. Reads sockets and the flow table; writes
 * its own memory and storage alone. An object of its own: weir shapes without it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_core_read.h>

#include "backlog_maps.h"
#include "backlog_sock.h"

#define STUCK_NS 1000000000ULL
#define LOST_NS 4000000000ULL		/* not looked at by its key for so long: listed anew */
#define UNSURE 0x10000			/* there may be another class soon */

struct weir_backlog classes[WEIR_MAX_CLASSES];
struct weir_ports ports;
struct weir_dev_key devices[WEIR_BACKLOG_DEVICES];	/* attached hooks */
__u32 n_devices;
__u64 generation;
__u64 now;
/* as their flows leave; listeners have no dst; ifindex: of the device that they are bound to */
struct weir_flow_key keys[WEIR_BACKLOG_KEYS];
__u32 n_keys, n_kept;
__u32 bound[WEIR_BACKLOG_BOUND];	/* the devices among those */
__u32 n_bound;
__u32 bound_now, n_met;			/* of this run; sockets that were there */
__u32 n_left_out;			/* sockets that found no room */
const volatile __u32 by_key;

static __always_inline struct weir_backlog *class_of(__u32 slot)
{
	if (slot >= WEIR_MAX_CLASSES)
		return NULL;
	/* so that the bound is checked on the very register that is used */
	asm volatile("" : "+r"(slot));
	return &classes[slot & (WEIR_MAX_CLASSES - 1)];
}

static __always_inline __u16 slot_of_port(const __u16 *table, __u32 port)
{
	return table[port & 0xffff];
}

/* the socket's addresses and ports as the key of the flow that leaves it */
static __always_inline int key_of(const struct sock_common *sk, struct weir_flow_key *key,
				  __u8 proto)
{
	__u32 *src = (__u32 *)key->src, *dst = (__u32 *)key->dst;
	const __u32 *from, *to;

	key->proto = proto;
	key->sport = bpf_htons(sk->skc_num);
	key->dport = sk->skc_dport;
	if (sk->skc_family == AF_INET) {
		src[2] = dst[2] = bpf_htonl(0xffff);
		src[3] = sk->skc_rcv_saddr;
		dst[3] = sk->skc_daddr;
		key->family = 4;
		return 0;
	}
	if (sk->skc_family != AF_INET6 || !bpf_core_field_exists(sk->skc_v6_daddr))
		return -1;
	/* by loads: a kernel that is locked down (confidentiality) lets nobody copy its memory */
	from = (const __u32 *)&sk->skc_v6_rcv_saddr;
	to = (const __u32 *)&sk->skc_v6_daddr;
	for (int i = 0; i < 4; i++) {
		src[i] = from[i];
		dst[i] = to[i];
	}
	key->family = !src[0] && !src[1] && src[2] == bpf_htonl(0xffff) ? 4 : 6;
	return 0;
}

static __always_inline void turn(struct weir_flow_key *key)
{
	struct weir_flow_key back = *key;

	__builtin_memcpy(key->src, back.dst, 16);
	__builtin_memcpy(key->dst, back.src, 16);
	key->sport = back.dport;
	key->dport = back.sport;
}

/*
 * Where the flow is on an attached hook of the key: its class's slot, and UNSURE where that is of
 * an older policy. Else WEIR_NO_CLASS, and UNSURE where there is such a hook. Global, as below:
 * verified once, or each device would double what is.
 */
__attribute__((noinline)) int weir_find_flow(struct weir_flow_key *key)
{
	const struct weir_flow *flow;
	struct weir_flow_key own;
	int none = WEIR_NO_CLASS;
	__u32 i;

	if (!key)
		return none;
	own = *key;
	for (i = 0; i < WEIR_BACKLOG_DEVICES; i++) {
		if (i >= n_devices)
			break;
		if (devices[i].hook != own.hook)
			continue;
		none = WEIR_NO_CLASS | UNSURE;
		own.ifindex = devices[i].ifindex;
		flow = bpf_map_lookup_elem(&flows, &own);
		if (flow)
			return flow->class_slot |
			       (flow->generation != (__u32)generation ? UNSURE : 0);
	}
	return none;
}

/* the class known before where there is no flow: one direction's flow comes first */
static __always_inline __u16 slot_by_flow(struct weir_flow_key *key, __u8 hook, __u16 before,
					  __u8 *unsure)
{
	int found;

	key->hook = hook;
	found = weir_find_flow(key);
	*unsure |= found & UNSURE ? 1 : 0;
	return (found & 0xffff) == WEIR_NO_CLASS ? before : found & 0xffff;
}

/* Global: verified once. */
__attribute__((noinline)) int weir_classify_socket(struct weir_flow_key *key,
						   struct weir_seen *last)
{
	struct weir_flow_key own;
	__u8 unsure = 0;

	if (!key || !last)
		return 0;
	own = *key;
	last->out_slot = slot_by_flow(&own, WEIR_EGRESS, last->out_slot, &unsure);
	turn(&own);
	last->in_slot = slot_by_flow(&own, WEIR_INGRESS, last->in_slot, &unsure);
	/* else looked for again when something has moved */
	last->generation = unsure ? 0 : generation + 1;
	return 0;
}

static __always_inline void receiver(struct weir_seen *last, const struct tcp_sock *tp,
				     __u32 copied, __u32 received, __u32 unread)
{
	struct weir_backlog *class = class_of(last->in_slot);
	__u8 state = tp->inet_conn.icsk_inet.sk.__sk_common.skc_state;
	__u8 accepted = tp->inet_conn.icsk_inet.sk.sk_socket != NULL;

	/* closed by its application: nobody will read it */
	if (!accepted && state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT)
		return;
	if (copied != last->copied || !unread)
		last->read_ns = now;
	if (!class)
		return;
	class->sockets++;
	/* what nobody can read yet waits as a connection, which may be gone once it is accepted */
	if (!accepted) {
		class->waiting++;
		class->arrived += !last->known;
	} else if (now - last->read_ns > STUCK_NS) {
		class->stuck += unread;
	} else {
		class->unread += unread;
	}
	if (!last->known)
		return;
	class->served += copied - last->copied;
	class->received += received - last->received;
}

static __always_inline void sender(const struct weir_seen *last, const struct tcp_sock *tp)
{
	struct weir_backlog *class = class_of(last->out_slot);
	/* the last packet's; the mean of the last eight answers is late where they are few */
	__u32 rtt_us = tp->rack.rtt_us ?: tp->srtt_us >> 3;

	if (!class || !last->known)
		return;
	/* also while nothing is answered */
	class->lost += tp->total_retrans - last->lost;
	if (tp->delivered == last->delivered)
		return;
	class->rtt_us += rtt_us;
	class->rtt_n++;
	class->delivered += tp->delivered - last->delivered;
	class->delivered_ce += tp->delivered_ce - last->delivered_ce;
}

static __always_inline void connection(const struct sock_common *common, const struct tcp_sock *tp,
				       struct weir_seen *last)
{
	__u32 copied = tp->copied_seq, received = tp->rcv_nxt, unread = received - copied;
	struct weir_flow_key key = {};

	if (!last->known)
		last->in_slot = last->out_slot = WEIR_NO_CLASS;
	if (last->generation != generation + 1 &&
	    (!last->known || received != last->received || tp->delivered != last->delivered)) {
		if (!key_of(common, &key, IPPROTO_TCP))
			weir_classify_socket(&key, last);
	}
	/* a FIN takes a number, but there is nothing to read */
	if (unread && tp->inet_conn.icsk_inet.sk.sk_shutdown & RCV_SHUTDOWN)
		unread--;
	if ((__s32)unread < 0)
		unread = 0;
	receiver(last, tp, copied, received, unread);
	sender(last, tp);
	last->copied = copied;
	last->received = received;
	last->delivered = tp->delivered;
	last->delivered_ce = tp->delivered_ce;
	last->lost = tp->total_retrans;
	last->known = 1;
}

static __always_inline void look(const struct tcp_sock *tp, struct weir_seen *last)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u8 state = sk->__sk_common.skc_state;
	struct weir_backlog *class;

	/* the other side has not yet said where its numbers begin: they would pass for bytes */
	if (state == TCP_SYN_SENT) {
		last->known = 0;
		return;
	}
	if (state != TCP_LISTEN) {
		connection(&sk->__sk_common, tp, last);
		return;
	}
	class = class_of(slot_of_port(ports.tcp, sk->__sk_common.skc_num));
	if (class)
		class->listening += sk->sk_ack_backlog;
}

static __always_inline struct weir_flow_key *key_at(__u32 i)
{
	if (i >= WEIR_BACKLOG_KEYS)
		return NULL;
	asm volatile("" : "+r"(i));
	return &keys[i & (WEIR_BACKLOG_KEYS - 1)];
}

/* a device that sockets are bound to is known from now on; not, where there are too many */
static __always_inline int bound_to(__u32 ifindex)
{
	__u32 i;

	if (!ifindex)
		return 1;
	for (i = 0; i < WEIR_BACKLOG_BOUND; i++) {
		if (i < n_bound && bound[i] != ifindex)
			continue;
		if (i >= n_bound)
			n_bound = i + 1;
		bound[i] = ifindex;
		return 1;
	}
	return 0;
}

static __always_inline void list(const struct sock_common *common, struct weir_seen *last)
{
	struct weir_flow_key *key = key_at(n_keys), own = {};

	if ((last->looked_ns && now - last->looked_ns < LOST_NS) ||
	    key_of(common, &own, IPPROTO_TCP))
		return;
	own.ifindex = common->skc_bound_dev_if;
	if (!key || !bound_to(own.ifindex)) {
		n_left_out++;
		return;
	}
	*key = own;
	n_keys++;
	last->looked_ns = now - 1;	/* found, not yet looked at */
}

/*
 * The kernel's table of sockets may have hundreds of thousands of places, used or not: walking it
 * finds the sockets of this namespace now and then, and gives each the storage by which a pass
 * below reaches them without it; or, by_key, notes how to ask for them.
 */
SEC("iter/tcp")
int weir_backlog_find(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct weir_seen *last;
	struct tcp_sock *tp;

	if (!common)
		return 0;
	tp = bpf_skc_to_tcp_sock(common);
	if (!tp)
		return 0;
	last = bpf_sk_storage_get(&seen, tp, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (last && by_key)
		list(common, last);
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int weir_backlog_tcp(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct weir_seen *last = ctx->value;
	struct sock *sk = ctx->sk;
	struct tcp_sock *tp;

	if (!sk || !last)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp)
		look(tp, last);
	return 0;
}

static __always_inline struct bpf_sock *socket_of(struct __sk_buff *skb,
						   const struct weir_flow_key *key)
{
	const __u32 *src = (const __u32 *)key->src, *dst = (const __u32 *)key->dst;
	struct bpf_sock_tuple tuple = {};

	if (key->family == 4) {
		tuple.ipv4.saddr = dst[3];
		tuple.ipv4.daddr = src[3];
		tuple.ipv4.sport = key->dport;
		tuple.ipv4.dport = key->sport;
		return bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(tuple.ipv6.saddr, dst, 16);
	__builtin_memcpy(tuple.ipv6.daddr, src, 16);
	tuple.ipv6.sport = key->dport;
	tuple.ipv6.dport = key->sport;
	return bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* one listed socket; it stays on the list while it is there, once */
static long look_at(__u32 i, struct __sk_buff **skb)
{
	struct weir_flow_key *key = key_at(i), *to = key_at(n_kept);
	struct weir_seen *last = NULL;
	struct tcp_sock *tp;
	struct bpf_sock *sk;

	if (!key || !to)
		return 1;
	if (key->ifindex != bound_now) {
		*to = *key;
		n_kept++;
		return 0;
	}
	sk = socket_of(*skb, key);
	if (!sk)
		return 0;
	/* where a connection has gone, its listener answers */
	tp = key->dport && sk->state == TCP_LISTEN ? NULL : bpf_skc_to_tcp_sock(sk);
	if (tp)
		last = bpf_sk_storage_get(&seen, sk, NULL, 0);
	if (last && last->looked_ns != now) {
		last->looked_ns = now;
		look(tp, last);
		*to = *key;
		n_kept++;
		n_met++;
	}
	bpf_sk_release(sk);
	return 0;
}

/*
 * For kernels that let nobody iterate over storage: asks for each socket by its addresses and
 * ports. Run by the agent, with a packet that goes nowhere: of no device in particular, and of each
 * that sockets are bound to, since those answer their device's packets alone.
 */
SEC("tc")
int weir_backlog_keys(struct __sk_buff *skb)
{
	n_kept = n_met = 0;
	bpf_loop(n_keys, look_at, &skb, 0);
	n_keys = n_kept;
	return 0;
}

SEC("iter/udp")
int weir_backlog_udp(struct bpf_iter__udp *ctx)
{
	struct udp_sock *up = ctx->udp_sk;
	const struct sock_common *common;
	struct weir_backlog *class;
	struct weir_flow_key key = {};
	struct weir_seen *last;
	__u32 drops;

	if (!up)
		return 0;
	common = &up->inet.sk.__sk_common;
	last = bpf_sk_storage_get(&seen, up, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!last)
		return 0;
	if (last->generation != generation + 1) {
		last->in_slot = slot_of_port(ports.udp, common->skc_num);
		last->out_slot = WEIR_NO_CLASS;
		last->generation = generation + 1;
		if (common->skc_dport && !key_of(common, &key, IPPROTO_UDP))
			weir_classify_socket(&key, last);
	}
	class = class_of(last->in_slot);
	if (!class)
		return 0;
	drops = up->inet.sk.sk_drops.counter;
	if (bpf_core_field_exists(up->drop_counters))
		drops += up->drop_counters.drops0.counter + up->drop_counters.drops1.counter;
	class->sockets++;
	class->udp_sockets++;
	class->udp_packets += up->inet.sk.sk_receive_queue.qlen + up->reader_queue.qlen;
	if (last->known)
		class->udp_dropped += drops - last->drops;
	last->drops = drops;
	last->known = 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
