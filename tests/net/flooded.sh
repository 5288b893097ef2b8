#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# flooded.sh: packets whose bytes others share: a bridge sends one to all its ports, as clones. The
# mark of one port's class is set on a copy, so that what leaves by the others has none.
#
#     producer: bridge of eth (weir, egress) and spare ---- consumer, with one address on both
. "$(dirname "$0")/lib.sh"

need ip jq python3
netns producer marked plain
ip -n "$producer" link add bridge type bridge mcast_snooping 0 2> /dev/null || skip_all "no bridge here"
link "$producer" eth "$marked" eth 1
link "$producer" spare "$plain" eth 2
for ns in "$marked" "$plain"; do
	ip -n "$ns" -batch - <<- END
		addr flush dev eth
		link set eth address 02:00:00:00:09:02
		addr add 10.88.9.2/24 dev eth
	END
done
ip -n "$producer" -batch - <<- END
	addr flush dev eth
	addr flush dev spare
	link set eth master bridge
	link set spare master bridge
	link set eth type bridge_slave learning off
	link set spare type bridge_slave learning off
	addr add 10.88.9.1/24 dev bridge
	link set bridge type bridge mcast_snooping 0
	link set bridge up
	neigh replace 10.88.9.2 lladdr 02:00:00:00:09:02 dev bridge nud permanent
END
check "attach" "$WEIR" -n "$producer" attach eth egress qdisc keep
check "class" "$WEIR" -n "$producer" class set probe rate 2mbit action police
check "match" "$WEIR" -n "$producer" match add probe proto udp dport 7000

# counts all, and those with CE, until nothing more comes
cat > "$tmp/hears.py" <<- 'END'
	import socket
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.bind(("10.88.9.2", 7000))
	s.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
	print("ready", flush=True)
	n = ce = 0
	s.settimeout(20)
	while True:
	    try:
	        data, extra, _, _ = s.recvmsg(2000, 100)
	    except TimeoutError:
	        break
	    if data[0] == 1:
	        break
	    n += 1
	    ce += any(level == socket.IPPROTO_IP and value[0] & 3 == 3 for level, _, value in extra)
	print(n, ce, flush=True)
END
for ns in "$marked" "$plain"; do
	ip netns exec "$ns" python3 "$tmp/hears.py" > "$tmp/heard.$ns" 2>&1 &
	pids+=($!)
	check "a receiver" wait_until 5 grep -q ready "$tmp/heard.$ns"
done
# ECT(0), at some 8 mbit: what is marked is not dropped
ip netns exec "$producer" python3 - <<- 'END'
	import socket, time
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 2)
	for i in range(300):
	    s.sendto(bytes(1000), ("10.88.9.2", 7000))
	    time.sleep(0.001)
	time.sleep(1)
	for i in range(5):
	    s.sendto(b"\1", ("10.88.9.2", 7000))
END
for ns in "$marked" "$plain"; do
	check "it ends" wait_until 25 grep -q '^[0-9]' "$tmp/heard.$ns"
done
read -r _ ce < <(tail -n 1 "$tmp/heard.$marked")
is_least "marked" "$(class "$producer" probe marked)" 1
is_equal "as many arrive with CE" "$ce" "$(class "$producer" probe marked)"
is_equal "at the other port, all and none with CE" "$(tail -n 1 "$tmp/heard.$plain")" "300 0"
finish
