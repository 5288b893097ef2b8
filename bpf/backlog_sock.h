/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backlog_sock.h: the few fields of the kernel's sockets that are read; BTF finds their offsets
 * when the object is loaded. Nothing else.
 */
#ifndef WEIR_BACKLOG_SOCK_H
#define WEIR_BACKLOG_SOCK_H

#include <linux/types.h>

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_CLOSE_WAIT 8
#define TCP_LISTEN 10
#define RCV_SHUTDOWN 1

#define WEIR_CORE __attribute__((preserve_access_index))

typedef struct {
	int counter;
} atomic_t;

struct in6_bytes {
	__u8 bytes[16];
};

struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	int skc_bound_dev_if;
	struct in6_bytes skc_v6_daddr, skc_v6_rcv_saddr;
} WEIR_CORE;

struct sk_buff_head {
	__u32 qlen;
} WEIR_CORE;

struct socket;

struct sock {
	struct sock_common __sk_common;
	atomic_t sk_drops;
	struct sk_buff_head sk_receive_queue;
	__u8 sk_shutdown;
	__u32 sk_ack_backlog;
	struct socket *sk_socket;
} WEIR_CORE;

struct inet_sock {
	struct sock sk;
} WEIR_CORE;

struct inet_connection_sock {
	struct inet_sock icsk_inet;
} WEIR_CORE;

struct tcp_rack {
	__u32 rtt_us;
} WEIR_CORE;

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 rcv_nxt, copied_seq;
	__u32 srtt_us;
	struct tcp_rack rack;
	__u32 delivered, delivered_ce;
	__u32 total_retrans;
} WEIR_CORE;

/* kernel 6.18: UDP counts its drops here and no longer in sk_drops */
struct numa_drop_counters {
	atomic_t drops0, drops1;
} WEIR_CORE;

struct udp_sock {
	struct inet_sock inet;
	struct sk_buff_head reader_queue;
	struct numa_drop_counters drop_counters;
} WEIR_CORE;

struct bpf_iter_meta;

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
} WEIR_CORE;

struct bpf_iter__udp {
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
} WEIR_CORE;

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct sock *sk;
	void *value;
} WEIR_CORE;

#endif
