// SPDX-License-Identifier: GPL-2.0-only
/*
 * hook.c: tcx links (pinned as link_IFINDEX_HOOK), clsact filters, the links of sock_ops and of
 * the iterator. What is about to be made is recorded in map "devices" before it is made, so that
 * a command that dies in between leaves nothing that the next one does not know.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <weir/abi.h>
#include "dp.h"
#include "hook.h"
#include "ifb.h"
#include "link.h"
#include "log.h"
#include "maps.h"
#include "qdisc.h"

/*
 * The filter's place: the first that is free. Any filter may end the chain, and those behind it see
 * nothing; weir ends it for no packet that it lets pass.
 */
#define FILTER_PRIORITY 1
#define FILTER_PRIORITIES 64
#define FILTER_HANDLE 1

static const char *const names[WEIR_HOOK_COUNT] = { "egress", "ingress" };

const char *hook_name(enum weir_hook hook)
{
	return names[hook];
}

static void file_close(FILE **file)
{
	if (*file)
		fclose(*file);
}

int hook_cgroup_open(void)
{
	_cleanup_(file_close) FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], path[1024], type[32];
	int fd;

	while (file && fgets(line, sizeof(line), file)) {
		char *rest = strstr(line, " - ");

		if (!rest || sscanf(rest, " - %31s", type) != 1 || strcmp(type, "cgroup2") ||
		    sscanf(line, "%*s %*s %*s / %1023s", path) != 1)
			continue;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	return -ENOENT;
}

int hook_sockops_link(int prog_fd)
{
	_cleanup_close_ int cgroup = hook_cgroup_open();
	int link;

	if (cgroup < 0)
		return cgroup;
	link = bpf_link_create(prog_fd, cgroup, BPF_CGROUP_SOCK_OPS, NULL);
	return link < 0 ? -errno : link;
}

int hook_iterator_link(int prog_fd)
{
	int link = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, NULL);

	return link < 0 ? -errno : link;
}

int hook_map_iterator_link(int prog_fd, int map_fd)
{
	union bpf_iter_link_info info = { .map.map_fd = map_fd };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	int link = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, &opts);

	return link < 0 ? -errno : link;
}

int hook_iterator_run(int link)
{
	_cleanup_close_ int iter = bpf_iter_create(link);
	char buf[64];
	ssize_t n;

	if (iter < 0)
		return -errno;
	do {
		n = read(iter, buf, sizeof(buf));
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return n < 0 ? -errno : 0;
}

int hook_link_path(const struct instance *instance, const struct weir_dev_key *key, char *path,
		   size_t size)
{
	char file[64];

	snprintf(file, sizeof(file), "link_%u_%s", key->ifindex, names[key->hook]);
	return instance_path(instance, file, path, size);
}

/* libbpf's view of a clsact hook: it wants both structs filled anew for every call */
static struct bpf_tc_hook tc_hook(const struct weir_dev_key *key)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)key->ifindex,
		    .attach_point = key->hook == WEIR_EGRESS ? BPF_TC_EGRESS : BPF_TC_INGRESS);

	return hook;
}

/* Is the recorded filter there, with its program? 1, 0, or -errno: the kernel does not say. */
static int filter_there(const struct weir_dev_key *key, const struct weir_dev *dev)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = dev->tc_handle, .priority = dev->tc_priority);
	struct bpf_tc_hook hook = tc_hook(key);
	int rc = dev->prog_id ? bpf_tc_query(&hook, &opts) : -ENOENT;

	if (rc == -ENOENT || rc == -EINVAL /* no qdisc or chain */ || rc == -ENODEV)
		return 0;
	return rc ? rc : hook_has(dev, opts.prog_id);
}

static bool link_there(const struct instance *instance, const struct weir_dev_key *key)
{
	_cleanup_close_ int fd = -1;
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	char path[320];

	if (hook_link_path(instance, key, path, sizeof(path)))
		return false;
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return errno != ENOENT;	/* else not known: as it was */
	/* tcx's ifindex lies where xdp's does; it is 0 once the device is gone */
	return info.xdp.ifindex == key->ifindex;
}

