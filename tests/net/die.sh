# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# die.sh: read by tests that have each change of a command fail or be its last (die.c): two
# namespaces, and all outside of weir that a command may change.
. "$(dirname "$0")/lib.sh"

DIE=$top/build/tests/die.so
need ip tc jq
[ -e "$DIE" ] || { echo "Bail out! $DIE is not built"; exit 1; }
netns here there
link "$here" eth "$there" peer 1
pins=/sys/fs/bpf/weir/v1/$here

# looks_at DEV...: of these outside() tells
looks_at()
{
	local dev

	for dev in "$@"; do
		echo "qdisc show dev $dev"
		echo "filter show dev $dev egress"
		echo "filter show dev $dev ingress"
	done > "$tmp/shows"
}

outside()
{
	ls "$pins" 2> "$tmp/ls"
	ip -n "$here" -br link | awk '{ print $1 }'
	tc -n "$here" -force -batch "$tmp/shows" 2>&1 |
		sed 's/ *$//; s/^\(qdisc pfifo_fast\|qdisc fq_codel\) [0-9a-f]*:/\1/' | sort
}
