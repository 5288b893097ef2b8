// SPDX-License-Identifier: GPL-2.0-only
/*
 * dp.c: loads the object and pins it, swaps it for another build's on the maps of that one, takes
 * it away again, and runs the two programs that run on request: the timer's start and the walk over
 * existing sockets. The order of pins is the order of trust: hooks' programs come last, so that an
 * instance is there whole or not at all.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include <weir/abi.h>
#include "dp.h"
#include "dp_shape.h"
#include "hook.h"
#include "log.h"
#include "maps.h"
#include "weir.skel.h"

#define SOCKOPS_LINK "link_sockops"
#define OBJECT_LINK "object"
#define NEW_PIN "new"
#define WALK_PROGRAM "weir_sk_walk"
#define TEST_PROGRAM "weir_level_at"	/* for virtual time: tests and replay load it themselves */

static const char *const hook_programs[WEIR_HOOK_COUNT][2] = {
	[WEIR_EGRESS] = { INSTANCE_MARKER, "weir_egress_l3" },
	[WEIR_INGRESS] = { "weir_ingress", "weir_ingress_l3" },
};

/* A kernel that refuses one of these loses a means, not the shaper. */
static const char *const optional_programs[] = { "weir_sockops", WALK_PROGRAM, "weir_timer" };

/* the first words of libbpf or the verifier about what failed: they go into our error */
static char failure[256];

static void skeleton_free(struct weir_bpf **skel)
{
	weir_bpf__destroy(*skel);
}

static int keep_failure(enum libbpf_print_level level, const char *format, va_list args)
{
	va_list copy;

	if (level == LIBBPF_WARN && !failure[0]) {
		va_copy(copy, args);
		vsnprintf(failure, sizeof(failure), format, copy);
		va_end(copy);
		failure[strcspn(failure, "\n")] = '\0';
	}
	return log_libbpf(level, format, args);
}

/* Timers and the kernel's own functions are called by compiled programs alone. */
static bool kernel_compiles(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT },
	};
	int n = ARRAY_SIZE(insns);
	_cleanup_close_ int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "weir_try", "GPL", insns, n,
					       NULL);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || info.jited_prog_len;
}

static int fail(struct err *err, int rc, const char *what)
{
	if (!kernel_compiles())
		return err_set(err, -rc, "%s: this kernel compiles no BPF program: want `sysctl "
			       "net.core.bpf_jit_enable=1`, and a kernel with CONFIG_BPF_JIT",
			       what);
	return err_set(err, -rc, "%s: %s", what, failure[0] ? failure : strerror(-rc));
}

/*
 * only: the one program to load, NULL: all but those in the mask `without`; max_flows 0: on the
 * maps that the instance has
 */
static int load(const char *only, unsigned int without, const struct instance *instance,
		__u32 max_flows, struct weir_bpf **ret_skel, struct err *err)
{
	_cleanup_(skeleton_free) struct weir_bpf *skel = NULL;
	struct bpf_program *prog;
	int rc = 0;

	failure[0] = '\0';
	libbpf_set_print(keep_failure);
	skel = weir_bpf__open();
	if (!skel)
		return fail(err, -errno, "cannot open the datapath");
	bpf_object__for_each_program(prog, skel->obj) {
		const char *name = bpf_program__name(prog);
		bool skip = only ? strcmp(name, only) : !strcmp(name, TEST_PROGRAM);

		for (unsigned int i = 0; i < ARRAY_SIZE(optional_programs); i++)
			if (without & (1U << i) && !strcmp(name, optional_programs[i]))
				skip = true;
		if (skip)
			bpf_program__set_autoload(prog, false);
	}
	if (max_flows) {
		bpf_map__set_max_entries(skel->maps.flows, max_flows);
		bpf_map__set_max_entries(skel->maps.buckets, max_flows);
	} else {
		rc = dp_shape_use(skel->obj, instance, err);
	}
	if (rc)
		return rc;
	skel->rodata->max_flows = bpf_map__max_entries(skel->maps.flows);
	skel->rodata->netns_cookie = instance ? instance->netns_cookie : 0;
	rc = weir_bpf__load(skel);
	if (rc)
		return fail(err, rc, only ? only : "cannot load the datapath");
	*ret_skel = skel;
	skel = NULL;
	return 0;
}

