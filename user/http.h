/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * http.h: the agent's HTTP server: a table of routes, replies, and streams (text/event-stream)
 * that stay open. What is served is its callers' business. Listens on a loopback address unless
 * another is named.
 */
#ifndef WEIR_HTTP_H
#define WEIR_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include "util.h"

struct event_base;
struct evbuffer;
struct evhttp_request;
struct http;

/* "PORT", ":PORT", "ADDR:PORT" or "[IPv6]:PORT". */
int http_open(struct http **ret, struct event_base *base, const char *listen, struct err *err);
void http_close(struct http *http);

/* The words after `listen`: the address and port that http_open() would take. */
struct http_address {
	char host[64];
	unsigned short port;
};
int http_address_parse(const char *words, struct http_address *ret, struct err *err);

/*
 * Requests (GET and HEAD) for exactly this path, or for everything below it where it ends in
 * '/'. rest is what follows the path, decoded; "" where nothing does. The longest route wins. The
 * handler answers with one of the calls below, or keeps the request as a stream.
 */
typedef void (*http_handler)(struct evhttp_request *request, const char *rest, void *arg);
int http_route(struct http *http, const char *path, http_handler handler, void *arg);

/* Takes what is in body; type is the MIME type. */
void http_reply(struct evhttp_request *request, int status, const char *type,
		struct evbuffer *body);
void http_reply_text(struct evhttp_request *request, int status, const char *type,
		     const char *text);
/* {"error": ...} */
void http_reply_error(struct evhttp_request *request, int status, const char *text);

/*
 * For the close callback of a connection whose request waits for its answer: evhttp has let go of
 * the request when its client has gone, and it must be freed.
 */
void http_request_lost(struct evhttp_request *request);

/* Is the key there in the query of the URL ("?follow")? */
bool http_query_has(struct evhttp_request *request, const char *key);

/*
 * A reply that goes on: one "data: ..." event per send. The stream is freed by itself when the
 * other side goes, or takes nothing for 30 s; gone() is called first, from there on nothing may be
 * sent. A reader that does not keep up loses events, not the agent memory. NULL: the request has
 * been answered (HEAD, or there are too many).
 */
struct http_stream;
struct http_stream *http_stream_open(struct http *http, struct evhttp_request *request,
				     void (*gone)(struct http_stream *stream, void *arg),
				     void *arg);
void http_stream_send(struct http_stream *stream, const char *data, size_t size);
/* Nothing is new, but the other side is to hear from it: a comment. */
void http_stream_alive(struct http_stream *stream);

#endif
