// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_control.c: the controllers: what each step may do, and in closed loop with a plant
 * (plant.h) how they settle, over the range that they are meant for.
 */
#include "plant.h"

static struct plant plant;

static struct plant *experiment(void)
{
	plant = (struct plant){
		.speed_bps = 50 * MBIT, .interval_ns = 10 * MS, .delay_ns = 15 * MS, .flows = 8,
		.config = { .target = 10 * MS },
	};
	plant_init(&plant);
	return &plant;
}

/* the experiment of tests/vm/agent.sh */
static void experiment_settles(void **state)
{
	struct plant *p = experiment();
	double mean, settle[2];

	plant_run(p, 3 * SEC);
	mean = plant_run(p, SEC);
	printf("# at 50: %.2f ms, %.3f mbit\n", mean, plant_goodput(p) / 1e6);
	assert_true(mean > 8 && mean < 12);
	assert_true(plant_goodput(p) > 49.5e6);
	p->speed_bps = 10 * MBIT;
	settle[0] = plant_settle(p, 2 * SEC, 0.35);
	mean = plant_run(p, SEC);
	printf("# at 10: settled after %.0f ms, %.2f ms, %.3f mbit\n", settle[0], mean,
	       plant_goodput(p) / 1e6);
	assert_true(mean > 8 && mean < 12);
	assert_true(plant_goodput(p) > 9.9e6);
	p->speed_bps = 50 * MBIT;
	settle[1] = plant_settle(p, 2 * SEC, 0.35);
	mean = plant_run(p, SEC);
	printf("# at 50: settled after %.0f ms, %.2f ms\n", settle[1], mean);
	assert_true(settle[0] <= 400);
	assert_true(settle[1] <= 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(experiment_settles) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
