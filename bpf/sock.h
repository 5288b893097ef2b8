/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sock.h: the socket as actuator. sock_ops asks for a callback per round-trip sample, and per burst
 * where an agent moves the rate, and carries the rate that act.h left in the socket's storage into
 * SO_MAX_PACING_RATE and TCP_NOTSENT_LOWAT; the iterator does the same for sockets older than weir,
 * and gives all of them their own values back. Only sockets of the instance's network namespace are
 * touched.
 */
#ifndef WEIR_SOCK_H
#define WEIR_SOCK_H

#include <weir/bucket.h>
#include "maps.h"

#define WEIR_SOL_SOCKET 1
#define WEIR_SO_MAX_PACING_RATE 47
#define WEIR_SOL_TCP 6
#define WEIR_TCP_NOTSENT_LOWAT 25
#define WEIR_TCP_BPF_SOCK_OPS_CB_FLAGS 1008	/* as a socket option: kernel 6.12 */
/* a writer is woken below half of it: one packet waits when the next comes */
#define WEIR_LOWAT_MIN 3072
#define WEIR_LOWAT_MAX (4 << 20)

const volatile __u64 netns_cookie;

/* what of `struct bpf_iter__tcp` and `struct sock_common` is read (BTF finds the offsets) */
struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
} __attribute__((preserve_access_index));

struct minmax_sample {
	__u32 v;
} __attribute__((preserve_access_index));

struct minmax {
	struct minmax_sample s[3];
} __attribute__((preserve_access_index));

struct tcp_sock {
	struct minmax rtt_min;		/* us; ~0: none yet */
	__u32 mss_cache;
} __attribute__((preserve_access_index));

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
} __attribute__((preserve_access_index));

/* what the helpers write: half of a __u64 would be the wrong one on big-endian machines */
_Static_assert(sizeof(((struct weir_sock *)0)->saved_rate) == 4, "an option is an int");
_Static_assert(sizeof(((struct weir_sock *)0)->saved_lowat) == 4, "an option is an int");

/*
 * Sets an option, and keeps what the socket has if it is not what weir has set: it is the
 * application's own, which may change it at any time. ctx is what the helpers take.
 */
#define WEIR_SET(ctx, level, option, was, saved, value) ({ \
	__u32 has_ = 0, value_; \
	long r_; \
	if (!bpf_getsockopt(ctx, level, option, &has_, 4) && has_ != (was)) \
		(saved) = has_; \
	value_ = (value); \
	r_ = bpf_setsockopt(ctx, level, option, &value_, 4); \
	if (!r_) \
		(was) = value_; \
	r_; \
})

/*
 * SO_MAX_PACING_RATE takes bytes/s as an int: up to 34 Gbit/s, beyond which no pacing is needed to
 * protect anyone. The smaller of the rate and the application's own holds.
 */
#define WEIR_PACE(ctx, s, wanted) ({ \
	__u64 wanted_ = (wanted); \
	__u32 rate_ = wanted_ && wanted_ < 0xffffffff ? (__u32)wanted_ : 0xffffffff; \
	WEIR_SET(ctx, WEIR_SOL_SOCKET, WEIR_SO_MAX_PACING_RATE, (s)->set_rate, (s)->saved_rate, \
		 (s)->saved_rate && (s)->saved_rate < rate_ ? (s)->saved_rate : rate_); \
})

/* The send buffer that goes with the rate. */
#define WEIR_BUFFER(ctx, s) do { \
	__u32 lowat_ = (__u32)((s)->rate / 100); \
	if (lowat_ < WEIR_LOWAT_MIN) \
		lowat_ = WEIR_LOWAT_MIN; \
	if (lowat_ > WEIR_LOWAT_MAX) \
		lowat_ = WEIR_LOWAT_MAX; \
	WEIR_SET(ctx, WEIR_SOL_TCP, WEIR_TCP_NOTSENT_LOWAT, (s)->set_lowat, (s)->saved_lowat, \
		 !(s)->rate || ((s)->saved_lowat && (s)->saved_lowat < lowat_) ? \
		 (s)->saved_lowat : lowat_); \
	(s)->applied = (s)->rate; \
} while (0)

/* Carries storage into the socket. */
#define WEIR_APPLY(ctx, s) do { \
	if (!WEIR_PACE(ctx, s, (s)->rate)) \
		(s)->flags |= WEIR_SK_APPLIED; \
	WEIR_BUFFER(ctx, s); \
} while (0)

#define WEIR_TCP_BPF_SNDCWND_CLAMP 1002
#define WEIR_CLAMP_BELOW 200000		/* bytes/s, 1.6 Mbit/s: above, TCP is left alone */
#define WEIR_CLAMP_RTT_US 5000		/* on longer ones TCP sends less at once by itself */
#define WEIR_CLAMP_MIN 2		/* segments */
#define WEIR_CLAMP_ACK_US 80000		/* twice the time for which a receiver delays an ACK */
#define WEIR_CLAMP_NONE 0x7fffffff

/*
 * The window that the rate needs, twice over, or 0: no bound. On a short round trip TCP sends up
 * to 64 KiB at once, which is half a second of 1 Mbit/s; but never more than half of its window.
 * By the least round trip: others contain what the socket itself has waiting in fq.
 */
