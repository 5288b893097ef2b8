/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * traffic.h: what the parts of the traffic generator share. One process, three event loops
 * (sources, sinks, request/response): few processes, so that it runs well in a one-CPU VM in
 * virtual time. Every socket is made before the start, in its own network namespace, and
 * stays there. Knows nothing of weir.
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <linux/tcp.h>

#define TRAFFIC_NEVER UINT64_MAX
#define TRAFFIC_QUIET_NS 300000000ULL	/* a UDP sink waits this long for stragglers */
#define TRAFFIC_EVENTS 16
#define MSEC 1000000ULL
#define SEC 1000000000ULL

enum kind { KIND_TCP, KIND_UDP, KIND_RR };

/* One entry of the command line: n like flows. Times count from the start of the run. */
struct spec {
	enum kind kind;
	char name[32];
	char group[32];			/* Jain's index is taken over a group */
	const char *from, *to;		/* network namespaces; "-": our own */
	struct sockaddr_storage addr;	/* the server's */
	struct sockaddr_storage src;	/* ss_family 0: any */
	const char *cc;			/* NULL: the system's default */
	unsigned int n;
	uint64_t start_ns, stop_ns;
	uint64_t rate_bps;		/* tcp: payload; udp: on the wire; 0: as fast as it goes */
	uint64_t packets;		/* udp: end after so many; 0: at stop */
	uint64_t interval_ns;		/* rr: between the starts of two requests */
	uint32_t write_bytes;		/* tcp: of one write */
	uint32_t size_bytes;		/* udp: payload; rr: request */
	uint32_t reply_bytes;		/* rr */
	uint32_t spray;			/* udp: over so many destination ports */
	int tos;			/* -1: leave */
	int ecn;			/* net.ipv4.tcp_ecn of both namespaces; -1: leave */
	bool gaps;			/* udp: time between arrivals */
	int listen_fd;
};

struct values {				/* a growing list of ns */
	uint64_t *v;
	uint32_t n, size;
};

struct flow {
	struct spec *spec;
	char name[48];
	int tx_fd, rx_fd;		/* rx_fd -1 until accepted */
	uint16_t sport;
	uint64_t start_ns, stop_ns;	/* CLOCK_MONOTONIC */
	/* at the receiver */
	uint32_t *bins;			/* bytes per step */
	uint32_t n_bins;
	uint64_t bytes;			/* payload, start to stop */
	uint64_t received;		/* udp packets, stragglers too */
	uint64_t received_bytes;	/* udp payload, stragglers too */
	uint64_t received_ce;		/* udp packets with CE */
	uint64_t last_ns;
	struct tcp_info rx_info;
	/* at the sender */
	bool connected;
	uint64_t sent;			/* udp packets the kernel took */
	uint64_t next_k;		/* udp: number of the next packet in the schedule */
	uint64_t enobufs, eperm, eagain;
	uint64_t error;			/* errno of a failed connect or write; 0: none */
	uint64_t done_ns;		/* when the source ended; atomic, 0: not yet */
	struct tcp_info tx_info;
	/* rr */
	struct values latency;		/* ns; gaps of udp */
	uint64_t asked_ns;
	uint32_t tx_left, rx_left;	/* client */
	uint32_t segments;		/* tcp: that had arrived a step ago */
	uint32_t censored;		/* requests without an answer, counted with their age */
};

struct event {
	uint64_t at_ns, begin_ns, end_ns;
	const char *command;
	int status;
};

struct run {
	uint64_t t0_ns;
	uint64_t step_ns;		/* of the time series */
	uint64_t window_ns;		/* of Jain's index */
	uint64_t after_ns;		/* late rates and Jain's index start here */
	bool series;
	bool arrivals;			/* tcp: the series counts what arrives, read or not */
	unsigned int n_specs, n_flows, n_events;
	struct spec *specs;
	struct flow *flows;
	struct event events[TRAFFIC_EVENTS];
};

/* One socket in a loop. ready() on readiness, timer() once due_ns has come. */
struct end;
struct loop;
typedef void (*end_fn)(struct loop *loop, struct end *end, uint64_t now);
struct end {
	int fd;
	uint64_t due_ns;
	end_fn ready, timer;
	struct flow *flow;
	struct spec *spec;		/* of a listener */
	uint32_t left, owed;		/* rr server: bytes to read and to write */
	bool polled, done;
};

struct loop {
	struct run *run;
	int epoll_fd;
	unsigned int n_ends, size;
	unsigned int active;		/* ends that keep the loop running (listeners do not) */
	struct end **ends;
	char *buf;
	uint64_t deadline_ns;
};

#define TRAFFIC_BUF (1 << 20)

/* traffic_loop.c */
uint64_t clock_ns(void);
void sleep_until(uint64_t ns);
int loop_init(struct loop *loop, struct run *run);
void loop_free(struct loop *loop);
struct end *loop_add(struct loop *loop, int fd, uint32_t events, struct flow *flow);
void loop_events(struct loop *loop, struct end *end, uint32_t events);
void loop_done(struct loop *loop, struct end *end);
void *loop_main(void *arg);
void flow_count(struct run *run, struct flow *flow, uint64_t bytes, uint64_t now);
void values_add(struct values *values, uint64_t v);

/* traffic_spec.c: 0, or -1 after a message on stderr */
int spec_parse(struct run *run, int argc, char **argv);

/* traffic_setup.c: namespaces and sockets */
int setup_flows(struct run *run);
void print_available_cc(int argc, char **argv);
struct flow *flow_by_port(struct run *run, const struct spec *spec, uint16_t port);

/* traffic_tcp.c, traffic_udp.c, traffic_rr.c: put a flow's ends into its loops */
void tcp_source(struct loop *loop, struct flow *flow);
void tcp_sink(struct loop *loop, struct spec *spec);
void udp_source(struct loop *loop, struct flow *flow);
void udp_sink(struct loop *loop, struct flow *flow);
void rr_client(struct loop *loop, struct flow *flow);
void rr_server(struct loop *loop, struct spec *spec);
bool tcp_connected(struct flow *flow);
/* the flow whose connection has come, its rx_fd set; NULL: none of ours */
struct flow *tcp_accept(struct loop *loop, struct end *listener);
void tcp_start(struct loop *loop, struct end *end, end_fn then);

/* traffic_flood.c: exit status */
int flood(int argc, char **argv);

/* traffic_stall.c: begin, and end with one line for each CPU */
void stall_begin(void);
void stall_end(void);

/* traffic_report.c */
uint32_t flow_header_bytes(const struct flow *flow);
void report(struct run *run);

#endif
