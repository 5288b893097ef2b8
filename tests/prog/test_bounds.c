// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_bounds.c: whatever the packets, GSO up to BIG TCP among them: in no window of time more
 * leaves than the rate's bytes, the burst and one packet; and when more is offered, hardly less. By
 * police and by departure time, for buckets and for classes, fair or not. The judge is a bucket
 * that leaks in real numbers.
 */
#include <math.h>
#include <stdlib.h>
#include <bpf/bpf.h>
#include "fixture.h"

#define FLOWS 8

/* the most that a bucket leaking at the rate ever held: bytes beyond rate * t in any window */
struct judge {
	long double rate, level, most;	/* bytes per ns, bytes */
	__u64 at_ns, bytes, packets;
};

static void judge_see(struct judge *j, __u64 at_ns, __u64 bytes)
{
	if (at_ns > j->at_ns) {
		j->level -= j->rate * (at_ns - j->at_ns);
		j->at_ns = at_ns;
	}
	j->level = j->level > 0 ? j->level + bytes : bytes;
	j->most = j->level > j->most ? j->level : j->most;
	j->bytes += bytes;
	j->packets++;
}

struct departure {
	__u64 at_ns;
	__u32 bytes, flow;
};

struct load {
	enum weir_action action;
	bool fair;
	__u64 rate, flow_rate;		/* bit/s; 0: none */
	__u32 largest;			/* bytes of an skb */
	__u32 percent;			/* offered, of the rate in force */
	__u64 ns;			/* how long */
};

enum { DEPARTURES = 200000 };
static struct departure departures[DEPARTURES];
static struct judge class_judge, flow_judges[FLOWS];
static __u64 offered, largest_wire;

static int by_time(const void *a, const void *b)
{
	const struct departure *x = a, *y = b;

	return x->at_ns < y->at_ns ? -1 : x->at_ns > y->at_ns;
}

/* a packet of `bytes`, of which the frame holds the headers alone */
static void offer(struct harness *h, int flow, __u32 bytes, int *n)
{
	struct spec spec = { .proto = IPPROTO_TCP, .sport = 1 + flow, .family = flow & 1 ? 6 : 4 };
	__u32 headers, segments, ip;
	struct frame frame;
	__be16 length;
	__u64 wire;

	frame_build(&frame, &spec);
	headers = frame.headers;
	bytes = bytes > headers ? bytes : headers + 1;
	/* a length field holds 16 bits; BIG TCP says 0 */
	ip = bytes - frame.l3 - (spec.family == 6 ? 40 : 0);
	length = htons(ip > 65535 ? 0 : ip);
	memcpy(frame.data + frame.l3 + (spec.family == 6 ? 4 : 2), &length, 2);
	frame.skb.cb[2] = bytes;
	frame.skb.gso_size = bytes > 1514 ? 1514 - headers : 0;
	segments = frame.skb.gso_size ? (bytes - headers + frame.skb.gso_size - 1) /
					frame.skb.gso_size : 1;
	wire = bytes + (__u64)(segments - 1) * headers;
	offered += wire;
	largest_wire = wire > largest_wire ? wire : largest_wire;
	if (harness_run(h, EGRESS, &frame) != HARNESS_PASS)
		return;
	assert_true(*n < DEPARTURES);
	departures[(*n)++] = (struct departure){
		.at_ns = frame.skb.tstamp > h->now_ns ? frame.skb.tstamp : h->now_ns,
		.bytes = wire, .flow = flow,
	};
}

static void prepare(struct harness *h, const struct load *load)
{
	struct weir_class *class;
	int i;

	harness_reset(h);
	class = harness_class(h, 0);
	class->action = load->action;
	class->flags |= load->fair ? WEIR_CLASS_FAIR : 0;
	class->burst_ns = load->action == WEIR_PACE ? 0 : 10 * MSEC;
	harness_device(h, EGRESS, load->action == WEIR_PACE ? WEIR_DEV_EDT : 0);
	harness_commit(h);
	for (i = 0; i < FLOWS; i++)
		harness_establish(h, EGRESS, &(struct spec){ .proto = IPPROTO_TCP, .sport = 1 + i,
							     .family = i & 1 ? 6 : 4 });
	harness_rate(class, load->rate, load->flow_rate);
	harness_commit(h);
}

/* offers the load in random sizes to random flows at random times, and lets the judges see it */
static void run(struct harness *h, const struct load *load)
{
	__u64 rate = load->rate ? load->rate : FLOWS * load->flow_rate, tick, end;
	long double per_ns = rate / 8e9L * load->percent / 100;
	int n = 0, i;

	prepare(h, load);
	h->now_ns += SEC;
	tick = h->now_ns;
	end = h->now_ns + load->ns;
	offered = largest_wire = 0;
	memset(flow_judges, 0, sizeof(flow_judges));
	class_judge = (struct judge){ .rate = load->rate / 8e9L };
	while (h->now_ns < end) {
		__u32 bytes = random_u32() % 3 ? 60 + random_u32() % 1455 :
					       60 + random_u32() % (load->largest - 60);

		while (tick <= h->now_ns) {
			harness_tick(h);
			tick += 4 * MSEC;
		}
		offer(h, random_u32() % FLOWS, bytes, &n);
		h->now_ns += (random_u32() % 2001) * (__u64)(bytes / per_ns) / 1000;
	}
	qsort(departures, n, sizeof(*departures), by_time);
	for (i = 0; i < n && departures[i].at_ns < end; i++) {
		struct judge *flow = &flow_judges[departures[i].flow];

		flow->rate = load->flow_rate / 8e9L;
		judge_see(flow, departures[i].at_ns, departures[i].bytes);
		judge_see(&class_judge, departures[i].at_ns, departures[i].bytes);
	}
}

