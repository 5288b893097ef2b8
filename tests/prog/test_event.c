// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_event.c: what the kernel tells, in virtual time: when a class is held back, by what, and
 * when it is free; leases; the flow table; and that a flutter is told at its bounded pace with
 * nothing lost from the count.
 */
#include "fixture.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "weir.skel.h"

#define PAYLOAD 158			/* 200 bytes on the wire: 160 us at 10 Mbit/s */
#define TICK (4 * MSEC)

static __u64 next_seq;			/* of the next event that a test expects */

static bool number(struct harness *h, __u64 seq, struct weir_event *event)
{
	__u32 at = seq % WEIR_EVENTS;

	return !bpf_map_lookup_elem(bpf_map__fd(h->skel->maps.events), &at, event) &&
	       event->seq == seq;
}

static void lease(struct harness *h, __u64 rate_bps, __u64 expires_ns)
{
	struct weir_lease value = {
		.rate_bps = rate_bps, .npb_rate = weir_npb(rate_bps), .expires_ns = expires_ns,
	};
	__u32 slot = 0;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(h->skel->maps.leases), &slot, &value,
					     BPF_ANY), 0);
}

static struct weir_class *shaped(struct harness *h, __u8 action, __u64 bps, __u64 flow_bps)
{
	struct weir_class *class = harness_class(h, 0);

	class->action = action;
	class->burst_ns = action == WEIR_PACE ? 0 : 10 * MSEC;
	class->mark_at_ns = 1000 * SEC;
	class->drop_at_ns = 2 * SEC;
	harness_rate(class, bps, flow_bps);
	harness_device(h, EGRESS, WEIR_DEV_EDT);
	harness_commit(h);
	next_seq = 1;
	return class;
}

/* n packets, one each `gap`, the timer's ticks between them */
static void offer(struct harness *h, unsigned int n, __u64 gap)
{
	struct spec spec = { .payload = PAYLOAD };
	__u64 tick = h->now_ns + TICK;

	for (; n; n--) {
		send_spec(h, EGRESS, &spec);
		h->now_ns += gap;
		for (; tick <= h->now_ns; tick += TICK)
			harness_tick(h);
	}
}

static void silence(struct harness *h, __u64 ns)
{
	for (__u64 end = h->now_ns + ns; h->now_ns < end; h->now_ns += TICK)
		harness_tick(h);
}

static struct weir_event event(struct harness *h, enum weir_event_kind kind)
{
	struct weir_event ret = {};

	if (!number(h, next_seq, &ret))
		fail_msg("no event %llu", (unsigned long long)next_seq);
	assert_int_equal(ret.kind, kind);
	next_seq++;
	return ret;
}

static void no_more(struct harness *h)
{
	struct weir_event other;

	if (number(h, next_seq, &other))
		fail_msg("event %llu of kind %u at %lld us, which nobody expects",
			 (unsigned long long)next_seq, other.kind,
			 (long long)(other.at_ns - HARNESS_T0_NS) / 1000);
}

/* at twice its rate from the start: two full packets' time is 2422 us, the debt grows by 80 us */
static void a_class_at_its_rate(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	struct weir_event e;
	__u64 start, last;

	harness_establish(h, EGRESS, &spec);
	shaped(h, WEIR_PACE, 10 * MBIT, 0);
	silence(h, SEC);
	no_more(h);
	start = h->now_ns;
	offer(h, 5000, 80 * USEC);
	last = h->now_ns - 80 * USEC;
	silence(h, SEC);
	e = event(h, WEIR_E_CLASS);
	assert_int_equal(e.at_ns, start + 31 * 80 * USEC);
	assert_int_equal(e.value, 10 * MBIT);
	assert_int_equal(e.left_out, 0);
	assert_int_equal(e.class_slot, 0);
	assert_string_equal(e.class, "default");
	e = event(h, WEIR_E_FREE);
	assert_in_range(e.at_ns, last - 16 * MSEC, last);
	no_more(h);
}

static void below_its_rate_it_is_free(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };

	harness_establish(h, EGRESS, &spec);
	shaped(h, WEIR_PACE, 10 * MBIT, 0);
	offer(h, 5000, 170 * USEC);
	no_more(h);
}

