// SPDX-License-Identifier: GPL-2.0-only
/*
 * remote.c: an HTTP client for /api/v1/signals/NAME?follow. What the other side says is checked
 * and bounded like anything from outside; its clock is not believed, only ages. A connection that
 * ends or falls silent is made anew, at growing intervals; each address of a name has its turn.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <weir/abi.h>
#include "clock.h"
#include "log.h"
#include "remote.h"
#include "resolve.h"

#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000
#define SILENCE_S 5
#define LINE_MAX_BYTES 4096
#define HEADERS_MAX_BYTES 8192
#define AHEAD_MAX_BYTES 65536		/* of a chunk that has not come whole */
#define TTL_MAX_NS 10000000000ULL	/* nothing that is followed live stands for longer */
#define AGE_MAX_NS SIGNAL_TTL_MAX_NS

struct remotes {
	struct event_base *base;
	void (*heard)(void *arg);
	void *arg;
	struct remote *list;
};

struct remote {
	char words[WEIR_SIGNAL_LEN];
	struct signal_url url;
	struct signal last;
	struct evhttp_connection *connection;
	struct resolve *question;	/* NULL: none is under way */
	struct addrinfo *addresses;
	const struct addrinfo *at;	/* the next to try; NULL: ask for the name first */
	struct evbuffer *input;
	struct event *retry;
	struct remotes *remotes;
	unsigned int wait_ms;
	bool wanted, told;
	bool answered;			/* this connection: status 200 came */
	struct remote *next;
};

static bool number(const json_t *json, const char *key, __u64 most, __u64 *ret)
{
	const json_t *value = json_object_get(json, key);
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0)
		return false;
	*ret = (__u64)n < most ? (__u64)n : most;
	return true;
}

static int take(struct remote *remote, const char *text, size_t size)
{
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	struct signal signal = { .ttl_ns = 200000000 };
	const char *unit = json_string_value(json_object_get(json, "unit"));
	__u64 age_ns = 0, now_ns = clock_now_ns();
	bool ok;

	ok = number(json, "value", SIGNAL_VALUE_MAX, &signal.value) && unit &&
	     number(json, "ttl_ns", TTL_MAX_NS, &signal.ttl_ns) &&
	     number(json, "drain_bps", WEIR_RATE_MAX, &signal.drain_bps);
	if (ok) {
		number(json, "age_ns", AGE_MAX_NS, &age_ns);
		signal.is_time = !strcmp(unit, "ns");
		signal.clear = json_is_true(json_object_get(json, "clear"));
		signal.stalled = json_is_true(json_object_get(json, "stalled"));
		/* 1: older than this machine is up */
		signal.at_ns = now_ns > age_ns ? now_ns - age_ns : 1;
		/* what is older than what is known is not news */
		if (signal.at_ns > remote->last.at_ns) {
			remote->last = signal;
			remote->remotes->heard(remote->remotes->arg);
		}
	}
	json_decref(json);
	return ok ? 0 : -EINVAL;
}

/* what is never whole is read no further, and no time-out of the connection's ends that */
static void watch(struct remote *remote)
{
	evtimer_add(remote->retry, &(struct timeval){ .tv_sec = SILENCE_S + 1 });
}

static void received(struct evhttp_request *request, void *arg)
{
	struct remote *remote = arg;
	size_t size;
	char *line;

	watch(remote);
	if (evhttp_request_get_response_code(request) != 200)
		return;
	evbuffer_add_buffer(remote->input, evhttp_request_get_input_buffer(request));
	while ((line = evbuffer_readln(remote->input, &size, EVBUFFER_EOL_CRLF))) {
		if (!strncmp(line, "data: ", 6)) {
			if (take(remote, line + 6, size - 6))
				log_debug("%s: not a signal: %.200s", remote->words, line);
			else if (remote->told)
				log_note("%s: heard again", remote->words);
			remote->told = false;
			remote->wait_ms = RETRY_MIN_MS;
		}
		free(line);
	}
	if (evbuffer_get_length(remote->input) > LINE_MAX_BYTES)
		evbuffer_drain(remote->input, evbuffer_get_length(remote->input));
}

static void wait_and_retry(struct remote *remote)
{
	struct timeval wait = { .tv_sec = remote->wait_ms / 1000,
				.tv_usec = remote->wait_ms % 1000 * 1000 };

	remote->wait_ms = remote->wait_ms * 2 < RETRY_MAX_MS ? remote->wait_ms * 2 : RETRY_MAX_MS;
	evtimer_add(remote->retry, &wait);
}

static int headers_came(struct evhttp_request *request, void *arg)
{
	struct remote *remote = arg;

	remote->answered = evhttp_request_get_response_code(request) == 200;
	return 0;
}

/* the reply has ended: the other side closed it, refused, was silent, or could not be reached */
static void ended(struct evhttp_request *request, void *arg)
{
	struct remote *remote = arg;
	int code = request ? evhttp_request_get_response_code(request) : 0;

	if (!code && remote->at) {
		evtimer_add(remote->retry, &(struct timeval){});
		return;
	}
	remote->at = NULL;
	if (!remote->told) {
		if (code && code != 200)
			log_note("%s: refused with status %d; tried again", remote->words, code);
		else
			log_note("%s: %s; tried again", remote->words,
				 remote->last.at_ns ? "broke off" :
				 remote->answered ? "answers, but has no such signal" :
						    "cannot be reached");
	}
	remote->told = true;
	/* one that answered and had nothing to say may have at any moment */
	if (remote->answered)
		remote->wait_ms = RETRY_MIN_MS;
	wait_and_retry(remote);
}