static __always_inline __u32 weir_clamp(const struct tcp_sock *sk, __u64 rate)
{
	__u64 mss = sk->mss_cache, us = sk->rtt_min.s[0].v;

	if (!rate || rate >= WEIR_CLAMP_BELOW || !mss || us >= WEIR_CLAMP_RTT_US)
		return 0;
	return WEIR_CLAMP_MIN + rate * (2 * us + WEIR_CLAMP_ACK_US) / (mss * 1000000);
}

/* set anew when it has to grow, or has become twice too wide: the option also resets ssthresh */
#define WEIR_BOUND_WINDOW(ctx, tp, s) do { \
	__u32 need_ = weir_clamp(tp, (s)->rate), set_ = need_ ? need_ : WEIR_CLAMP_NONE; \
	if ((need_ || (s)->clamp) && \
	    (8 * need_ > 9 * (s)->clamp || 2 * need_ < (s)->clamp) && \
	    !bpf_setsockopt(ctx, WEIR_SOL_TCP, WEIR_TCP_BPF_SNDCWND_CLAMP, &set_, 4)) \
		(s)->clamp = need_; \
} while (0)

/*
 * What was asked for with the last burst, by the level of now, if that is lower: many may have come
 * since. Where an agent moves the rate, if it is higher, too: there it moves faster than packets
 * come.
 */
static __always_inline void weir_sock_refresh(struct weir_sock *asked)
{
	const struct weir_class_state *state;
	__u32 slot = asked->class_slot, level;

	if (!asked->level)
		return;
	state = bpf_map_lookup_elem(&class_state, &slot);
	if (!state)
		return;
	level = weir_slow(state->npb_level);
	if (!level || level == asked->level ||
	    (level < asked->level && !(asked->flags & WEIR_SK_LEASED)))
		return;
	asked->rate = (asked->rate >> 4) * weir_ratio(asked->level, level) >>
		      (WEIR_RATIO_SHIFT - 4);
	asked->level = level;
}

/*
 * TCP fixes the pause after a burst when it sends it. Where an agent moves the rate, a rate set at
 * the last ACK is a pause old by then; but the kernel asks for header options just before, and the
 * rate of that moment is set there. A raise shows at an ACK alone: from one burst to the next the
 * socket is allowed more than it will get.
 */
#define WEIR_AHEAD 4
static __always_inline void weir_sock_follow(struct bpf_sock_ops *ctx, struct weir_sock *asked)
{
	__u32 flags = ctx->bpf_sock_ops_cb_flags, want = flags;
	int ahead = asked->level && asked->flags & WEIR_SK_LEASED;

	if (ahead) {
		want |= BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG;
		if (want != flags)
			asked->flags |= WEIR_SK_HEADER;
	} else if (asked->flags & WEIR_SK_HEADER) {
		/* else it is another program's, which writes options */
		want &= ~BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG;
		asked->flags &= ~WEIR_SK_HEADER;
	}
	if (want != flags)
		bpf_sock_ops_cb_flags_set(ctx, want);
	/* else what was set is so many times the rate: at the first ACK without, too */
	if ((asked->rate != asked->applied || ahead || want != flags) &&
	    !WEIR_PACE(ctx, asked, asked->rate * (ahead ? WEIR_AHEAD : 1)))
		asked->flags |= WEIR_SK_APPLIED;
	if (asked->rate != asked->applied)
		WEIR_BUFFER(ctx, asked);
}

/* What it sends is answered, but no hook sees it any more: it leaves by a device without one. */
static __always_inline void weir_sock_lost(struct weir_sock *asked)
{
	if (asked->rate &&
	    weir_asked_ago(asked->asked_at, bpf_ktime_get_coarse_ns()) >= WEIR_ASKED_LOST)
		asked->rate = asked->level = 0;
}

static __always_inline int weir_sockops_run(struct bpf_sock_ops *ctx)
{
	struct weir_sock *asked;
	struct tcp_sock *tp;
	struct bpf_sock *sk;

	switch (ctx->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		if (bpf_get_netns_cookie(ctx) != netns_cookie)
			return 1;
		bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags |
					  BPF_SOCK_OPS_RTT_CB_FLAG);
		break;
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		/* asked for a size alone: nothing is sent */
		if (ctx->args[0] == BPF_WRITE_HDR_TCP_CURRENT_MSS)
			return 1;
		break;
	case BPF_SOCK_OPS_RTT_CB:
		break;
	default:
		return 1;
	}
	sk = ctx->sk;
	if (!sk)
		return 1;
	asked = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!asked)
		return 1;
	weir_sock_lost(asked);
	weir_sock_refresh(asked);
	if (ctx->op == BPF_SOCK_OPS_HDR_OPT_LEN_CB) {
		if (asked->level && asked->flags & WEIR_SK_LEASED)
			WEIR_PACE(ctx, asked, asked->rate);
		return 1;
	}
	weir_sock_follow(ctx, asked);
	if (asked->rate < WEIR_CLAMP_BELOW || asked->clamp) {
		tp = bpf_skc_to_tcp_sock(sk);
		if (tp)
			WEIR_BOUND_WINDOW(ctx, tp, asked);
	}
	return 1;
}

#endif