int hook_alive(const struct instance *instance, const struct weir_dev_key *key,
	       const struct weir_dev *dev)
{
	struct err err;
	int back;
	bool yes;

	if (dev->flags & WEIR_DEV_TCX && !link_there(instance, key))
		return 0;
	if (instance_enter(instance, &back, &err))
		return 1;
	/* what is not known to be gone is not given up */
	/* a link goes along where its device is moved to another namespace, and keeps its number */
	yes = dev->flags & WEIR_DEV_TCX ? hook_in_chain(key, dev) : filter_there(key, dev) != 0;
	instance_leave(back);
	return yes;
}

int hook_prog_id(int fd, __u32 *ret_id, struct err *err)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return err_set(err, errno, "cannot ask for the program's id: %s", strerror(errno));
	*ret_id = info.id;
	return 0;
}

static int record(const struct maps *maps, const struct weir_dev_key *key,
		  const struct weir_dev *dev, struct err *err)
{
	int rc = maps_device_put(maps, key, dev);

	if (rc)
		return err_set(err, -rc, "%s: %s: cannot record the hook: %s", dev->name,
			       names[key->hook], strerror(-rc));
	return 0;
}

int hook_announce(const struct instance *instance, const struct weir_dev_key *key,
		  const struct weir_dev *dev, struct err *err)
{
	struct maps maps;
	int rc = maps_open(&maps, instance, err);

	if (rc)
		return rc;
	rc = record(&maps, key, dev, err);
	maps_close(&maps);
	return rc;
}

/* -EOPNOTSUPP: no tcx in this kernel */
static int attach_tcx(const struct instance *instance, const struct maps *maps,
		      const struct weir_dev_key *key, int prog_fd, struct weir_dev *dev,
		      struct err *err)
{
	_cleanup_close_ int link = -1;
	char path[320];
	int rc = hook_link_path(instance, key, path, sizeof(path));

	if (rc)
		return err_set(err, -rc, "%s: path too long", instance->dir);
	link = bpf_link_create(prog_fd, key->ifindex, hook_tcx_type(key->hook), NULL);
	if (link < 0 && errno == EINVAL)
		return err_set(err, EOPNOTSUPP, "%s: %s: this kernel has no tcx (6.6): want via clsact",
			       dev->name, names[key->hook]);
	if (link < 0)
		return err_set(err, errno, "%s: %s: cannot attach by tcx: %s", dev->name,
			       names[key->hook], strerror(errno));
	dev->flags |= WEIR_DEV_TCX;
	rc = record(maps, key, dev, err);
	if (rc)
		return rc;
	/* nobody's: the record would have been found */
	unlink(path);
	if (bpf_obj_pin(link, path)) {
		rc = -errno;
		maps_device_del(maps, key);
		return err_set(err, -rc, "%s: cannot pin: %s", path, strerror(-rc));
	}
	return 0;
}

static int put_filter(const struct maps *maps, const struct weir_dev_key *key, int prog_fd,
		      struct weir_dev *dev, struct err *err)
{
	struct bpf_tc_hook hook = tc_hook(key);
	int rc = 0;

	for (__u32 i = 0; i < FILTER_PRIORITIES; i++) {
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .prog_fd = prog_fd,
			    .priority = FILTER_PRIORITY + i);

		dev->tc_handle = opts.handle;
		dev->tc_priority = opts.priority;
		rc = record(maps, key, dev, err);
		if (rc)
			return rc;
		rc = bpf_tc_attach(&hook, &opts);
		if (!rc)
			return 0;
		/* another filter has this priority, perhaps of another kind or protocol */
		if (rc != -EEXIST && rc != -EINVAL)
			break;
	}
	maps_device_del(maps, key);
	return err_set(err, -rc, "%s: %s: cannot attach to clsact: %s", dev->name, names[key->hook],
		       strerror(-rc));
}

