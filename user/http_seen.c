// SPDX-License-Identifier: GPL-2.0-only
/*
 * http_seen.c: the routes that show what goes on. Looks at the maps through the seer, at most
 * twice a second however many ask, and never waits: a request that needs a fresh look is answered
 * when the look has come. A client that does not keep up loses events, then its connection.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <jansson.h>
#include "http_seen.h"
#include "quantity.h"
#include "seer.h"
#include "web.h"

#define FRESH_NS 500000000ULL		/* a look that is younger will do */
#define CLIENTS_MAX 32			/* that wait, or that listen to events */
#define EVENT_SECONDS 1
#define BACKLOG_BYTES (256U << 10)	/* of a listener that does not read */
#define BACKLOG_EVENTS 30		/* so many left out, and it is let go */
#define FLOWS_DEFAULT "100"
#define FLOWS_MAX 1000

enum kind { FREE, METRICS, LIVE, EVENTS, SHOW };

struct client {
	struct http_seen *seen;
	enum kind kind;
	struct evhttp_request *request;
	unsigned int left_out;
};

struct http_seen {
	struct seer *seer;
	struct event *news, *tick;
	struct seen *last;		/* NULL: no look yet */
	bool looking;
	struct client clients[CLIENTS_MAX];
};

static __u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void header(struct evhttp_request *request, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(request), name, value);
}

static void reply(struct evhttp_request *request, int code, const char *type, const void *body,
		  size_t size)
{
	struct evbuffer *buffer = evbuffer_new();

	header(request, "Content-Type", type);
	header(request, "Cache-Control", "no-store");
	header(request, "X-Content-Type-Options", "nosniff");
	if (!buffer || evbuffer_add(buffer, body, size))
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
	else
		evhttp_send_reply(request, code, NULL, buffer);
	if (buffer)
		evbuffer_free(buffer);
}

static void refuse(struct evhttp_request *request, int code, const char *text)
{
	json_t *object = json_pack("{s:s}", "error", text);
	_cleanup_free_ char *body = object ? json_dumps(object, 0) : NULL;

	json_decref(object);
	if (code == HTTP_SERVUNAVAIL)
		header(request, "Retry-After", "1");
	reply(request, code, "application/json", body ?: "", body ? strlen(body) : 0);
}

/* the connection is gone, and its request with it */
static void client_closed(struct evhttp_connection *connection, void *arg)
{
	struct client *client = arg;

	if (client->kind == SHOW)
		seer_forget(client->seen->seer, client);
	client->kind = FREE;
	client->request = NULL;
}

/* takes the request out of the table: it is about to be answered to the end */
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
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &seen->clients[i];

		if (client->kind != FREE)
			continue;
		*client = (struct client){ seen, kind, request, 0 };
		evhttp_connection_set_closecb(evhttp_request_get_connection(request), client_closed,
					      client);
		return client;
	}
	refuse(request, HTTP_SERVUNAVAIL, "too many clients");
	return NULL;
}

static bool may_read(struct evhttp_request *request)
{
	enum evhttp_cmd_type command = evhttp_request_get_command(request);

	if (command == EVHTTP_REQ_GET || command == EVHTTP_REQ_HEAD)
		return true;
	header(request, "Allow", "GET, HEAD");
	refuse(request, HTTP_BADMETHOD, "want GET");
	return false;
}

/* --- what a look is turned into */

static void send_look(struct evhttp_request *request, enum kind kind, const struct seen *look)
{
	enum metrics_form form;
	const struct text *text;

	if (look->err.text[0]) {
		refuse(request, HTTP_SERVUNAVAIL, look->err.text);
		return;
	}
	if (kind == LIVE) {
		reply(request, HTTP_OK, "application/json", look->live.data, look->live.size);
		return;
	}
	form = metrics_form_of(evhttp_find_header(evhttp_request_get_input_headers(request),
						  "Accept"));
	text = &look->metrics[form];
	reply(request, HTTP_OK, metrics_content_type(form), text->data, text->size);
}

