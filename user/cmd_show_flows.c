// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_show_flows.c: `weir show flows [FILTER] [class NAME] [sort FIELD] [limit N]`: the flow
 * table, filtered in the grammar of matches, in bounded memory: a million rows are sorted in one
 * pass over the table (flow_rows.c), and what needs no order is written as it is read. Reads only.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>
#include "address.h"
#include "conf.h"
#include "flow_filter.h"
#include "flow_rows.h"
#include "quantity.h"
#include "reasons.h"
#include "show.h"
#include "snapshot.h"

#define ROWS 131072			/* more, and nobody asked for an order: as they come */
#define MIX 4				/* one of those that were kept among so many of these: */
					/* all of them at once would hold up the reading */
#define FEW 2048			/* the page and its interface ask for no more: ... */
#define ROOM_FEW (1UL << 20)		/* ... so many bytes will do */

struct query {
	struct flow_filter filter;	/* first: its keys and ours have the same target */
	struct show *show;
	int sort;			/* index of sort_words; -1: not said */
	__u64 limit;			/* rows still to be written */

	struct flow_rows *rows;
	size_t written;			/* of the rows */
	bool streams;			/* there are too many, and nobody asked for an order */
	unsigned int streamed;
};

/* as enum flow_rows_sort */
static const char *const sort_words[] = { "rate", "bytes", "packets", "marked", "dropped", "delayed",
					"age", NULL };

static int sort_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct query *query = target;
	int sort = opts_choice(word, key->choices, err);

	if (sort < 0)
		return sort;
	query->sort = sort;
	return 0;
}

static int limit_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct query *query = target;

	return quantity_count(word, 1, ~0U, &query->limit, err);
}

const struct opts_key show_flows_keys[] = {
	{ "sort", "FIELD", "rate, bytes, packets, marked, dropped, delayed: largest first; age: latest",
	  .choices = sort_words, .set = sort_set },
	{ "limit", "N", "at most so many", .set = limit_set },
};
const unsigned int show_flows_n_keys = ARRAY_SIZE(show_flows_keys);

/* the name of a row's class, NULL where it is gone */
static const char *class_name(const struct policy *policy, const struct weir_flow *flow)
{
	return flow->class_slot < WEIR_MAX_CLASSES ? policy->classes[flow->class_slot].name : NULL;
}

/* JSON: address and port apart; text: 10.0.0.1:80, [2001:db8::1]:80 */
static void end_point(struct show *show, const char *name, const __u8 addr[16], __be16 port,
		      __u8 family)
{
	char text[ADDRESS_BYTES + OUT_PLAIN], *at = text;
	bool bracket = !show->context->json && family != 4;

	if (bracket)
		*at++ = '[';
	at = address_put(at, addr, family);
	if (bracket)
		*at++ = ']';
	if (!show->context->json) {
		*at++ = ':';
		at += quantity_digits(at, ntohs(port));
	}
	out_plain(show->out, name, text, at - text);
}

static const char *device_name(struct show *show, __u32 ifindex)
{
	/* asking the kernel takes longer than all the rest of a row; the next look asks again */
	if (ifindex != show->dev_ifindex && !if_indextoname(ifindex, show->dev))
		strcpy(show->dev, "-");
	show->dev_ifindex = ifindex;
	return show->dev;
}

static void flow_identity(struct show *show, const struct flow_row *row)
{
	const struct weir_flow_key *key = &row->key;
	struct out *out = show->out;
	char proto[CONF_PROTO];

	out_str(out, "dev", device_name(show, key->ifindex));
	out_str(out, "hook", key->hook == WEIR_EGRESS ? "egress" : "ingress");
	out_str(out, "class", class_name(show->policy, &row->flow));
	out_only(out, OUT_JSON);
	out_u64(out, "family", key->family);
	out_str(out, "proto", conf_proto_name(key->proto, proto));
	out_only(out, OUT_TEXT);
	out_str(out, "proto", conf_flow_proto(key, proto));
	out_only(out, OUT_BOTH);
	end_point(show, "src", key->src, key->sport, key->family);
	end_point(show, "dst", key->dst, key->dport, key->family);
	out_only(out, OUT_JSON);
	out_u64(out, "sport", ntohs(key->sport));
	out_u64(out, "dport", ntohs(key->dport));
	out_bool(out, "fragment", key->flags & WEIR_KEY_FRAG);
	out_bool(out, "inner", key->flags & WEIR_KEY_INNER);
	out_u64(out, "tunnel", key->tunnel);
	out_only(out, OUT_BOTH);
}

