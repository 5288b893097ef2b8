// SPDX-License-Identifier: GPL-2.0-only
/*
 * resolve.c: getaddrinfo(3), a thread for each question: libevent's own resolver asks name servers
 * alone and takes no part in nsswitch.conf(5). The question belongs to the thread and to who asked;
 * whoever is done with it last frees it.
 */
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "resolve.h"

struct resolve {
	char host[NI_MAXHOST];
	resolve_done done;
	void *arg;
	struct event *news;
	struct addrinfo *found;		/* the thread's until it has said so */
	int fd;				/* eventfd */
	int owners;
};

static void let_go(struct resolve *resolve)
{
	if (__atomic_sub_fetch(&resolve->owners, 1, __ATOMIC_ACQ_REL))
		return;
	if (resolve->found)
		freeaddrinfo(resolve->found);
	if (resolve->fd >= 0)
		close(resolve->fd);
	free(resolve);
}

static void *thread(void *arg)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct resolve *resolve = arg;

	if (getaddrinfo(resolve->host, NULL, &hints, &resolve->found))
		resolve->found = NULL;
	eventfd_write(resolve->fd, 1);
	let_go(resolve);
	return NULL;
}

static void news(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *resolve = arg;
	struct addrinfo *found = resolve->found;
	resolve_done done = resolve->done;

	arg = resolve->arg;
	resolve->found = NULL;
	resolve_forget(resolve);
	done(found, arg);
}

void resolve_forget(struct resolve *resolve)
{
	if (!resolve)
		return;
	if (resolve->news)
		event_free(resolve->news);
	resolve->news = NULL;
	let_go(resolve);
}

static int thread_start(struct resolve *resolve)
{
	pthread_attr_t detached;
	sigset_t all, before;
	pthread_t ignored;
	int r;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	/* signals are the loop's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	resolve->owners++;
	r = pthread_create(&ignored, &detached, thread, resolve);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&detached);
	if (r)
		resolve->owners--;
	return r;
}

struct resolve *resolve_start(struct event_base *base, const char *host, resolve_done done,
			      void *arg)
{
	struct resolve *resolve = calloc(1, sizeof(*resolve));

	if (!resolve)
		return NULL;
	*resolve = (struct resolve){ .done = done, .arg = arg, .owners = 1 };
	snprintf(resolve->host, sizeof(resolve->host), "%s", host);
	resolve->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (resolve->fd >= 0)
		resolve->news = event_new(base, resolve->fd, EV_READ, news, resolve);
	if (!resolve->news || event_add(resolve->news, NULL) || thread_start(resolve)) {
		resolve_forget(resolve);
		return NULL;
	}
	return resolve;
}
