// SPDX-License-Identifier: GPL-2.0-only
/*
 * http_peers.c: a table of connections beside evhttp, which has no limit of their number and whose
 * time-outs start anew with every byte. Each entry holds a reference of the connection's
 * bufferevent, so the descriptor stays its own until the entry is swept: at the next connection or
 * second. Knows no route.
 */
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <linux/types.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "clock.h"
#include "http_peers.h"
#include "util.h"

#define PEERS_MAX 512			/* above http.c's streams, below the usual 1024 files */
#define ASK_NS 10000000000ULL		/* from the connection or the last answer on */
#define ANSWER_NS 30000000000ULL	/* from the request until its answer has been taken */

enum peer_state { PEER_NONE, PEER_ASKING, PEER_ASKED, PEER_STREAM };

struct peer {
	enum peer_state state;
	struct bufferevent *io;
	__u64 since_ns;
};

struct http_peers {
	struct event *tick;
	unsigned int most;
	struct peer peers[PEERS_MAX];
};

/* evhttp's connection; NULL: it has let go of it */
static struct evhttp_connection *connection_of(const struct peer *peer)
{
	bufferevent_event_cb event = NULL;
	void *connection = NULL;

	bufferevent_getcb(peer->io, NULL, NULL, &event, &connection);
	return event ? connection : NULL;
}

static void peer_forget(struct peer *peer)
{
	bufferevent_decref(peer->io);
	*peer = (struct peer){};
}

static void peer_end(struct peer *peer)
{
	struct evhttp_connection *connection = connection_of(peer);

	if (connection)
		evhttp_connection_free(connection);
	peer_forget(peer);
}

static void sweep(struct http_peers *peers, __u64 now)
{
	for (unsigned int i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &peers->peers[i];

		if (peer->state == PEER_NONE)
			continue;
		if (!connection_of(peer))
			peer_forget(peer);
		else if ((peer->state == PEER_ASKING && now - peer->since_ns > ASK_NS) ||
			 (peer->state == PEER_ASKED && now - peer->since_ns > ANSWER_NS))
			peer_end(peer);
	}
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	sweep(arg, clock_now_ns());
}

/* a free place, or that of who has taken longest: a stream's where there are but those */
static struct peer *place(struct http_peers *peers)
{
	struct peer *oldest = NULL;

	for (unsigned int i = 0; i < peers->most; i++) {
		struct peer *peer = &peers->peers[i];

		if (peer->state == PEER_NONE)
			return peer;
		if (!oldest || peer->state < oldest->state ||
		    (peer->state == oldest->state && peer->since_ns < oldest->since_ns))
			oldest = peer;
	}
	peer_end(oldest);
	return oldest;
}

/* evhttp calls for the bufferevent of a connection that it has accepted */
static struct bufferevent *accepted(struct event_base *base, void *arg)
{
	/* closed when freed, hence not before the entry is swept: no other one has its number */
	struct bufferevent *io = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct http_peers *peers = arg;
	__u64 now = clock_now_ns();

	if (!io)
		return NULL;
	sweep(peers, now);
	bufferevent_incref(io);
	*place(peers) = (struct peer){ PEER_ASKING, io, now };
	return io;
}

static void peer_becomes(struct http_peers *peers, struct evhttp_request *request,
			 enum peer_state state)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct bufferevent *io = connection ? evhttp_connection_get_bufferevent(connection) : NULL;

	for (unsigned int i = 0; io && i < PEERS_MAX; i++)
		if (peers->peers[i].io == io) {
			peers->peers[i].state = state;
			peers->peers[i].since_ns = clock_now_ns();
			return;
		}
}

static void answered(struct evhttp_request *request, void *arg)
{
	peer_becomes(arg, request, PEER_ASKING);
}

void http_peers_asked(struct http_peers *peers, struct evhttp_request *request)
{
	peer_becomes(peers, request, PEER_ASKED);
	evhttp_request_set_on_complete_cb(request, answered, peers);
}

void http_peers_streams(struct http_peers *peers, struct evhttp_request *request)
{
	peer_becomes(peers, request, PEER_STREAM);
}

/* a control must not want for a descriptor because of them: where there are few, a quarter */
static unsigned int most(void)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 2 * PEERS_MAX ?
	       limit.rlim_cur / 4 : PEERS_MAX;
}

struct http_peers *http_peers_open(struct event_base *base, struct evhttp *server)
{
	const struct timeval second = { .tv_sec = 1 };
	struct http_peers *peers = calloc(1, sizeof(*peers));

	if (!peers)
		return NULL;
	peers->most = most();
	peers->tick = event_new(base, -1, EV_PERSIST, tick, peers);
	if (!peers->tick || event_add(peers->tick, &second)) {
		http_peers_close(peers);
		return NULL;
	}
	evhttp_set_bevcb(server, accepted, peers);
	return peers;
}

void http_peers_close(struct http_peers *peers)
{
	if (!peers)
		return;
	for (unsigned int i = 0; i < PEERS_MAX; i++)
		if (peers->peers[i].state != PEER_NONE)
			peer_end(&peers->peers[i]);
	if (peers->tick)
		event_free(peers->tick);
	free(peers);
}
