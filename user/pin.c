// SPDX-License-Identifier: GPL-2.0-only
/*
 * pin.c: instances: names, namespaces, the pin directory in bpffs and its lock. Knows files and
 * namespaces alone; what the pins are is the business of dp.c, hook.c and maps.c.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#include <weir/abi.h>
#include "pin.h"

#define BPFFS "/sys/fs/bpf"
#define WEIR_DIR BPFFS "/weir"
#define OWN_NETNS "/proc/self/ns/net"
#define COOKIE_LINK "netns_cookie"
#define FIRST_USERNS 0xeffffffdU	/* the inode of the first one, in each kernel */
#define LOCK_WAIT_MS 5000
#define LOCK_STEP_MS 20

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static const char *const netns_dirs[] = { "/run/netns", "/var/run/netns" };

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool has_cap(const struct __user_cap_data_struct *caps, unsigned int cap)
{
	return caps[cap / 32].effective & (1U << (cap % 32));
}

int pin_privileges(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {};
	struct stat userns;
	bool admin, bpf;

	if (syscall(SYS_capget, &header, caps))
		return 0;	/* the kernel will say no where it must */
	/* a kernel asks for BPF's in the first one, whatever they are in another */
	if (!stat("/proc/self/ns/user", &userns) && userns.st_ino != FIRST_USERNS)
		return err_set(err, EPERM, "inside a user namespace, whose capabilities do not reach as "
			       "far as BPF: want the machine's own");
	admin = has_cap(caps, CAP_SYS_ADMIN);
	bpf = has_cap(caps, CAP_BPF) && has_cap(caps, CAP_PERFMON);
	if ((admin || bpf) && has_cap(caps, CAP_NET_ADMIN))
		return 0;
	return err_set(err, EPERM,
		       "no permission as uid %u: want CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (try sudo)",
		       (unsigned int)geteuid());
}

int pin_check_name(const char *name, struct err *err)
{
	if (!name[0] || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return err_set(err, EINVAL, "-n '%s': want the name of a network namespace, as "
			       "`ip netns` lists them", name);
	if (strlen(name) >= sizeof(((struct instance *)0)->name))
		return err_set(err, ENAMETOOLONG, "-n '%s': want at most %zu characters", name,
			       sizeof(((struct instance *)0)->name) - 1);
	if (!strcmp(name, "host"))
		return err_set(err, EINVAL, "-n host: want another name: 'host' is the machine's own "
			       "namespace, which needs no -n");
	return 0;
}

/*
 * `ip netns exec NAME` mounts a fresh sysfs on /sys in a mount namespace that dies with the
 * command, and gives NAME as the source of that mount: this is how it is known.
 */
static int check_sys_mount(const struct stat *own, struct err *err)
{
	_cleanup_(close_file) FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], mount[256], type[32], source[256], path[320];
	struct stat st;
	char *rest;

	while (file && fgets(line, sizeof(line), file)) {
		rest = strstr(line, " - ");
		if (!rest || sscanf(line, "%*s %*s %*s %*s %255s", mount) != 1 ||
		    sscanf(rest, " - %31s %255s", type, source) != 2)
			continue;
		if (strcmp(mount, "/sys") || strcmp(type, "sysfs"))
			continue;
		for (unsigned int i = 0; i < ARRAY_SIZE(netns_dirs); i++) {
			snprintf(path, sizeof(path), "%s/%s", netns_dirs[i], source);
			if (!strchr(source, '/') && !stat(path, &st) && same_file(&st, own))
				return err_set(err, EINVAL, "inside `ip netns exec %s`: its /sys ends "
					       "with the command, and with it every pin: use `weir -n "
					       "%s` outside of it", source, source);
		}
	}
	return 0;
}

