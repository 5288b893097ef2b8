#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# crowd.sh: the kernel takes 64 programs at a cgroup: who attaches behind them is told that sockets
# are not paced. In a cgroup of its own that it sees as the root, so that nobody else has to wait.
. "$(dirname "$0")/../net/lib.sh"

need ip jq python3 unshare
root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
if [ -z "$root" ]; then
	root=$tmp/cgroup
	mkdir "$root"
	mount -t cgroup2 cgroup2 "$root" || skip_all "no cgroup v2"
fi
if [ -z "${CROWD:-}" ]; then
	mine=$root/w$$-crowd
	mkdir "$mine" || skip_all "cannot make a cgroup"
	CROWD=1 bash -c 'echo $$ > "$1/cgroup.procs" && exec unshare -m -C "$0"' "$0" "$mine"
	status=$?
	rmdir "$mine"
	[ "$root" != "$tmp/cgroup" ] || umount "$root"
	exit $status
fi

umount "$root" && mount -t cgroup2 cgroup2 "$root" || skip_all "no cgroup v2 in a namespace"
netns here there
link "$here" eth "$there" eth 1
means() { "$WEIR" -n "$here" -j show classes | jq -r '.[0].means'; }
"$WEIR" -n "$here" attach eth egress 2> "$tmp/said"
"$WEIR" -n "$here" class set default rate 10mbit
is_equal "alone: it says nothing" "$(cat "$tmp/said")" ""
check "sockets are paced" grep -q socket <<< "$(means)"
"$WEIR" -n "$here" detach all
mkfifo "$tmp/hold"
python3 "$(dirname "$0")/crowd.py" "$root" 64 < "$tmp/hold" > "$tmp/crowd" &
pids+=($!)
exec {hold}> "$tmp/hold"
check "64 programs" wait_until 10 grep -q 64 "$tmp/crowd"
"$WEIR" -n "$here" attach eth egress 2> "$tmp/said"
is_equal "behind them it attaches" $? 0
check "and says what is missing" grep -q "^weir: sockets are not paced: 64 programs are at the root" \
	"$tmp/said"
"$WEIR" -n "$here" class set default rate 10mbit
is_equal "as does check" "$("$WEIR" -j check | jq -r '.[] | select(.check == "pacing").why')" \
	"64 programs are at the root of cgroup v2, as many as the kernel takes"
check "and classes" grep -qv socket <<< "$(means)"
finish
