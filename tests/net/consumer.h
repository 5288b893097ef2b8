/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * consumer.h: a slow consumer and its producers, for the tests of the agent: framed messages that
 * carry their send time, read at a speed that changes at set times. One process: a thread of
 * producers, one that consumes, one that runs commands. Knows nothing of weir.
 */
#ifndef CONSUMER_H
#define CONSUMER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define SEC 1000000000ULL
#define MSEC 1000000ULL
#define EVENTS_MAX 16
#define CC_MAX 4
#define MESSAGE_MAX 65536

/* head of a message */
struct head {
	uint64_t sent_ns;
	uint64_t seq;
};

struct event {
	uint64_t at_ns;
	uint64_t speed_bps;		/* of the consumer from here on; 0: it reads nothing */
	const char *command;		/* instead: run this */
	int status;
};

struct options {
	const char *from, *to;		/* network namespaces; "-": our own */
	struct sockaddr_storage address;
	const char *push;		/* a socket: its own signal goes there; NULL: none does */
	const char *as;			/* it is a time; "messages" or a "share" of: */
	uint32_t full_bytes;
	const char *cc[CC_MAX];		/* in turn; none: the system's default */
	unsigned int n_cc, n;		/* connections (TCP) or senders (UDP) */
	bool udp, series, nodelay;
	uint32_t message_bytes, batch_bytes;
	uint32_t lowat_bytes;		/* TCP_NOTSENT_LOWAT of the producers; 0: theirs */
	uint64_t offer_bps;		/* of all producers together */
	uint64_t step_ns;		/* between two looks at the queue */
	uint64_t target_ns;		/* what "settled" means ... */
	uint32_t settled_percent;	/* ... within so much, each 100 ms from then on */
	uint64_t after_ns;		/* of each phase: left out of "settled" figures */
	uint64_t stop_ns;
	struct event events[EVENTS_MAX];
	unsigned int n_events;
};

/* one look at the queue */
struct look {
	uint64_t at_ns;			/* since the start */
	uint64_t unread_bytes;
	uint64_t read_bytes;		/* since the start */
};

struct age {
	uint32_t at_ms, us;
};

struct connection {
	int tx_fd, rx_fd;
	uint64_t seq, next_ns;		/* producer: the next message's time */
	uint64_t due_ns;		/* to ask whether the socket takes it */
	uint32_t tx_left, rx_have;	/* of the message under way */
	char *tx;
	struct head rx;
	uint64_t rx_seq;		/* UDP: next expected */
	uint64_t lost;			/* UDP: the gaps */
};

struct run {
	struct options options;
	uint64_t t0_ns;
	struct connection *connections;
	int udp_fd;			/* the consumer's */
	int push_fd;			/* its signal's; -1: none */
	uint64_t speed_bps;		/* atomic */
	uint64_t read_bytes;
	struct look *looks;
	unsigned int n_looks, max_looks;
	struct age *ages;
	unsigned int n_ages, max_ages;
	uint64_t memory_bytes[EVENTS_MAX + 1];	/* most seen in a phase, both ends */
	bool stop;			/* atomic */
};

uint64_t clock_ns(void);
int setup(struct run *run);
void teardown(struct run *run);
void *producers_main(void *arg);
void *consumer_main(void *arg);
void report(struct run *run);

#endif