/* a few packets too many are seen, though the timer looks long after */
static void a_moment_between_two_looks(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	__u64 start;
	int i;

	harness_establish(h, EGRESS, &spec);
	shaped(h, WEIR_PACE, 10 * MBIT, 0);
	harness_tick(h);
	start = h->now_ns;
	for (i = 0; i < 17; i++)
		send_spec(h, EGRESS, &spec);
	h->now_ns += 150 * MSEC;
	silence(h, SEC);
	assert_int_equal(event(h, WEIR_E_CLASS).at_ns, start);
	assert_int_equal(event(h, WEIR_E_FREE).at_ns, start);
	no_more(h);
}

static void its_cap_or_its_rate(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	struct weir_event e;

	harness_establish(h, EGRESS, &spec);
	shaped(h, WEIR_PACE, 100 * MBIT, 10 * MBIT);
	offer(h, 5000, 80 * USEC);
	e = event(h, WEIR_E_FLOWS);
	assert_int_equal(e.value, 10 * MBIT);
	no_more(h);
	harness_rate(harness_class(h, 0), 5 * MBIT, 10 * MBIT);
	harness_commit(h);
	offer(h, 5000, 80 * USEC);
	e = event(h, WEIR_E_CLASS);
	assert_int_equal(e.value, 5 * MBIT);
	no_more(h);
}

static void by_its_level(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	struct weir_event e;

	harness_establish(h, EGRESS, &spec);
	shaped(h, WEIR_PACE, 10 * MBIT, 0)->flags |= WEIR_CLASS_FAIR;
	harness_commit(h);
	offer(h, 100, 200 * USEC);
	offer(h, 5000, 80 * USEC);
	e = event(h, WEIR_E_CLASS);
	assert_in_range(e.more, 9 * MBIT, 10 * MBIT);
	no_more(h);
}

/* a policed class is held back when packets are dropped, not while its bucket fills */
static void policed(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	__u64 start;

	harness_establish(h, EGRESS, &spec);
	shaped(h, WEIR_POLICE, 0, 10 * MBIT);
	start = h->now_ns;
	offer(h, 100, 80 * USEC);	/* 8 ms of debt in 10 */
	silence(h, SEC);
	no_more(h);
	start = h->now_ns;
	offer(h, 1000, 80 * USEC);
	/* the debt before packet i is 80 us * i: 10 ms are exceeded by the 126th */
	assert_int_equal(event(h, WEIR_E_FLOWS).at_ns, start + 126 * 80 * USEC);
	no_more(h);
}

static void observed(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };

	harness_establish(h, EGRESS, &spec);
	shaped(h, WEIR_OBSERVE, 10 * MBIT, 0);
	offer(h, 5000, 80 * USEC);
	event(h, WEIR_E_OBSERVED);
	no_more(h);
}

static void leases(void **state)
{
	struct harness *h = *state;
	struct weir_event e;
	__u64 expires;

	shaped(h, WEIR_PACE, 10 * MBIT, 0)->flags |= WEIR_CLASS_LEASED;
	harness_commit(h);
	silence(h, 100 * MSEC);
	no_more(h);
	expires = h->now_ns + 3 * SEC;
	lease(h, 4 * MBIT, expires);
	silence(h, 10 * SEC);
	e = event(h, WEIR_E_LEASE_BEGIN);
	assert_int_equal(e.value, 4 * MBIT);
	e = event(h, WEIR_E_LEASE_EXPIRED);
	assert_int_equal(e.at_ns, expires);
	assert_int_equal(e.value, 10 * MBIT);
	no_more(h);
	/* renewed with other rates: nothing new; given back: the end */
	lease(h, 4 * MBIT, h->now_ns + SEC);
	silence(h, SEC / 2);
	lease(h, 3 * MBIT, h->now_ns + 10 * SEC);
	silence(h, SEC);
	event(h, WEIR_E_LEASE_BEGIN);
	no_more(h);
	lease(h, 0, 0);
	silence(h, SEC);
	event(h, WEIR_E_LEASE_END);
	no_more(h);
}

static void held_at_the_lease(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	struct weir_event e;

	harness_establish(h, EGRESS, &spec);
	shaped(h, WEIR_PACE, 100 * MBIT, 0)->flags |= WEIR_CLASS_LEASED;
	harness_commit(h);
	lease(h, 10 * MBIT, h->now_ns + 100 * SEC);
	offer(h, 5000, 80 * USEC);
	event(h, WEIR_E_LEASE_BEGIN);
	e = event(h, WEIR_E_LEASE);
	assert_int_equal(e.value, 10 * MBIT);
	no_more(h);
}

