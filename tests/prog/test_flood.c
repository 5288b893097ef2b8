// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_flood.c: one-packet flows by the million, and more flows than the tables hold: who is
 * established keeps entry, bucket and rate; the flood is limited by its class; what finds no room
 * is counted; and an entry that was lost brings no fresh burst. In virtual time.
 */
#include <stdlib.h>
#include <bpf/bpf.h>
#include "fixture.h"

#define TABLE 4096			/* of the harness */
#define FLOWS 8
#define FIRST_PORT 3000

/* one packet of a flow that nobody has seen: source address and ports from a counter */
static void stranger_build(struct frame *frame, const struct frame *model, __u32 n)
{
	__be32 src = htonl(0x0b000000 + (n & 0xffffff));
	__be16 ports[2] = { htons(1024 + n % 60000), htons(1 + n % 1021) };

	memcpy(frame, model, offsetof(struct frame, data) + model->len);
	memcpy(&frame->len, &model->len, sizeof(*frame) - offsetof(struct frame, len));
	memcpy(frame->data + frame->l3 + 12, &src, 4);
	memcpy(frame->data + frame->l3 + 20, ports, 4);
}

static int stranger(struct harness *h, const struct frame *model, __u32 n)
{
	struct frame frame;

	stranger_build(&frame, model, n);
	return harness_run(h, EGRESS, &frame);
}

struct mix {
	__u64 seconds;
	__u64 strangers_per_ms;
	__u32 payload;			/* of the established flows' packets */
	__u64 gap_ns;			/* between two of one flow, */
	int burst;			/* which come so many at once */
	struct spec stranger;
	__u64 passed[FLOWS];		/* bytes that left in the second half */
	__u64 flood_passed;
	struct weir_flow before[FLOWS];
};

static __u64 window_start, window_end;

/* a frame's bytes if it passed and left in the window */
static __u64 bytes_left(struct harness *h, struct frame *frame)
{
	__u64 at = h->now_ns, len = frame->len;

	if (harness_run(h, EGRESS, frame) != HARNESS_PASS)
		return 0;
	if (frame->skb.tstamp > at)
		at = frame->skb.tstamp;
	return at >= window_start && at < window_end ? len : 0;
}

static struct spec flow_spec(const struct mix *mix, int i)
{
	return (struct spec){ .payload = mix->payload, .sport = FIRST_PORT + i };
}

static void established_send(struct harness *h, struct mix *mix, __u64 next[FLOWS])
{
	struct frame frame;
	struct spec spec;
	int i, n;

	for (i = 0; i < FLOWS; i++) {
		if (next[i] > h->now_ns)
			continue;
		next[i] += mix->gap_ns * mix->burst;
		spec = flow_spec(mix, i);
		for (n = 0; n < mix->burst; n++) {
			frame_build(&frame, &spec);
			mix->passed[i] += bytes_left(h, &frame);
		}
	}
}

/* established flows, and strangers beside them; what passed of each goes into mix */
static void run_mix(struct harness *h, struct mix *mix)
{
	__u64 steps = mix->seconds * 5000, step, next[FLOWS], due = 0, seen = 0, i;
	struct frame model, frame;

	frame_build(&model, &mix->stranger);
	memset(mix->passed, 0, sizeof(mix->passed));
	mix->flood_passed = 0;
	window_start = h->now_ns + mix->seconds * SEC / 2;
	window_end = h->now_ns + mix->seconds * SEC;
	for (i = 0; i < FLOWS; i++) {
		struct spec spec = flow_spec(mix, i);

		harness_establish(h, EGRESS, &spec);
		assert_true(harness_flow(h, &spec, EGRESS, &mix->before[i]));
		next[i] = h->now_ns + i * mix->gap_ns * mix->burst / FLOWS;
	}
	for (step = 0; step < steps; step++) {		/* of 200 us */
		h->now_ns += 200 * USEC;
		if (step % 20 == 0)
			harness_tick(h);
		established_send(h, mix, next);
		for (due += mix->strangers_per_ms * 200; due >= 1000; due -= 1000) {
			stranger_build(&frame, &model, seen++);
			mix->flood_passed += bytes_left(h, &frame);
		}
	}
}

static void entries_are_kept(struct harness *h, const struct mix *mix)
{
	struct weir_flow after;
	int i;

	for (i = 0; i < FLOWS; i++) {
		struct spec spec = flow_spec(mix, i);

		assert_true(harness_flow(h, &spec, EGRESS, &after));
		assert_int_equal(after.first_seen_ns, mix->before[i].first_seen_ns);
		assert_true(after.packets > mix->before[i].packets);
	}
}