static struct evhttp_connection *connection_new(struct remote *remote)
{
	const struct addrinfo *at = remote->at;
	char address[NI_MAXHOST];

	remote->at = at->ai_next;
	if (getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof(address), NULL, 0,
			NI_NUMERICHOST))
		return NULL;
	return evhttp_connection_base_new(remote->remotes->base, NULL, address, remote->url.port);
}

static void connect_next(struct remote *remote)
{
	struct evhttp_request *request;
	char path[128], host[WEIR_PATH_LEN + 16];

	remote->connection = connection_new(remote);
	request = remote->connection ? evhttp_request_new(ended, remote) : NULL;
	if (!request) {
		wait_and_retry(remote);
		return;
	}
	evhttp_connection_set_timeout(remote->connection, SILENCE_S);
	evhttp_connection_set_max_headers_size(remote->connection, HEADERS_MAX_BYTES);
	bufferevent_setwatermark(evhttp_connection_get_bufferevent(remote->connection), EV_READ, 0,
				 AHEAD_MAX_BYTES);
	watch(remote);
	evhttp_request_set_header_cb(request, headers_came);
	evhttp_request_set_chunked_cb(request, received);
	/* an IPv6 address stands in brackets there, and its zone means nothing to others */
	snprintf(host, sizeof(host), strchr(remote->url.host, ':') ? "[%.*s]:%u" : "%.*s:%u",
		 (int)strcspn(remote->url.host, "%"), remote->url.host, remote->url.port);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Host", host);
	snprintf(path, sizeof(path), "/api/v1/signals/%s?follow", remote->url.name);
	if (evhttp_make_request(remote->connection, request, EVHTTP_REQ_GET, path))
		wait_and_retry(remote);
}

static void addresses_came(struct addrinfo *found, void *arg)
{
	struct remote *remote = arg;

	remote->question = NULL;
	remote->addresses = found;
	remote->at = found;
	if (found)
		connect_next(remote);
	else
		ended(NULL, remote);
}

static void ask(struct remote *remote)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;

	if (remote->addresses)
		freeaddrinfo(remote->addresses);
	remote->addresses = NULL;
	if (!getaddrinfo(remote->url.host, NULL, &hints, &found)) {
		addresses_came(found, remote);
		return;
	}
	remote->question = resolve_start(remote->remotes->base, remote->url.host, addresses_came,
					 remote);
	if (!remote->question)
		wait_and_retry(remote);
}

static void start(evutil_socket_t fd, short what, void *arg)
{
	struct remote *remote = arg;

	if (remote->connection)
		evhttp_connection_free(remote->connection);
	remote->connection = NULL;
	evbuffer_drain(remote->input, evbuffer_get_length(remote->input));
	remote->answered = false;
	if (remote->at)
		connect_next(remote);
	else
		ask(remote);
}

struct remotes *remotes_new(struct event_base *base, void (*heard)(void *arg), void *arg)
{
	struct remotes *remotes = calloc(1, sizeof(*remotes));

	if (remotes)
		*remotes = (struct remotes){ .base = base, .heard = heard, .arg = arg };
	return remotes;
}

static void remote_free(struct remote *remote)
{
	if (remote->connection)
		evhttp_connection_free(remote->connection);
	resolve_forget(remote->question);
	if (remote->addresses)
		freeaddrinfo(remote->addresses);
	if (remote->retry)
		event_free(remote->retry);
	if (remote->input)
		evbuffer_free(remote->input);
	free(remote);
}

void remotes_begin(struct remotes *remotes)
{
	for (struct remote *remote = remotes->list; remote; remote = remote->next)
		remote->wanted = false;
}

void remotes_end(struct remotes *remotes)
{
	struct remote **at = &remotes->list;

	while (*at) {
		struct remote *remote = *at;

		if (remote->wanted) {
			at = &remote->next;
			continue;
		}
		*at = remote->next;
		remote_free(remote);
	}
}

void remotes_free(struct remotes *remotes)
{
	if (!remotes)
		return;
	remotes_begin(remotes);
	remotes_end(remotes);
	free(remotes);
}

static struct remote *find(const struct remotes *remotes, const char *words)
{
	struct remote *remote = remotes->list;

	while (remote && strcmp(remote->words, words))
		remote = remote->next;
	return remote;
}

int remotes_follow(struct remotes *remotes, const char *words, struct err *err)
{
	struct remote *remote = find(remotes, words);
	int r;

	if (remote) {
		remote->wanted = true;
		return 0;
	}
	remote = calloc(1, sizeof(*remote));
	if (!remote)
		return err_set(err, ENOMEM, "out of memory");
	r = signal_url_parse(words, &remote->url, err);
	if (r) {
		free(remote);
		return r;
	}
	snprintf(remote->words, sizeof(remote->words), "%s", words);
	remote->remotes = remotes;
	remote->wait_ms = RETRY_MIN_MS;
	remote->wanted = true;
	remote->input = evbuffer_new();
	remote->retry = evtimer_new(remotes->base, start, remote);
	if (!remote->input || !remote->retry) {
		remote_free(remote);
		return err_set(err, ENOMEM, "out of memory");
	}
	remote->next = remotes->list;
	remotes->list = remote;
	/* from the loop: a thread has the privileges of who makes it, and they are fewer then */
	evtimer_add(remote->retry, &(struct timeval){});
	return 0;
}

const struct signal *remotes_find(const struct remotes *remotes, const char *words)
{
	const struct remote *remote = find(remotes, words);

	return remote ? &remote->last : NULL;
}
