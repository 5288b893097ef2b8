// SPDX-License-Identifier: GPL-2.0-only
/* test_policy.c: defaults, checks across values, the order of matches, slots that stay. */
#include "unit.h"
#include <weir/bucket.h>
#include "control.h"
#include "policy.h"

static struct policy *policy;
static struct err err;

static int setup(void **state)
{
	policy = policy_new();
	err.text[0] = '\0';
	return policy ? 0 : -1;
}

static int teardown(void **state)
{
	free(policy);
	return 0;
}

static struct weir_class *make(const char *name)
{
	int slot = policy_class_get(policy, name);

	assert_true(slot >= 0);
	return &policy->classes[slot];
}

static void refused(const char *says)
{
	assert_int_equal(policy_finish(policy, &err), -EINVAL);
	if (!strstr(err.text, says))
		fail_msg("%s", err.text);
}

static void accepted(void)
{
	if (policy_finish(policy, &err))
		fail_msg("%s", err.text);
}

static void default_class(void **state)
{
	struct weir_class *class = &policy->classes[0];

	accepted();
	assert_int_equal(policy_class_find(policy, "default"), 0);
	assert_int_equal(class->flags, WEIR_CLASS_USED | WEIR_CLASS_ECN | WEIR_CLASS_SOCKET);
	assert_int_equal(class->action, WEIR_PACE);
	assert_int_equal(class->per, WEIR_PER_FLOW);
	assert_int_equal(class->npb_rate, 0);
	assert_int_equal(class->npb_flow, 0);
	assert_int_equal(class->plen4, 32);
	assert_int_equal(class->plen6, 128);
	assert_int_equal(class->mark_at_ns, 10000000);
	assert_int_equal(class->drop_at_ns, 200000000);
	assert_int_equal(class->burst_ns, 0);
}

static void rates_follow(void **state)
{
	struct weir_class *class = make("web");

	class->rate_bps = 100000000;
	class->flow_rate_bps = 20000000;
	accepted();
	assert_int_equal(class->npb_rate, weir_npb(100000000));
	assert_int_equal(class->npb_flow, weir_npb(20000000));
	assert_true(class->flags & WEIR_CLASS_FAIR);
	class->rate_bps = 0;
	accepted();
	assert_int_equal(class->npb_rate, 0);
	assert_false(class->flags & WEIR_CLASS_FAIR);
	class->rate_bps = 100000000;
	class->per = WEIR_PER_CLASS;
	accepted();
	assert_false(class->flags & WEIR_CLASS_FAIR);
}

/* without a word of the user's, the depth is the datapath's own, and marks begin there */
static void police_burst(void **state)
{
	struct weir_class *class = make("web");

	class->action = WEIR_POLICE;
	class->set = WEIR_SET_ACTION;
	class->rate_bps = 10000000;
	accepted();
	assert_int_equal(class->burst_ns, 0);
	assert_int_equal(class->burst_bytes, 0);
	assert_int_equal(class->mark_at_ns, 0);
}

static void burst_given(void **state)
{
	struct weir_class *class = make("web");

	class->rate_bps = 8000000;
	class->set = WEIR_SET_BURST | WEIR_SET_BURST_BYTES | WEIR_SET_ACTION;
	class->action = WEIR_POLICE;
	class->burst_bytes = 10000;
	accepted();
	assert_int_equal(class->burst_ns, 10000000);
	assert_int_equal(class->mark_at_ns, 0);
	class->burst_bytes = 16 << 20;
	refused("web: burst 16mib: more than 10s at 8mbit");
	/* without a rate a class under control has its maximum */
	strcpy(class->signal, "backlog");
	class->max_bps = class->rate_bps;
	class->rate_bps = class->flow_rate_bps = 0;
	refused("web: burst 16mib: more than 10s at 8mbit");
	class->set &= ~WEIR_SET_BURST_BYTES;
	class->burst_ns = 0;
	refused("web: burst 0 with action police");
	class->set = WEIR_SET_BURST;
	class->burst_ns = 30000000;
	class->action = WEIR_PACE;
	accepted();
	assert_int_equal(class->burst_ns, 30000000);
	assert_int_equal(class->burst_bytes, 0);
}

