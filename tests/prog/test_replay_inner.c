// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_replay_inner.c: `weir replay` of tunnels and fragments: the outcomes are counted in the rows
 * of the flows inside where the class looks inside, else in the tunnel's own, and those
 * of later fragments in their packet's flow.
 */
#include "capture.h"
#include "tunnel.h"

#define PACKETS 400
#define FLOWS 8

static long long field(json_t *row, const char *name)
{
	return json_integer_value(json_object_get(row, name));
}

/* packets of the row whose source port and form are these; 0 where there is none */
static long long packets_of(json_t *report, int sport, bool inner, long long *tunnel)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(report, "flows"), i, row) {
		if (field(row, "sport") != sport ||
		    json_is_true(json_object_get(row, "inner")) != inner)
			continue;
		if (tunnel)
			*tunnel = field(row, "tunnel");
		return field(row, "packets");
	}
	return 0;
}

/* flows inside of one VXLAN; two have so many options that they do not fit a slot */
static void write_tunnels(int flows)
{
	struct packet p = {
		.outer = { .family = 6, .net = 1, .src = 1, .dst = 2 },
		.inside = { .family = 6, .net = 2, .src = 3, .dst = 4 },
		.tunnel = VXLAN, .id = 42, .proto = IPPROTO_TCP, .dport = 80, .payload = 600,
		.cover = 50000,
	};
	struct frame frame;
	struct capture c;
	int i;

	capture_begin(&c, "cap", LINK_EN10MB);
	for (i = 0; i < PACKETS; i++) {
		p.sport = 4000 + i % flows;
		p.inside.options = i % flows < 2 ? 7 : 0;
		packet_build(&frame, &p);
		capture_frame(&c, SEC + i * MSEC, &frame);
	}
	capture_end(&c);
}

static void flows_inside_of_a_tunnel(void **state)
{
	long long tunnel = 0;
	json_t *r;
	int i;

	write_tunnels(FLOWS);
	capture_text("in", "class set tun flow-rate 1gbit inner on\n"
			   "match add tun proto udp dport 4789\n");
	capture_text("out", "class set tun flow-rate 1gbit\nmatch add tun proto udp dport 4789\n");
	r = report("cap conf in");
	for (i = 0; i < FLOWS; i++) {
		assert_int_equal(packets_of(r, 4000 + i, true, &tunnel), PACKETS / FLOWS);
		assert_int_equal(tunnel, 42);
	}
	assert_int_equal(packets_of(r, 50000, false, NULL), 0);
	assert_int_equal(json_array_size(json_object_get(r, "flows")), FLOWS);
	json_decref(r);
	r = report("cap conf out");
	assert_int_equal(packets_of(r, 50000, false, NULL), PACKETS);
	assert_int_equal(json_array_size(json_object_get(r, "flows")), 1);
	json_decref(r);
}

/* each flow inside has a cap of its own: eight times as much passes */
static void a_cap_for_each_flow_inside(void **state)
{
	long long dropped[2];
	json_t *r, *totals;
	int i;

	write_tunnels(FLOWS);
	for (i = 0; i < 2; i++) {
		capture_text("conf", i ? "class set default flow-rate 1mbit burst 20ms action police inner on\n" :
					 "class set default flow-rate 1mbit burst 20ms action police\n");
		r = report("cap conf conf");
		totals = json_array_get(json_object_get(r, "totals"), 0);
		dropped[i] = field(totals, "dropped");
		json_decref(r);
	}
	assert_in_range(dropped[0], PACKETS / 2, PACKETS);
	assert_int_equal(dropped[1], 0);
}

static void fragments_are_their_packets(void **state)
{
	struct ip_layer ip = { .family = 4, .net = 2, .src = 3, .dst = 4 };
	struct packet p = {
		.outer = { .family = 4, .net = 1, .src = 1, .dst = 2 }, .tunnel = IPIP,
		.proto = IPPROTO_UDP, .sport = 4000, .dport = 53, .payload = 800,
	};
	struct frame frame;
	struct capture c;
	json_t *r;
	int i;

	capture_begin(&c, "cap", LINK_EN10MB);
	for (i = 0; i < 60; i++) {
		p.inside = ip;
		p.inside.id = i / 3;
		p.inside.more = i % 3 < 2;
		p.inside.fragment = i % 3 * 101;
		packet_build(&frame, &p);
		capture_frame(&c, SEC + i * MSEC, &frame);
	}
	capture_end(&c);
	capture_text("conf", "class set default flow-rate 1gbit inner on\n");
	r = report("cap conf conf");
	assert_int_equal(packets_of(r, 4000, true, NULL), 60);
	assert_int_equal(json_array_size(json_object_get(r, "flows")), 1);
	json_decref(r);
}

/* twenty rows are shown, and of more it is said how many: a tunnel without packets has none */
static void as_many_as_have_a_row(void **state)
{
	static const char note[] = " flows have a row";
	char *text;

	as_text = true;
	capture_text("in", "class set tun flow-rate 1gbit inner on\n"
			   "match add tun proto udp dport 4789\n");
	write_tunnels(20);
	assert_int_equal(replay_run_words("cap conf in"), 0);
	text = file_text("stdout");
	assert_null(strstr(text, note));
	free(text);
	write_tunnels(21);
	assert_int_equal(replay_run_words("cap conf in"), 0);
	text = file_text("stdout");
	assert_non_null(strstr(text, note));
	assert_memory_equal(strstr(text, note) - 2, "21", 2);
	free(text);
	as_text = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flows_inside_of_a_tunnel),
		TEST(a_cap_for_each_flow_inside),
		TEST(fragments_are_their_packets),
		TEST(as_many_as_have_a_row),
	};

	return RUN_CAPTURES(tests);
}