int dp_try(const char *program, struct err *err)
{
	_cleanup_(skeleton_free) struct weir_bpf *skel = NULL;

	return load(program, 0, NULL, DP_FLOWS_MIN, &skel, err);
}

/* All of it, or where that fails, what remains without the optional programs at fault. */
static int load_what_works(const struct instance *instance, __u32 max_flows,
			   struct weir_bpf **ret_skel, struct err *err)
{
	unsigned int without = 0;
	struct err why;
	int rc = load(NULL, 0, instance, max_flows, ret_skel, err);

	if (!rc || rc == -EPERM || rc == -ENOMEM || rc == -EPROTO)
		return rc;
	for (unsigned int i = 0; i < ARRAY_SIZE(optional_programs); i++) {
		if (dp_try(optional_programs[i], &why)) {
			log_debug("left out: %s", why.text);
			without |= 1U << i;
		}
	}
	return without ? load(NULL, without, instance, max_flows, ret_skel, err) : rc;
}

static int pin_fd(const struct instance *instance, int fd, const char *name, struct err *err)
{
	char path[320];
	int rc = instance_path(instance, name, path, sizeof(path));

	if (!rc && bpf_obj_pin(fd, path))
		rc = -errno;
	if (rc)
		return err_set(err, -rc, "%s/%s: cannot pin: %s", instance->dir, name,
			       strerror(-rc));
	return 0;
}

static int pin_maps(const struct instance *instance, struct weir_bpf *skel, struct err *err)
{
	struct bpf_map *map;
	int rc;

	bpf_object__for_each_map(map, skel->obj) {
		if (!dp_shape_is_pinned(map))
			continue;
		rc = pin_fd(instance, bpf_map__fd(map), bpf_map__name(map), err);
		if (rc)
			return rc;
	}
	return 0;
}

static int pin_programs(const struct instance *instance, struct weir_bpf *skel, struct err *err)
{
	struct bpf_program *prog;
	int rc;

	bpf_object__for_each_program(prog, skel->obj) {
		if (bpf_program__fd(prog) < 0 || !strcmp(bpf_program__name(prog), INSTANCE_MARKER))
			continue;
		rc = pin_fd(instance, bpf_program__fd(prog), bpf_program__name(prog), err);
		if (rc)
			return rc;
	}
	return pin_fd(instance, bpf_program__fd(skel->progs.weir_egress), INSTANCE_MARKER, err);
}

static int first_policy(const struct instance *instance, __u32 can, struct err *err)
{
	_cleanup_free_ struct policy *policy = policy_new();
	struct maps maps;
	int rc;

	if (!policy)
		return err_set(err, ENOMEM, "out of memory");
	rc = policy_finish(policy, err);
	if (!rc)
		rc = maps_open(&maps, instance, err);
	if (rc)
		return rc;
	rc = maps_can_set(&maps, can, err);
	if (!rc)
		rc = maps_policy_store(&maps, policy, err);
	maps_close(&maps);
	return rc;
}

static int start_timer(struct weir_bpf *skel, struct err *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int fd = bpf_program__fd(skel->progs.weir_timer), rc;

	if (fd < 0)
		return 0;
	rc = bpf_prog_test_run_opts(fd, &opts) ? -errno : (int)opts.retval;
	if (rc)
		return err_set(err, abs(rc), "cannot start the level timer: %s", strerror(abs(rc)));
	return 0;
}

/* Where it cannot be linked there is one means less, which `check` says. */
static int link_sockops(const struct instance *instance, struct weir_bpf *skel, __u32 *can,
			struct err *err)
{
	int fd = bpf_program__fd(skel->progs.weir_sockops);
	_cleanup_close_ int link = fd < 0 ? -1 : hook_sockops_link(fd);

	if (fd < 0)
		return 0;
	if (link < 0) {
		if (link == -E2BIG)
			log_note("sockets are not paced: " HOOK_SOCKOPS_FULL "; once there is "
				 "room: `weir detach all`, and attach again");
		else
			log_debug("sockets are not paced: root of cgroup v2: %s", strerror(-link));
		return 0;
	}
	*can |= WEIR_CAN_SOCKET;
	return pin_fd(instance, link, SOCKOPS_LINK, err);
}

