// SPDX-License-Identifier: GPL-2.0-only
/*
 * http.c: routes, replies and streams over libevent's evhttp. Bounded: header and body sizes,
 * time-outs, the number of streams, what a slow reader may have waiting; http_peers.c bounds
 * connections. Knows no map and no class.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <jansson.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include "http.h"
#include "http_peers.h"
#include "log.h"
#include "quantity.h"
#include "text.h"

#define ROUTES_MAX 32
#define STREAMS_MAX 256
#define HEADERS_MAX 8192
#define TIMEOUT_S 10
#define DEAF_S 30			/* a stream that takes nothing of what waits so long ends */
#define BACKLOG 128			/* connections that are not taken yet */
#define BEHIND_MAX (64 << 10)		/* a stream with more waiting is skipped */

struct route {
	char path[64];
	http_handler handler;
	void *arg;
};

struct http_stream {
	struct http *http;
	struct evhttp_request *request;
	struct evhttp_connection *connection;
	void (*gone)(struct http_stream *stream, void *arg);
	void *arg;
	struct http_stream *next;
};

struct http {
	struct evhttp *server;
	struct http_peers *peers;
	struct route routes[ROUTES_MAX];
	unsigned int n_routes, n_streams;
	struct http_stream *streams;
};

int http_address_parse(const char *words, struct http_address *ret, struct err *err)
{
	const char *colon = strrchr(words, ':'), *port = colon ? colon + 1 : words;
	struct http_address address = { .host = "127.0.0.1" };
	size_t n = colon ? colon - words : 0;
	struct err ignored;
	__u64 value;

	if (quantity_count(port, 0, 65535, &value, &ignored))
		return err_set(err, EINVAL, "listen '%s': want PORT or ADDR:PORT, such as "
			       "127.0.0.1:9000, with a port of 0 to 65535", words);
	if (n && words[0] == '[' && words[n - 1] == ']') {
		words++;
		n -= 2;
	} else if (n && memchr(words, ':', n)) {
		return err_set(err, EINVAL, "listen '%s': want an IPv6 address as [ADDR]:PORT",
			       words);
	}
	if (n >= sizeof(address.host))
		return err_set(err, EINVAL, "listen '%.80s': the address is too long", words);
	if (n)
		snprintf(address.host, sizeof(address.host), "%.*s", (int)n, words);
	address.port = value;
	*ret = address;
	return 0;
}

/* small answers at once, and none is held back for the next */
static void no_delay(struct evhttp_connection *connection)
{
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection)), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static const struct route *route_find(const struct http *http, const char *path)
{
	const struct route *best = NULL;

	for (unsigned int i = 0; i < http->n_routes; i++) {
		const struct route *route = &http->routes[i];
		size_t n = strlen(route->path);
		bool below = n && route->path[n - 1] == '/' && n > 1;

		if (below ? !strncmp(path, route->path, n) : !strcmp(path, route->path))
			best = !best || n > strlen(best->path) ? route : best;
	}
	return best;
}

/* evhttp takes what follows two slashes for the name of a host, and so forgets it */
static bool is_below_no_root(struct evhttp_request *request)
{
	const char *target = evhttp_request_get_uri(request);

	return target && target[0] == '/' && target[1] == '/';
}

static void dispatch(struct evhttp_request *request, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *encoded = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	size_t size = 0;
	_cleanup_free_ char *path = evhttp_uridecode(encoded && *encoded ? encoded : "/", 0, &size);
	const struct http *http = arg;
	const struct route *route = path ? route_find(http, path) : NULL;
	struct err err;

	http_peers_asked(http->peers, request);
	no_delay(evhttp_request_get_connection(request));
	if (!(evhttp_request_get_command(request) & (EVHTTP_REQ_GET | EVHTTP_REQ_HEAD))) {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
		http_reply_error(request, 405, "want GET or HEAD");
	} else if ((path && strlen(path) != size) || (query && strstr(query, "%00"))) {
		http_reply_error(request, 400, "%00: there is no NUL in any name");
	} else if (!route || is_below_no_root(request)) {
		err_set(&err, ENOENT, "'%.200s': no such page", path ?: "");
		http_reply_error(request, 404, err.text);
	} else {
		route->handler(request, path + strlen(route->path), route->arg);
	}
}

/* the port may be the kernel's choice */
static void listen_tell(int fd)
{
	struct sockaddr_storage address = {};
	socklen_t size = sizeof(address);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getsockname(fd, (struct sockaddr *)&address, &size) ||
	    getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	log_note(address.ss_family == AF_INET6 ? "serves http://[%s]:%s/" : "serves http://%s:%s/",
		 host, port);
}

