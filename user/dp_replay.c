// SPDX-License-Identifier: GPL-2.0-only
/*
 * dp_replay.c: see dp_replay.h. Loads two objects (the datapath with its virtual clock, and what
 * drives it through a batch) and joins them by a program array.
 */
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>
#include "dp.h"
#include "dp_replay.h"
#include "maps.h"
#include "replay.skel.h"
#include "weir.skel.h"

#define REPLAY_IFINDEX 1		/* the device of test runs: loopback */

struct dp_replay {
	struct weir_bpf *weir;
	struct replay_bpf *driver;
	int driver_fd, tick_fd;
};

static int load(struct dp_replay *replay, enum weir_hook hook, __u32 max_flows, struct err *err)
{
	struct bpf_program *program, *packet;
	int r;

	replay->weir = weir_bpf__open();
	if (!replay->weir)
		return err_set(err, errno, "cannot open the datapath: %s", strerror(errno));
	bpf_object__for_each_program(program, replay->weir->obj)
		bpf_program__set_autoload(program, false);
	packet = hook == WEIR_EGRESS ? replay->weir->progs.weir_egress :
				       replay->weir->progs.weir_ingress;
	bpf_program__set_autoload(packet, true);
	bpf_program__set_autoload(replay->weir->progs.weir_level_at, true);
	bpf_map__set_max_entries(replay->weir->maps.flows, max_flows);
	bpf_map__set_max_entries(replay->weir->maps.buckets, max_flows);
	replay->weir->rodata->max_flows = max_flows;
	replay->weir->rodata->test_clock = 1;
	r = weir_bpf__load(replay->weir);
	if (r)
		return err_set(err, -r, "cannot load the datapath: %s (WEIR_LOG=debug says more)",
			       strerror(-r));
	replay->driver = replay_bpf__open_and_load();
	if (!replay->driver)
		return err_set(err, errno, "cannot load the replay's driver: %s (it calls the "
			       "datapath from a function, which needs kernel 5.10 on x86-64, 6.0 on "
			       "arm64)", strerror(errno));
	replay->driver_fd = bpf_program__fd(replay->driver->progs.weir_replay);
	replay->tick_fd = bpf_program__fd(replay->weir->progs.weir_level_at);
	r = maps_program_put(bpf_map__fd(replay->driver->maps.program), bpf_program__fd(packet));
	if (r)
		err_set(err, -r, "cannot join the datapath and its driver: %s", strerror(-r));
	return r;
}

static int fill(struct dp_replay *replay, const struct policy *policy, enum weir_hook hook,
		struct err *err)
{
	const struct weir_dev_key key = { .ifindex = REPLAY_IFINDEX, .hook = hook };
	const struct weir_dev dev = { .name = "replay", .flags = WEIR_DEV_EDT };
	struct maps maps;
	int r = maps_from_object(&maps, replay->weir->obj, err);

	if (r)
		return r;
	r = maps_device_put(&maps, &key, &dev);
	r = r ? err_set(err, -r, "cannot note the device: %s", strerror(-r)) :
		maps_policy_store(&maps, policy, err);
	maps_close(&maps);
	return r;
}

int dp_replay_open(struct dp_replay **ret_replay, const struct policy *policy, enum weir_hook hook,
		   __u32 max_flows, struct err *err)
{
	struct dp_replay *replay = calloc(1, sizeof(*replay));
	int r;

	if (!replay)
		return err_set(err, ENOMEM, "out of memory");
	r = load(replay, hook, max_flows ? max_flows : DP_FLOWS_DEFAULT, err);
	if (!r)
		r = fill(replay, policy, hook, err);
	if (r)
		dp_replay_close(replay);
	else
		*ret_replay = replay;
	return r;
}

void dp_replay_close(struct dp_replay *replay)
{
	if (!replay)
		return;
	replay_bpf__destroy(replay->driver);
	weir_bpf__destroy(replay->weir);
	free(replay);
}

struct weir_replay_slot *dp_replay_slots(struct dp_replay *replay)
{
	return replay->driver->bss->slots;
}

static int run(struct dp_replay *replay, unsigned int n, const void *data, size_t size)
{
	const struct weir_replay_slot *slots = replay->driver->bss->slots;
	__u32 *at = &replay->driver->bss->at, before;

	*at = 0;
	do {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = size,
			    .repeat = n - *at);

		before = *at;
		/* a signal ends a call after some packet; the rest follows */
		if (bpf_prog_test_run_opts(replay->driver_fd, &opts) &&
		    (errno != EINTR || *at == before))
			return -errno;
	} while (*at < n);
	for (unsigned int i = 0; i < n; i++)
		if (slots[i].error)
			return slots[i].error;
	return 0;
}

int dp_replay_run(struct dp_replay *replay, unsigned int n)
{
	/* an IPv4 header's worth of nothing, over which the driver puts each packet in turn */
	static const __u8 blank[WEIR_REPLAY_DATA] = { [12] = 0x08, [14] = 0x45 };

	replay->driver->bss->alone = 0;
	return run(replay, n, blank, sizeof(blank));
}

int dp_replay_run_alone(struct dp_replay *replay, const void *frame, size_t size)
{
	struct weir_replay_slot *slot = replay->driver->bss->slots;
	int r;

	replay->driver->bss->alone = 1;
	r = run(replay, 1, frame, size);
	if (r != -EINVAL)
		return r;
	/* not even an IP header: the kernel makes no skb of it, and no device would either */
	slot->verdict = TC_ACT_UNSPEC;
	slot->departure_ns = slot->delay_ns = 0;
	slot->bytes = slot->len;
	slot->told = slot->reason << 16 | WEIR_REPLAY_UNTOLD;
	return 0;
}

int dp_replay_tick(struct dp_replay *replay, __u64 now_ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &now_ns, .ctx_size_in = sizeof(now_ns));

	return bpf_prog_test_run_opts(replay->tick_fd, &opts) ? -errno : 0;
}
