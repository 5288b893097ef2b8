// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_replay.c: `weir replay` as a whole, on captures written here: the verdicts are those of the
 * program run packet by packet; link types, lengths, times, two policies, the link behind; and
 * what it says to bad input.
 */
#include "capture.h"

static __u64 reason(json_t *object, const char *name)
{
	return number(json_object_get(object, "reasons"), name);
}

/* what is random in a mixture comes from the packet's number alone */
static void mixture(struct spec *spec, unsigned int i)
{
	__u32 dice = (i * 2654435761U) >> 8;

	*spec = (struct spec){
		.family = dice & 1 ? 6 : 4, .proto = dice & 2 ? IPPROTO_TCP : IPPROTO_UDP,
		.ecn = dice >> 2 & 1 ? 2 : dice >> 3 & 1, .src = 1 + (dice >> 4) % 2,
		.payload = 40 + (dice >> 6) % 1300,
		.exts = i % 97 == 0 ? 8 : 0, .ethertype = i % 89 == 0 ? 0x88cc : 0,
	};
	if (i % 83 == 0 && !spec->ethertype)
		spec->cut = spec->family == 6 ? 58 : 38;
}

/* one class, set in the same way by words and by hand; the counters must agree to the packet */
static void compare(struct harness *h, const char *words, void (*set)(struct weir_class *))
{
	struct weir_class *class = harness_class(h, 0);
	struct weir_class_stats sum;
	struct capture c;
	struct frame frame;
	struct spec spec;
	__u64 delayed = 0, delay_ns = 0;
	json_t *r, *got;
	int i;

	capture_text("conf", words);
	set(class);
	harness_device(h, EGRESS, WEIR_DEV_EDT);
	harness_commit(h);
	capture_begin(&c, "cap", LINK_EN10MB);
	for (i = 0; i < 6000; i++) {
		mixture(&spec, i);
		frame_build(&frame, &spec);
		h->now_ns = HARNESS_T0_NS + i * 300000ULL;
		capture_frame(&c, i * 300000ULL, &frame);
		if (harness_run(h, EGRESS, &frame) == HARNESS_PASS && frame.skb.tstamp) {
			delayed++;
			delay_ns += frame.skb.tstamp - h->now_ns;
		}
	}
	capture_end(&c);
	harness_stats(h, 0, &sum);
	r = report("cap conf conf");
	got = row(r, "classes", "class", "default");
#define X(e, name, drops, text) assert_int_equal(reason(got, name), sum.packets[WEIR_R_##e]);
	WEIR_REASONS(X)
#undef X
	assert_int_equal(number(got, "marked"), sum.marked);
	assert_int_equal(number(got, "delayed"), delayed);
	assert_int_equal(number(got, "delay_mean_ns"), delayed ? delay_ns / delayed : 0);
	assert_true(sum.packets[WEIR_R_UNPARSED] > 50 && sum.packets[WEIR_R_NOT_IP] > 50);
	assert_true(sum.marked > 50);
	json_decref(r);
}

static void set_police(struct weir_class *class)
{
	harness_rate(class, 0, MBIT);
	class->action = WEIR_POLICE;
	class->burst_ns = 30 * MSEC;
	class->drop_at_ns = 30 * MSEC;
	class->mark_at_ns = 5 * MSEC;
}

static void set_pace(struct weir_class *class)
{
	harness_rate(class, 0, MBIT);
	class->action = WEIR_PACE;
	class->burst_ns = 0;
	class->drop_at_ns = 200 * MSEC;
	class->mark_at_ns = 5 * MSEC;
	class->flags |= WEIR_CLASS_SOCKET;
}

static void same_as_the_program(void **state)
{
	compare(*state, "class set default flow-rate 1mbit action police burst 30ms mark-at 5ms\n",
		set_police);
	harness_reset(*state);
	compare(*state, "class set default flow-rate 1mbit\n", set_pace);
}

