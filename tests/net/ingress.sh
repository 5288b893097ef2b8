#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ingress.sh: the queue of what arrives, as long as it lives: made at attach, used by what is
# delayed alone, passed by when somebody takes it away, put back by the agent, gone after detach.
# Where the kernel has no fq or no ifb: what arrives is policed, and weir says so.
#
#     producer ---- consumer (weir on eth, ingress)
. "$(dirname "$0")/lib.sh"

need ip tc jq python3
netns producer consumer
link "$producer" eth "$consumer" eth 1
weir=("$WEIR" -n "$consumer")
"$WEIR" -j check > "$tmp/check"

has()
{
	[ "$(jq --arg n "$1" '.[] | select(.check == $n) | .available' "$tmp/check")" = true ]
}

# device FIELD: of the ingress hook
device()
{
	"${weir[@]}" -j show devices | jq -r ".[] | select(.hook == \"ingress\") | .$1"
}

links()
{
	ip -n "$consumer" -o link show type ifb | grep -c .
}

ifb()
{
	echo "weir-$(ip -n "$consumer" -j link show dev eth | jq '.[0].ifindex')"
}

# packets that went through the ifb
queued()
{
	ip -n "$consumer" -j -s link show dev "$(ifb)" | jq '.[0].stats64.rx.packets'
}

# send N RATE: UDP of 1042 bytes on the wire; how many were received
send()
{
	traffic "$tmp/out" udp name udp from "$producer" to "$consumer" addr 10.88.1.2 port 9000 \
		size 1000 rate "$2" packets "$1" stop 5s
	flow "$tmp/out" udp received
}

policed()
{
	is_equal "$1: no departure times" "$(device edt)" false
	is_equal "$1: no ifb" "$(links) $(device ifb)" "0 null"
}

check "attach lo" "${weir[@]}" attach lo egress qdisc keep via clsact
check "class" "${weir[@]}" class set slow flow-rate 10mbit drop-at 5s
check "match" "${weir[@]}" match add slow hook ingress proto udp dport 9000

if ! has fq || ! has ifb; then
	is_equal "check: what arrives is not delayed" \
		"$(jq -r '.[] | select(.check == "means-edt-in") | .available' "$tmp/check")" false
	check "attach" "${weir[@]}" attach eth ingress
	policed "attach"
	is_equal "by what means" "$(class "$consumer" slow means)" socket,mark,drop
	is_most "three times the rate: received" "$(send 2000 30mbit)" 1100
	is_least "three times the rate: dropped" "$(class "$consumer" slow dropped)" 900
	check "detach" "${weir[@]}" detach eth
	if "${weir[@]}" attach eth ingress qdisc fq > "$tmp/out" 2>&1; then
		not_ok "qdisc fq is refused"
	else
		ok "qdisc fq is refused: $(cat "$tmp/out")"
	fi
	is_equal "and nothing is attached" "$(device state)$(links)" 0
	finish
fi

