// SPDX-License-Identifier: GPL-2.0-only
/*
 * http_seen.c: the routes that show what goes on. Looks at the maps through the seer, at most
 * twice a second however many ask, less often where a look costs much, and never waits: a request
 * that needs a fresh look is answered when the look has come.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include "clock.h"
#include "http_seen.h"
#include "quantity.h"
#include "seer.h"
#include "web.h"

#define FRESH_NS 500000000ULL		/* a look that is younger will do */
#define WAITING_MAX 32			/* clients that wait for an answer */
#define ASKING_MAX 24			/* of these, with a question; all others share a look */
#define LISTENERS_MAX 64		/* pages that follow the events */
#define EVENT_SECONDS 1
#define FLOWS_DEFAULT "100"
#define FLOWS_MAX 1000
#define JSON_TYPE "application/json"

enum kind { FREE, METRICS, LIVE, SHOW };

/* a request that waits for the seer */
struct client {
	struct http_seen *seen;
	enum kind kind;
	struct evhttp_request *request;
};

struct http_seen {
	struct event_base *base;
	struct http *http;
	const char *netns;
	struct seer *seer;		/* NULL until somebody asks */
	struct event *news, *tick;
	struct seen *last;		/* NULL: no look yet */
	bool looking;
	struct client clients[WAITING_MAX];
	struct http_stream *listeners[LISTENERS_MAX];
};

static void reply(struct evhttp_request *request, const char *type, const void *data, size_t size)
{
	struct evbuffer *body = evbuffer_new();

	if (!body || evbuffer_add(body, data, size))
		http_reply_error(request, 503, "out of memory");
	else
		http_reply(request, 200, type, body);
	if (body)
		evbuffer_free(body);
}

/* the connection is gone, and its request with it */
static void client_closed(struct evhttp_connection *connection, void *arg)
{
	struct client *client = arg;

	if (client->kind == SHOW)
		seer_forget(client->seen->seer, client);
	http_request_lost(client->request);
	client->kind = FREE;
	client->request = NULL;
}

/* takes the request out of the table: it is about to be answered */
static struct evhttp_request *client_done(struct client *client)
{
	struct evhttp_request *request = client->request;

	evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
	client->kind = FREE;
	client->request = NULL;
	return request;
}

/* NULL where there are too many; they have been told */
static struct client *client_new(struct http_seen *seen, struct evhttp_request *request,
				 enum kind kind)
{
	/* a flood of questions takes no place from /metrics */
	for (unsigned int i = kind == SHOW ? WAITING_MAX - ASKING_MAX : 0; i < WAITING_MAX; i++) {
		struct client *client = &seen->clients[i];

		if (client->kind != FREE)
			continue;
		*client = (struct client){ seen, kind, request };
		evhttp_connection_set_closecb(evhttp_request_get_connection(request), client_closed,
					      client);
		return client;
	}
	http_reply_error(request, 503, "too many clients at once");
	return NULL;
}

/* --- what comes from the seer */

static void send_look(struct evhttp_request *request, enum kind kind, const struct seen *look)
{
	enum metrics_form form;
	const struct text *text;

	if (look->err.text[0])
		return http_reply_error(request, 503, look->err.text);
	if (kind == LIVE)
		return reply(request, JSON_TYPE, look->live.data, look->live.size);
	form = metrics_form_of(evhttp_find_header(evhttp_request_get_input_headers(request),
						  "Accept"));
	text = &look->metrics[form];
	reply(request, metrics_content_type(form), text->data, text->size);
}

static void send_event(struct http_stream *listener, const struct seen *look)
{
	static const char gone[] = "{\"error\":\"nothing is attached\"}";

	if (look->err.text[0])
		http_stream_send(listener, gone, sizeof(gone) - 1);
	else
		http_stream_send(listener, look->live.data, look->live.size);
}

static void look_came(struct http_seen *seen, struct seen *look)
{
	seen_free(seen->last);
	seen->last = look;
	seen->looking = false;
	for (unsigned int i = 0; i < LISTENERS_MAX; i++)
		if (seen->listeners[i])
			send_event(seen->listeners[i], look);
	for (unsigned int i = 0; i < WAITING_MAX; i++) {
		enum kind kind = seen->clients[i].kind;

		if (kind == METRICS || kind == LIVE)
			send_look(client_done(&seen->clients[i]), kind, look);
	}
}