/* class 1 has the established flows; the strangers' class is `slot` */
static void policy(struct harness *h, enum weir_action action, bool fair, unsigned int slot)
{
	struct weir_class *class;
	struct weir_rule *rule;
	unsigned int i;

	harness_reset(h);
	for (i = 1; i <= slot; i++) {
		class = harness_class(h, i);
		class->action = action;
		class->flags |= fair ? WEIR_CLASS_FAIR : 0;
		class->burst_ns = action == WEIR_PACE ? 0 : 20 * MSEC;
		harness_rate(class, i == 1 ? 80 * MBIT : 10 * MBIT, 0);
	}
	rule = harness_rule(h, 1);
	rule->fields = WEIR_M_SPORT;
	rule->n_sport = 1;
	rule->sport[0] = (struct weir_range){ FIRST_PORT, FIRST_PORT + FLOWS };
	if (slot)
		harness_rule(h, slot);
	harness_device(h, EGRESS, action == WEIR_PACE ? WEIR_DEV_EDT : 0);
	harness_commit(h);
}

static bool differ(__u64 a, __u64 b, int percent)
{
	return llabs((long long)(a - b)) * 100 > (long long)(percent * b);
}

/*
 * No flow's rate changes by more than 1 %. Where more is offered than there is, and dice decide
 * which packets go (pace) or luck does (no `fair`), that holds for the sum, and 3 % for each.
 */
static void compare(struct harness *h, enum weir_action action, bool fair, unsigned int slot,
		    struct mix *mix, __u64 strangers_per_ms)
{
	__u64 alone[FLOWS], sum = 0, sum_alone = 0, limit, left, least;
	bool over = mix->gap_ns < 800000;
	int i, tolerance = over && slot == 1 && (!fair || action == WEIR_PACE) ? 3 : 1;

	policy(h, action, fair, slot);
	mix->strangers_per_ms = 0;
	run_mix(h, mix);
	memcpy(alone, mix->passed, sizeof(alone));
	policy(h, action, fair, slot);
	mix->strangers_per_ms = strangers_per_ms;
	run_mix(h, mix);
	entries_are_kept(h, mix);
	for (i = 0; i < FLOWS; i++) {
		sum += mix->passed[i];
		sum_alone += alone[i];
		if (differ(mix->passed[i], alone[i], tolerance))
			fail_msg("action %d, fair %d, class %u: flow %d: %llu bytes beside the "
				 "flood, %llu without", action, fair, slot, i, mix->passed[i],
				 alone[i]);
	}
	if (differ(sum, sum_alone, 1))
		fail_msg("action %d, fair %d, class %u: %llu bytes beside the flood, %llu without",
			 action, fair, slot, sum, sum_alone);
	/* all that its class has, or what the established leave of it, at least 1/256 */
	limit = (slot == 2 ? 10 : 80) * MBIT / 8 * mix->seconds / 2;
	left = slot == 2 ? limit : limit > sum_alone ? limit - sum_alone : 0;
	least = left < limit / 10 ? limit / 256 / 8 : left * 3 / 4;
	assert_in_range(mix->flood_passed, least, left + limit / 200 + limit / 20 * (slot - 1));
}

/* each of the flows offers 1.5 times its share of 80 mbit */
static struct mix busy(int proto)
{
	return (struct mix){ .payload = 958, .gap_ns = 533333, .burst = 1, .seconds = 2,
			     .stranger = { .proto = proto, .tcp_flags = 0x02 } };
}

/* one million in four seconds */
static void strangers_of_another_class(void **state)
{
	struct mix mix = busy(IPPROTO_TCP);

	mix.seconds = getenv("WEIR_TEST_SHORT") ? 1 : 4;
	compare(*state, WEIR_POLICE, true, 2, &mix, 250);
}

static void strangers_of_the_same_class_policed(void **state)
{
	struct mix mix = busy(IPPROTO_TCP);

	compare(*state, WEIR_POLICE, true, 1, &mix, 50);
	mix = busy(IPPROTO_UDP);
	compare(*state, WEIR_POLICE, false, 1, &mix, 50);
}

static void strangers_of_the_same_class_paced(void **state)
{
	struct mix mix = busy(IPPROTO_UDP);

	compare(*state, WEIR_PACE, true, 1, &mix, 50);
	mix = busy(IPPROTO_TCP);
	compare(*state, WEIR_PACE, false, 1, &mix, 50);
	/* 97 % of the rate: nothing is dropped, nor may the strangers change that */
	mix.gap_ns = 824742;
	compare(*state, WEIR_PACE, true, 1, &mix, 50);
	mix.gap_ns = 824742;
	compare(*state, WEIR_PACE, false, 1, &mix, 50);
}

/* a class that is half used: the strangers get the other half, the flows lose nothing */
static void strangers_take_what_is_left_over(void **state)
{
	struct mix mix = busy(IPPROTO_UDP);

	mix.gap_ns = 1600000;
	mix.burst = 10;
	mix.seconds = 1;
	compare(*state, WEIR_POLICE, true, 1, &mix, 150);
}

static int entries(struct harness *h, const char *name)
{
	int fd = harness_map(h, name), n = 0;
	char key[64], *at = NULL;

	while (!bpf_map_get_next_key(fd, at, key)) {
		at = key;
		n++;
	}
	return n;
}

