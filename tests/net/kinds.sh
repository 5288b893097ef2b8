#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# kinds.sh: devices that are made of others. A hook that attach takes sees what passes, at each of
# the two where both have weir; one that what arrives does not pass is refused, with what to do.
#
#     here (weir on eth, and on top above it) ---- there
. "$(dirname "$0")/lib.sh"

need ip jq python3
netns here there
modprobe -a bridge macvlan ipvlan 8021q vrf bonding ip_gre 2> /dev/null || true
packets=20

weir() { "$WEIR" -n "$here" "$@"; }

# send NETNS ADDRESS [DEV]: UDP, as bound to the device
send()
{
	ip netns exec "$1" python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 25, sys.argv[2].encode())
for _ in range(int(sys.argv[3])):
    try: s.sendto(b"x", (sys.argv[1], 9))
    except ConnectionRefusedError: pass' "$2" "${3:-}" $packets
}

# on HOOK DEV [WORD...]: attached; what passes there is of class DEV-HOOK
on()
{
	local hook=$1 dev=$2
	shift 2

	weir attach "$dev" "$hook" "$@" && weir class set "$dev-$hook" &&
		weir match add "$dev-$hook" dev "$dev" hook "$hook" proto udp dport 9
}

# sees DEV HOOK NETNS ADDRESS [DEV]: each packet of those
sees()
{
	local before

	before=$(class "$here" "$1-$2" packets)
	send "${@:3}"
	is_equal "$kind: $1 $2 sees each" $(($(class "$here" "$1-$2" packets) - before)) $packets
}

# at_top TYPE: there speaks to top, not to eth below it
at_top()
{
	local peer=peer

	ip -n "$here" addr flush dev eth
	ip -n "$here" addr add 10.88.1.1/24 dev top
	if [ "$1" = vlan ]; then
		peer=peer.7
		ip -n "$there" -batch - <<-END
			link add link peer name peer.7 type vlan id 7
			addr flush dev peer
			link set peer.7 up
			addr add 10.88.1.2/24 dev peer.7
		END
	fi
	ip -n "$there" neigh replace 10.88.1.1 dev $peer nud permanent \
		lladdr "$(ip -n "$here" -j link show top | jq -r '.[0].address')"
}

# make KIND TYPE WORD...: top is there, has eth's address and is up; or its kind is skipped
make()
{
	local type=$2 under=()
	kind=$1
	shift 2

	ip -n "$here" link del top 2> /dev/null
	ip -n "$here" link del eth 2> /dev/null
	link "$here" eth "$there" peer 1
	case $type in
	macvlan | ipvlan | vlan) under=(link eth) ;;
	esac
	if ! ip -n "$here" link add "${under[@]}" name top type "$type" "$@" 2> "$tmp/out"; then
		skip "$kind" "no $type here"
		return 1
	fi
	if [ ${#under[@]} = 0 ]; then
		[ "$type" != bond ] || ip -n "$here" link set eth down
		ip -n "$here" link set eth master top
	fi
	ip -n "$here" link set top up
	[ "$type" = vrf ] || at_top "$type"
	wait_until 10 carrier "$here" top
}

# passes KIND TYPE WORD...: where both hooks are passed
passes()
{
	local dev

	make "$@" || return 0
	for dev in top eth; do
		check "$kind: attach $dev" on ingress $dev
		check "$kind: attach $dev" on egress $dev
	done
	for dev in top eth; do
		sees $dev ingress "$there" 10.88.1.1
		sees $dev egress "$here" 10.88.1.2
	done
	check "$kind: detach" weir detach all
}

bytes() { class "$here" "top-$1" bytes; }

# to_many: GRE without a remote. Each packet names its peer: the outer header is before it above the
# hook already, and still in what arrives
to_many()
{
	local ns self=1 other=2 n=29 in out address
	kind="gre to many"

	for ns in "$here" "$there"; do
		ip -n "$ns" link del top 2> /dev/null
	done
	ip -n "$here" link del eth 2> /dev/null
	link "$here" eth "$there" peer 1
	for ns in "$here" "$there"; do
		ip -n "$ns" -batch - 2> "$tmp/out" <<- END || { skip "$kind" "no gre here"; return; }
			link add top type gre local 10.88.1.$self key 7
			addr add 10.99.1.$self/24 dev top
			addr add fd99:1::$self/64 dev top nodad
			link set top up
			neigh replace 10.99.1.$other lladdr 10.88.1.$other dev top nud permanent
			neigh replace fd99:1::$other lladdr 10.88.1.$other dev top nud permanent
		END
		self=2 other=1
	done
	check "$kind: attach" on ingress top
	check "$kind: attach" on egress top
	# n: with an IP header, a UDP header and one byte
	for address in 10.99.1. fd99:1::; do
		in=$(bytes ingress) out=$(bytes egress)
		sees top ingress "$there" "${address}1"
		sees top egress "$here" "${address}2"
		is_equal "$kind: bytes of those inside" \
			"$(($(bytes ingress) - in)) $(($(bytes egress) - out))" \
			"$((packets * n)) $((packets * n))"
		n=49
	done
	is_equal "$kind: flows of those inside" "$(weir -j show flows proto udp dport 9 |
		jq -c 'map(.dst) | sort')" '["10.99.1.1","10.99.1.2","fd99:1::1","fd99:1::2"]'
	check "$kind: detach" weir detach all
}