/* FNV-1a. Of the file: what a kernel makes of it differs from one to the next. */
static void object_name(char name[32])
{
	__u64 hash = 0xcbf29ce484222325ULL;
	const unsigned char *bytes;
	size_t size;

	bytes = weir_bpf__elf_bytes(&size);
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	snprintf(name, 32, "%016llx", (unsigned long long)hash);
}

static int object_sign(const struct instance *instance, struct err *err)
{
	char path[320], name[32];
	int rc = instance_path(instance, OBJECT_LINK, path, sizeof(path));

	object_name(name);
	if (!rc && symlink(name, path))
		rc = -errno;
	return rc ? err_set(err, -rc, "%s: cannot make it: %s", path, strerror(-rc)) : 0;
}

bool dp_is_own(const struct instance *instance)
{
	char path[320], name[32], there[32];
	ssize_t n;

	if (instance_path(instance, OBJECT_LINK, path, sizeof(path)))
		return false;
	n = readlink(path, there, sizeof(there) - 1);
	if (n < 0)
		return errno != ENOENT;		/* else not known */
	there[n] = '\0';
	object_name(name);
	return !strcmp(name, there);
}

int dp_create(const struct instance *instance, __u32 max_flows, struct err *err)
{
	_cleanup_(skeleton_free) struct weir_bpf *skel = NULL;
	struct err ignored;
	__u32 can = 0;
	int rc;

	if (instance_exists(instance))
		return err_set(err, EEXIST, "%s: is there already", instance->dir);
	rc = instance_remove_pins(instance, err);
	if (!rc)
		rc = load_what_works(instance, max_flows ?: DP_FLOWS_DEFAULT, &skel, err);
	if (rc)
		return rc;
	rc = instance_sign(instance, err);
	if (!rc)
		rc = object_sign(instance, err);
	if (!rc)
		rc = pin_maps(instance, skel, err);
	if (!rc)
		rc = link_sockops(instance, skel, &can, err);
	if (!rc)
		rc = first_policy(instance, can, err);
	if (!rc)
		rc = start_timer(skel, err);
	if (!rc)
		rc = pin_programs(instance, skel, err);
	if (rc)
		instance_remove_pins(instance, &ignored);
	return rc;
}

/* A fresh descriptor of a pin; -ENOENT where this kernel had not taken the program. */
static int get_pin(const struct instance *instance, const char *name)
{
	char path[320];
	int fd, rc = instance_path(instance, name, path, sizeof(path));

	if (rc)
		return rc;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

static int program_fd(const struct instance *instance, const char *name, struct err *err)
{
	int fd = get_pin(instance, name);

	if (fd < 0)
		return err_set(err, -fd, "%s/%s: %s", instance->dir, name, strerror(-fd));
	return fd;
}

int dp_program_fd(const struct instance *instance, enum weir_hook hook, bool l3, struct err *err)
{
	return program_fd(instance, hook_programs[hook][l3], err);
}

int dp_queue_fd(const struct instance *instance, struct err *err)
{
	return program_fd(instance, "weir_waits", err);
}

/* What was pinned has a successor, and that is in its place at once. */
static int repin_programs(const struct instance *instance, struct weir_bpf *skel, struct err *err)
{
	char path[320], new_path[320];
	struct bpf_program *prog;
	int rc = instance_path(instance, NEW_PIN, new_path, sizeof(new_path));

	bpf_object__for_each_program(prog, skel->obj) {
		if (rc || bpf_program__fd(prog) < 0)
			continue;
		/* of a command that was killed */
		unlink(new_path);
		rc = pin_fd(instance, bpf_program__fd(prog), NEW_PIN, err);
		if (rc)
			return rc;
		rc = instance_path(instance, bpf_program__name(prog), path, sizeof(path));
		if (!rc && rename(new_path, path))
			rc = -errno;
	}
	return rc ? err_set(err, -rc, "%s: cannot pin the programs: %s", instance->dir,
			    strerror(-rc)) : 0;
}

static int swap_sockops(const struct instance *instance, struct weir_bpf *skel, struct err *err)
{
	_cleanup_close_ int link = get_pin(instance, SOCKOPS_LINK);
	int rc = link == -ENOENT ? 0 : link;

	if (link >= 0)
		rc = hook_sockops_swap(link, bpf_program__fd(skel->progs.weir_sockops));
	return rc ? err_set(err, -rc, "cannot swap the program of sockets: %s", strerror(-rc)) : 0;
}

/* A means that is there must not stay with the other build's program. */
static int check_means(const struct instance *instance, struct weir_bpf *skel, struct err *err)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(optional_programs); i++) {
		const char *name = optional_programs[i];
		_cleanup_close_ int fd = get_pin(instance, name);
		struct bpf_program *prog = bpf_object__find_program_by_name(skel->obj, name);

		if (fd >= 0 && bpf_program__fd(prog) < 0)
			return err_set(err, EPROTO, "this kernel does not take its %s", name);
	}
	return 0;
}

