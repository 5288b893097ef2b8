// SPDX-License-Identifier: GPL-2.0-only
/*
 * replay_parse.c: the datapath's own parser on the packets of a capture, to know the flow that each
 * outcome belongs to: also of later fragments, and of what is inside a tunnel. Knows no policy.
 */
#include <string.h>
#include <bpf/bpf_endian.h>
#include "replay.h"

struct weir_cursor {
	const __u8 *data;
	__u32 size;
	bool *cut;			/* something was asked for beyond the data */
};

static int weir_load(const struct weir_cursor *c, __u32 off, void *to, __u32 len)
{
	if (off > 0x7fff || off + len > c->size) {
		*c->cut = true;
		return -1;
	}
	memcpy(to, c->data + off, len);
	return 0;
}

#include "../bpf/tunnel.h"

struct noted {				/* as map "fragments", but one place for each key */
	struct weir_flow_key key;
	struct weir_fragment first;
};

struct replay_parser {
	enum weir_hook hook;
	struct noted fragments[WEIR_FRAGMENTS];
};

struct replay_parser *replay_parser_new(enum weir_hook hook)
{
	struct replay_parser *parser = calloc(1, sizeof(*parser));

	if (parser)
		parser->hook = hook;
	return parser;
}

static void fragment(struct replay_parser *parser, struct weir_packet *p, __u64 now_ns)
{
	struct weir_flow_key key;
	struct noted *noted;

	if (!(p->flags & (WEIR_P_FIRST | WEIR_P_LATER)))
		return;
	weir_fragment_key(p, &key);
	noted = &parser->fragments[replay_key_hash(&key) % WEIR_FRAGMENTS];
	if (p->flags & WEIR_P_FIRST) {
		noted->key = key;
		weir_fragment_note(&noted->first, p, now_ns);
	} else if (!memcmp(&noted->key, &key, sizeof(key))) {
		weir_fragment_follow(p, &noted->first, now_ns);
	}
}

void replay_parse(struct replay_parser *parser, const __u8 *frame, __u32 size,
		  const struct replay_packet *packet, struct replay_keys *ret_keys)
{
	bool cut = false;
	struct weir_cursor cursor = { frame, size, &cut };
	struct weir_packet p = { .len = packet->len };
	struct weir_inside in;

	memset(ret_keys, 0, sizeof(*ret_keys));
	p.key.hook = parser->hook;
	p.key.ifindex = 1;
	ret_keys->reason = weir_parse(&cursor, &p, 0, bpf_htons(ETH_P_TEB));
	if (ret_keys->reason != WEIR_R_CONFORM)
		return;
	fragment(parser, &p, packet->now_ns);
	ret_keys->outer = p.key;
	if (!(p.flags & WEIR_P_TUNNEL))
		return;
	cut = false;
	if (weir_tunnel(&cursor, &p, &in) ||
	    weir_parse(&cursor, &in.packet, in.off, in.proto) != WEIR_R_CONFORM) {
		ret_keys->short_inside = cut;
		return;
	}
	weir_tunnel_enter(&p, &in);
	fragment(parser, &p, packet->now_ns);
	ret_keys->has_inside = true;
	ret_keys->inside = p.key;
}
