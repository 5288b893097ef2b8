// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic_rr.c: request and response over one TCP connection, one request at a time. A request
 * without an answer at the end counts with its age: a stalled connection must not look good.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "traffic.h"

static void client_stop(struct loop *loop, struct end *end, uint64_t now)
{
	struct flow *flow = end->flow;
	socklen_t len = sizeof(flow->tx_info);

	if (flow->rx_left || !flow->connected) {
		values_add(&flow->latency,
			   now - (flow->connected ? flow->asked_ns : flow->start_ns));
		flow->censored++;
	}
	getsockopt(end->fd, IPPROTO_TCP, TCP_INFO, &flow->tx_info, &len);
	loop_done(loop, end);
	__atomic_store_n(&flow->done_ns, now, __ATOMIC_RELEASE);
}

/* false: the connection is gone */
static bool push(struct loop *loop, int fd, uint32_t *left)
{
	while (*left) {
		ssize_t n = send(fd, loop->buf, *left, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		*left -= n;
	}
	return true;
}

static void client_ask(struct loop *loop, struct end *end, uint64_t now)
{
	struct flow *flow = end->flow;

	if (now >= flow->stop_ns) {
		client_stop(loop, end, now);
		return;
	}
	flow->asked_ns = now;
	flow->tx_left = flow->spec->size_bytes;
	flow->rx_left = flow->spec->reply_bytes;
	end->timer = client_stop;
	end->due_ns = flow->stop_ns;
	if (!push(loop, end->fd, &flow->tx_left)) {
		client_stop(loop, end, now);
		return;
	}
	loop_events(loop, end, EPOLLIN | (flow->tx_left ? EPOLLOUT : 0));
}

static void client_answered(struct loop *loop, struct end *end, uint64_t now)
{
	struct flow *flow = end->flow;
	uint64_t next = flow->asked_ns + flow->spec->interval_ns;

	values_add(&flow->latency, now - flow->asked_ns);
	if (next <= now) {
		client_ask(loop, end, now);
		return;
	}
	end->timer = client_ask;
	end->due_ns = next < flow->stop_ns ? next : flow->stop_ns;
}

static void client_ready(struct loop *loop, struct end *end, uint64_t now)
{
	struct flow *flow = end->flow;
	bool first = !flow->connected;
	ssize_t n;

	if (!tcp_connected(flow)) {
		client_stop(loop, end, now);
		return;
	}
	if (first) {
		client_ask(loop, end, now);
		return;
	}
	if (flow->tx_left) {
		if (!push(loop, end->fd, &flow->tx_left))
			client_stop(loop, end, now);
		else if (!flow->tx_left)
			loop_events(loop, end, EPOLLIN);
		return;
	}
	n = recv(end->fd, loop->buf, TRAFFIC_BUF, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		client_stop(loop, end, now);
		return;
	}
	if (n < 0 || !flow->rx_left)
		return;
	flow_count(loop->run, flow, n, now);
	flow->rx_left -= (uint32_t)n < flow->rx_left ? (uint32_t)n : flow->rx_left;
	if (!flow->rx_left)
		client_answered(loop, end, now);
}

static void client_start(struct loop *loop, struct end *end, uint64_t now)
{
	tcp_start(loop, end, client_stop);
	if (end->flow->error)
		client_stop(loop, end, now);
}

void rr_client(struct loop *loop, struct flow *flow)
{
	struct end *end = loop_add(loop, flow->tx_fd, 0, flow);

	end->ready = client_ready;
	end->timer = client_start;
	end->due_ns = flow->start_ns;
}

static void server_ready(struct loop *loop, struct end *end, uint64_t now)
{
	struct spec *spec = end->spec;
	ssize_t n = recv(end->fd, loop->buf, TRAFFIC_BUF, MSG_DONTWAIT);

	(void)now;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		loop_done(loop, end);
		return;
	}
	while (n >= end->left) {
		n -= end->left;
		end->left = spec->size_bytes;
		end->owed += spec->reply_bytes;
	}
	if (n > 0)
		end->left -= n;
	if (!push(loop, end->fd, &end->owed))
		loop_done(loop, end);
	else
		loop_events(loop, end, EPOLLIN | (end->owed ? EPOLLOUT : 0));
}

static void server_accept(struct loop *loop, struct end *end, uint64_t now)
{
	struct flow *flow = tcp_accept(loop, end);
	struct end *server;

	(void)now;
	if (!flow)
		return;
	server = loop_add(loop, flow->rx_fd, EPOLLIN, NULL);
	server->spec = end->spec;
	server->left = end->spec->size_bytes;
	server->ready = server_ready;
}

void rr_server(struct loop *loop, struct spec *spec)
{
	struct end *end = loop_add(loop, spec->listen_fd, EPOLLIN, NULL);

	end->spec = spec;
	end->ready = server_accept;
}