int dp_update(const struct instance *instance, bool *ret_updated, struct err *err)
{
	_cleanup_(skeleton_free) struct weir_bpf *skel = NULL;
	char path[320];
	int rc;

	*ret_updated = false;
	if (dp_is_own(instance))
		return 0;
	rc = load_what_works(instance, 0, &skel, err);
	if (!rc)
		rc = check_means(instance, skel, err);
	if (rc) {
		err_prefix(err, "%s: cannot swap the programs of another build for this one's%s: ",
			   instance->name, rc == -EPROTO ? " (want `weir detach all`, and attach "
			   "again)" : "");
		return rc;
	}
	/* nobody's until all is: whoever comes after a command that was killed begins anew */
	rc = instance_path(instance, OBJECT_LINK, path, sizeof(path));
	if (!rc && unlink(path) && errno != ENOENT)
		rc = -errno;
	if (rc)
		return err_set(err, -rc, "%s: cannot remove it: %s", path, strerror(-rc));
	/* first what others put on meanwhile: an agent goes by the pins */
	rc = repin_programs(instance, skel, err);
	if (!rc)
		rc = hook_swap_all(instance, err);
	if (!rc)
		rc = swap_sockops(instance, skel, err);
	if (!rc)
		rc = start_timer(skel, err);
	if (!rc)
		rc = object_sign(instance, err);
	if (rc) {
		err_prefix(err, "%s: not all programs are swapped, want it done again: ",
			   instance->name);
		return rc;
	}
	log_note("%s: the programs of another build of weir are swapped for this one's, on all "
		 "devices", instance->name);
	*ret_updated = true;
	return 0;
}

static int walk(int prog_fd)
{
	_cleanup_close_ int link = hook_iterator_link(prog_fd);

	return link < 0 ? link : hook_iterator_run(link);
}

static int sockets_walk(const struct instance *instance, enum maps_walk mode, struct err *err)
{
	_cleanup_close_ int fd = get_pin(instance, WALK_PROGRAM);
	int back, left, rc;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_set(err, -fd, "%s/" WALK_PROGRAM ": %s", instance->dir, strerror(-fd));
	/* said every time: a command that was killed has left its own */
	rc = maps_walk_mode(instance, mode, err);
	if (!rc)
		rc = instance_enter(instance, &back, err);
	if (rc)
		return rc;
	rc = walk(fd);
	left = instance_leave(back);
	if (rc)
		return err_set(err, -rc, "cannot walk the sockets: %s", strerror(-rc));
	return left ? err_set(err, -left, "cannot go back to our network namespace") : 0;
}

int dp_sockets_walk(const struct instance *instance, struct err *err)
{
	return sockets_walk(instance, MAPS_WALK_FOLLOW, err);
}

int dp_sockets_release(const struct instance *instance, struct err *err)
{
	return sockets_walk(instance, MAPS_WALK_RELEASE, err);
}

int dp_destroy(const struct instance *instance, struct err *err)
{
	char path[320];
	int rc = instance_path(instance, SOCKOPS_LINK, path, sizeof(path));

	/* first no new sockets, then the old ones their own pacing, then the maps that know it */
	if (!rc && unlink(path) && errno != ENOENT)
		rc = -errno;
	if (rc)
		return err_set(err, -rc, "%s: cannot remove it: %s", path, strerror(-rc));
	rc = dp_sockets_release(instance, err);
	if (rc)
		log_note("%s: sockets keep the pacing that they have: %s", instance->name,
			 err->text);
	return instance_remove_pins(instance, err);
}