/* the program rounds each packet's time down to a ns */
static bool judge_exceeds(const struct judge *j, long double burst)
{
	return j->most > burst + largest_wire + j->rate * j->packets + 2;
}

static void check_flows(const struct load *load)
{
	/* pace: one packet and no burst; police: 10 ms of the rate, and one packet */
	long double burst = load->action == WEIR_PACE ? 0 : load->flow_rate / 8e9L * 10 * MSEC;
	int i;

	for (i = 0; i < FLOWS && load->flow_rate; i++) {
		struct judge *j = &flow_judges[i];

		if (judge_exceeds(j, burst))
			fail_msg("action %d, fair %d, flow-rate %llu: flow %d: %.0Lf bytes above "
				 "it, of %.0Lf + %llu", load->action, load->fair,
				 load->flow_rate, i, j->most, burst, largest_wire);
	}
}

static void both_bounds(struct harness *h, const struct load *load, long double burst)
{
	long double want = (load->rate ? load->rate : FLOWS * load->flow_rate) / 8e9L * load->ns;

	run(h, load);
	check_flows(load);
	if (load->rate && judge_exceeds(&class_judge, burst))
		fail_msg("action %d, fair %d, rate %llu: %.0Lf bytes above it, of %.0Lf + %llu",
			 load->action, load->fair, load->rate, class_judge.most, burst,
			 largest_wire);
	assert_true(offered > want);
	if (class_judge.bytes < want * 0.97L)
		fail_msg("action %d, fair %d, rate %llu: %.4Lf of it used", load->action,
			 load->fair, load->rate, class_judge.bytes / want);
}

static const __u32 sizes[] = { 1514, 65535, 524288 };
static const __u64 rates[] = { 100 * MBIT, 1000 * MBIT, 40000 * MBIT };

static void flow_rates(void **state)
{
	int action, i;

	for (action = WEIR_PACE; action <= WEIR_POLICE; action++)
		for (i = 0; i < 3; i++)
			both_bounds(*state, &(struct load){
				.action = action, .flow_rate = rates[i] / FLOWS, .percent = 150,
				.largest = sizes[i], .ns = 1600 * MSEC / (1 << i) }, 0);
}

static void class_rates(void **state)
{
	int action, i;

	for (action = WEIR_PACE; action <= WEIR_POLICE; action++)
		for (i = 0; i < 3; i++)
			both_bounds(*state, &(struct load){
				.action = action, .rate = rates[i], .percent = 150,
				.largest = sizes[i], .ns = 1600 * MSEC / (1 << i) },
				action == WEIR_PACE ? 0 : rates[i] / 8e9L * 10 * MSEC);
}

/*
 * Fair: each bucket is held to the level, which the class's rate follows within some windows; what
 * was given at the start is worked off. So the burst of the class is some tens of ms.
 */
static void fair_class_rates(void **state)
{
	int action, i;

	for (action = WEIR_PACE; action <= WEIR_POLICE; action++)
		for (i = 0; i < 3; i++)
			both_bounds(*state, &(struct load){
				.action = action, .rate = rates[i], .flow_rate = rates[i] / 4,
				.fair = true, .percent = 150, .largest = sizes[i],
				.ns = 1600 * MSEC / (1 << i) }, rates[i] / 8e9L * 50 * MSEC);
}

/* a burst in bytes, where so many share the class that each has some kbit/s: so many bytes still */
static void a_burst_at_a_low_level(void **state)
{
	struct spec spec = { .payload = 958 };
	struct weir_class_state level = {};
	struct harness *h = *state;
	__u64 bps;
	__u32 slot = 0;
	int i;

	for (bps = 2000; bps <= 64000; bps *= 2) {
		harness_reset(h);
		harness_rate(harness_class(h, 0), 100 * MBIT, 0);
		harness_class(h, 0)->flags |= WEIR_CLASS_FAIR;
		harness_class(h, 0)->burst_ns = 1342 * MSEC;
		harness_class(h, 0)->burst_bytes = 16 << 20;
		harness_commit(h);
		harness_establish(h, EGRESS, &spec);
		level.npb_level = weir_npb(bps);
		level.last_ns = h->now_ns;
		bpf_map_update_elem(harness_map(h, "class_state"), &slot, &level, BPF_ANY);
		for (i = 0; i < 10000; i++)
			if (send_spec(h, EGRESS, &spec) != HARNESS_PASS)
				fail_msg("at %llu bit/s packet %d is refused", bps, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flow_rates),
		TEST(class_rates),
		TEST(fair_class_rates),
		TEST(a_burst_at_a_low_level),
	};

	return RUN(tests, 0);
}