static void flow_row(struct show *show, const struct flow_row *row)
{
	const struct weir_flow *flow = &row->flow;
	/* it came while the table was read: a dash would say that it has no age */
	__u64 age = show->now_ns > flow->last_seen_ns ? show->now_ns - flow->last_seen_ns : 1;
	struct out *out = show->out;

	out_row(out);
	flow_identity(show, row);
	out_rate(out, "rate_bps", row->rate_bps);
	out_u64(out, "packets", flow->packets);
	out_size(out, "bytes", flow->bytes);
	out_u64(out, "marked", flow->marked);
	out_u64(out, "dropped", flow->dropped);
	out_u64(out, "delayed", flow->delayed);
	out_only(out, OUT_JSON);
	out_u64(out, "dropped_bytes", flow->dropped_bytes);
	out_u64(out, "delay_ns", flow->delay_ns);
	out_u64(out, "last_seen_ns", flow->last_seen_ns);
	out_u64(out, "first_seen_ns", flow->first_seen_ns);
	/* for people: the mean delay of the delayed, and how long ago */
	out_only(out, OUT_TEXT);
	out_time(out, "delay", flow->delayed ? flow->delay_ns / flow->delayed : 0);
	out_time(out, "age", age);
	out_only(out, OUT_BOTH);
	out_str(out, "reason", flow->last_reason < WEIR_R_COUNT ?
		reasons[flow->last_reason].name : NULL);
	out_row_end(out);
}

/* the next n */
static void write_rows(struct query *query, size_t n)
{
	struct flow_row row;

	for (; n && query->written < flow_rows_count(query->rows); n--) {
		if (out_failed(query->show->out))
			return;
		flow_rows_get(query->rows, query->written++, &row);
		flow_row(query->show, &row);
	}
}

static int collect(const struct weir_flow_key *key, const struct weir_flow *flow, void *arg)
{
	struct query *query = arg;
	const struct policy *policy = query->show->policy;
	bool active = flow->last_seen_ns + SNAPSHOT_ACTIVE_NS > query->show->now_ns;
	struct flow_row row = { *key, *flow, active ? flow->rate_bps : 0 };

	if (!policy_class_has(&policy->classes[flow->class_slot % WEIR_MAX_CLASSES], flow))
		row.flow.class_slot = WEIR_MAX_CLASSES;
	/* a tunnel's own, of a class that looks inside: it has counted nothing */
	if (!flow->packets)
		return 0;
	if (!flow_filter_wants(&query->filter, key, class_name(policy, &row.flow)))
		return 0;
	if (query->sort < 0 && flow_rows_count(query->rows) == ROWS)
		query->streams = true;
	if (!query->streams) {
		flow_rows_add(query->rows, &row);
		return 0;
	}
	flow_row(query->show, &row);
	if (out_failed(query->show->out))
		return -EPIPE;
	if (++query->streamed % MIX == 0)
		write_rows(query, 1);
	return 0;
}

/* one pass over the table; true where there is more to come */
static bool pass(struct query *query, int *ret_r)
{
	flow_rows_begin(query->rows, query->limit);
	query->written = 0;
	*ret_r = maps_flows_each(query->show->maps, collect, query);
	if (*ret_r)
		return false;
	if (!query->streams)
		flow_rows_sort(query->rows);
	write_rows(query, ~0UL);
	query->limit -= query->written;
	return !query->streams && flow_rows_more(query->rows) && !out_failed(query->show->out);
}

static int query_words(struct query *query, int argc, char **argv)
{
	const struct show *show = query->show;
	struct err *err = &show->context->err;
	int r = flow_filter_words(&query->filter, show_flows_keys, show_flows_n_keys, argc, argv,
				  err);

	if (!r)
		r = flow_filter_resolve(&query->filter, err);
	if (!r && query->filter.class_name[0] &&
	    policy_class_find(show->policy, query->filter.class_name) < 0)
		r = err_set(err, ENOENT, "no class '%s'", query->filter.class_name);
	if (r)
		err_prefix(err, "show flows: ");
	/* the first ones of which order? */
	if (query->limit != ~0ULL && query->sort < 0)
		query->sort = 0;
	return r;
}

int show_flows(struct show *show, int argc, char **argv)
{
	struct query query = { .show = show, .limit = ~0ULL, .sort = -1 };
	int r = query_words(&query, argc, argv);

	if (r)
		return r;
	query.rows = flow_rows_new(query.limit <= FEW ? ROOM_FEW : FLOW_ROWS_MANY,
				   query.sort < 0 ? FLOW_ROWS_RATE : query.sort, show->now_ns);
	if (!query.rows)
		return err_set(&show->context->err, ENOMEM, "out of memory");
	out_list(show->out, "flows");
	while (pass(&query, &r))
		;
	out_list_end(show->out);
	flow_rows_free(query.rows);
	/* who has closed the output, or why it is full, out_close() tells */
	if (!r || out_failed(show->out))
		return 0;
	return err_set(&show->context->err, -r, "cannot read the flows: %s", strerror(-r));
}