static void write_mixture(const char *name, int link, __u32 snap)
{
	struct capture c;
	struct spec spec;
	int i;

	capture_begin(&c, name, link);
	c.snap = snap;
	for (i = 0; i < 3000; i++) {
		mixture(&spec, i);
		spec.cut = 0;
		spec.exts = 0;
		if (!spec.ethertype)
			capture_spec(&c, i * 100000ULL, &spec);
	}
	capture_end(&c);
}

/* the whole output, twice, with shares that the level moves */
static void repeats_to_the_byte(void **state)
{
	char *first, *second;

	write_mixture("cap", LINK_EN10MB, 262144);
	capture_text("conf", "class set default rate 20mbit flow-rate 1mbit\n");
	assert_int_equal(replay_run_words("cap conf conf dev-rate 15mbit"), 0);
	first = file_text("stdout");
	assert_int_equal(replay_run_words("cap conf conf dev-rate 15mbit"), 0);
	second = file_text("stdout");
	assert_string_equal(first, second);
	free(first);
	free(second);
}

static void every_link_type(void **state)
{
	static const int links[] = { LINK_EN10MB, LINK_SLL, LINK_SLL2, LINK_RAW };
	__u64 packets[4], bytes[4], sum[4];
	unsigned int i;
	json_t *r;

	capture_text("conf", "class set default flow-rate 1mbit\n");
	for (i = 0; i < 4; i++) {
		write_mixture("cap", links[i], 262144);
		r = report("cap conf conf");
		packets[i] = number(row(r, "capture", NULL, NULL), "packets");
		bytes[i] = number(row(r, "totals", NULL, NULL), "bytes");
		sum[i] = number(row(r, "totals", NULL, NULL), "dropped") * 100000 +
			 number(row(r, "totals", NULL, NULL), "delayed");
		assert_int_equal(reason(row(r, "totals", NULL, NULL), "unparsed"), 0);
		json_decref(r);
	}
	assert_true(packets[0] > 2900 && sum[0] > 1000);
	for (i = 1; i < 4; i++)
		assert_int_equal(packets[i], packets[0]);
	/* cooked packets of an Ethernet device count with its header, raw ones have none */
	assert_true(bytes[1] == bytes[0] && bytes[2] == bytes[0] && sum[1] == sum[0] &&
		    sum[2] == sum[0]);
	assert_int_equal(bytes[3], bytes[0] - 14 * packets[0]);
}

static void original_lengths_count(void **state)
{
	json_t *whole, *part;

	capture_text("conf", "class set default flow-rate 1mbit\n");
	write_mixture("cap", LINK_EN10MB, 262144);
	whole = report("cap conf conf");
	write_mixture("cap", LINK_EN10MB, 80);
	part = report("cap conf conf");
	assert_true(number(row(part, "capture", NULL, NULL), "truncated") > 2900);
	assert_int_equal(number(row(whole, "capture", NULL, NULL), "truncated"), 0);
	assert_true(json_equal(json_object_get(whole, "classes"), json_object_get(part, "classes")));
	assert_true(json_equal(json_object_get(whole, "flows"), json_object_get(part, "flows")));
	json_decref(whole);
	json_decref(part);
}