static void event_send(struct client *client, const struct seen *look)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(client->request);
	struct bufferevent *stream = evhttp_connection_get_bufferevent(connection);
	struct evbuffer *buffer;

	if (evbuffer_get_length(bufferevent_get_output(stream)) > BACKLOG_BYTES) {
		if (++client->left_out > BACKLOG_EVENTS)
			evhttp_connection_free(connection);	/* calls client_closed() */
		return;
	}
	client->left_out = 0;
	buffer = evbuffer_new();
	if (!buffer)
		return;
	if (look->err.text[0])
		evbuffer_add_printf(buffer, "event: gone\ndata: %s\n\n", look->err.text);
	else
		evbuffer_add_printf(buffer, "data: %s\n\n", look->live.data);
	evhttp_send_reply_chunk(client->request, buffer);
	evbuffer_free(buffer);
}

static void want_look(struct http_seen *seen)
{
	if (!seen->looking)
		seer_look(seen->seer);
	seen->looking = true;
}

static void look_came(struct http_seen *seen, struct seen *look)
{
	seen_free(seen->last);
	seen->last = look;
	seen->looking = false;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &seen->clients[i];
		enum kind kind = client->kind;

		if (kind == EVENTS)
			event_send(client, look);
		else if (kind == METRICS || kind == LIVE)
			send_look(client_done(client), kind, look);
	}
}

