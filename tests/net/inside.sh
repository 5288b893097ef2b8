# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# inside.sh: makes a test a machine: namespaces of network, mounts, processes and cgroups of its
# own, for what is about the machine's own instance, eth0 and /run. Sourced before all else.
if [ "$(id -u)" = 0 ] && [ -z "${WEIR_INSIDE:-}" ]; then
	exec unshare -n -m -p -C -f --kill-child --mount-proc env WEIR_INSIDE=1 "$0" "$@"
fi
if [ -n "${WEIR_INSIDE:-}" ]; then
	# what is mounted below is in sight otherwise, and taken for what is in use
	umount -lR /sys
	mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf &&
		mount -t cgroup2 cgroup2 /sys/fs/cgroup && mount -t tmpfs tmpfs /run &&
		mkdir -p /run/netns || { echo "1..0 # SKIP cannot mount here"; exit; }
fi