/* 64 KiB and more are charged whole; a tag counts and does not hide the flow */
static void large_and_tagged(void **state)
{
	static __u8 data[262144];
	struct capture c;
	struct frame frame;
	json_t *r;
	int i;

	capture_begin(&c, "cap", LINK_EN10MB);
	frame_build(&frame, &(struct spec){ .payload = 1000 });
	memcpy(data, frame.data, frame.len);
	for (i = 0; i < 10; i++)
		capture_raw(&c, i * SEC, data, 65535, 65535);
	for (; i < 20; i++)
		capture_raw(&c, i * SEC, data, 200000, 200000);
	for (; i < 30; i++)
		capture_spec(&c, i * SEC, &(struct spec){ .payload = 500, .vlans = 2, .ecn = 2 });
	capture_end(&c);
	capture_text("conf", "class set default flow-rate 100mbit mark-at 1ms\n");
	r = report("cap conf conf");
	assert_int_equal(number(row(r, "totals", NULL, NULL), "bytes"),
			 10 * 65535 + 10 * 200000 + 10 * (14 + 8 + 28 + 500));
	assert_int_equal(number(row(r, "totals", NULL, NULL), "dropped"), 0);
	assert_int_equal(json_array_size(json_object_get(r, "flows")), 1);
	assert_int_equal(reason(row(r, "totals", NULL, NULL), "not-ip"), 0);
	json_decref(r);
}

static void time_going_backwards(void **state)
{
	struct capture c;
	json_t *r;
	int i;

	capture_begin(&c, "cap", LINK_EN10MB);
	for (i = 0; i < 100; i++)
		capture_spec(&c, (100 + i - (i % 10 == 9 ? 90 : 0)) * SEC,
			     &(struct spec){ .payload = 99 });
	capture_end(&c);
	capture_text("conf", "class set default rate 1mbit\n");
	r = report("cap conf conf");
	assert_int_equal(number(row(r, "capture", NULL, NULL), "backwards"), 10);
	assert_int_equal(number(row(r, "capture", NULL, NULL), "span_ns"), 98 * SEC);
	json_decref(r);
}

/* pcapng: the same packets at the same times, in ns, give the same verdicts */
static void next_generation(void **state)
{
	static const __u32 head[] = {
		0x0a0d0d0a, 28, 0x1a2b3c4d, 1, ~0U, ~0U, 28,
		1, 32, LINK_EN10MB, 0, 9 | 1 << 16, 9, 0, 32,	/* if_tsresol: 10^-9 */
	};
	json_t *classic, *next;
	struct frame frame;
	struct capture c;
	FILE *file;
	int i;

	capture_text("conf", "class set default flow-rate 1mbit\n");
	capture_begin(&c, "cap", LINK_EN10MB);
	file = fopen("ng", "w");
	assert_non_null(file);
	fwrite(head, sizeof(head), 1, file);
	for (i = 0; i < 500; i++) {
		__u64 ns = 1700000000 * SEC + i * 1234567ULL;
		__u32 size = 6 + 4 * (i % 100) + 44, room = (size + 3) & ~3U, block = 32 + room;
		__u32 packet[] = { 6, block, 0, ns >> 32, (__u32)ns, size, size };

		frame_build(&frame, &(struct spec){ .payload = size - 42, .ecn = 2 });
		capture_frame(&c, ns, &frame);
		fwrite(packet, sizeof(packet), 1, file);
		fwrite(frame.data, room, 1, file);
		fwrite(&block, 4, 1, file);
	}
	capture_end(&c);
	assert_int_equal(fclose(file), 0);
	classic = report("cap conf conf");
	next = report("ng conf conf");
	assert_true(number(row(next, "totals", NULL, NULL), "delayed") > 100);
	assert_true(json_equal(json_object_get(classic, "flows"), json_object_get(next, "flows")));
	json_decref(classic);
	json_decref(next);
}

/* The level finds the shares: 8 and 2 Mbit/s in a class of 6 get 4 and 2. */
static void levels_move(void **state)
{
	struct capture c;
	json_t *r;
	__u64 greedy, modest;
	int i;

	capture_begin(&c, "cap", LINK_EN10MB);
	for (i = 0; i < 50000; i++)
		capture_spec(&c, i * MSEC / 5, &(struct spec){ .src = i % 5 ? 1 : 2,
			.payload = 250 - 42, .sport = i % 5 ? 1 : 2 });
	capture_end(&c);
	capture_text("conf", "class set default rate 6mbit action police\n");
	r = report("cap conf conf");
	greedy = number(row(r, "flows", "src", "10.0.0.1"), "passed_bytes");
	modest = number(row(r, "flows", "src", "10.0.0.2"), "passed_bytes");
	/* ten seconds */
	assert_in_range(greedy, 4700000, 5300000);
	assert_in_range(modest, 2400000, 2500000);
	json_decref(r);
}