/* who has vanished without a word, and follows what is silent, keeps its place for no longer */
static void keep_alive(int fd)
{
	const int idle_s = 60, apart_s = 10, probes = 3;

	/* of a listener they are those of its connections; that it does so is libevent's default */
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &apart_s, sizeof(apart_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static void listen_again(evutil_socket_t fd, short what, void *listener)
{
	evconnlistener_enable(listener);
}

/* no descriptor is left, as a rule: asked at once, it would fail again, without an end */
static void accept_failed(struct evconnlistener *listener, void *server)
{
	const struct timeval second = { .tv_sec = 1 };

	log_error("listen: cannot take a connection: %s; tried again in a second",
		  strerror(EVUTIL_SOCKET_ERROR()));
	if (!event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT, listen_again,
			     listener, &second))
		evconnlistener_disable(listener);
}

/* -errno; both: the name has others, of which :: may not take those of IPv4 */
static int listen_at(struct http *http, struct event_base *base, const struct addrinfo *at,
		     bool both)
{
	unsigned int flags = LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE;
	struct evconnlistener *listener;

	if (both && at->ai_family == AF_INET6)
		flags |= LEV_OPT_BIND_IPV6ONLY;
	errno = 0;
	listener = evconnlistener_new_bind(base, NULL, NULL, flags, BACKLOG, at->ai_addr,
					   at->ai_addrlen);
	if (!listener)
		return errno ? -errno : -ENOMEM;
	keep_alive(evconnlistener_get_fd(listener));
	evconnlistener_set_error_cb(listener, accept_failed);
	if (evhttp_bind_listener(http->server, listener)) {
		listen_tell(evconnlistener_get_fd(listener));
		return 0;
	}
	evconnlistener_free(listener);
	return -ENOMEM;
}

/* a name may be there twice with the same address */
static bool is_repeated(const struct addrinfo *first, const struct addrinfo *at)
{
	while (first != at && (first->ai_addrlen != at->ai_addrlen ||
			       memcmp(first->ai_addr, at->ai_addr, at->ai_addrlen)))
		first = first->ai_next;
	return first != at;
}

/*
 * On every address of a name that this host has. Not evhttp_bind_socket(): that takes the first
 * alone, and asks for families which have an address beyond the loopback one (AI_ADDRCONFIG), and
 * so refuses 127.0.0.1 where there is none.
 */
static int listen_on(struct http *http, struct event_base *base, const struct http_address *address,
		     struct err *err)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
	int r, missing = 0, others = 0;
	struct addrinfo *found;
	unsigned int n = 0;
	char port[8];

	snprintf(port, sizeof(port), "%u", address->port);
	r = getaddrinfo(address->host, port, &hints, &found);
	if (r)
		return err_set(err, EADDRNOTAVAIL, "listen %s port %s: %s", address->host, port,
			       gai_strerror(r));
	for (const struct addrinfo *at = found; at && !others; at = at->ai_next) {
		r = is_repeated(found, at) ? 0 : listen_at(http, base, at, found->ai_next);
		n += !r;
		if (r == -EADDRNOTAVAIL || r == -EAFNOSUPPORT)
			missing = r;
		else
			others = r;
	}
	freeaddrinfo(found);
	r = others ?: n ? 0 : missing;
	return r ? err_set(err, -r, "listen %s port %s: %s", address->host, port, strerror(-r)) : 0;
}

int http_open(struct http **ret, struct event_base *base, const char *listen, struct err *err)
{
	struct http_address address;
	struct http *http;
	int r = http_address_parse(listen, &address, err);

	if (r)
		return r;
	http = calloc(1, sizeof(*http));
	if (http)
		http->server = evhttp_new(base);
	if (http && http->server)
		http->peers = http_peers_open(base, http->server);
	if (!http || !http->peers) {
		http_close(http);
		return err_set(err, ENOMEM, "out of memory");
	}
	/* dispatch() says which are; CONNECT is not among them: it would not be closed */
	evhttp_set_allowed_methods(http->server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD |
				   EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
				   EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_PATCH);
	evhttp_set_max_headers_size(http->server, HEADERS_MAX);
	evhttp_set_max_body_size(http->server, 0);
	evhttp_set_timeout(http->server, TIMEOUT_S);
	evhttp_set_gencb(http->server, dispatch, http);
	r = listen_on(http, base, &address, err);
	if (r) {
		http_close(http);
		return r;
	}
	*ret = http;
	return 0;
}

static void stream_free(struct http_stream *stream)
{
	struct http_stream **at = &stream->http->streams;

	while (*at != stream)
		at = &(*at)->next;
	*at = stream->next;
	stream->http->n_streams--;
	if (stream->gone)
		stream->gone(stream, stream->arg);
	free(stream);
}

void http_close(struct http *http)
{
	if (!http)
		return;
	while (http->streams) {
		evhttp_connection_set_closecb(http->streams->connection, NULL, NULL);
		stream_free(http->streams);
	}
	http_peers_close(http->peers);
	if (http->server)
		evhttp_free(http->server);
	free(http);
}