/* Which name of `ip netns` is this namespace? */
static bool find_netns_name(const struct stat *own, char *name, size_t size)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(netns_dirs); i++) {
		_cleanup_(close_dir) DIR *dir = opendir(netns_dirs[i]);
		struct dirent *entry;
		struct stat st;

		while (dir && (entry = readdir(dir))) {
			if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &st, 0) ||
			    !same_file(&st, own))
				continue;
			snprintf(name, size, "%s", entry->d_name);
			return true;
		}
	}
	return false;
}

/* Without -n, the pins are "host": they must not name another namespace than the machine's. */
static int check_own_netns(const struct stat *own, struct err *err)
{
	struct stat init, ours, theirs;
	bool known = !stat("/proc/1/ns/net", &init);
	char name[256];

	if (known && same_file(own, &init))
		return 0;
	if (find_netns_name(own, name, sizeof(name)))
		return err_set(err, EINVAL, "this is the network namespace '%s', not the machine's "
			       "own: use `weir -n %s`", name, name);
	if (known && !stat(BPFFS, &ours) && !stat("/proc/1/root" BPFFS, &theirs) &&
	    same_file(&ours, &theirs))
		return err_set(err, EINVAL, "this network namespace has no name and is not the "
			       "machine's own: give it one (`ip netns attach NAME %d`), then use "
			       "`weir -n NAME`", (int)getppid());
	return 0;
}

static bool bpffs_mounted(void)
{
	struct statfs fs;

	return !statfs(BPFFS, &fs) && fs.f_type == BPF_FS_MAGIC;
}

/* Of those who come at once one mounts: below a second mount lies what the first has pinned. */
static int mount_lock(void)
{
	const struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000L };
	int fd = open(BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* anybody may hold it: no longer than that */
	for (int ms = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && ms < LOCK_WAIT_MS;
	     ms += LOCK_STEP_MS)
		nanosleep(&step, NULL);
	return fd;
}

static int check_bpffs(bool want_mount, struct err *err)
{
	_cleanup_close_ int lock_fd = -1;

	if (bpffs_mounted())
		return 0;
	if (!want_mount)
		return err_set(err, ENOENT, "nothing is attached (no bpffs is mounted on " BPFFS ")");
	lock_fd = mount_lock();
	if (bpffs_mounted())
		return 0;
	if (mount("bpf", BPFFS, "bpf", 0, "mode=0700"))
		return err_set(err, errno, BPFFS ": cannot mount bpffs: %s (want: mount -t bpf bpf "
			       BPFFS ")", strerror(errno));
	return 0;
}

/* bpffs refuses names with a dot; network namespaces may have them */
static int set_dir(struct instance *instance)
{
	size_t n = snprintf(instance->dir, sizeof(instance->dir), "%s/", WEIR_PIN_ROOT);

	for (const char *c = instance->name; *c; c++) {
		const char *form = *c == '.' || *c == '%' ? "%%%02x" : "%c";

		if (n + 4 > sizeof(instance->dir))
			return -ENAMETOOLONG;
		n += snprintf(instance->dir + n, sizeof(instance->dir) - n, form, *c);
	}
	return 0;
}

static int check_abi(const struct instance *instance, struct err *err)
{
	_cleanup_(close_dir) DIR *dir = opendir(WEIR_DIR);
	const char *base = strrchr(instance->dir, '/') + 1;
	char path[512], own[16];
	struct dirent *entry;

	snprintf(own, sizeof(own), "v%d", WEIR_ABI);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != 'v' || !strcmp(entry->d_name, own))
			continue;
		snprintf(path, sizeof(path), WEIR_DIR "/%.100s/%s", entry->d_name, base);
		if (access(path, F_OK))
			continue;
		return err_set(err, EPROTO, "%s: pins of version %s, this weir speaks v%d: run `weir "
			       "detach all` of that version, or `rm -r %s`", path,
			       entry->d_name + 1, WEIR_ABI, path);
	}
	return 0;
}