static void two_policies(void **state)
{
	json_t *both, *alone;
	static const char *const files[] = { "a", "b" };
	int i;

	write_mixture("cap", LINK_EN10MB, 262144);
	capture_text("a", "class set default rate 20mbit\n");
	capture_text("b", "class set web flow-rate 2mbit action police\n"
			  "match add web proto tcp dport 2000\n");
	both = report("cap conf a diff b");
	for (i = 0; i < 2; i++) {
		alone = report(i ? "cap conf b" : "cap conf a");
		assert_true(json_equal(json_object_get(row(both, "totals", NULL, NULL), files[i]),
				       row(alone, "totals", NULL, NULL)));
		json_decref(alone);
	}
	assert_true(json_is_null(json_object_get(row(both, "classes", "class", "web"), "a")));
	assert_false(json_equal(json_object_get(row(both, "totals", NULL, NULL), "a"),
				json_object_get(row(both, "totals", NULL, NULL), "b")));
	json_decref(both);
}

/* ten packets of 1 ms each at once: the last one waits 9 ms at the link, none where weir paces */
static void the_link_behind(void **state)
{
	struct capture c;
	json_t *r;
	int i;

	capture_begin(&c, "cap", LINK_EN10MB);
	for (i = 0; i < 2; i++)
		capture_spec(&c, 0, &(struct spec){ .payload = 20 });
	for (i = 0; i < 10; i++)
		capture_spec(&c, SEC, &(struct spec){ .payload = 1250 - 42 });
	capture_end(&c);
	capture_text("conf", "class set default flow-rate 1mbit\n");
	r = report("cap conf conf dev-rate 10mbit");
	assert_int_equal(number(row(r, "link", "weir", "without"), "queue_max_ns"), 9 * MSEC);
	assert_true(number(row(r, "link", "weir", "with"), "queue_max_ns") < 100 * USEC);
	assert_true(number(row(r, "totals", NULL, NULL), "delay_max_ns") >= 15 * MSEC);
	json_decref(r);
}

/* 200,000 packets at once, of which each takes a second: a day half-way, the sum beyond 64 bits */
static void a_link_far_too_slow(void **state)
{
	const __u64 each = SEC, n = 200000;
	json_t *r, *link;
	struct capture c;

	capture_begin(&c, "cap", LINK_EN10MB);
	c.snap = 64;
	for (__u64 i = 0; i < n; i++)
		capture_spec(&c, 0, &(struct spec){ .payload = 1000 - 42 });
	capture_end(&c);
	capture_text("conf", "");
	r = report("cap conf conf dev-rate 8kbit");
	link = row(r, "link", "weir", "without");
	assert_int_equal(number(link, "queue_max_ns"), (n - 1) * each);
	assert_int_equal(number(link, "queue_mean_ns"), (n - 1) * each / 2);
	assert_in_range(number(link, "queue_p50_ns"), (n / 2 - 1) * each, n / 2 * each / 16 * 17);
	assert_in_range(number(link, "queue_p99_ns"), (n / 100 * 99 - 1) * each, (n - 1) * each);
	json_decref(r);
}

/* hook and device of a match */
static void where_it_passes(void **state)
{
	json_t *r;

	write_mixture("cap", LINK_EN10MB, 262144);
	capture_text("conf", "class set web flow-rate 2mbit\nclass set in flow-rate 2mbit\n"
		     "match add in hook ingress\nmatch add web dev eth0\n");
	r = report("cap conf conf");
	assert_true(number(row(r, "classes", "class", "web"), "packets") > 2900);
	json_decref(r);
	r = report("cap conf conf dev eth1");
	assert_int_equal(number(row(r, "classes", "class", "web"), "packets"), 0);
	json_decref(r);
	r = report("cap conf conf hook ingress");
	assert_true(number(row(r, "classes", "class", "in"), "delayed") > 500);
	json_decref(r);
}