# refuses PATTERN
refuses()
{
	local words got

	for words in "top" "top ingress" "top both"; do
		got=0
		# shellcheck disable=SC2086 # words
		weir attach $words > "$tmp/out" 2>&1 || got=$?
		if [ $got = 1 ] && grep -q "^weir: top: ingress: $1" "$tmp/out"; then
			ok "$kind: attach $words is refused: $(cat "$tmp/out")"
		else
			not_ok "$kind: attach $words" "exit $got, $(cat "$tmp/out")"
		fi
	done
	is_equal "$kind: nothing was changed" "$(ls -d "/sys/fs/bpf/weir/v1/$here" 2> /dev/null)" ""
}

passes bridge bridge
passes macvlan macvlan mode bridge
passes "ipvlan l2" ipvlan mode l2
passes vlan vlan id 7
passes bond bond mode active-backup

to_many

if make "ipvlan l3s" ipvlan mode l3s; then
	refuses "what arrives passes the hook of the device below"
	check "$kind: attach egress" on egress top
	sees top egress "$here" 10.88.1.2
	check "$kind: detach" weir detach all
fi
if ip -n "$here" link add name queue up type ifb 2> "$tmp/out"; then
	for words in "queue ingress:1" "queue egress:0"; do
		# shellcheck disable=SC2086 # words
		weir attach ${words%:*} > "$tmp/out" 2>&1
		is_equal "ifb: attach ${words%:*}: is it said that its egress is passed" \
			"$(grep -c '^weir: queue: ingress: .* passes its egress, ' "$tmp/out")" ${words#*:}
	done
	check "ifb: detach" weir detach all
else
	skip ifb "no ifb here"
fi
if make vrf vrf table 10; then
	refuses "what arrives passes the hooks of a VRF's ports"
	on egress top > "$tmp/out" 2>&1
	is_equal "$kind: what its egress does not see is said" "$(grep -c \
		"^weir: top: egress: .* what is forwarded passes its ports' hooks alone$" "$tmp/out")" 1
	check "$kind: attach its port" on ingress eth
	sees eth ingress "$there" 10.88.1.1
	check "$kind: attach its port" on egress eth
	if [ "$(ip netns exec "$here" tc qdisc show dev top root | cut -d' ' -f2)" = noqueue ]; then
		skip "$kind: what this machine sends" "no fq here"
	else
		sees top egress "$here" 10.88.1.2 top
	fi
	sees eth egress "$here" 10.88.1.2 top
	check "$kind: detach" weir detach all
fi
finish
