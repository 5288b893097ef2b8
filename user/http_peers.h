/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * http_peers.h: who is connected to the agent's HTTP server, and for how long they may take. When
 * there are too many, the one that has been asking for the longest gives way to the newcomer: who
 * asks quickly is served however many do not.
 */
#ifndef WEIR_HTTP_PEERS_H
#define WEIR_HTTP_PEERS_H

struct event_base;
struct evhttp;
struct evhttp_request;
struct http_peers;

/* Watches every connection that the server will accept. Close before the server is freed. */
struct http_peers *http_peers_open(struct event_base *base, struct evhttp *server);
void http_peers_close(struct http_peers *peers);

/* The request has come in full: it is to be answered, or to be kept as a stream. */
void http_peers_asked(struct http_peers *peers, struct evhttp_request *request);
void http_peers_streams(struct http_peers *peers, struct evhttp_request *request);

#endif
