#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# bound.sh: consumers whose sockets are bound to a device (SO_BINDTODEVICE, and IPv6 with its link's
# own addresses) are seen to be behind like any other, also when another device is deleted under its
# sockets; by iterators over known sockets, and where those are refused, by asking for each. There
# more devices than there is room for are said.
#
#     producer ---- consumer (weir on eth, ingress; sockets bound to eth)
. "$(dirname "$0")/lib.sh"

need ip jq python3
refuse=$top/build/tests/refuse.so
[ -e "$refuse" ] || { echo "Bail out! $refuse is not built"; exit 1; }
netns producer consumer
link "$producer" eth "$consumer" eth 1
link "$producer" more "$consumer" more 2

# consumer DEV ADDRESS PORT: bound to DEV unless that is -; accepts one, reads half a second's worth
# at its start, so that it is known to be one, and then nothing. Prints what it is about to do.
cat > "$tmp/consumer.py" <<-'END'
	import select, socket, sys, time
	dev, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
	info = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
	s = socket.socket(info[0], socket.SOCK_STREAM)
	if dev != "-":
	    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, dev.encode())
	for n in range(100):	# a link's own address is there once nobody else has it
	    try:
	        s.bind(info[4])
	        break
	    except OSError:
	        time.sleep(.05)
	s.listen()
	print("listens", flush=True)
	c = s.accept()[0]
	for n in range(20):
	    c.recv(4096)
	print("read", flush=True)
	select.select([], [], [])
END
cat > "$tmp/producer.py" <<-'END'
	import socket, sys
	s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
	while True:
	    s.sendall(b"x" * 65536)
END

# pair DEV ADDRESS PORT ADDRESS-AS-THE-PRODUCER-HAS-IT
pair()
{
	ip netns exec "$consumer" python3 "$tmp/consumer.py" "$1" "$2" "$3" > "$tmp/heard.$3" 2>&1 &
	pids+=($!)
	wait_until 5 grep -q listens "$tmp/heard.$3" || not_ok "consumer $*" "$(cat "$tmp/heard.$3")"
	ip netns exec "$producer" python3 "$tmp/producer.py" "$4" "$3" > /dev/null 2>&1 &
	pids+=($!)
}

value() { "$WEIR" -n "$consumer" -j show signals | jq -r --arg n "$1" '.[] | select(.class == $n) | .value'; }
is_behind() { [ "$(value "$1")" -gt 300000000 ]; }
until_ok()
{
	local what=$1
	shift

	if wait_until 8 "$@"; then ok "$what"; else
		not_ok "$what" "$("$WEIR" -n "$consumer" show signals; tail -n 3 "$tmp/agent.$consumer")"
	fi
}

check "attach" "$WEIR" -n "$consumer" attach eth ingress qdisc keep
for name in free bound bound6 local6 gone; do
	port=$((${port:-7000} + 1))
	check "class $name" "$WEIR" -n "$consumer" class set $name rate 100mbit control backlog target 10ms
	check "match $name" "$WEIR" -n "$consumer" match add $name proto tcp dport $port
done
check "attach more" "$WEIR" -n "$consumer" attach more ingress qdisc keep

link_local() { local6=$(ip -n "$consumer" -j -6 addr show dev eth scope link | jq -er '.[0].addr_info[]
	| select(.scope == "link" and (.tentative | not)) | .local'); }
wait_until 10 link_local
ready() { ! ip -n "$producer" -6 addr show dev eth tentative | grep -q fe80; }
wait_until 10 ready
pair - 10.88.1.2 7001 10.88.1.2
pair eth 10.88.1.2 7002 10.88.1.2
pair eth fd88:1::2 7003 fd88:1::2
pair - "$local6%eth" 7004 "$local6%eth"
pair more 10.88.2.2 7005 10.88.2.2
agent "$consumer"
for name in free bound bound6 local6 gone; do
	until_ok "$name: is seen to be behind" is_behind $name
done
kill "${pids[-1]}"
wait "${pids[-1]}" 2> /dev/null
unset "pids[-1]"
gone() { [ "$(value bound)" = null ]; }
wait_until 10 gone

LD_PRELOAD=$refuse agent "$consumer"
for name in free bound bound6 local6 gone; do
	until_ok "$name: is seen to be behind where each socket is asked for" is_behind $name
done
ip -n "$consumer" link del more
until_ok "a device that is deleted takes nothing with it" is_behind bound

# --- more devices than there is room for
for ((i = 0; i < 10; i++)); do
	ip link add "x$i" netns "$consumer" type veth peer name "y$i" netns "$consumer"
	ip -n "$consumer" link set "x$i" up
	ip -n "$consumer" link set "y$i" up
done
ip netns exec "$consumer" python3 -c '
import select, socket
many = []
for i in range(10):
    for end in "xy":
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, (end + str(i)).encode())
        s.bind(("", 8000))
        s.listen()
        many.append(s)
select.select([], [], [])' &
crowd=$!
pids+=($crowd)
until_ok "more devices than there is room for are said" \
	grep -q '[1-9][0-9]* sockets are not looked at: ' "$tmp/agent.$consumer"
until_ok "the others are still seen" is_behind bound
kill $crowd
until_ok "and that it is over" grep -q 'all sockets are looked at again' "$tmp/agent.$consumer"

# --- a consumer behind the last of many devices
for dev in x{0..9} y{0..9}; do
	"$WEIR" -n "$consumer" attach $dev egress qdisc keep || not_ok "attach $dev"
done
link "$producer" last "$consumer" last 3
check "attach last" "$WEIR" -n "$consumer" attach last ingress qdisc keep
check "class last" "$WEIR" -n "$consumer" class set last rate 100mbit control backlog target 10ms
check "match last" "$WEIR" -n "$consumer" match add last proto tcp dport 7006
pair - 10.88.3.2 7006 10.88.3.2
until_ok "the last of many: is seen to be behind" is_behind last
finish
