// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_conn.c: conn-rate: which SYNs pass at which instant, against the definition: a bucket of
 * whole connections. Rates, other packets, observe, and the class's other limits beside it.
 */
#include "fixture.h"

#define SYN 0x02
#define SYN_ACK 0x12

static void conn_rate(struct harness *h, __u32 per_second)
{
	harness_class(h, 0)->conn_rate = per_second;
	harness_commit(h);
}

static int syn(struct harness *h, __u16 sport)
{
	return send_spec(h, INGRESS, &(struct spec){ .proto = IPPROTO_TCP, .tcp_flags = SYN,
						     .sport = sport });
}

/* n may come at once; then one each 1/n s, to the ns; a pause earns no more than n */
static void as_many_as_the_rate_says(void **state)
{
	static const __u32 rates[] = { 1, 2, 5, 64, 1000 };
	struct harness *h = *state;

	for (size_t r = 0; r < sizeof(rates) / sizeof(*rates); r++) {
		__u32 n = rates[r], i;
		__u64 step = SEC / n;

		harness_reset(h);
		conn_rate(h, n);
		for (int pause = 0; pause < 2; pause++) {
			for (i = 0; i < n; i++)
				assert_int_equal(syn(h, i), HARNESS_PASS);
			assert_int_equal(syn(h, i), HARNESS_DROP);
			for (i = 0; i < 10; i++) {
				h->now_ns += step - 1;
				assert_int_equal(syn(h, i), HARNESS_DROP);
				h->now_ns += 1;
				assert_int_equal(syn(h, i), HARNESS_PASS);
				assert_int_equal(syn(h, i), HARNESS_DROP);
			}
			h->now_ns += 3600 * SEC;
		}
		assert_int_equal(harness_count(h, 0, WEIR_R_DROP_CONN), 2 * 21);
	}
}

/* random arrivals: over any span no more than a second's worth and what the span brings */
static void random_arrivals(void **state)
{
	struct harness *h = *state;
	unsigned int passed = 0, i;
	__u64 start = h->now_ns, earned;
	double tokens = 20;

	conn_rate(h, 20);
	for (i = 0; i < 4000; i++) {
		__u64 wait = random_u32() % (20 * MSEC);

		h->now_ns += wait;
		tokens += wait * 20 / 1e9;
		tokens = tokens > 20 ? 20 : tokens;
		if (syn(h, random_u32()) == HARNESS_PASS) {
			assert_true(tokens > 0.9999);
			tokens--;
			passed++;
		} else {
			assert_true(tokens < 1.0001);
		}
	}
	earned = (h->now_ns - start) / (SEC / 20);
	assert_in_range(passed, earned, earned + 20);
}

/* what opens no connection is not counted, and is not held up by a limit that is used up */
static void other_packets_pass(void **state)
{
	struct harness *h = *state;
	int i;

	conn_rate(h, 1);
	for (i = 0; i < 10; i++) {
		assert_int_equal(send_spec(h, INGRESS, &(struct spec){ .proto = IPPROTO_TCP,
							 .tcp_flags = SYN_ACK }), HARNESS_PASS);
		assert_int_equal(send_spec(h, INGRESS, &(struct spec){ .proto = IPPROTO_TCP }),
				 HARNESS_PASS);
		assert_int_equal(send_spec(h, INGRESS, &(struct spec){}), HARNESS_PASS);
	}
	assert_int_equal(syn(h, 1), HARNESS_PASS);
	assert_int_equal(syn(h, 2), HARNESS_DROP);
	assert_int_equal(send_spec(h, INGRESS, &(struct spec){ .proto = IPPROTO_TCP }),
			 HARNESS_PASS);
	assert_int_equal(send_spec(h, INGRESS, &(struct spec){ .proto = IPPROTO_TCP, .family = 6,
						 .tcp_flags = SYN }), HARNESS_DROP);
}

static void observe_only_counts(void **state)
{
	struct harness *h = *state;
	int i;

	harness_class(h, 0)->action = WEIR_OBSERVE;
	conn_rate(h, 2);
	for (i = 0; i < 10; i++)
		assert_int_equal(syn(h, i), HARNESS_PASS);
	assert_int_equal(harness_count(h, 0, WEIR_R_DROP_CONN), 8);
}

/* a SYN that is refused costs its class no bytes; none is spared as a control packet */
static void beside_a_rate(void **state)
{
	struct harness *h = *state;
	struct spec data = { .proto = IPPROTO_TCP, .payload = 1000 };
	int i, passed;

	harness_rate(harness_class(h, 0), 1 * MBIT, 0);
	harness_class(h, 0)->burst_bytes = 10000;
	conn_rate(h, 1);
	for (i = 0; i < 1000; i++)
		assert_int_equal(syn(h, i), i ? HARNESS_DROP : HARNESS_PASS);
	for (passed = 0; send_spec(h, INGRESS, &data) == HARNESS_PASS; passed++)
		assert_true(passed < 1000);
	assert_true(passed >= 9);
	h->now_ns += SEC;
	assert_int_equal(syn(h, 1), HARNESS_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_many_as_the_rate_says),
		TEST(random_arrivals),
		TEST(other_packets_pass),
		TEST(observe_only_counts),
		TEST(beside_a_rate),
	};

	return RUN(tests, 0);
}
