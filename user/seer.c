// SPDX-License-Identifier: GPL-2.0-only
/*
 * seer.c: the thread that looks at the maps for the HTTP side. It shares with the loop what lies
 * under the lock and nothing else; it opens the instance for every look, since that may go and
 * come. Reads only.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include "clock.h"
#include "live.h"
#include "seer.h"
#include "show.h"
#include "snapshot.h"
#include "view.h"

#define WAITING_MAX 8
#define WAIT_MAX_NS 10000000000ULL	/* for the passes of those who asked before */
#define KEPT_MAX 4			/* answers that are still fresh */
#define SPAN_MIN_NS 500000000ULL
#define NICE 10				/* whatever is asked for here, the rates come first */

struct seer {
	pthread_t thread;
	char netns[64];
	bool has_netns;
	int fd;				/* eventfd */
	/* the thread's */
	struct snapshot *before, *older;	/* what rates are reckoned from */
	struct seer_answer *kept[KEPT_MAX];
	__u64 next_ns;			/* the next pass for a question may begin */
	bool looked;			/* last; a question comes next */

	pthread_mutex_t lock;		/* over what follows */
	pthread_cond_t wake;
	bool stop, look;
	struct seen *seen;
	struct seer_answer *waiting, *done, *doing;
	unsigned int n_waiting;
	__u64 apart_ns;			/* of the passes for the last question and the next */
};

void seen_free(struct seen *seen)
{
	if (!seen)
		return;
	text_free(&seen->metrics[METRICS_PLAIN]);
	text_free(&seen->metrics[METRICS_OPEN]);
	text_free(&seen->live);
	free(seen);
}

void seer_answer_free(struct seer_answer *answer)
{
	if (!answer)
		return;
	free(answer->body);
	free(answer);
}

/* Looks may follow each other at once; rates of a few milliseconds would be noise. */
static const struct snapshot *base_of(const struct seer *seer, __u64 now)
{
	return seer->older && now - seer->before->now_ns < SPAN_MIN_NS ? seer->older : seer->before;
}

/* takes the snapshot over */
static void keep(struct seer *seer, struct snapshot *snapshot)
{
	if (base_of(seer, snapshot->now_ns) != seer->before)
		return snapshot_free(snapshot);
	snapshot_free(seer->older);
	seer->older = seer->before;
	seer->before = snapshot;
}

static struct seen *look(struct seer *seer)
{
	const struct snapshot_query query = { .sort = SNAPSHOT_BY_RATE, .max_flows = LIVE_FLOWS };
	struct seen *seen = calloc(1, sizeof(*seen));
	struct snapshot *snapshot = NULL;
	_cleanup_(view_close) struct view view = VIEW_NONE;
	int r;

	if (!seen)
		return NULL;
	seen->at_ns = clock_now_ns();
	r = view_open(&view, seer->has_netns ? seer->netns : NULL, &seen->err);
	if (!r)
		r = snapshot_take(&view.maps, &view.instance, &query,
				  base_of(seer, seen->at_ns), &snapshot, &seen->err);
	if (r)
		return seen;
	if (metrics_write(&seen->metrics[METRICS_PLAIN], snapshot, METRICS_PLAIN) ||
	    metrics_write(&seen->metrics[METRICS_OPEN], snapshot, METRICS_OPEN) ||
	    live_write(&seen->live, snapshot))
		err_set(&seen->err, ENOMEM, "out of memory");
	seen->apart_ns = snapshot_apart_ns(snapshot);
	keep(seer, snapshot);
	return seen;
}

static int show_run(struct show *show, struct seer_answer *answer)
{
	static const struct {
		const char *name;
		int (*run)(struct show *show, int argc, char **argv);
	} parts[] = {
		{ "classes", show_classes }, { "flows", show_flows }, { "devices", show_devices },
	};

	for (unsigned int i = 0; answer->argc && i < ARRAY_SIZE(parts); i++)
		if (!strcmp(parts[i].name, answer->argv[0]))
			return parts[i].run(show, answer->argc - 1, answer->argv + 1);
	return err_set(&answer->err, ENOENT, "want classes, flows or devices");
}

static int show_text(struct show *show, struct seer_answer *answer)
{
	FILE *to = open_memstream(&answer->body, &answer->size);
	int r, closed;

	if (!to)
		return err_set(&answer->err, ENOMEM, "out of memory");
	show->out = out_open_to(to, true);
	r = show->out ? show_run(show, answer) : -ENOMEM;
	closed = out_close(show->out, NULL);
	if (fclose(to) == EOF && !closed)
		closed = -errno;
	return r ?: closed;
}