static void bad_input(void **state)
{
	struct capture c;
	json_t *r;

	write_mixture("cap", LINK_EN10MB, 262144);
	capture_text("conf", "class set web rate 1mbit\nmatch add web dev a\nmatch add web dev b\n");
	capture_text("good", "");
	capture_text("bad", "class set web rate 12x\n");
	capture_text("empty", "");
	capture_text("text", "this is no capture, but long enough to be one\n");
	capture_text("zip", "\x1f\x8b\x08");
	capture_begin(&c, "wifi", LINK_WIFI);
	capture_end(&c);
	capture_begin(&c, "none", LINK_EN10MB);
	capture_end(&c);
	refused("", 2, "want a capture FILE");
	refused("cap conf", 2, "value is missing");
	refused("cap cnof x", 2, "did you mean 'conf'");
	refused("cap conf good dev-rate 12x", 2, "'12x'");
	refused("cap conf good hook sideways", 2, "'sideways'");
	refused("nosuch conf good", 1, "nosuch: No such file");
	refused(". conf good", 1, "is a directory");
	refused("empty conf good", 1, "is empty");
	refused("text conf good", 1, "not a capture");
	refused("zip conf good", 1, "compressed");
	refused("wifi conf good", 1, "link type 105");
	refused("cap conf nosuch", 1, "nosuch: No such file");
	refused("cap conf bad", 1, "bad:1: ");
	refused("cap conf conf", 1, "want dev NAME");
	r = report("none conf good");
	assert_int_equal(number(row(r, "capture", NULL, NULL), "packets"), 0);
	json_decref(r);
}

/* the report covers what was there, and says so; exit status 1 */
static void cut_in_a_packet(void **state)
{
	struct capture c;
	json_t *r;
	int i;

	capture_begin(&c, "cap", LINK_EN10MB);
	for (i = 0; i < 50; i++)
		capture_spec(&c, i * MSEC, &(struct spec){ .payload = 100 });
	capture_raw(&c, SEC, "\0\0\0\0", 4, 4);		/* and one too short for a header */
	capture_end(&c);
	assert_int_equal(truncate("cap", 24 + 40 * (16 + 142) + 16 + 77), 0);
	capture_text("conf", "");
	refused("cap conf conf", 1, "behind packet 40");
	r = report_load();
	assert_int_equal(number(row(r, "totals", NULL, NULL), "packets"), 40);
	assert_true(json_is_false(json_object_get(row(r, "capture", NULL, NULL), "complete")));
	json_decref(r);
	capture_begin(&c, "cap", LINK_EN10MB);
	capture_raw(&c, SEC, "\0\0\0\0", 4, 4);
	capture_raw(&c, SEC, "", 0, 0);
	capture_spec(&c, SEC, &(struct spec){ .cut = 30 });	/* half an IP header */
	capture_end(&c);
	r = report("cap conf conf");
	assert_int_equal(number(row(r, "capture", NULL, NULL), "runts"), 2);
	assert_int_equal(reason(row(r, "totals", NULL, NULL), "unparsed"), 1);
	json_decref(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(same_as_the_program),
		TEST(repeats_to_the_byte),
		TEST(every_link_type),
		TEST(original_lengths_count),
		TEST(large_and_tagged),
		TEST(time_going_backwards),
		TEST(next_generation),
		TEST(levels_move),
		TEST(two_policies),
		TEST(the_link_behind),
		TEST(a_link_far_too_slow),
		TEST(where_it_passes),
		TEST(bad_input),
		TEST(cut_in_a_packet),
	};

	return RUN_CAPTURES(tests);
}