static int open_netns(struct instance *instance, struct err *err)
{
	char path[128];

	for (unsigned int i = 0; i < ARRAY_SIZE(netns_dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", netns_dirs[i], instance->name);
		instance->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
		if (instance->netns_fd >= 0)
			return 0;
		if (errno != ENOENT)
			return err_set(err, errno, "%s: %s", path, strerror(errno));
	}
	return err_set(err, ENOENT, "-n %s: no such network namespace (`ip netns` lists them)",
		       instance->name);
}

/* 0: this kernel has none. Who cannot ask must not take the namespace for another */
static int own_cookie(__u64 *ret, struct err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*ret);

	*ret = 0;
	if (fd < 0 || (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret, &len) &&
		       errno != ENOPROTOOPT))
		return err_set(err, errno, "cannot ask which network namespace this is: %s",
			       strerror(errno));
	return 0;
}

/* Namespaces come and go under the same name; the pins know which one they were made for. */
static int check_cookie(struct instance *instance, struct err *err)
{
	char path[320], target[32], own[32];
	int back = -1, left, rc = instance_enter(instance, &back, err);
	ssize_t n;

	if (rc)
		return rc;
	rc = own_cookie(&instance->netns_cookie, err);
	left = instance_leave(back);
	if (left)
		return err_set(err, -left, "cannot go back to our network namespace");
	if (rc)
		return rc;
	instance_path(instance, COOKIE_LINK, path, sizeof(path));
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return 0;
	target[n] = '\0';
	snprintf(own, sizeof(own), "%llu", (unsigned long long)instance->netns_cookie);
	if (!strcmp(target, own))
		return 0;
	if (instance->netns_fd < 0)
		return err_set(err, EBUSY, "%s: belongs to another network namespace that has no name: "
			       "give this one a name (`ip netns attach NAME PID`) and use `weir -n NAME`",
			       instance->dir);
	instance->stale = true;
	if (instance->create)
		return 0;
	return err_set(err, ESTALE, "-n %s: nothing is attached there: the pins are of an earlier "
		       "namespace of that name", instance->name);
}

int pin_check_place(const char *name, struct err *err)
{
	struct stat own;
	int rc;

	if (stat(OWN_NETNS, &own))
		return err_set(err, errno, OWN_NETNS ": %s", strerror(errno));
	rc = check_sys_mount(&own, err);
	return rc || name ? rc : check_own_netns(&own, err);
}

int instance_open(struct instance *instance, const char *name, bool mount, struct err *err)
{
	int rc;

	*instance = (struct instance){ .netns_fd = -1, .lock_fd = -1, .create = mount };
	rc = pin_privileges(err);
	if (!rc)
		rc = pin_check_place(name, err);
	if (!rc)
		rc = check_bpffs(mount, err);
	if (rc)
		return rc;
	snprintf(instance->name, sizeof(instance->name), "%s", name ? name : "host");
	rc = set_dir(instance);
	if (rc)
		return err_set(err, -rc, "-n '%s': the name is too long", name);
	rc = check_abi(instance, err);
	if (!rc && name)
		rc = open_netns(instance, err);
	if (!rc)
		rc = check_cookie(instance, err);
	if (rc)
		instance_close(instance);
	return rc;
}

int instance_open_netns(struct instance *instance, const char *name, struct err *err)
{
	*instance = (struct instance){ .netns_fd = -1, .lock_fd = -1 };
	snprintf(instance->name, sizeof(instance->name), "%s", name);
	return open_netns(instance, err);
}

static int make_dirs(const struct instance *instance, struct err *err)
{
	const char *const dirs[] = { WEIR_DIR, WEIR_PIN_ROOT, instance->dir };

	for (unsigned int i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdir(dirs[i], 0700) && errno != EEXIST && errno != ENOENT)
			return err_set(err, errno, "%s: cannot make it: %s", dirs[i],
				       strerror(errno));
	return 0;
}

/* Between open and flock the directory may have been removed, and made again by another. */
static bool still_there(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && same_file(&a, &b);
}

