// SPDX-License-Identifier: GPL-2.0-only
/*
 * serve.c: signals as JSON. {"name", "value", "unit": "ns" | "1e-6", "clear", "stalled",
 * "drain_bps", "age_ns", "ttl_ns"}; ages instead of times, since clocks differ.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include "clock.h"
#include "serve.h"

/* one that stands for long is not silence: who follows hears that it still does */
#define ALIVE_NS 1000000000ULL

struct follower {
	struct serve *serve;
	struct http_stream *stream;
	char name[SIGNAL_NAME_LEN];
	__u64 sent_at_ns;		/* at_ns of the last one sent */
	__u64 said_ns;			/* when anything was */
	struct follower *next;
};

struct serve {
	struct http *http;
	const struct steer *steer;
	struct follower *followers;
};

static json_t *signal_json(const struct signal *signal, __u64 now_ns)
{
	return json_pack("{s:s, s:I, s:s, s:b, s:b, s:I, s:I, s:I}", "name", signal->name, "value",
			 (json_int_t)signal->value, "unit", signal->is_time ? "ns" : "1e-6",
			 "clear", signal->clear, "stalled", signal->stalled, "drain_bps",
			 (json_int_t)signal->drain_bps, "age_ns",
			 (json_int_t)(now_ns > signal->at_ns ? now_ns - signal->at_ns : 0), "ttl_ns",
			 (json_int_t)signal->ttl_ns);
}

static void reply_json(struct evhttp_request *request, json_t *json)
{
	_cleanup_free_ char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (text)
		http_reply_text(request, 200, "application/json", text);
	else
		http_reply_error(request, 500, "out of memory");
}

static void healthz(struct evhttp_request *request, const char *rest, void *arg)
{
	const struct serve *serve = arg;

	if (serve->steer->maps)
		http_reply_text(request, 200, "text/plain", "ok\n");
	else
		http_reply_text(request, 503, "text/plain", "nothing is attached\n");
}

static void list(struct evhttp_request *request, const char *rest, void *arg)
{
	const struct serve *serve = arg;
	const struct steer *steer = serve->steer;
	const struct signal *pushed = NULL;
	json_t *all = json_array();
	__u64 now_ns = clock_now_ns();
	struct signal signal;

	while ((pushed = signals_next(steer->signals, pushed)))
		if (signal_fresh(pushed, now_ns))
			json_array_append_new(all, signal_json(pushed, now_ns));
	for (unsigned int i = 0; i < steer->n_classes; i++) {
		const char *name = steer->classes[i].name;

		pushed = signals_find(steer->signals, name);
		if (name[0] && !(pushed && signal_fresh(pushed, now_ns)) &&
		    steer_signal(steer, name, now_ns, &signal))
			json_array_append_new(all, signal_json(&signal, now_ns));
	}
	reply_json(request, all);
}

static void follower_gone(struct http_stream *stream, void *arg)
{
	struct follower *follower = arg, **at = &follower->serve->followers;

	while (*at != follower)
		at = &(*at)->next;
	*at = follower->next;
	free(follower);
}

static void follow(struct serve *serve, struct evhttp_request *request, const char *name)
{
	struct follower *follower = calloc(1, sizeof(*follower));

	if (!follower) {
		http_reply_error(request, 500, "out of memory");
		return;
	}
	follower->serve = serve;
	snprintf(follower->name, sizeof(follower->name), "%s", name);
	follower->stream = http_stream_open(serve->http, request, follower_gone, follower);
	if (!follower->stream) {
		free(follower);
		return;
	}
	follower->next = serve->followers;
	serve->followers = follower;
}

static void one(struct evhttp_request *request, const char *name, void *arg)
{
	struct serve *serve = arg;
	__u64 now_ns = clock_now_ns();
	struct signal signal;
	struct err err;

	err_set(&err, ENOENT, "'%.200s': no such signal, or it has fallen silent", name);
	if (strlen(name) >= SIGNAL_NAME_LEN) {
		http_reply_error(request, 404, err.text);
		return;
	}
	/* one that is not there yet may come: who follows is told then */
	if (http_query_has(request, "follow")) {
		follow(serve, request, name);
		return;
	}
	if (!steer_signal(serve->steer, name, now_ns, &signal))
		http_reply_error(request, 404, err.text);
	else
		reply_json(request, signal_json(&signal, now_ns));
}

static void tell(struct follower *follower, const struct signal *signal, __u64 now_ns)
{
	json_t *json = signal_json(signal, now_ns);
	_cleanup_free_ char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	follower->sent_at_ns = signal->at_ns;
	if (text)
		http_stream_send(follower->stream, text, strlen(text));
	json_decref(json);
}

void serve_step(struct serve *serve, __u64 now_ns)
{
	for (struct follower *follower = serve->followers, *next; follower; follower = next) {
		struct signal signal;

		next = follower->next;
		if (!steer_signal(serve->steer, follower->name, now_ns, &signal))
			continue;
		if (signal.at_ns != follower->sent_at_ns)
			tell(follower, &signal, now_ns);
		else if (now_ns - follower->said_ns >= ALIVE_NS)
			http_stream_alive(follower->stream);
		else
			continue;
		follower->said_ns = now_ns;
	}
}

int serve_open(struct serve **ret, struct http *http, const struct steer *steer)
{
	struct serve *serve = calloc(1, sizeof(*serve));
	int r;

	if (!serve)
		return -ENOMEM;
	serve->http = http;
	serve->steer = steer;
	r = http_route(http, "/healthz", healthz, serve);
	if (!r)
		r = http_route(http, "/api/v1/signals", list, serve);
	if (!r)
		r = http_route(http, "/api/v1/signals/", one, serve);
	if (r) {
		free(serve);
		return r;
	}
	*ret = serve;
	return 0;
}

/* after http_close(), which has seen the followers off */
void serve_close(struct serve *serve)
{
	free(serve);
}