static void answer_came(struct seer_answer *answer)
{
	struct client *client = answer->owner;
	int code = answer->result == -EINVAL ? HTTP_BADREQUEST :
		   answer->result == -ENOENT || answer->result == -ENODEV ? HTTP_NOTFOUND :
		   HTTP_SERVUNAVAIL;

	if (!client)
		return;
	if (answer->result)
		refuse(client_done(client), code, answer->err.text);
	else
		reply(client_done(client), HTTP_OK, "application/json", answer->body, answer->size);
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

/* while somebody listens */
static void tick(evutil_socket_t fd, short what, void *arg)
{
	struct http_seen *seen = arg;

	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		if (seen->clients[i].kind == EVENTS)
			return want_look(seen);
	event_del(seen->tick);
}

/* --- routes */

static void look_route(struct http_seen *seen, struct evhttp_request *request, enum kind kind)
{
	if (!may_read(request))
		return;
	if (seen->last && now_ns() - seen->last->at_ns < FRESH_NS)
		send_look(request, kind, seen->last);
	else if (client_new(seen, request, kind))
		want_look(seen);
}

static void metrics_route(struct evhttp_request *request, void *arg)
{
	look_route(arg, request, METRICS);
}

static void live_route(struct evhttp_request *request, void *arg)
{
	look_route(arg, request, LIVE);
}

static void events_route(struct evhttp_request *request, void *arg)
{
	const struct timeval every = { .tv_sec = EVENT_SECONDS }, patience = { .tv_sec = 30 };
	struct http_seen *seen = arg;
	struct client *client;

	if (!may_read(request))
		return;
	client = client_new(seen, request, EVENTS);
	if (!client)
		return;
	/* nothing more is read from it: only a write may take too long */
	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(
				 evhttp_request_get_connection(request)), NULL, &patience);
	header(request, "Content-Type", "text/event-stream");
	header(request, "Cache-Control", "no-store");
	header(request, "X-Accel-Buffering", "no");
	evhttp_send_reply_start(request, HTTP_OK, NULL);
	if (seen->last)
		event_send(client, seen->last);
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

/* /api/v1/flows?dport=443&limit=20 is `show flows dport 443 limit 20` */
static int question_words(struct seer_answer *question, const char *part, const char *query,
			  struct err *err)
{
	struct evkeyvalq pairs;
	struct evkeyval *pair;
	bool flows = !strcmp(part, "flows"), limited = false;
	size_t used = 0;
	__u64 limit;
	int r = words_add(question, &used, part);

	TAILQ_INIT(&pairs);
	if (query && evhttp_parse_query_str(query, &pairs))
		return err_set(err, EINVAL, "the query cannot be read; want KEY=VALUE&...");
	TAILQ_FOREACH(pair, &pairs, next) {
		if (r)
			break;
		if (!strcmp(pair->key, "limit")) {
			limited = true;
			r = quantity_count(pair->value, 1, FLOWS_MAX, &limit, err);
		}
		if (!r && (words_add(question, &used, pair->key) ||
			   words_add(question, &used, pair->value)))
			r = err_set(err, EINVAL, "too many words");
	}
	evhttp_clear_headers(&pairs);
	if (!r && !flows && question->argc > 1)
		r = err_set(err, EINVAL, "%s: takes no query", part);
	if (!r && flows && !limited &&
	    (words_add(question, &used, "limit") || words_add(question, &used, FLOWS_DEFAULT)))
		r = err_set(err, EINVAL, "too many words");
	return r;
}

static void show_route(struct http_seen *seen, struct evhttp_request *request, const char *part)
{
	struct seer_answer *question;
	struct client *client;
	struct err err = {};

	if (!may_read(request))
		return;
	question = calloc(1, sizeof(*question));
	if (!question)
		return refuse(request, HTTP_SERVUNAVAIL, "out of memory");
	if (question_words(question, part, evhttp_uri_get_query(
			   evhttp_request_get_evhttp_uri(request)), &err)) {
		seer_answer_free(question);
		return refuse(request, HTTP_BADREQUEST, err.text);
	}
	client = client_new(seen, request, SHOW);
	question->owner = client;
	if (!client)
		seer_answer_free(question);
	else if (seer_ask(seen->seer, question))
		refuse(client_done(client), HTTP_SERVUNAVAIL, "too many questions at once");
}

static void classes_route(struct evhttp_request *request, void *arg)
{
	show_route(arg, request, "classes");
}

static void flows_route(struct evhttp_request *request, void *arg)
{
	show_route(arg, request, "flows");
}

static void devices_route(struct evhttp_request *request, void *arg)
{
	show_route(arg, request, "devices");
}

static void page_route(struct evhttp_request *request, void *arg)
{
	if (!may_read(request))
		return;
	/* everything that the page needs is in it */
	header(request, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; "
	       "script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; "
	       "form-action 'none'; frame-ancestors 'none'");
	header(request, "Referrer-Policy", "no-referrer");
	reply(request, HTTP_OK, WEB_PAGE_TYPE, web_page, sizeof(web_page));
}

static const struct {
	const char *path;
	void (*handler)(struct evhttp_request *request, void *arg);
} routes[] = {
	{ "/", page_route }, { "/metrics", metrics_route }, { "/events", events_route },
	{ "/api/v1/live", live_route }, { "/api/v1/classes", classes_route },
	{ "/api/v1/flows", flows_route }, { "/api/v1/devices", devices_route },
};

int http_seen_start(struct event_base *base, struct evhttp *http, const char *netns,
		    struct http_seen **ret, struct err *err)
{
	struct http_seen *seen = calloc(1, sizeof(*seen));
	int r = seen ? seer_start(netns, &seen->seer, err) : -ENOMEM;

	if (!r) {
		seen->news = event_new(base, seer_fd(seen->seer), EV_READ | EV_PERSIST, news, seen);
		seen->tick = event_new(base, -1, EV_PERSIST, tick, seen);
		if (!seen->news || !seen->tick || event_add(seen->news, NULL))
			r = err_set(err, ENOMEM, "out of memory");
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(routes) && !r; i++)
		if (evhttp_set_cb(http, routes[i].path, routes[i].handler, seen))
			r = err_set(err, EEXIST, "%s: cannot be served", routes[i].path);
	if (r) {
		http_seen_stop(seen);
		return r;
	}
	*ret = seen;
	return 0;
}

void http_seen_stop(struct http_seen *seen)
{
	if (!seen)
		return;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		if (seen->clients[i].kind != FREE)
			evhttp_connection_free(evhttp_request_get_connection(
					       seen->clients[i].request));
	if (seen->news)
		event_free(seen->news);
	if (seen->tick)
		event_free(seen->tick);
	seer_stop(seen->seer);
	seen_free(seen->last);
	free(seen);
}