int instance_lock(struct instance *instance, struct err *err)
{
	const struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000L };
	int rc, fd;

	for (int waited_ms = 0; waited_ms < LOCK_WAIT_MS; waited_ms += LOCK_STEP_MS) {
		if (instance->create) {
			rc = make_dirs(instance, err);
			if (rc)
				return rc;
		}
		fd = open(instance->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			return err_set(err, errno, "%s: %s", instance->dir, strerror(errno));
		if (fd < 0 && !instance->create)
			return err_set(err, ENOENT, "nothing is attached: want `weir attach DEV` first");
		if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && still_there(fd, instance->dir)) {
			instance->lock_fd = fd;
			return 0;
		}
		if (fd >= 0)
			close(fd);
		nanosleep(&step, NULL);
	}
	return err_set(err, ETIMEDOUT, "%s: other weir commands have held the lock for %d s",
		       instance->name, LOCK_WAIT_MS / 1000);
}

void instance_close(struct instance *instance)
{
	if (instance->lock_fd >= 0) {
		/* each fails, as it should, while there is something in it */
		if (!rmdir(instance->dir) && !rmdir(WEIR_PIN_ROOT))
			rmdir(WEIR_DIR);
		close(instance->lock_fd);
	}
	if (instance->netns_fd >= 0)
		close(instance->netns_fd);
	instance->lock_fd = -1;
	instance->netns_fd = -1;
}

/* by stat() alone: who has no descriptor left must not take it for another */
bool instance_is_named(const struct instance *instance)
{
	struct stat ours, named;
	char path[128];

	if (instance->netns_fd < 0 || fstat(instance->netns_fd, &ours))
		return true;
	for (unsigned int i = 0; i < ARRAY_SIZE(netns_dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", netns_dirs[i], instance->name);
		if (!stat(path, &named))
			return same_file(&ours, &named);
	}
	return false;
}

bool instance_exists(const struct instance *instance)
{
	char path[320];

	return !instance->stale && !instance_path(instance, INSTANCE_MARKER, path, sizeof(path)) &&
	       !access(path, F_OK);
}

int instance_sign(const struct instance *instance, struct err *err)
{
	char path[320], text[32];
	int rc = instance_path(instance, COOKIE_LINK, path, sizeof(path));

	snprintf(text, sizeof(text), "%llu", (unsigned long long)instance->netns_cookie);
	if (!rc && symlink(text, path))
		rc = -errno;
	return rc ? err_set(err, -rc, "%s: cannot make it: %s", path, strerror(-rc)) : 0;
}

int instance_enter(const struct instance *instance, int *ret_back_fd, struct err *err)
{
	int back;

	if (instance->netns_fd < 0) {
		*ret_back_fd = -1;
		return 0;
	}
	back = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
	if (back < 0)
		return err_set(err, errno, OWN_NETNS ": %s", strerror(errno));
	if (setns(instance->netns_fd, CLONE_NEWNET)) {
		int code = errno;

		close(back);
		return err_set(err, code, "-n %s: cannot enter the network namespace: %s",
			       instance->name, strerror(code));
	}
	*ret_back_fd = back;
	return 0;
}

int instance_leave(int back_fd)
{
	int rc = 0;

	if (back_fd < 0)
		return 0;
	if (setns(back_fd, CLONE_NEWNET))
		rc = -errno;
	close(back_fd);
	return rc;
}

int instance_path(const struct instance *instance, const char *file, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s/%s", instance->dir, file);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int instance_remove_pins(const struct instance *instance, struct err *err)
{
	_cleanup_(close_dir) DIR *dir = opendir(instance->dir);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : err_set(err, errno, "%s: %s", instance->dir,
						      strerror(errno));
	unlinkat(dirfd(dir), INSTANCE_MARKER, 0);
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0))
			return err_set(err, errno, "%s/%s: cannot remove it: %s", instance->dir,
				       entry->d_name, strerror(errno));
	}
	return 0;
}
