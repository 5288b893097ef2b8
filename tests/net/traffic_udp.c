// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic_udp.c: UDP at a rate counted on the wire. The source counts what the kernel took and
 * what it refused, by errno; the sink counts every packet, also the stragglers after stop, so
 * that sent = received + dropped can be checked exactly.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include "traffic.h"

#define BATCH 32
#define TICK_NS 100000ULL		/* packets closer than this are sent in small batches */
#define LAG_NS (50 * MSEC)		/* further behind, the schedule is given up */

static void source_stop(struct loop *loop, struct end *end, uint64_t now)
{
	loop_done(loop, end);
	__atomic_store_n(&end->flow->done_ns, now, __ATOMIC_RELEASE);
}

/* returns how many of n the kernel took or refused for good; 0: try again later */
static int send_batch(struct loop *loop, struct flow *flow, int n)
{
	struct iovec iov = {.iov_base = loop->buf, .iov_len = flow->spec->size_bytes};
	struct sockaddr_storage to[BATCH];
	struct mmsghdr msgs[BATCH];
	int i;

	memset(msgs, 0, sizeof(msgs));
	for (i = 0; i < n; i++) {
		msgs[i].msg_hdr.msg_iov = &iov;
		msgs[i].msg_hdr.msg_iovlen = 1;
		if (!flow->spec->spray)
			continue;
		to[i] = flow->spec->addr;
		/* the port lies at the same place in both families */
		((struct sockaddr_in *)&to[i])->sin_port =
			htons(ntohs(((struct sockaddr_in *)&to[i])->sin_port) +
			      (flow->sent + i) % flow->spec->spray);
		msgs[i].msg_hdr.msg_name = &to[i];
		msgs[i].msg_hdr.msg_namelen = to[i].ss_family == AF_INET
						      ? sizeof(struct sockaddr_in)
						      : sizeof(struct sockaddr_in6);
	}
	n = sendmmsg(flow->tx_fd, msgs, n, MSG_DONTWAIT);
	if (n > 0) {
		flow->sent += n;
		return n;
	}
	switch (errno) {
	case ENOBUFS:
		flow->enobufs++;
		return 1;
	case EPERM:
		flow->eperm++;
		return 1;
	case EAGAIN:
		flow->eagain++;
		return 0;
	case EINTR:
	case ECONNREFUSED:	/* an ICMP error for an earlier packet */
		return 0;
	}
	flow->error = errno;
	return -1;
}

static void source_timer(struct loop *loop, struct end *end, uint64_t now)
{
	struct flow *flow = end->flow;
	struct spec *spec = flow->spec;
	/* 2^-10 ns, so that a short interval keeps its remainder */
	uint64_t step = (spec->size_bytes + flow_header_bytes(flow)) * 8 * (SEC << 10) /
			spec->rate_bps;
	uint64_t due_k = ((now - flow->start_ns) << 10) / step + 1;

	if (due_k - flow->next_k > (LAG_NS << 10) / step + 1)
		flow->next_k = due_k - 1;
	while (flow->next_k < due_k && now < flow->stop_ns) {
		uint64_t n = due_k - flow->next_k < BATCH ? due_k - flow->next_k : BATCH;
		int taken;

		if (spec->packets && n > spec->packets - flow->sent)
			n = spec->packets - flow->sent;
		taken = send_batch(loop, flow, n);
		if (taken > 0)
			flow->next_k += taken;
		if (taken < 0 || (spec->packets && flow->sent >= spec->packets)) {
			source_stop(loop, end, now);
			return;
		}
		if (!taken)
			break;
	}
	if (now >= flow->stop_ns) {
		source_stop(loop, end, now);
		return;
	}
	end->due_ns = flow->start_ns + ((flow->next_k * step) >> 10);
	/* what is overdue waits for room in the socket's buffer */
	if ((step >> 10 < TICK_NS || end->due_ns <= now) && end->due_ns < now + TICK_NS)
		end->due_ns = now + TICK_NS;
	if (end->due_ns > flow->stop_ns)
		end->due_ns = flow->stop_ns;
}

void udp_source(struct loop *loop, struct flow *flow)
{
	struct end *end = loop_add(loop, flow->tx_fd, 0, flow);

	end->timer = source_timer;
	end->ready = source_timer;	/* only EPOLLERR is ever reported */
	end->due_ns = flow->start_ns;
}

/* the codepoint of the packet and its arrival time */
static void read_cmsgs(struct flow *flow, struct msghdr *hdr, uint64_t *arrival_ns)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)) {
			flow->received_ce += (*(unsigned char *)CMSG_DATA(c) & 3) == 3;
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
			struct timespec ts;

			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			*arrival_ns = ts.tv_sec * SEC + ts.tv_nsec;
		}
	}
}

static void sink_ready(struct loop *loop, struct end *end, uint64_t now)
{
	struct flow *flow = end->flow;
	struct mmsghdr msgs[BATCH];
	char control[BATCH][128] __attribute__((aligned(8)));
	struct iovec iov = {.iov_base = loop->buf, .iov_len = 1};
	int i, n;

	memset(msgs, 0, sizeof(msgs));
	for (i = 0; i < BATCH; i++) {
		msgs[i].msg_hdr.msg_iov = &iov;
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_control = control[i];
		msgs[i].msg_hdr.msg_controllen = sizeof(control[i]);
	}
	/* MSG_TRUNC: the length is the packet's, although only one byte is copied */
	n = recvmmsg(end->fd, msgs, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
	for (i = 0; i < n; i++) {
		uint64_t arrival_ns = 0;

		read_cmsgs(flow, &msgs[i].msg_hdr, &arrival_ns);
		if (arrival_ns && flow->asked_ns)
			values_add(&flow->latency, arrival_ns - flow->asked_ns);
		flow->asked_ns = arrival_ns;
		flow->received++;
		flow->received_bytes += msgs[i].msg_len;
		flow_count(loop->run, flow, msgs[i].msg_len, now);
	}
}

/* done once the source has ended and nothing has come for a while */
static void sink_timer(struct loop *loop, struct end *end, uint64_t now)
{
	uint64_t done_ns = __atomic_load_n(&end->flow->done_ns, __ATOMIC_ACQUIRE);
	uint64_t last = done_ns > end->flow->last_ns ? done_ns : end->flow->last_ns;

	if (done_ns && now >= last + TRAFFIC_QUIET_NS) {
		loop_done(loop, end);
		return;
	}
	end->due_ns = (done_ns ? last : now) + TRAFFIC_QUIET_NS;
}

void udp_sink(struct loop *loop, struct flow *flow)
{
	struct end *end = loop_add(loop, flow->rx_fd, EPOLLIN, flow);

	end->ready = sink_ready;
	end->timer = sink_timer;
	end->due_ns = flow->start_ns;
}
