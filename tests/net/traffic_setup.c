// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic_setup.c: makes every socket of the run, each in its network namespace, before the
 * clock starts. Client sockets are bound at once, so that a server can tell by the source port
 * whose connection it accepts.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "traffic.h"

#define SINK_BUF_BYTES (32 << 20)

static int own_ns = -1;

static int enter(const char *ns)
{
	char path[128];
	int fd, rc;

	if (!strcmp(ns, "-"))
		return setns(own_ns, CLONE_NEWNET);
	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = setns(fd, CLONE_NEWNET);
	close(fd);
	return rc;
}

static socklen_t addr_len(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					  : sizeof(struct sockaddr_in6);
}

static uint16_t port_of(const struct sockaddr_storage *addr)
{
	return ntohs(((const struct sockaddr_in *)addr)->sin_port);
}

static int set_ecn(int on)
{
	int fd = open("/proc/sys/net/ipv4/tcp_ecn", O_WRONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -1;
	rc = write(fd, on ? "1\n" : "0\n", 2) == 2 ? 0 : -1;
	close(fd);
	return rc;
}

/* every option that both ends share; -1 with errno */
static int open_socket(const struct spec *spec)
{
	int type = spec->kind == KIND_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(spec->addr.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (spec->kind != KIND_UDP && spec->cc &&
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, spec->cc, strlen(spec->cc)) < 0)
		goto fail;
	if (spec->kind == KIND_RR)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (spec->tos >= 0) {
		setsockopt(fd, IPPROTO_IP, IP_TOS, &spec->tos, sizeof(spec->tos));
		setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &spec->tos, sizeof(spec->tos));
	}
	return fd;
fail:
	close(fd);
	return -1;
}

static int open_listener(struct spec *spec)
{
	socklen_t len = sizeof(spec->addr);
	int fd = open_socket(spec);

	if (fd < 0)
		return -1;
	if (bind(fd, (void *)&spec->addr, addr_len(&spec->addr)) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (void *)&spec->addr, &len) < 0) {
		close(fd);
		return -1;
	}
	spec->listen_fd = fd;
	return 0;
}

static int open_client(struct flow *flow)
{
	struct sockaddr_storage any = flow->spec->src;
	socklen_t len = sizeof(any);
	int fd = open_socket(flow->spec);

	if (fd < 0)
		return -1;
	any.ss_family = flow->spec->addr.ss_family;
	if (bind(fd, (void *)&any, addr_len(&any)) < 0 || getsockname(fd, (void *)&any, &len) < 0) {
		close(fd);
		return -1;
	}
	flow->sport = port_of(&any);
	flow->tx_fd = fd;
	return 0;
}

/* a UDP sink is connected to its source, so that n flows can share one port */
static int open_udp_sink(struct flow *flow, const struct sockaddr_storage *peer)
{
	struct spec *spec = flow->spec;
	int fd = open_socket(spec), size = SINK_BUF_BYTES, on = 1;
	socklen_t len = sizeof(spec->addr);

	if (fd < 0)
		return -1;
	flow->rx_fd = fd;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on));
	if (spec->gaps)
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	if (bind(fd, (void *)&spec->addr, addr_len(&spec->addr)) < 0 ||
	    getsockname(fd, (void *)&spec->addr, &len) < 0)
		return -1;
	return peer ? connect(fd, (void *)peer, addr_len(peer)) : 0;
}

static int open_udp(struct flow *flow)
{
	struct sockaddr_storage self;
	socklen_t len = sizeof(self);

	/* the sink's port has to be known before the source connects to it, and its peer after */
	if (!port_of(&flow->spec->addr)) {
		if (enter(flow->spec->to) || open_udp_sink(flow, NULL))
			return -1;
		close(flow->rx_fd);
		flow->rx_fd = -1;
	}
	if (enter(flow->spec->from) || open_client(flow))
		return -1;
	if (flow->spec->spray)
		return 0;
	if (connect(flow->tx_fd, (void *)&flow->spec->addr, addr_len(&flow->spec->addr)) < 0 ||
	    getsockname(flow->tx_fd, (void *)&self, &len) < 0)
		return -1;
	return enter(flow->spec->to) || open_udp_sink(flow, &self) ? -1 : 0;
}

static int setup_spec(struct run *run, struct spec *spec, struct flow *flow)
{
	unsigned int i;

	if (spec->ecn >= 0 && (enter(spec->from) || set_ecn(spec->ecn) || enter(spec->to) ||
			       set_ecn(spec->ecn)))
		return -1;
	if (spec->kind != KIND_UDP && (enter(spec->to) || open_listener(spec)))
		return -1;
	for (i = 0; i < spec->n; i++, flow++) {
		flow->spec = spec;
		flow->tx_fd = flow->rx_fd = -1;
		snprintf(flow->name, sizeof(flow->name), spec->n > 1 ? "%s/%u" : "%s", spec->name,
			 i);
		flow->n_bins = (spec->stop_ns - spec->start_ns) / run->step_ns + 1;
		flow->bins = calloc(flow->n_bins, sizeof(*flow->bins));
		if (!flow->bins)
			return -1;
		if (spec->kind == KIND_UDP ? open_udp(flow)
					   : enter(spec->from) || open_client(flow))
			return -1;
	}
	return 0;
}

int setup_flows(struct run *run)
{
	struct rlimit limit;
	struct flow *flow;
	unsigned int i;
	int rc = 0;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (i = 0; i < run->n_specs; i++)
		run->n_flows += run->specs[i].n;
	run->flows = flow = calloc(run->n_flows, sizeof(*run->flows));
	own_ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (!flow || own_ns < 0)
		return -1;
	for (i = 0; i < run->n_specs && !rc; i++) {
		struct spec *spec = &run->specs[i];

		rc = setup_spec(run, spec, flow);
		if (rc)
			fprintf(stderr, "traffic: %s (from %s to %s%s%s): %s\n", spec->name,
				spec->from, spec->to, spec->cc ? ", cc " : "",
				spec->cc ? spec->cc : "", strerror(errno));
		flow += spec->n;
	}
	if (setns(own_ns, CLONE_NEWNET))
		rc = -1;
	close(own_ns);
	return rc;
}

struct flow *flow_by_port(struct run *run, const struct spec *spec, uint16_t port)
{
	unsigned int i;

	for (i = 0; i < run->n_flows; i++)
		if (run->flows[i].spec == spec && run->flows[i].sport == port)
			return &run->flows[i];
	return NULL;
}

void print_available_cc(int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			continue;
		/* setting it also loads its module */
		if (!setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, argv[i], strlen(argv[i])))
			puts(argv[i]);
		close(fd);
	}
}