/* whatever was given, marks come before drops */
static void delays_follow(void **state)
{
	struct weir_class *class = make("web");

	for (int i = 0; i < 20000; i++) {
		__u64 given = unit_scale(1000, 5000000000ULL);

		class->set = unit_below(2) ? WEIR_SET_MARK_AT : WEIR_SET_DROP_AT;
		class->mark_at_ns = class->drop_at_ns = given;
		accepted();
		assert_true(class->mark_at_ns <= class->drop_at_ns);
		assert_true(class->mark_at_ns > 0);
		assert_int_equal(class->set & WEIR_SET_MARK_AT ? class->mark_at_ns :
				 class->drop_at_ns, given);
	}
}

static void combinations(void **state)
{
	struct weir_class *class = make("web");

	class->rate_bps = 1000000000;
	class->flow_rate_bps = 2000000000;
	refused("web: flow-rate 2gbit: more than the class's rate 1gbit");
	class->flow_rate_bps = 1000000000;
	accepted();

	class->set = WEIR_SET_FAIR;
	class->flags |= WEIR_CLASS_FAIR;
	class->rate_bps = 0;
	refused("web: fair on: there is nothing to share without a rate");
	class->rate_bps = 1000000000;
	class->per = WEIR_PER_CLASS;
	refused("web: fair on with per class");
	class->flags &= ~WEIR_CLASS_FAIR;
	accepted();
	assert_false(class->flags & WEIR_CLASS_FAIR);

	class->set = WEIR_SET_MARK_AT | WEIR_SET_DROP_AT;
	class->mark_at_ns = 10000000;
	class->drop_at_ns = 9000000;
	refused("web: mark-at 10ms: later than drop-at 9ms");
	class->drop_at_ns = 10000000;
	accepted();
	class->action = WEIR_POLICE;
	class->set |= WEIR_SET_ACTION;
	refused("web: drop-at with action police");
	class->set = WEIR_SET_ACTION | WEIR_SET_MARK_AT | WEIR_SET_BURST;
	class->burst_ns = 5000000;
	refused("web: mark-at 10ms: later than burst 5ms");

	class->set = 0;
	class->min_bps = 2000000;
	class->max_bps = 1000000;
	refused("web: min 2mbit: more than max 1mbit");

	class->min_bps = class->max_bps = 0;
	class->law = CONTROL_PI;
	refused("web: law: the class has no control");
	strcpy(class->signal, "loss");
	accepted();
	class->rate_bps = 1000000000;
	class->min_bps = 2000000000;
	refused("web: min 2gbit: more than rate 1gbit");
	class->max_bps = 2000000000;
	accepted();
	class->rate_bps = class->min_bps = class->max_bps = 0;
	class->set = WEIR_SET_TARGET;
	class->target = 100 * 1000000;
	refused("web: target of control loss: want a share below 100%");
	class->target--;
	accepted();
}

static void add_match(const char *class_name, __u32 pref)
{
	struct weir_rule rule = { .pref = pref };

	rule.class_slot = policy_class_find(policy, class_name);
	if (policy_match_add(policy, &rule, &err))
		fail_msg("%s", err.text);
}

static void matches_in_order(void **state)
{
	/* class, pref given, and the prefs and classes expected after all */
	static const __u32 prefs[] = { 3, 10, 10, 15, 20, 30 };
	static const char *const names[] = { "b", "a", "b", "a", "b", "a" };

	make("a");
	make("b");
	add_match("a", 0);
	add_match("b", 20);
	add_match("a", 15);
	add_match("b", 10);
	add_match("b", 3);
	add_match("a", 0);
	assert_int_equal(policy->n_matches, ARRAY_SIZE(prefs));
	for (unsigned int i = 0; i < ARRAY_SIZE(prefs); i++) {
		assert_int_equal(policy->matches[i].pref, prefs[i]);
		assert_string_equal(policy->classes[policy->matches[i].class_slot].name, names[i]);
	}
	assert_int_equal(policy_class_del(policy, "a", &err), -EBUSY);
	assert_int_equal(policy_match_del(policy, "a", 15, &err), 0);
	assert_int_equal(policy->n_matches, 5);
	assert_int_equal(policy->matches[3].pref, 20);
	assert_int_equal(policy_match_del(policy, "a", 15, &err), -ENOENT);
	assert_int_equal(policy_match_del(policy, "a", 0, &err), 0);
	assert_int_equal(policy->n_matches, 3);
	assert_int_equal(policy_class_del(policy, "a", &err), 0);
	assert_int_equal(policy_class_find(policy, "a"), -ENOENT);
	assert_int_equal(policy_match_del(policy, "a", 0, &err), -ENOENT);
}