vias=(clsact)
! has tcx || vias+=(tcx)
for via in "${vias[@]}"; do
	check "$via: attach" "${weir[@]}" attach eth via "$via"
	is_equal "$via: departure times" "$(device edt)" true
	is_equal "$via: the ifb" "$(device ifb)" "$(ifb)"
	is_equal "$via: which is not attached itself" "$("${weir[@]}" attach "$(ifb)" 2>&1)" \
		"weir: $(ifb): is weir's own, where what arrives at eth waits: want eth"
	is_equal "$via: fq" "$(tc -n "$consumer" qdisc show dev "$(ifb)" | cut -d' ' -f2)" fq
	was=$(class "$consumer" slow packets)
	# twice the rate: 300 packets are 250 ms
	is_equal "$via: received" "$(send 300 20mbit)" 300
	is_equal "$via: each is charged once" "$(($(class "$consumer" slow packets) - was))" 300
	is_least "$via: delayed" "$(class "$consumer" slow delayed)" 250
	is_least "$via: through the ifb" "$(queued)" 290
	was=$(queued)
	check "$via: police" "${weir[@]}" class set slow action police drop-at default
	send 50 2mbit > "$tmp/received"
	is_equal "$via: nothing else goes there" "$(cat "$tmp/received") $(($(queued) - was))" "50 0"
	# a veth leaves it the departures that TCP sets
	traffic "$tmp/out" tcp name tcp from "$producer" to "$consumer" addr 10.88.1.2 port 9001 \
		stop 300ms
	is_equal "$via: nor does a local sender's TCP" "$(($(queued) - was))" 0
	check "$via: pace" "${weir[@]}" class set slow action pace drop-at 5s

	# somebody deletes it: packets pass
	ip -n "$consumer" link del "$(ifb)"
	is_equal "$via: the ifb is deleted: received" "$(send 100 5mbit)" 100
	check "$via: detach ingress" "${weir[@]}" detach eth ingress
	check "$via: attach ingress" "${weir[@]}" attach eth ingress via "$via"
	is_equal "$via: departure times again" "$(device edt) $(links)" "true 1"

	# of a weir that was killed: its ifb is known by its name
	check "$via: detach ingress" "${weir[@]}" detach eth ingress
	ip -n "$consumer" link add "$(ifb)" type ifb
	check "$via: a leftover: attach" "${weir[@]}" attach eth ingress via "$via"
	is_equal "$via: a leftover: one ifb" "$(device edt) $(links)" "true 1"

	# its device is renamed, deleted
	ip -n "$consumer" link set eth down
	ip -n "$consumer" link set eth name lan up
	check "$via: renamed: detach" "${weir[@]}" detach lan ingress
	is_equal "$via: renamed: no ifb" "$(links)" 0
	ip -n "$consumer" link set lan down
	ip -n "$consumer" link set lan name eth up
	ip -n "$consumer" neigh replace 10.88.1.1 lladdr 02:00:00:00:01:01 dev eth nud permanent
	check "$via: attach" "${weir[@]}" attach eth ingress via "$via"
	ip -n "$consumer" link del eth
	check "$via: deleted: detach" "${weir[@]}" detach eth
	is_equal "$via: deleted: no ifb" "$(links)" 0
	link "$producer" eth "$consumer" eth 1

	# its device is moved with the program, to where others have the numbers behind its own
	check "$via: attach" "${weir[@]}" attach eth ingress via "$via"
	ip netns add "$consumer-$via"
	netns_made+=("$consumer-$via")
	ip -n "$consumer" link set eth netns "$consumer-$via"
	for i in {2..40}; do
		ip -n "$consumer-$via" link add "d$i" index "$i" up type dummy
	done 2> "$tmp/taken"
	ip -n "$consumer-$via" addr add 10.88.1.2/24 dev eth
	ip -n "$consumer-$via" link set eth up
	wait_until 5 carrier "$consumer-$via" eth
	ip netns exec "$producer" python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(50): s.sendto(bytes(1000), ("10.88.1.2", 9000))'
	heard() { ip netns exec "$consumer-$via" awk '$1 == "Udp:" { print $3 }' /proc/net/snmp; }
	check "$via: moved: what arrives stays there" wait_until 5 eval 'heard | grep -x 50'
	check "$via: moved: detach" "${weir[@]}" detach eth
	is_equal "$via: moved: no ifb" "$(links)" 0
	ip netns del "$consumer-$via"
	link "$producer" eth "$consumer" eth 1

	# generic XDP would see what comes back a second time
	ip netns exec "$consumer" python3 - <<- 'END' > "$tmp/xdp" &
		import ctypes, os, socket, struct, sys, time
		call = {"x86_64": 321}.get(os.uname().machine, 280)
		def bpf(command, words):
		    attributes = ctypes.create_string_buffer(words, 128)
		    return ctypes.CDLL(None).syscall(call, command, attributes, 128)
		code = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xb7, 0, 0, 2, 0x95, 0, 0, 0))
		name = ctypes.create_string_buffer(b"GPL")
		fd = bpf(5, struct.pack("<IIQQ", 6, 2, ctypes.addressof(code), ctypes.addressof(name)))
		link = bpf(28, struct.pack("<IIII", fd, socket.if_nametoindex("eth"), 37, 2))
		print("there" if link >= 0 else "refused", flush=True)
		time.sleep(600)
	END
	pids+=($!)
	check "$via: generic XDP" wait_until 5 grep there "$tmp/xdp"
	check "$via: generic XDP: attach" "${weir[@]}" attach eth ingress via "$via"
	policed "$via: generic XDP"
	check "$via: detach" "${weir[@]}" detach eth
	last_ends

	# others at the hook
	check "$via: qdisc keep" "${weir[@]}" attach eth ingress via "$via" qdisc keep
	policed "$via: qdisc keep"
	check "$via: detach" "${weir[@]}" detach eth
	tc -n "$consumer" qdisc add dev eth clsact
	tc -n "$consumer" filter add dev eth ingress pref 20 matchall action pass
	check "$via: another's filter: attach" "${weir[@]}" attach eth ingress via "$via"
	policed "$via: another's filter"
	send 50 2mbit > "$tmp/received"
	is_equal "$via: another's filter sees them" "$(tc -n "$consumer" -s -j filter show dev eth ingress |
		jq '[.[] | .options.actions[]?.stats | select(.packets >= 50)] | length')" 1
	check "$via: detach" "${weir[@]}" detach eth
	is_equal "$via: another's filter stays" \
		"$(tc -n "$consumer" filter show dev eth ingress | grep -c 'matchall.*handle')" 1
	tc -n "$consumer" qdisc del dev eth clsact

	# the agent
	check "$via: attach" "${weir[@]}" attach eth ingress via "$via"
	"${weir[@]}" run > "$tmp/run" 2>&1 &
	pids+=($!)
	whole() { [ "$(device edt) $(links) $(device ifb)" = "true 1 $(ifb)" ]; }
	was=$(ip -n "$consumer" -j link show dev "$(ifb)" | jq '.[0].ifindex')
	ip -n "$consumer" link del "$(ifb)"
	another() { whole && [ "$(ip -n "$consumer" -j link show dev "$(ifb)" | jq '.[0].ifindex')" != "$was" ]; }
	check "$via: run: deleted, and put back" wait_until 10 another
	ip -n "$consumer" link set "$(ifb)" down
	up() { whole && ip -n "$consumer" link show dev "$(ifb)" | grep -q '[<,]UP'; }
	check "$via: run: set down, and up again" wait_until 10 up
	tc -n "$consumer" qdisc replace dev "$(ifb)" root pfifo
	fq() { tc -n "$consumer" qdisc show dev "$(ifb)" | grep -q '^qdisc fq '; }
	check "$via: run: its fq is replaced, and put back" wait_until 10 fq
	is_equal "$via: run: received" "$(send 100 20mbit)" 100
	tc -n "$consumer" qdisc add dev eth clsact 2> "$tmp/tc" || true
	tc -n "$consumer" filter add dev eth ingress pref 20 matchall action pass
	none() { [ "$(device edt) $(links)" = "false 0" ]; }
	check "$via: run: somebody comes behind: no queue" wait_until 10 none
	tc -n "$consumer" filter del dev eth ingress pref 20
	kill "${pids[-1]}" && wait "${pids[-1]}"
	pids=()
	check "$via: detach" "${weir[@]}" detach eth
	is_equal "$via: no ifb, no filter" "$(links) $(tc -n "$consumer" filter show dev eth ingress)" "0 "
	tc -n "$consumer" qdisc del dev eth clsact 2> "$tmp/tc" || true
done
check "detach all" "${weir[@]}" detach all
finish