static void pass(struct seer *seer, struct seer_answer *answer)
{
	struct context context = { .json = true };
	_cleanup_free_ struct policy *policy = calloc(1, sizeof(*policy));
	_cleanup_(view_close) struct view view = VIEW_NONE;
	struct show show = { .context = &context, .instance = &view.instance, .maps = &view.maps,
			     .policy = policy, .now_ns = clock_now_ns() };
	int r = view_open(&view, seer->has_netns ? seer->netns : NULL, &context.err);

	if (!r)
		r = policy ? maps_policy_load(&view.maps, policy, &context.err) : -ENOMEM;
	if (!r)
		r = show_text(&show, answer);
	answer->result = r;
	if (!answer->err.text[0])
		answer->err = context.err;
	if (r) {
		free(answer->body);
		answer->body = NULL;
	}
}

static bool is_same(const struct seer_answer *a, const struct seer_answer *b)
{
	int i = 0;

	while (i < a->argc && i < b->argc && !strcmp(a->argv[i], b->argv[i]))
		i++;
	return a->argc == b->argc && i == a->argc;
}

/* the answer to the same question while it is fresh, or NULL */
static struct seer_answer *kept_find(const struct seer *seer, const struct seer_answer *question,
				     __u64 now)
{
	for (unsigned int i = 0; i < KEPT_MAX; i++)
		if (seer->kept[i] && now < seer->kept[i]->fresh_until_ns &&
		    is_same(seer->kept[i], question))
			return seer->kept[i];
	return NULL;
}

/* in the place of the one that is stale the soonest */
static void kept_add(struct seer *seer, const struct seer_answer *answer)
{
	struct seer_answer **at = &seer->kept[0], *copy = malloc(sizeof(*copy));

	for (unsigned int i = 1; i < KEPT_MAX && *at; i++)
		if (!seer->kept[i] || seer->kept[i]->fresh_until_ns < (*at)->fresh_until_ns)
			at = &seer->kept[i];
	if (!copy)
		return;
	*copy = *answer;
	copy->body = malloc(answer->size);
	if (!copy->body)
		return free(copy);
	memcpy(copy->body, answer->body, answer->size);
	for (int i = 0; i < copy->argc; i++)
		copy->argv[i] = copy->words + (answer->argv[i] - answer->words);
	seer_answer_free(*at);
	*at = copy;
}

static void kept_give(const struct seer_answer *kept, struct seer_answer *answer)
{
	answer->body = malloc(kept->size);
	if (!answer->body) {
		answer->result = err_set(&answer->err, ENOMEM, "out of memory");
		return;
	}
	answer->size = kept->size;
	memcpy(answer->body, kept->body, kept->size);
}

/* how long no other pass for a question is to begin */
static __u64 answer_question(struct seer *seer, struct seer_answer *answer)
{
	__u64 begin = clock_now_ns(), cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID), apart_ns;
	const struct seer_answer *kept = kept_find(seer, answer, begin);

	if (kept) {
		kept_give(kept, answer);
		return seer->apart_ns;
	}
	pass(seer, answer);
	apart_ns = (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns) * SNAPSHOT_APART;
	seer->next_ns = answer->fresh_until_ns = begin + apart_ns;
	if (!answer->result)
		kept_add(seer, answer);
	return apart_ns;
}

static struct seer_answer *take_first(struct seer_answer **list)
{
	struct seer_answer *first = *list;

	if (first) {
		*list = first->next;
		first->next = NULL;
	}
	return first;
}

/* the first question whose answer is there or may be looked for */
static struct seer_answer *take_due(struct seer *seer)
{
	struct seer_answer **at = &seer->waiting;
	__u64 now = clock_now_ns();

	while (*at && now < seer->next_ns && !kept_find(seer, *at, now))
		at = &(*at)->next;
	return take_first(at);
}

/*
 * Does one thing outside the lock; the lock is held on entry and on return. False: there was
 * nothing to do yet.
 */
static bool work(struct seer *seer)
{
	struct seen *seen = NULL, *old = NULL;
	__u64 apart_ns;

	/* in turn: behind others who have the CPU a look takes so long that the next one is due */
	if (!seer->look || seer->looked)
		seer->doing = take_due(seer);
	seer->looked = !seer->doing;
	if (seer->look && !seer->doing) {
		seer->look = false;
		pthread_mutex_unlock(&seer->lock);
		seen = look(seer);
		pthread_mutex_lock(&seer->lock);
		old = seer->seen;
		seer->seen = seen;
		seen_free(old);
	} else if (!seer->doing) {
		return false;
	} else {
		seer->n_waiting--;
		pthread_mutex_unlock(&seer->lock);
		apart_ns = answer_question(seer, seer->doing);
		pthread_mutex_lock(&seer->lock);
		seer->apart_ns = apart_ns;
		seer->doing->next = seer->done;
		seer->done = seer->doing;
		seer->doing = NULL;
	}
	eventfd_write(seer->fd, 1);
	return true;
}

