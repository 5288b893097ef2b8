/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook.h: attach the pinned programs to a device's hooks and take them off again. tcx link where
 * the kernel has it, else (or on request) a filter on clsact. Owns only what it made: other
 * programs, filters and qdiscs are left as they were. The only module, with probe.c, that makes
 * links and filters.
 */
#ifndef WEIR_HOOK_H
#define WEIR_HOOK_H

#include <weir/abi.h>
#include "pin.h"

/* enum bpf_attach_type of kernel 6.6; libbpf 1.1 and its headers do not know them */
#define HOOK_TCX_INGRESS 46
#define HOOK_TCX_EGRESS 47

enum hook_via { HOOK_VIA_AUTO, HOOK_VIA_TCX, HOOK_VIA_CLSACT };

/* "egress", "ingress" */
const char *hook_name(enum weir_hook hook);

/*
 * Attaches; the instance's namespace must be entered. Fills dev's handle, priority and flags and
 * records it in map "devices". -EEXIST where it is attached already.
 */
int hook_attach(const struct instance *instance, __u32 ifindex, enum weir_hook hook,
		enum hook_via via, bool l3, struct weir_dev *dev, struct err *err);

/*
 * Records that hook before it is made: what dev says of the qdisc must not be lost with the command
 * that changes it. hook_attach takes the record over, hook_detach takes it away.
 */
int hook_announce(const struct instance *instance, const struct weir_dev_key *key,
		  const struct weir_dev *dev, struct err *err);

/*
 * Takes off what hook_attach made, its ifb and its record, also where the device is gone; the
 * namespace must be entered. -ENOENT where nothing is recorded.
 */
int hook_detach(const struct instance *instance, const struct weir_dev_key *key,
		const struct weir_dev *dev, struct err *err);

/* The root of cgroup v2, opened; -ENOENT where it is not mounted. */
int hook_cgroup_open(void);

/*
 * sock_ops for every socket on the machine; the program itself looks at the namespace. A link;
 * -E2BIG: no more programs fit there.
 */
int hook_sockops_link(int prog_fd);
#define HOOK_SOCKOPS_FULL "64 programs are at the root of cgroup v2, as many as the kernel takes"

/* A link of an iterator's program, -errno; map_fd: of the map that it goes over. */
int hook_iterator_link(int prog_fd);
int hook_map_iterator_link(int prog_fd, int map_fd);

/* One run of a link's iterator, in the network namespace that the caller is in; 0 or -errno. */
int hook_iterator_run(int link);

/* What is recorded in map "devices", by ifindex and hook. */
struct hook_record {
	struct weir_dev_key key;
	struct weir_dev dev;
};
struct hook_list {
	struct hook_record *items;
	size_t n;
	bool awaited;
};
/* of what is awaited (hook_await), or of all else */
int hook_list_get(const struct instance *instance, struct hook_list *ret_list, struct err *err);
int hook_list_awaited(const struct instance *instance, struct hook_list *ret_list,
		      struct err *err);
void hook_list_free(struct hook_list *list);

/*
 * In place of hook_detach, where the device is gone: its record then says that an agent waits for
 * one of its name, this one or the next. There are so many at most: ret_dropped is the one that has
 * made room, or has no name. hook_forget takes those of a name away: how many, or -errno.
 */
int hook_await(const struct instance *instance, const struct weir_dev_key *key,
	       const struct weir_dev *dev, struct hook_record *ret_dropped, struct err *err);
int hook_forget(const struct instance *instance, const char *name,
		const bool hooks[WEIR_HOOK_COUNT], struct err *err);
#define HOOK_AWAITED_MAX 256		/* of devices whose names never come again, too */

/*
 * A record has the name that its device has now; the one of attach is kept beside it from the first
 * time on that these differ, until no hook of the device has a record. was: is it one of the two?
 */
void hook_name_keep(const struct instance *instance, __u32 ifindex, const char *name);
void hook_name_drop(const struct instance *instance, __u32 ifindex);
bool hook_name_was(const struct instance *instance, const struct hook_record *r, const char *name);

/* Drops the records of devices that are gone. How many remain, or -errno. */
int hook_reap(const struct instance *instance, struct err *err);

/*
 * Does anybody come before weir at this hook (of filters on clsact: one that ends the chain hides
 * packets from weir), or behind it (a tcx program, a filter: they do not see what weir queues at
 * ingress; nor may generic XDP, which sees that twice)? The namespace must be entered.
 */
int hook_others(const struct weir_dev_key *key, const struct weir_dev *dev, bool *ret_before,
		bool *ret_behind, struct err *err);

/*
 * 0, or the id of a program of weir's that is at the hook: before this instance has attached
 * there, that of another. Its pins are in another bpffs, or it is of the namespace that the device
 * has been moved from. The namespace must be entered. ret_unseen: there are programs that this
 * process may not look at, and one of them may be weir's.
 */
__u32 hook_stranger(const struct weir_dev_key *key, bool *ret_unseen);

/*
 * Puts the pinned programs in the place of those at each hook that is there, and in that of the
 * queue's filter: at once, so that no packet meets none. The namespace must be entered.
 */
int hook_swap_all(const struct instance *instance, struct err *err);
/* the same for what hook_sockops_link() has made */
int hook_sockops_swap(int link_fd, int prog_fd);

/* Is it dev's program? Of one that is just swapped, either is. */
static inline bool hook_has(const struct weir_dev *dev, __u32 prog_id)
{
	return prog_id && (prog_id == dev->prog_id || prog_id == dev->prog_next);
}

/* For hook.c and hook_swap.c. */
int hook_link_path(const struct instance *instance, const struct weir_dev_key *key, char *path,
		   size_t size);
int hook_prog_id(int fd, __u32 *ret_id, struct err *err);

/* For hook.c: of kernel 6.6, and whether the chain of the device has dev's program. */
int hook_tcx_type(enum weir_hook hook);
bool hook_in_chain(const struct weir_dev_key *key, const struct weir_dev *dev);

/*
 * Is it still there? 1 yes, or it cannot be asked for want of descriptors; 0 gone (device deleted,
 * qdisc wiped, filter replaced).
 */
int hook_alive(const struct instance *instance, const struct weir_dev_key *key,
	       const struct weir_dev *dev);

/*
 * Gone: so is the device, or it was moved to another namespace; its index may be of another by now.
 * Lost: the device is there, the program is not on it. name (IF_NAMESIZE) is that of the device
 * now, or was.
 */
enum hook_state { HOOK_ATTACHED, HOOK_LOST, HOOK_GONE };
enum hook_state hook_state(const struct instance *instance, const struct weir_dev_key *key,
			   const struct weir_dev *dev, char *name);

#endif
