// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic_tcp.c: bulk TCP. The source writes small pieces as long as the socket takes them (or
 * at a rate); the sink counts what it reads. Both read TCP_INFO when the flow's time is up; the
 * source then resets the connection, so that nothing of it is left on the wire.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "traffic.h"

#define WRITES_PER_TURN 32	/* then the other flows of the loop get their turn */

static void read_info(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len);
}

static void reset(int *fd)
{
	struct linger linger = {.l_onoff = 1};

	if (*fd < 0)
		return;
	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(*fd);
	*fd = -1;
}

/* has the connection come about? Notes the error where it never will */
bool tcp_connected(struct flow *flow)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (flow->connected)
		return true;
	getsockopt(flow->tx_fd, SOL_SOCKET, SO_ERROR, &error, &len);
	flow->error = error;
	flow->connected = !error;
	return flow->connected;
}

void tcp_start(struct loop *loop, struct end *end, end_fn then)
{
	struct spec *spec = end->flow->spec;
	socklen_t len = spec->addr.ss_family == AF_INET ? sizeof(struct sockaddr_in)
							: sizeof(struct sockaddr_in6);

	if (connect(end->fd, (void *)&spec->addr, len) < 0 && errno != EINPROGRESS)
		end->flow->error = errno;
	end->timer = then;
	end->due_ns = end->flow->stop_ns;
	loop_events(loop, end, EPOLLOUT);
}

struct flow *tcp_accept(struct loop *loop, struct end *listener)
{
	struct sockaddr_in6 peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(listener->fd, (void *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct flow *flow;

	if (fd < 0)
		return NULL;
	/* the port lies at the same place in both families */
	flow = flow_by_port(loop->run, listener->spec, ntohs(peer.sin6_port));
	if (!flow || flow->rx_fd >= 0) {
		close(fd);
		return NULL;
	}
	flow->rx_fd = fd;
	return flow;
}

static void source_stop(struct loop *loop, struct end *end, uint64_t now)
{
	struct flow *flow = end->flow;

	read_info(end->fd, &flow->tx_info);
	loop_done(loop, end);
	reset(&flow->tx_fd);
	__atomic_store_n(&flow->done_ns, now, __ATOMIC_RELEASE);
}

/* 0 written, -1 the socket is full, -2 the connection is gone */
static int write_once(struct loop *loop, struct end *end)
{
	ssize_t n = send(end->fd, loop->buf, end->flow->spec->write_bytes,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0)
		return 0;
	if (errno == EAGAIN || errno == EINTR)
		return -1;
	end->flow->error = errno;
	return -2;
}

static void source_ready(struct loop *loop, struct end *end, uint64_t now)
{
	int i, rc = 0;

	if (!tcp_connected(end->flow)) {
		source_stop(loop, end, now);
		return;
	}
	for (i = 0; i < WRITES_PER_TURN && !rc; i++)
		rc = write_once(loop, end);
	if (rc == -2)
		source_stop(loop, end, now);
}

/* with a rate: one write each time it is due; a full socket loses its turn */
static void paced_timer(struct loop *loop, struct end *end, uint64_t now)
{
	struct flow *flow = end->flow;
	uint64_t step = flow->spec->write_bytes * 8 * SEC / flow->spec->rate_bps;
	uint64_t due = flow->start_ns + flow->next_k * step;

	if (now >= flow->stop_ns) {
		source_stop(loop, end, now);
		return;
	}
	if (flow->connected && now >= due) {
		if (write_once(loop, end) == -2) {
			source_stop(loop, end, now);
			return;
		}
		flow->next_k = (now - flow->start_ns) / step + 1;
		due = flow->start_ns + flow->next_k * step;
	}
	end->due_ns = flow->connected && due < flow->stop_ns ? due : flow->stop_ns;
}

static void paced_ready(struct loop *loop, struct end *end, uint64_t now)
{
	if (!tcp_connected(end->flow)) {
		source_stop(loop, end, now);
		return;
	}
	loop_events(loop, end, 0);
	paced_timer(loop, end, now);
}

static void source_start(struct loop *loop, struct end *end, uint64_t now)
{
	tcp_start(loop, end, end->flow->spec->rate_bps ? paced_timer : source_stop);
	if (end->flow->error)
		source_stop(loop, end, now);
}

void tcp_source(struct loop *loop, struct flow *flow)
{
	struct end *end = loop_add(loop, flow->tx_fd, 0, flow);

	end->ready = flow->spec->rate_bps ? paced_ready : source_ready;
	end->timer = source_start;
	end->due_ns = flow->start_ns;
}

static void sink_stop(struct loop *loop, struct end *end, uint64_t now)
{
	(void)now;
	read_info(end->fd, &end->flow->rx_info);
	loop_done(loop, end);
}

/* what has arrived since the step before; a short segment counts as a full one */
static void sink_arrivals(struct loop *loop, struct end *end, uint64_t now)
{
	struct flow *flow = end->flow;

	uint64_t step = loop->run->step_ns;
	uint32_t segments;

	read_info(end->fd, &flow->rx_info);
	segments = flow->rx_info.tcpi_data_segs_in - flow->segments;
	flow_count(loop->run, flow, (uint64_t)segments * flow->rx_info.tcpi_rcv_mss, now - 1);
	flow->segments = flow->rx_info.tcpi_data_segs_in;
	if (now >= flow->stop_ns)
		sink_stop(loop, end, now);
	else
		end->due_ns = now + step - (now - flow->start_ns) % step;
}

static void sink_ready(struct loop *loop, struct end *end, uint64_t now)
{
	/* MSG_TRUNC: TCP throws the bytes away without a copy */
	ssize_t n = recv(end->fd, loop->buf, TRAFFIC_BUF, MSG_DONTWAIT | MSG_TRUNC);

	if (n > 0) {
		if (!loop->run->arrivals)
			flow_count(loop->run, end->flow, n, now);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		sink_stop(loop, end, now);
	}
}

static void sink_accept(struct loop *loop, struct end *end, uint64_t now)
{
	struct flow *flow = tcp_accept(loop, end);
	struct end *sink;

	if (!flow)
		return;
	sink = loop_add(loop, flow->rx_fd, EPOLLIN, flow);
	sink->ready = sink_ready;
	sink->timer = loop->run->arrivals ? sink_arrivals : sink_stop;
	sink->due_ns = loop->run->arrivals ? now : flow->stop_ns;
}

/* ends the listener when the last flow of its kind should have come */
static void listener_stop(struct loop *loop, struct end *end, uint64_t now)
{
	(void)now;
	loop_done(loop, end);
	loop->active--;
}

void tcp_sink(struct loop *loop, struct spec *spec)
{
	struct end *end = loop_add(loop, spec->listen_fd, EPOLLIN, NULL);

	end->spec = spec;
	end->ready = sink_accept;
	end->timer = listener_stop;
	end->due_ns = loop->run->t0_ns + spec->stop_ns;
	loop->active++;
}