/* until there may be something to do */
static void wait_for_work(struct seer *seer)
{
	const __u64 due_ns = clock_own_ns(seer->next_ns);
	const struct timespec due = { .tv_sec = due_ns / 1000000000,
				      .tv_nsec = due_ns % 1000000000 };

	if (seer->waiting)
		pthread_cond_timedwait(&seer->wake, &seer->lock, &due);
	else
		pthread_cond_wait(&seer->wake, &seer->lock);
}

static void *thread(void *arg)
{
	struct seer *seer = arg;

	/* in Linux that is of this thread alone, and of those that it makes */
	setpriority(PRIO_PROCESS, 0, NICE);
	pthread_mutex_lock(&seer->lock);
	while (!seer->stop)
		if (!work(seer))
			wait_for_work(seer);
	pthread_mutex_unlock(&seer->lock);
	return NULL;
}

int seer_start(const char *netns, struct seer **ret, struct err *err)
{
	struct seer *seer = calloc(1, sizeof(*seer));
	pthread_condattr_t monotonic;
	sigset_t all, before;
	int r;

	if (!seer)
		return err_set(err, ENOMEM, "out of memory");
	seer->has_netns = netns;
	snprintf(seer->netns, sizeof(seer->netns), "%s", netns ?: "");
	seer->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (seer->fd < 0) {
		r = errno;
		free(seer);
		return err_set(err, r, "cannot make an eventfd: %s", strerror(r));
	}
	pthread_mutex_init(&seer->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&seer->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	/* signals are the loop's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&seer->thread, NULL, thread, seer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		close(seer->fd);
		free(seer);
		return err_set(err, r, "cannot start a thread: %s", strerror(r));
	}
	*ret = seer;
	return 0;
}

void seer_stop(struct seer *seer)
{
	struct seer_answer *answer;

	if (!seer)
		return;
	pthread_mutex_lock(&seer->lock);
	seer->stop = true;
	pthread_cond_signal(&seer->wake);
	pthread_mutex_unlock(&seer->lock);
	pthread_join(seer->thread, NULL);
	while ((answer = take_first(&seer->waiting)) || (answer = take_first(&seer->done)))
		seer_answer_free(answer);
	for (unsigned int i = 0; i < KEPT_MAX; i++)
		seer_answer_free(seer->kept[i]);
	seen_free(seer->seen);
	snapshot_free(seer->before);
	snapshot_free(seer->older);
	pthread_mutex_destroy(&seer->lock);
	pthread_cond_destroy(&seer->wake);
	close(seer->fd);
	free(seer);
}

int seer_fd(const struct seer *seer)
{
	return seer->fd;
}

void seer_look(struct seer *seer)
{
	pthread_mutex_lock(&seer->lock);
	seer->look = true;
	pthread_cond_signal(&seer->wake);
	pthread_mutex_unlock(&seer->lock);
}

/* how many passes those who wait ask for: questions that are the same share one */
static unsigned int passes_waiting(const struct seer *seer)
{
	unsigned int n = 0;

	for (const struct seer_answer *a = seer->waiting; a; a = a->next) {
		const struct seer_answer *b = seer->waiting;

		while (b != a && !is_same(a, b))
			b = b->next;
		n += b == a;
	}
	return n;
}

int seer_ask(struct seer *seer, struct seer_answer *question)
{
	struct seer_answer **at = &seer->waiting;
	bool full;

	pthread_mutex_lock(&seer->lock);
	full = seer->n_waiting >= WAITING_MAX ||
	       passes_waiting(seer) * seer->apart_ns > WAIT_MAX_NS;
	if (!full) {
		while (*at)
			at = &(*at)->next;
		*at = question;
		question->next = NULL;
		seer->n_waiting++;
		pthread_cond_signal(&seer->wake);
	}
	pthread_mutex_unlock(&seer->lock);
	if (full)
		seer_answer_free(question);
	return full ? -EBUSY : 0;
}

void seer_forget(struct seer *seer, const void *owner)
{
	pthread_mutex_lock(&seer->lock);
	for (struct seer_answer *a = seer->waiting; a; a = a->next)
		a->owner = a->owner == owner ? NULL : a->owner;
	for (struct seer_answer *a = seer->done; a; a = a->next)
		a->owner = a->owner == owner ? NULL : a->owner;
	if (seer->doing && seer->doing->owner == owner)
		seer->doing->owner = NULL;
	pthread_mutex_unlock(&seer->lock);
}

void seer_collect(struct seer *seer, struct seen **ret_seen, struct seer_answer **ret_answers)
{
	eventfd_t n;

	eventfd_read(seer->fd, &n);
	pthread_mutex_lock(&seer->lock);
	*ret_seen = seer->seen;
	*ret_answers = seer->done;
	seer->seen = NULL;
	seer->done = NULL;
	pthread_mutex_unlock(&seer->lock);
}