static int attach_clsact(const struct maps *maps, const struct weir_dev_key *key, int prog_fd,
			 struct weir_dev *dev, struct err *err)
{
	const struct weir_dev_key other_key = { .ifindex = key->ifindex, .hook = !key->hook };
	struct weir_dev other;
	struct err ignored;
	int rc;

	dev->flags |= WEIR_DEV_CLSACT;
	rc = record(maps, key, dev, err);
	if (rc)
		return rc;
	rc = qdisc_clsact_make(key->ifindex, key->hook, err);
	if (rc < 0) {
		maps_device_del(maps, key);
		err_prefix(err, "%s: %s: ", dev->name, names[key->hook]);
		return rc;
	}
	/* whichever hook goes last takes the qdisc with it */
	if (rc == 0 && (maps_device_get(maps, &other_key, &other) ||
			!(other.flags & WEIR_DEV_CLSACT)))
		dev->flags &= ~WEIR_DEV_CLSACT;
	rc = put_filter(maps, key, prog_fd, dev, err);
	if (rc && dev->flags & WEIR_DEV_CLSACT)
		qdisc_clsact_remove_if_empty(key->ifindex, &ignored);
	return rc;
}

static int attach(const struct instance *instance, const struct maps *maps,
		  const struct weir_dev_key *key, enum hook_via via, int prog_fd,
		  struct weir_dev *dev, struct err *err)
{
	struct weir_dev old;
	int rc;

	/* without a program it is announced, no more: it stays until there is another */
	if (!maps_device_get(maps, key, &old) && old.prog_id) {
		if (hook_alive(instance, key, &old))
			return err_set(err, EEXIST, "%s: %s: attached already", dev->name,
				       names[key->hook]);
		rc = hook_detach(instance, key, &old, err);
		if (rc)
			return rc;
	}
	rc = hook_prog_id(prog_fd, &dev->prog_id, err);
	if (rc)
		return rc;
	if (via != HOOK_VIA_CLSACT) {
		rc = attach_tcx(instance, maps, key, prog_fd, dev, err);
		if (rc != -EOPNOTSUPP || via == HOOK_VIA_TCX)
			return rc;
		err->text[0] = '\0';
	}
	return attach_clsact(maps, key, prog_fd, dev, err);
}

int hook_attach(const struct instance *instance, __u32 ifindex, enum weir_hook hook,
		enum hook_via via, bool l3, struct weir_dev *dev, struct err *err)
{
	const struct weir_dev_key key = { .ifindex = ifindex, .hook = hook };
	_cleanup_close_ int prog_fd = dp_program_fd(instance, hook, l3, err);
	struct maps maps;
	int rc;

	if (prog_fd < 0)
		return prog_fd;
	rc = maps_open(&maps, instance, err);
	if (rc)
		return rc;
	dev->flags &= ~(WEIR_DEV_TCX | WEIR_DEV_CLSACT | WEIR_DEV_L3);
	if (l3)
		dev->flags |= WEIR_DEV_L3;
	rc = attach(instance, &maps, &key, via, prog_fd, dev, err);
	maps_close(&maps);
	return rc;
}

/* Detached at once: removing the pin alone leaves it to a worker of the kernel's. */
static int detach_tcx(const struct instance *instance, const struct weir_dev_key *key,
		      struct err *err)
{
	_cleanup_close_ int link = -1;
	char path[320];
	int rc = hook_link_path(instance, key, path, sizeof(path));

	if (rc)
		return err_set(err, -rc, "%s: path too long", instance->dir);
	link = bpf_obj_get(path);
	if (link >= 0 && bpf_link_detach(link))
		log_debug("%s: detach: %s", path, strerror(errno));
	if (unlink(path) && errno != ENOENT)
		return err_set(err, errno, "%s: cannot remove it: %s", path, strerror(errno));
	return 0;
}