static void answer_came(struct seer_answer *answer)
{
	struct client *client = answer->owner;
	int code = answer->result == -EINVAL ? 400 :
		   answer->result == -ENOENT || answer->result == -ENODEV ? 404 : 503;

	if (!client)
		return;
	if (answer->result)
		http_reply_error(client_done(client), code, answer->err.text);
	else
		reply(client_done(client), JSON_TYPE, answer->body, answer->size);
}

static void news(evutil_socket_t fd, short what, void *arg)
{
	struct http_seen *seen = arg;
	struct seer_answer *answers, *next;
	struct seen *look;

	seer_collect(seen->seer, &look, &answers);
	if (look)
		look_came(seen, look);
	for (; answers; answers = next) {
		next = answers->next;
		answer_came(answers);
		seer_answer_free(answers);
	}
}

/* the thread is made when first needed: it has no more privileges than the agent then has */
static int seer_need(struct http_seen *seen, struct err *err)
{
	int r = seen->seer ? 0 : seer_start(seen->netns, &seen->seer, err);

	if (r || seen->news)
		return r;
	seen->news = event_new(seen->base, seer_fd(seen->seer), EV_READ | EV_PERSIST, news, seen);
	return seen->news && !event_add(seen->news, NULL) ? 0 :
	       err_set(err, ENOMEM, "out of memory");
}

static void want_look(struct http_seen *seen)
{
	if (!seen->looking)
		seer_look(seen->seer);
	seen->looking = true;
}

/* no other look is needed yet */
static bool is_fresh(const struct http_seen *seen, __u64 fresh_ns)
{
	if (!seen->last)
		return false;
	if (fresh_ns < seen->last->apart_ns)
		fresh_ns = seen->last->apart_ns;
	return clock_now_ns() - seen->last->at_ns < fresh_ns;
}

/* while somebody listens; each tick has its look unless that costs too much */
static void tick(evutil_socket_t fd, short what, void *arg)
{
	struct http_seen *seen = arg;

	if (is_fresh(seen, 0))
		return;
	for (unsigned int i = 0; i < LISTENERS_MAX; i++)
		if (seen->listeners[i])
			return want_look(seen);
	event_del(seen->tick);
}

/* --- routes */

static void look_route(struct http_seen *seen, struct evhttp_request *request, enum kind kind)
{
	struct err err = {};

	if (is_fresh(seen, FRESH_NS))
		send_look(request, kind, seen->last);
	else if (seer_need(seen, &err))
		http_reply_error(request, 503, err.text);
	else if (client_new(seen, request, kind))
		want_look(seen);
}

static void metrics_route(struct evhttp_request *request, const char *rest, void *arg)
{
	look_route(arg, request, METRICS);
}

static void live_route(struct evhttp_request *request, const char *rest, void *arg)
{
	look_route(arg, request, LIVE);
}

static void listener_gone(struct http_stream *stream, void *arg)
{
	struct http_seen *seen = arg;

	for (unsigned int i = 0; i < LISTENERS_MAX; i++)
		if (seen->listeners[i] == stream)
			seen->listeners[i] = NULL;
}

static void events_route(struct evhttp_request *request, const char *rest, void *arg)
{
	const struct timeval every = { .tv_sec = EVENT_SECONDS };
	struct http_seen *seen = arg;
	struct err err = {};
	unsigned int i = 0;

	while (i < LISTENERS_MAX && seen->listeners[i])
		i++;
	if (i == LISTENERS_MAX || seer_need(seen, &err))
		return http_reply_error(request, 503, err.text[0] ? err.text : "too many pages");
	seen->listeners[i] = http_stream_open(seen->http, request, listener_gone, seen);
	if (!seen->listeners[i])
		return;
	/* a look of an hour ago is not what goes on */
	if (is_fresh(seen, FRESH_NS))
		send_event(seen->listeners[i], seen->last);
	want_look(seen);
	if (!event_pending(seen->tick, EV_TIMEOUT, NULL))
		event_add(seen->tick, &every);
}

static int words_add(struct seer_answer *question, size_t *used, const char *word)
{
	size_t n = strlen(word) + 1;

	if (question->argc >= SEER_WORDS || *used + n > sizeof(question->words))
		return -ENOSPC;
	question->argv[question->argc++] = memcpy(question->words + *used, word, n);
	*used += n;
	return 0;
}

