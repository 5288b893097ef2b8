// SPDX-License-Identifier: GPL-2.0-only
/* test_state.c: what a class is said to be held back by, now, and what of it is shown */
#include <string.h>
#include "unit.h"
#include "signals.h"
#include "snapshot.h"

#define NOW 7000000000ULL

static struct snapshot_class door(__u32 conn_rate)
{
	return (struct snapshot_class){
		.conf = { .flags = WEIR_CLASS_USED, .conn_rate = conn_rate },
		.moved = { .last_ns = NOW - 1000000 },
	};
}

static enum snapshot_state seen(struct snapshot_class *is, struct snapshot_class *was)
{
	struct snapshot before = { .now_ns = NOW - 1000000000, .classes = was, .n_classes = 1 };
	struct snapshot now = { .now_ns = NOW, .classes = is, .n_classes = 1 };

	snapshot_compare(&now, was ? &before : NULL);
	return is->state;
}

static void refused_connections_are_conn_rate(void **state)
{
	struct snapshot_class was = door(5), is = door(5);

	assert_int_equal(seen(&is, &was), SNAPSHOT_UNLIMITED);
	assert_non_null(strstr(snapshot_state_text(&is), "beyond conn-rate"));
	is.total.packets[WEIR_R_DROP_CONN] = 3;
	assert_int_equal(seen(&is, &was), SNAPSHOT_CONN);
	/* a class far below its rate is not held back by that */
	is.conf.rate_bps = is.limit_bps = 100000000;
	assert_int_equal(seen(&is, &was), SNAPSHOT_CONN);
	is.total.packets[WEIR_R_DROP_RATE] = 3;
	assert_int_equal(seen(&is, &was), SNAPSHOT_CLASS);
	is.total.packets[WEIR_R_DROP_RATE] = 0;
	is.conf.action = WEIR_OBSERVE;
	assert_int_equal(seen(&is, &was), SNAPSHOT_OBSERVED);
}

/* five per second: four more may follow at once where the clock is not ahead */
static void one_picture_tells_it_too(void **state)
{
	struct snapshot_class is = door(5);

	assert_int_equal(seen(&is, NULL), SNAPSHOT_UNLIMITED);
	is.moved.conn_tat = NOW + 550000000;
	assert_int_equal(seen(&is, NULL), SNAPSHOT_UNLIMITED);
	/* between two that it lets in: one was refused within these 200 ms */
	is.moved.conn_tat = NOW + 650000000;
	assert_int_equal(seen(&is, NULL), SNAPSHOT_CONN);
	is.moved.conn_tat = NOW + 1000000000;
	assert_int_equal(seen(&is, NULL), SNAPSHOT_CONN);
	is.limit_bps = 100000000;
	assert_int_equal(seen(&is, NULL), SNAPSHOT_CONN);
	is.moved.held_at = NOW - 1000000;
	assert_int_equal(seen(&is, NULL), SNAPSHOT_CLASS);
	/* what was refused before conn-rate was taken away */
	is.moved.held_at = is.limit_bps = 0;
	is.conf.conn_rate = 0;
	assert_int_equal(seen(&is, NULL), SNAPSHOT_UNLIMITED);
}

/* what a scrape a minute ago has not seen yet is not what holds it back now */
static void an_old_picture_tells_nothing_of_now(void **state)
{
	struct snapshot_class was = door(0), is = door(0);
	struct snapshot before = { .now_ns = NOW, .classes = &was, .n_classes = 1 };
	struct snapshot now = { .now_ns = NOW + 60000000000, .classes = &is, .n_classes = 1 };

	is.conf.rate_bps = is.limit_bps = 100000000;
	is.total.packets[WEIR_R_DROP_CLASS] = is.total.bytes[WEIR_R_DROP_CLASS] = 1500;
	snapshot_compare(&now, &before);
	assert_int_equal(is.state, SNAPSHOT_IDLE);
	assert_int_equal(is.rates.dropped, 25);
	is.moved.last_ns = now.now_ns - 1000000;
	snapshot_compare(&now, &before);
	assert_int_equal(is.state, SNAPSHOT_FREE);
	is.moved.held_at = is.moved.last_ns;
	snapshot_compare(&now, &before);
	assert_int_equal(is.state, SNAPSHOT_CLASS);
}

