// SPDX-License-Identifier: GPL-2.0-only
/*
 * tell.c: one line and one event per decision. Reads and writes no rate.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include "control.h"
#include "log.h"
#include "maps.h"
#include "quantity.h"
#include "signals.h"
#include "tell.h"
#include "text.h"

#define SECOND_NS 1000000000ULL

int tell_start(struct tell *tell, const struct maps *maps)
{
	return maps_decision_last(maps, &tell->seq);
}

/* these come and go while a controller holds a class at its target */
static bool is_steady(__u8 reason)
{
	return reason == WEIR_C_BEHIND || reason == WEIR_C_ON_TARGET || reason == WEIR_C_BELOW ||
	       reason == WEIR_C_PROBE || reason == WEIR_C_SETTLING;
}

static bool is_news(const struct tell_budget *budget, const struct weir_decision *d)
{
	__u64 moved = d->new_bps > budget->rate_bps ? d->new_bps - budget->rate_bps :
						      budget->rate_bps - d->new_bps;

	if (d->reason != budget->reason && !(is_steady(d->reason) && is_steady(budget->reason)))
		return true;
	return moved > budget->rate_bps / TELL_PART;
}

/* one more class has news in this second */
static void has_news(struct tell *tell, __u64 now_ns)
{
	__u64 span_ns = now_ns - tell->since_ns;
	unsigned int n;

	if (span_ns >= SECOND_NS) {
		tell->n_before = span_ns < 2 * SECOND_NS ? tell->n : 0;
		tell->n = 0;
		tell->since_ns = now_ns;
	}
	tell->n++;
	n = tell->n > tell->n_before ? tell->n : tell->n_before;
	tell->share = n > TELL_CLASSES ? (double)TELL_CLASSES / n : 1;
}

static bool allowed(struct tell *tell, struct tell_budget *budget, __u64 now_ns)
{
	double most;

	if (budget->at_ns < tell->since_ns || now_ns - tell->since_ns >= SECOND_NS)
		has_news(tell, now_ns);
	most = 1 + (TELL_BURST - 1) * tell->share;
	if (budget->at_ns)
		budget->tokens += (now_ns - budget->at_ns) * tell->share *
				  (TELL_PER_SECOND / (double)SECOND_NS);
	else
		budget->tokens = TELL_BURST;
	if (budget->tokens > most)
		budget->tokens = most;
	budget->at_ns = now_ns;
	if (budget->tokens < 1) {
		budget->left_out++;
		return false;
	}
	budget->tokens--;
	return true;
}

static const char *rate_text(__u64 bps, char buf[32])
{
	snprintf(buf, 32, "%s", bps ? quantity_rate_exact(bps).text : "configured");
	return buf;
}

static void line_text(const struct weir_decision *d, const char *signal, unsigned int left_out)
{
	bool is_time = d->flags & WEIR_D_TIME;
	char old[32], new[32], more[40] = "";

	if (left_out)
		snprintf(more, sizeof(more), " left-out %u", left_out);
	log_note("class %s %s %s -> %s signal \"%s\" value %s target %s law %s reason %s%s: %s",
		 d->class, d->flags & WEIR_D_OBSERVE ? "would-be" : "rate",
		 rate_text(d->old_bps, old), rate_text(d->new_bps, new), signal,
		 d->flags & WEIR_D_VALUE ? signal_value_show(d->value, is_time).text : "-",
		 signal_value_show(d->target, is_time).text, control_law_name(d->law),
		 control_reason_name(d->reason), more, control_reason_text(d->reason));
}

static json_t *rate_json(__u64 bps)
{
	return bps ? json_integer(bps) : json_null();
}

/* a cgroup's path may be no UTF-8 */
static json_t *signal_json(const char *signal)
{
	json_t *ret = json_string(signal);
	_cleanup_free_ char *shown = ret ? NULL : text_ascii(signal);

	return ret ?: json_string(shown);
}

static void line_json(const struct weir_decision *d, const char *signal, unsigned int left_out)
{
	json_t *value = d->flags & WEIR_D_VALUE ? json_integer(d->value) : json_null();
	json_t *followed = signal_json(signal);
	json_t *line = json_pack("{s:s, s:I, s:s, s:o, s:o, s:o, s:o, s:I, s:s, s:o, s:s, s:s, s:s, "
				 "s:b, s:i}", "event", "decision", "at_ns", (json_int_t)d->at_ns,
				 "class", d->class, "old_bps", rate_json(d->old_bps), "rate_bps",
				 rate_json(d->new_bps), "signal", followed, "value", value, "target",
				 (json_int_t)d->target, "unit", d->flags & WEIR_D_TIME ? "ns" : "1e-6",
				 "drain_bps", rate_json(d->drain_bps), "law",
				 control_law_name(d->law), "reason", control_reason_name(d->reason),
				 "text", control_reason_text(d->reason), "observe",
				 !!(d->flags & WEIR_D_OBSERVE), "left_out", (int)left_out);
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	size_t n = text ? strlen(text) : 0;

	if (text) {
		text[n] = '\n';		/* in place of the NUL: one write is one line */
		if (write(STDOUT_FILENO, text, n + 1) < 0)
			log_debug("stdout: %s", strerror(errno));
	}
	free(text);
	json_decref(line);
}

/* the line of what is news, where its class may have one */
static void line(struct tell *tell, struct weir_decision *decision, const char *signal,
		 struct tell_budget *budget)
{
	if (!allowed(tell, budget, decision->at_ns))
		return;
	/* a rate does not wait for who reads of it */
	if (!log_takes(tell->json ? STDOUT_FILENO : STDERR_FILENO)) {
		budget->left_out++;
		return;
	}
	decision->old_bps = budget->rate_bps;
	if (tell->json)
		line_json(decision, signal, budget->left_out);
	else
		line_text(decision, signal, budget->left_out);
	budget->left_out = 0;
	budget->rate_bps = decision->new_bps;
	budget->reason = decision->reason;
}

void tell_late(struct tell *tell, struct weir_decision decision, const char *signal,
	       struct tell_budget *budget)
{
	unsigned int left_out = budget->left_out;

	if (!left_out || !is_news(budget, &decision))
		return;
	line(tell, &decision, signal, budget);
	if (budget->left_out)
		budget->left_out = left_out;	/* none more: it is asked for again */
}

void tell_decision(struct tell *tell, const struct maps *maps, struct weir_decision *decision,
		   const char *signal, struct tell_budget *budget)
{
	int r;

	decision->seq = ++tell->seq;
	r = maps_decision_put(maps, decision);
	if (r)
		log_debug("map decisions: %s", strerror(-r));
	if (!is_news(budget, decision)) {
		budget->left_out++;
		return;
	}
	line(tell, decision, signal, budget);
}