/* the pairs of a query; *ret_limited: `limit` is among them */
static int pairs_add(struct seer_answer *question, size_t *used, const char *query,
		     bool *ret_limited, struct err *err)
{
	struct evkeyvalq pairs;
	struct evkeyval *pair;
	__u64 limit;
	int r = 0;

	TAILQ_INIT(&pairs);
	if (evhttp_parse_query_str(query, &pairs))
		return err_set(err, EINVAL, "the query cannot be read; want KEY=VALUE&...");
	TAILQ_FOREACH(pair, &pairs, next) {
		if (!strcmp(pair->key, "limit")) {
			*ret_limited = true;
			r = quantity_count(pair->value, 1, FLOWS_MAX, &limit, err);
			if (r)
				err_prefix(err, "show flows: limit ");
		}
		if (!r && (words_add(question, used, pair->key) ||
			   words_add(question, used, pair->value)))
			r = err_set(err, EINVAL, "too many words");
		if (r)
			break;
	}
	evhttp_clear_headers(&pairs);
	return r;
}

/* /api/v1/flows?dport=443&limit=20 is `show flows dport 443 limit 20` */
static int question_words(struct seer_answer *question, const char *part, const char *query,
			  struct err *err)
{
	bool flows = !strcmp(part, "flows"), limited = false;
	size_t used = 0;
	int r = words_add(question, &used, part);

	if (!r && query && *query)
		r = pairs_add(question, &used, query, &limited, err);
	if (!r && !flows && question->argc > 1)
		r = err_set(err, EINVAL, "%s: takes no query", part);
	if (!r && flows && !limited &&
	    (words_add(question, &used, "limit") || words_add(question, &used, FLOWS_DEFAULT)))
		r = err_set(err, EINVAL, "too many words");
	return r;
}

static void show_route(struct http_seen *seen, struct evhttp_request *request, const char *part)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));
	struct seer_answer *question = calloc(1, sizeof(*question));
	struct client *client;
	struct err err = {};

	if (!question || seer_need(seen, &err)) {
		seer_answer_free(question);
		return http_reply_error(request, 503, err.text[0] ? err.text : "out of memory");
	}
	if (question_words(question, part, query, &err)) {
		seer_answer_free(question);
		return http_reply_error(request, 400, err.text);
	}
	client = client_new(seen, request, SHOW);
	question->owner = client;
	if (!client)
		seer_answer_free(question);
	else if (seer_ask(seen->seer, question))
		http_reply_error(client_done(client), 503, "too many questions at once");
}

static void classes_route(struct evhttp_request *request, const char *rest, void *arg)
{
	show_route(arg, request, "classes");
}

static void flows_route(struct evhttp_request *request, const char *rest, void *arg)
{
	show_route(arg, request, "flows");
}

static void devices_route(struct evhttp_request *request, const char *rest, void *arg)
{
	show_route(arg, request, "devices");
}

static void page_route(struct evhttp_request *request, const char *rest, void *arg)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	/* everything that the page needs is in it */
	evhttp_add_header(headers, "Content-Security-Policy", "default-src 'none'; "
			  "style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
			  "connect-src 'self'; img-src data:; base-uri 'none'; "
			  "form-action 'none'; frame-ancestors 'none'");
	evhttp_add_header(headers, "Referrer-Policy", "no-referrer");
	reply(request, WEB_PAGE_TYPE, web_page, sizeof(web_page));
}

int http_seen_open(struct http_seen **ret, struct event_base *base, struct http *http,
		   const char *netns)
{
	static const struct {
		const char *path;
		http_handler handler;
	} routes[] = {
		{ "/", page_route }, { "/metrics", metrics_route }, { "/events", events_route },
		{ "/api/v1/live", live_route }, { "/api/v1/classes", classes_route },
		{ "/api/v1/flows", flows_route }, { "/api/v1/devices", devices_route },
	};
	struct http_seen *seen = calloc(1, sizeof(*seen));
	int r = 0;

	if (!seen)
		return -ENOMEM;
	seen->base = base;
	seen->http = http;
	seen->netns = netns;
	seen->tick = event_new(base, -1, EV_PERSIST, tick, seen);
	if (!seen->tick)
		r = -ENOMEM;
	for (unsigned int i = 0; i < ARRAY_SIZE(routes) && !r; i++)
		r = http_route(http, routes[i].path, routes[i].handler, seen);
	if (r)
		http_seen_close(seen);
	else
		*ret = seen;
	return r;
}

void http_seen_close(struct http_seen *seen)
{
	if (!seen)
		return;
	if (seen->news)
		event_free(seen->news);
	if (seen->tick)
		event_free(seen->tick);
	seer_stop(seen->seer);
	seen_free(seen->last);
	free(seen);
}