/* per src: forged addresses make no bucket, so that they evict none */
static void forged_sources_make_no_bucket(void **state)
{
	struct spec udp = {}, one;
	struct harness *h = *state;
	struct frame model;
	__u32 i;

	policy(h, WEIR_POLICE, false, 1);
	h->classes[1].per = WEIR_PER_SRC;
	h->classes[1].plen4 = 32;
	harness_rate(&h->classes[1], 0, 1 * MBIT);
	h->n_rules = 0;
	harness_rule(h, 1);
	harness_commit(h);
	for (i = 0; i < 100; i++) {
		one = (struct spec){ .src = 1 + i };
		harness_establish(h, EGRESS, &one);
		send_spec(h, EGRESS, &one);
	}
	frame_build(&model, &udp);
	for (i = 0; i < 100000; i++) {
		h->now_ns += 10 * USEC;
		stranger(h, &model, i);
	}
	assert_int_equal(entries(h, "buckets"), 100);
}

/*
 * 20,000 flows of which each sends every 100 ms, in a table of 4096, beside 20 older ones that send
 * every 2 ms: the table is filled once, then entries change hands at half of it in a second, and
 * the busiest keep theirs; what finds no room passes and is counted
 */
static void more_flows_than_the_table_holds(void **state)
{
	enum { MANY = 20000, OLD = 20, ROUNDS = 4, EVERY = 400 };
	struct harness *h = *state;
	struct spec udp = {}, old = { .sport = 77 };
	struct weir_class_stats sum;
	__u64 passed = 0, lost = 0, none;
	struct weir_flow flow;
	struct frame model;
	__u32 i;

	policy(h, WEIR_POLICE, false, 1);
	harness_rate(&h->classes[1], 0, 10 * MBIT);
	harness_commit(h);
	for (old.src = 1; old.src <= OLD; old.src++)
		harness_establish(h, EGRESS, &old);
	frame_build(&model, &udp);
	for (i = 0; i < MANY * ROUNDS; i++) {
		h->now_ns += 5 * USEC;
		passed += stranger(h, &model, i % MANY) == HARNESS_PASS;
		if (i % (EVERY / OLD))
			continue;
		old.src = 1 + i / (EVERY / OLD) % OLD;
		lost += !harness_flow(h, &old, EGRESS, &flow);
		send_spec(h, EGRESS, &old);
	}
	harness_stats(h, 1, &sum);
	none = sum.packets[WEIR_R_NO_FLOW];
	assert_int_equal(passed, MANY * ROUNDS);
	assert_in_range(sum.flows, TABLE, TABLE + TABLE / 8 + TABLE / 2 * ROUNDS / 10 + 1);
	/* newcomers in the first round; then no-flow, but for those who found room, and for those
	 * who share a slot at the door and make each other strangers again */
	assert_in_range(none, (ROUNDS - 1) * (MANY - TABLE) / 2, (ROUNDS - 1) * MANY - TABLE);
	none += sum.packets[WEIR_R_NEWCOMER] - MANY;
	assert_in_range(none, (ROUNDS - 1) * MANY * 3 / 4, (ROUNDS - 1) * MANY);
	assert_in_range(lost, 0, MANY * ROUNDS / (EVERY / OLD) / 100);
}

/* a flow that has used its burst up, while others fill the table over and over */
static void a_lost_entry_brings_no_fresh_burst(void **state)
{
	struct harness *h = *state;
	struct spec udp = {}, spec = { .payload = 958, .sport = FIRST_PORT };
	struct weir_flow flow;
	struct frame model;
	__u64 start, passed = 0;
	__u32 i;

	policy(h, WEIR_POLICE, false, 1);
	harness_rate(&h->classes[1], 0, 8 * MBIT);	/* a packet per ms, a burst of 20 */
	harness_commit(h);
	harness_establish(h, EGRESS, &spec);
	h->now_ns += SEC;
	start = h->now_ns;
	frame_build(&model, &udp);
	for (i = 0; i < 100000; i++) {
		h->now_ns += 5 * USEC;
		stranger(h, &model, i / 2);		/* twice each: they get entries */
		if (i % 2000 < 40)			/* every 10 ms 40 packets */
			passed += send_spec(h, EGRESS, &spec) == HARNESS_PASS;
	}
	assert_in_range(passed, (h->now_ns - start) / MSEC, (h->now_ns - start) / MSEC + 22);
	/* silent, until it is gone: the burst is what it has earned in the meantime */
	while (harness_flow(h, &spec, EGRESS, &flow)) {
		h->now_ns += 5 * USEC;
		stranger(h, &model, i++ / 2);
	}
	if (h->now_ns - flow.last_seen_ns < 200 * MSEC)
		fail_msg("evicted after %llu ms of silence",
			 (h->now_ns - flow.last_seen_ns) / MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(strangers_of_another_class),
		TEST(strangers_of_the_same_class_policed),
		TEST(strangers_of_the_same_class_paced),
		TEST(strangers_take_what_is_left_over),
		TEST(forged_sources_make_no_bucket),
		TEST(more_flows_than_the_table_holds),
		TEST(a_lost_entry_brings_no_fresh_burst),
	};

	return RUN(tests, 0);
}