static int detach_clsact(const struct weir_dev_key *key, const struct weir_dev *dev,
			 struct err *err)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = dev->tc_handle, .priority = dev->tc_priority);
	struct bpf_tc_hook hook = tc_hook(key);
	int there = filter_there(key, dev), rc = there > 0 ? bpf_tc_detach(&hook, &opts) : there;

	if (rc && rc != -ENOENT && rc != -ENODEV)
		return err_set(err, -rc, "%s: %s: cannot remove the filter: %s", dev->name,
			       names[key->hook], strerror(-rc));
	return dev->flags & WEIR_DEV_CLSACT ? qdisc_clsact_remove_if_empty(key->ifindex, err) : 0;
}

int hook_detach(const struct instance *instance, const struct weir_dev_key *key,
		const struct weir_dev *dev, struct err *err)
{
	const struct weir_dev_key other_key = { .ifindex = key->ifindex, .hook = !key->hook };
	struct weir_dev queue = *dev, other;
	struct maps maps;
	int rc = maps_open_devices(&maps, instance, err);

	if (rc)
		return rc;
	rc = ifb_remove(key, &queue, err);
	if (!rc)
		rc = dev->flags & WEIR_DEV_TCX ? detach_tcx(instance, key, err) :
						 detach_clsact(key, dev, err);
	if (!rc) {
		rc = maps_device_del(&maps, key);
		if (rc)
			err_set(err, -rc, "%s: %s: %s", dev->name, names[key->hook],
				rc == -ENOENT ? "not attached" : strerror(-rc));
		if (maps_device_get(&maps, &other_key, &other))
			hook_name_drop(instance, key->ifindex);
	}
	maps_close(&maps);
	return rc;
}

static int list_add(const struct weir_dev_key *key, const struct weir_dev *dev, void *arg)
{
	struct hook_list *list = arg;
	struct hook_record *items;

	if (list->awaited != !!(dev->flags & WEIR_DEV_AWAITED))
		return 0;
	items = realloc(list->items, (list->n + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->n++] = (struct hook_record){ .key = *key, .dev = *dev };
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct weir_dev_key *x = &((const struct hook_record *)a)->key;
	const struct weir_dev_key *y = &((const struct hook_record *)b)->key;

	return x->ifindex != y->ifindex ? (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex) :
	       (x->hook > y->hook) - (x->hook < y->hook);
}

static int list_get(const struct instance *instance, bool awaited, struct hook_list *ret_list,
		    struct err *err)
{
	struct hook_list list = { .awaited = awaited };
	struct maps maps;
	int rc = maps_open_devices(&maps, instance, err);

	if (rc)
		return rc;
	rc = maps_devices_each(&maps, list_add, &list);
	maps_close(&maps);
	if (rc) {
		hook_list_free(&list);
		return err_set(err, -rc, "cannot read map devices: %s", strerror(-rc));
	}
	if (list.n)
		qsort(list.items, list.n, sizeof(*list.items), by_key);
	*ret_list = list;
	return 0;
}

int hook_list_get(const struct instance *instance, struct hook_list *ret_list, struct err *err)
{
	return list_get(instance, false, ret_list, err);
}

int hook_list_awaited(const struct instance *instance, struct hook_list *ret_list, struct err *err)
{
	return list_get(instance, true, ret_list, err);
}

void hook_list_free(struct hook_list *list)
{
	free(list->items);
}

int hook_reap(const struct instance *instance, struct err *err)
{
	_cleanup_(hook_list_free) struct hook_list list = {};
	char name[IF_NAMESIZE];
	int remain = 0, rc = hook_list_get(instance, &list, err);

	for (size_t i = 0; i < list.n && !rc; i++) {
		if (if_indextoname(list.items[i].key.ifindex, name) || errno != ENXIO) {
			remain++;
			continue;
		}
		rc = hook_detach(instance, &list.items[i].key, &list.items[i].dev, err);
	}
	return rc ? rc : remain;
}