static void what_is_observed_passes(void **state)
{
	struct snapshot_class was = door(0), is = door(0);

	is.conf.rate_bps = is.limit_bps = 1000000;
	is.total.bytes[WEIR_R_CONFORM] = is.total.packets[WEIR_R_CONFORM] = 1000;
	is.total.bytes[WEIR_R_DROP_RATE] = is.total.packets[WEIR_R_DROP_RATE] = 2000;
	assert_int_equal(seen(&is, &was), SNAPSHOT_CLASS);
	assert_int_equal(is.rates.passed_bps, 8000);
	is.conf.action = WEIR_OBSERVE;
	assert_int_equal(seen(&is, &was), SNAPSHOT_OBSERVED);
	assert_int_equal(is.rates.passed_bps, 24000);
	assert_int_equal(is.rates.dropped, 2000);
	assert_non_null(strstr(snapshot_state_text(&is), "would"));
}

/* policed, a burst passes: it is ahead of its clock, and nothing holds it back */
static void a_burst_that_passes_is_not_held(void **state)
{
	struct weir_flow flow = { .bucket = { .tat = NOW + 5000000 }, .last_seen_ns = NOW };
	struct snapshot_class was = door(0), is = door(0);

	is.conf.rate_bps = is.limit_bps = is.level_bps = 50000000;
	is.total.packets[WEIR_R_CONFORM] = is.total.bytes[WEIR_R_CONFORM] = 1000;
	is.moved.limited = 1;
	is.moved.limited_at = NOW - 1000000;
	assert_int_equal(seen(&is, NULL), SNAPSHOT_FREE);
	assert_int_equal(seen(&is, &was), SNAPSHOT_FREE);
	is.moved.held_at = NOW - 1000000;
	assert_int_equal(seen(&is, NULL), SNAPSHOT_CLASS);
	assert_int_equal(seen(&is, &was), SNAPSHOT_CLASS);
	assert_false(snapshot_flow_ahead(&flow, &is.conf, is.level_bps));
	flow.dropped = 1;
	assert_true(snapshot_flow_ahead(&flow, &is.conf, is.level_bps));
	flow.dropped = 0;
	flow.flags = WEIR_FLOW_EDT;
	assert_true(snapshot_flow_ahead(&flow, &is.conf, is.level_bps));
	is.conf.action = WEIR_POLICE;
	assert_false(snapshot_flow_ahead(&flow, &is.conf, is.level_bps));
}

/* show, top and the metrics ask the same: an agent that was killed has nothing to say */
static void a_step_stands_as_long_as_its_rate(void **state)
{
	struct weir_class class = { .name = "web", .signal = "queue", .target = 10000000,
				    .set = WEIR_SET_TARGET_TIME };
	struct weir_decision step = { .class = "web", .target = 10000000, .flags = WEIR_D_TIME,
				      .new_bps = 40000000, .at_ns = NOW - 2500000000 };
	struct weir_lease lease = { .rate_bps = 40000000, .expires_ns = NOW + 1 };

	assert_true(snapshot_step_stands(&step, &class, &lease, NOW));
	lease.expires_ns = NOW;
	assert_false(snapshot_step_stands(&step, &class, &lease, NOW));
	step.flags |= WEIR_D_OBSERVE;
	assert_true(snapshot_step_stands(&step, &class, &lease, NOW));
	step.at_ns -= 500000000;
	assert_false(snapshot_step_stands(&step, &class, &lease, NOW));
	step.at_ns = NOW;
	class.target = 5000000;
	assert_false(snapshot_step_stands(&step, &class, NULL, NOW));
	class.target = step.target;
	assert_true(snapshot_step_stands(&step, &class, NULL, NOW));
	strcpy(step.class, "other");
	assert_false(snapshot_step_stands(&step, &class, NULL, NOW));
}

static void a_signal_is_shown_with_its_unit(void **state)
{
	assert_string_equal(signal_show("psi cpu", 43695338, false).text, "43.7%");
	assert_string_equal(signal_show("loss", 1000000, false).text, "1%");
	assert_string_equal(signal_show("queue", 12345678000, false).text, "12346");
	assert_string_equal(signal_show("queue", 20250000, false).text, "20.25");
	assert_string_equal(signal_show("queue", 30000000, true).text, "30 ms");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_connections_are_conn_rate),
		cmocka_unit_test(one_picture_tells_it_too),
		cmocka_unit_test(what_is_observed_passes),
		cmocka_unit_test(a_burst_that_passes_is_not_held),
		cmocka_unit_test(a_step_stands_as_long_as_its_rate),
		cmocka_unit_test(a_signal_is_shown_with_its_unit),
		cmocka_unit_test(an_old_picture_tells_nothing_of_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