static void full(void **state)
{
	struct weir_rule rule = { .pref = ~0U };
	char name[16];

	for (int i = 1; i < WEIR_MAX_CLASSES; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		assert_int_equal(policy_class_get(policy, name), i);
	}
	assert_int_equal(policy_class_get(policy, "one-more"), -ENOSPC);
	assert_int_equal(policy_class_get(policy, "c7"), 7);
	assert_int_equal(policy_match_add(policy, &rule, &err), 0);
	rule.pref = 0;
	assert_int_equal(policy_match_add(policy, &rule, &err), -ERANGE);
	rule.pref = 1;
	for (int i = 1; i < WEIR_MAX_RULES; i++)
		assert_int_equal(policy_match_add(policy, &rule, &err), 0);
	assert_int_equal(policy_match_add(policy, &rule, &err), -ENOSPC);
	assert_int_equal(policy->n_matches, WEIR_MAX_RULES);
}

static void align_keeps_slots(void **state)
{
	struct policy *live = policy_new();

	assert_non_null(live);
	/* live: a 1, b 2, c 3, and 2 has become free again */
	policy_class_get(live, "a");
	policy_class_get(live, "b");
	policy_class_get(live, "c");
	policy_class_del(live, "b", &err);
	/* the next one names them in another order, and two that are new */
	make("new1");
	make("c");
	make("new2");
	make("a");
	add_match("new1", 0);
	add_match("c", 0);
	add_match("a", 0);
	assert_int_equal(policy_align(policy, live, &err), 0);
	assert_int_equal(policy_class_find(policy, "default"), 0);
	assert_int_equal(policy_class_find(policy, "a"), 1);
	assert_int_equal(policy_class_find(policy, "c"), 3);
	assert_int_equal(policy_class_find(policy, "new1"), 2);
	assert_int_equal(policy_class_find(policy, "new2"), 4);
	assert_int_equal(policy->matches[0].class_slot, 2);
	assert_int_equal(policy->matches[1].class_slot, 3);
	assert_int_equal(policy->matches[2].class_slot, 1);
	free(live);
}

/* a slot that has another class now: flows that were last seen before are not of that one */
static void align_notes_since_when(void **state)
{
	struct policy *live = policy_new();
	struct weir_flow flow = { .class_slot = 1 };

	assert_non_null(live);
	live->generation = ~0U;		/* they wrap */
	live->classes[policy_class_get(live, "old")].since_generation = live->generation - 5;
	make("new");
	make("old");
	assert_int_equal(policy_align(policy, live, &err), 0);
	flow.generation = live->generation;
	assert_true(policy_class_has(&policy->classes[1], &flow));
	assert_false(policy_class_has(&policy->classes[2], &flow));
	flow.generation = live->generation + 1;
	assert_true(policy_class_has(&policy->classes[2], &flow));
	flow.generation = live->generation + 100;
	assert_true(policy_class_has(&policy->classes[2], &flow));
	memset(&policy->classes[2], 0, sizeof(policy->classes[2]));
	assert_false(policy_class_has(&policy->classes[2], &flow));
	free(live);
}

static void align_when_full(void **state)
{
	struct policy *live = policy_new();
	char name[16];

	assert_non_null(live);
	for (int i = 1; i < WEIR_MAX_CLASSES; i++) {
		snprintf(name, sizeof(name), "old%d", i);
		policy_class_get(live, name);
		snprintf(name, sizeof(name), "%s%d", i % 2 ? "old" : "new", WEIR_MAX_CLASSES - i);
		make(name);
	}
	assert_int_equal(policy_align(policy, live, &err), 0);
	for (int i = 1; i < WEIR_MAX_CLASSES; i++) {
		int slot = WEIR_MAX_CLASSES - i;

		snprintf(name, sizeof(name), "%s%d", i % 2 ? "old" : "new", slot);
		if (i % 2)
			assert_int_equal(policy_class_find(policy, name), slot);
		else
			assert_true(policy_class_find(policy, name) > 0);
	}
	free(live);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(default_class), TEST(rates_follow),      TEST(police_burst),
		TEST(burst_given),   TEST(delays_follow),     TEST(combinations),
		TEST(matches_in_order), TEST(full),	      TEST(align_keeps_slots),
		TEST(align_when_full), TEST(align_notes_since_when),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