int http_route(struct http *http, const char *path, http_handler handler, void *arg)
{
	struct route *route = &http->routes[http->n_routes];

	if (http->n_routes == ROUTES_MAX || strlen(path) >= sizeof(route->path))
		return -ENOSPC;
	snprintf(route->path, sizeof(route->path), "%s", path);
	route->handler = handler;
	route->arg = arg;
	http->n_routes++;
	return 0;
}

static void headers(struct evhttp_request *request, const char *type)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(request);

	evhttp_add_header(out, "Content-Type", type);
	evhttp_add_header(out, "Cache-Control", "no-store");
	evhttp_add_header(out, "X-Content-Type-Options", "nosniff");
}

void http_reply(struct evhttp_request *request, int status, const char *type,
		struct evbuffer *body)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(request);
	char length[24];

	headers(request, type);
	if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD) {
		/* evhttp would send the body, but not how long it is */
		quantity_digits(length, body ? evbuffer_get_length(body) : 0);
		evhttp_add_header(out, "Content-Length", length);
		body = NULL;
	}
	evhttp_send_reply(request, status, NULL, body);
}

void http_reply_text(struct evhttp_request *request, int status, const char *type,
		     const char *text)
{
	struct evbuffer *body = evbuffer_new();

	if (body)
		evbuffer_add(body, text, strlen(text));
	http_reply(request, status, type, body);
	if (body)
		evbuffer_free(body);
}

/* what was asked may be quoted, and be no UTF-8 */
static json_t *error_json(const char *text)
{
	json_t *json = json_pack("{s:s}", "error", text);
	_cleanup_free_ char *shown = json ? NULL : text_ascii(text);

	return json || !shown ? json : json_pack("{s:s}", "error", shown);
}

void http_reply_error(struct evhttp_request *request, int status, const char *text)
{
	json_t *json = error_json(text);
	_cleanup_free_ char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;

	http_reply_text(request, status, "application/json", body ? body : "{}");
	json_decref(json);
}

bool http_query_has(struct evhttp_request *request, const char *key)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	struct evkeyvalq pairs;
	bool has;

	if (!query || !strcmp(query, key))
		return query;
	if (evhttp_parse_query_str(query, &pairs))
		return false;
	has = evhttp_find_header(&pairs, key);
	evhttp_clear_headers(&pairs);
	return has;
}

void http_request_lost(struct evhttp_request *request)
{
	if (!evhttp_request_get_connection(request))
		evhttp_request_free(request);
}

static void closed(struct evhttp_connection *connection, void *arg)
{
	struct http_stream *stream = arg;

	http_request_lost(stream->request);
	stream_free(stream);
}

struct http_stream *http_stream_open(struct http *http, struct evhttp_request *request,
				     void (*gone)(struct http_stream *stream, void *arg), void *arg)
{
	const struct timeval timeout = { .tv_sec = DEAF_S };
	struct http_stream *stream = NULL;

	if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD) {
		headers(request, "text/event-stream");
		evhttp_send_reply(request, 200, NULL, NULL);
		return NULL;
	}
	if (http->n_streams < STREAMS_MAX)
		stream = calloc(1, sizeof(*stream));
	if (!stream) {
		http_reply_error(request, 503, "too many streams");
		return NULL;
	}
	*stream = (struct http_stream){
		.http = http, .request = request, .gone = gone, .arg = arg,
		.connection = evhttp_request_get_connection(request), .next = http->streams,
	};
	http->streams = stream;
	http->n_streams++;
	http_peers_streams(http->peers, request);
	headers(request, "text/event-stream");
	evhttp_connection_set_closecb(stream->connection, closed, stream);
	/* silence is no reason to end it, but that nobody reads */
	evhttp_connection_set_timeout(stream->connection, 0);
	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(stream->connection), NULL,
				 &timeout);
	evhttp_send_reply_start(request, 200, NULL);
	return stream;
}

static void stream_send(struct http_stream *stream, const char *field, const char *data,
			size_t size)
{
	struct bufferevent *io = evhttp_connection_get_bufferevent(stream->connection);
	struct evbuffer *chunk;

	if (evbuffer_get_length(bufferevent_get_output(io)) > BEHIND_MAX)
		return;
	chunk = evbuffer_new();
	if (!chunk)
		return;
	evbuffer_add(chunk, field, strlen(field));
	evbuffer_add(chunk, data, size);
	evbuffer_add(chunk, "\n\n", 2);
	evhttp_send_reply_chunk(stream->request, chunk);
	evbuffer_free(chunk);
}

void http_stream_send(struct http_stream *stream, const char *data, size_t size)
{
	stream_send(stream, "data: ", data, size);
}

void http_stream_alive(struct http_stream *stream)
{
	stream_send(stream, ":", "", 0);
}