/* held and free every 300 ms for a minute: four at once, then one a second; the rest is counted */
static void a_flutter(void **state)
{
	struct harness *h = *state;
	struct spec spec = { .payload = PAYLOAD };
	unsigned int changes = 0, told = 0, left_out = 0, i;
	__u64 start = h->now_ns;
	struct weir_event e;

	harness_establish(h, EGRESS, &spec);
	shaped(h, WEIR_PACE, 10 * MBIT, 0);
	for (i = 0; i < 100; i++) {
		offer(h, 40, 80 * USEC);
		silence(h, 300 * MSEC);
		changes += 2;
	}
	silence(h, 5 * SEC);
	for (; number(h, next_seq, &e); next_seq++) {
		assert_int_equal(e.kind, told++ & 1 ? WEIR_E_FREE : WEIR_E_CLASS);
		left_out += e.left_out;
	}
	assert_in_range(told, 4, 4 + (h->now_ns - start) / SEC);
	assert_int_equal(e.kind, WEIR_E_FREE);
	assert_in_range(told + left_out, changes - 40, changes);
	assert_true(left_out > changes / 2);
}

/* the ring goes round: numbers go on, the oldest gives way */
static void round_the_ring(void **state)
{
	struct harness *h = *state;
	struct weir_event e;
	unsigned int i;

	shaped(h, WEIR_PACE, 10 * MBIT, 0)->flags |= WEIR_CLASS_LEASED;
	harness_commit(h);
	for (i = 0; i < WEIR_EVENTS; i++) {
		h->now_ns += 2 * SEC;
		lease(h, i & 1 ? 0 : MBIT, ~0ULL);
		harness_tick(h);
	}
	assert_true(number(h, 1, &e));
	h->now_ns += 2 * SEC;
	lease(h, MBIT, ~0ULL);
	harness_tick(h);
	assert_false(number(h, 1, &e));
	assert_true(number(h, 2, &e));
	assert_true(number(h, WEIR_EVENTS + 1, &e));
	assert_int_equal(e.kind, WEIR_E_LEASE_BEGIN);
}

/* n flows that were never seen, each with two packets, one flow each `gap` */
static void new_flows(struct harness *h, unsigned int n, __u64 gap)
{
	static __u32 at;

	for (; n; n--, at++) {
		struct spec spec = { .sport = 1 + at % 60000, .dst = 10 + at / 60000 };

		send_spec(h, EGRESS, &spec);
		send_spec(h, EGRESS, &spec);
		h->now_ns += gap;
		harness_tick(h);
	}
}

static void the_table(void **state)
{
	struct harness *h = *state;
	struct weir_class_stats sum;
	struct weir_event e;

	next_seq = 1;
	new_flows(h, HARNESS_FLOWS * 7 / 8 - 1, MSEC);
	silence(h, 100 * MSEC);
	no_more(h);
	new_flows(h, 1, MSEC);
	silence(h, 100 * MSEC);
	e = event(h, WEIR_E_TABLE_FILLING);
	assert_int_equal(e.value, HARNESS_FLOWS * 7 / 8);
	assert_int_equal(e.more, HARNESS_FLOWS);
	assert_string_equal(e.class, "");
	no_more(h);
	new_flows(h, HARNESS_FLOWS / 8, 20 * MSEC);
	event(h, WEIR_E_TABLE_FULL);
	silence(h, 2 * SEC);
	no_more(h);
	/* 250 a second is a sixteenth of 4096 a second, and less than that */
	new_flows(h, 2000, 4 * MSEC);
	no_more(h);
	new_flows(h, 2000, 2 * MSEC);
	e = event(h, WEIR_E_TABLE_CHURN);
	assert_in_range(e.value, 257, 501);
	silence(h, 3 * SEC);
	event(h, WEIR_E_TABLE_CALM);
	no_more(h);
	harness_stats(h, 0, &sum);
	assert_int_equal(sum.flows, HARNESS_FLOWS + 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_class_at_its_rate),
		TEST(below_its_rate_it_is_free),
		TEST(a_moment_between_two_looks),
		TEST(its_cap_or_its_rate),
		TEST(by_its_level),
		TEST(policed),
		TEST(observed),
		TEST(leases),
		TEST(held_at_the_lease),
		TEST(a_flutter),
		TEST(round_the_ring),
		TEST(the_table),
	};

	return RUN(tests, 0);
}
