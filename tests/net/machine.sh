#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# machine.sh: the machine's own instance (no -n) under an agent that has what weir.service leaves
# it: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, and no way to more. It follows a consumer's backlog and a
# signal that is pushed, and its rates hold. The test makes itself a machine: namespaces of network,
# mounts, processes and cgroups of its own, as manual.sh does.
#
#     here (weir on eth0, egress) ---- there
. "$(dirname "$0")/inside.sh"
. "$(dirname "$0")/lib.sh"

need ip jq unshare setpriv
# a name would make it a namespace: it has one while a link is made
plug() { ip netns attach here $$ && link here "$1" there "$1" "$2" && ip netns del here; }
ip netns add there
ip link set lo up
plug eth0 1
unit=$top/user/systemd/weir.service
mask=$((1 << 12 | 1 << 38 | 1 << 39))	# CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF

is_equal "what the unit leaves it" "$(sed -n 's/^CapabilityBoundingSet=//p' "$unit")" \
	"CAP_BPF CAP_NET_ADMIN CAP_PERFMON"
check "attach" "$WEIR" attach eth0 egress qdisc keep
check "class" "$WEIR" class set app rate 40mbit control queue target 10ms law aimd \
	min 4mbit max 40mbit
check "match" "$WEIR" match add app proto tcp dport 7001
check "a class that follows a backlog" "$WEIR" class set sink control backlog target 10ms
check "match" "$WEIR" match add sink proto tcp dport 7002
mask_was=$(umask)
umask 077
setpriv --bounding-set=-all,+bpf,+net_admin,+perfmon --inh-caps=-all --no-new-privs \
	"$WEIR" run listen 127.0.0.1:9090 2> "$tmp/log" &
agent=$!
pids+=($agent)
umask "$mask_was"
said() { grep -q "$1" "$tmp/log"; }
if wait_until 10 said 'the agent runs'; then ok "it runs"; else
	not_ok "it runs" "$(cat "$tmp/log")"
	finish
fi
is_equal "the program" "$(readlink "/proc/$agent/exe")" "$WEIR"
for set in CapEff CapPrm CapBnd; do
	is_equal "$set" "$(sed -n "s/^$set:\t//p" "/proc/$agent/status")" "$(printf %016x $mask)"
done
for set in CapInh CapAmb; do
	is_equal "$set" "$(sed -n "s/^$set:\t//p" "/proc/$agent/status")" "$(printf %016x 0)"
done
is_equal "no way to more" "$(sed -n 's/^NoNewPrivs:\t//p' "/proc/$agent/status")" 1
is_equal "where signals are pushed" "$(stat -c %a /run/weir/host.sock)" 660
is_equal "which others can reach, whatever the umask" "$(stat -c %a /run/weir)" 755

is_signal() { "$WEIR" -j show signals | jq -e --arg n "$1" ".[] | select(.class == \$n) | $2"; }
until_ok()
{
	local what=$1
	shift

	if wait_until 10 "$@"; then ok "$what"; else
		not_ok "$what" "$("$WEIR" show signals; tail -n 5 "$tmp/log")"
	fi
}

# --- it steers
cc=cubic
can_cc $cc || cc=reno
"$TRAFFIC" run tcp from - to there addr 10.88.1.2 port 7001 cc $cc n 2 stop 390s > "$tmp/out" 2>&1 &
pids+=($!)
until_ok "the sockets are looked at" is_signal sink '.value != null'
lowered() { "$WEIR" signal queue 40ms ttl 10s && is_signal app '.rate_bps == 4000000'; }
until_ok "a signal above its target: down to the minimum" lowered
is_equal "state" "$("$WEIR" -j show classes | jq -r '.[] | select(.class == "app") | .state')" agent
carried there eth0 300000		# what was sent faster is over
is_carried "on the wire" there eth0 700000 3000000 4600000
raised() { "$WEIR" signal queue 0ms ttl 10s && is_signal app '.rate_bps > 4000000'; }
until_ok "none: it rises again" raised

# --- what else it does with what it has: a device that was replaced is taken back
ip link del eth0
until_ok "a device that goes is noticed" said 'the device is gone'
plug eth0 1
until_ok "and taken back" said 'the device is back'
is_equal "attached" "$("$WEIR" -j show devices | jq -r '.[].state')" attached
# --- and what it cannot see: whose the programs of others are
plug eth1 2
other() { unshare -m sh -c 'mount -t bpf bpf /sys/fs/bpf; exec "$@"' - "$WEIR" "$@"; }
limited() { setpriv --bounding-set=-all,+bpf,+net_admin,+perfmon --inh-caps=-all "$WEIR" "$@"; }
check "another weir" other attach eth1 egress qdisc keep via clsact
is_equal "who may see it is refused" \
	"$("$WEIR" attach eth1 egress 2>&1 | grep -o "another weir's program is there")" \
	"another weir's program is there"
is_equal "who may not says so, once" "$(limited attach eth1 egress qdisc keep 2>&1 |
	grep -c 'takes CAP_SYS_ADMIN to see')" 1
kill "$agent"
wait "$agent"
is_equal "SIGTERM: exit status" $? 0
check "detach" "$WEIR" detach all
finish
