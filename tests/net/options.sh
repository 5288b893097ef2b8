#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# options.sh: a paced socket's SO_MAX_PACING_RATE and TCP_NOTSENT_LOWAT are the application's as
# well, which may set them at any time: the smaller rate holds, and it has its own back in the end.
#
#     producer (weir on eth, egress) ---- consumer
. "$(dirname "$0")/lib.sh"

need ip python3
netns producer consumer
link "$producer" eth "$consumer" eth 1
weir=("$WEIR" -n "$producer")

ip netns exec "$consumer" python3 -c '
import socket
s = socket.create_server(("", 7000))
print("listens", flush=True)
s = s.accept()[0]
while s.recv(1 << 20): pass' > "$tmp/consumer" &
pids+=($!)
wait_until 10 grep -q listens "$tmp/consumer" || { echo "Bail out! no consumer"; exit 1; }

# Sends as much as it may, says what it has, and sets what it is told to: bytes/s and bytes.
cat > "$tmp/app.py" <<- 'END'
	import os, socket, sys, time
	tell, ask = sys.argv[1:3]
	s = socket.create_connection(("10.88.1.2", 7000))
	s.setblocking(False)
	asked, end = None, time.monotonic() + 390
	while time.monotonic() < end:
	    try: s.send(bytes(8192))
	    except BlockingIOError: time.sleep(0.002)
	    words = open(ask).read().split() if os.path.exists(ask) else None
	    if words and words != asked:
	        asked = words
	        s.setsockopt(socket.SOL_SOCKET, 47, int(words[0]))
	        s.setsockopt(socket.IPPROTO_TCP, 25, int(words[1]))
	    with open(tell + ".new", "w") as f:
	        print(s.getsockopt(socket.SOL_SOCKET, 47) & 0xffffffff,
	              s.getsockopt(socket.IPPROTO_TCP, 25), *(asked or ()), file=f)
	    os.rename(tell + ".new", tell)
END
asks() { echo "$1 $2" > "$tmp/ask.new" && mv "$tmp/ask.new" "$tmp/ask"; }

# has LEAST MOST [LOWAT] [ASKED]: the rate is between them; and it has done as told
has()
{
	local rate lowat asked

	read -r rate lowat asked < "$tmp/tell" || return 1
	[ "$rate" -ge "$1" ] && [ "$rate" -le "$2" ] && [ "${3:-$lowat}" = "$lowat" ] &&
		[ "${asked%% *}" = "${4-}" ]
}
until_has()
{
	local what=$1
	shift

	if wait_until 10 has "$@"; then ok "$what"; else not_ok "$what" "$(cat "$tmp/tell")"; fi
}

check "attach" "${weir[@]}" attach eth egress
check "80 mbit" "${weir[@]}" class set default flow-rate 80mbit
ip netns exec "$producer" python3 "$tmp/app.py" "$tmp/tell" "$tmp/ask" 2> /dev/null &
pids+=($!)
# the rate is of payload, and moves by what the wire takes beside it
until_has "weir paces the socket" 8500000 10100000
asks 250000 8192
until_has "the application asks for less" 250000 250000 "" 250000
check "weir for half of it before" "${weir[@]}" class set default flow-rate 40mbit
until_has "the application's holds" 250000 250000 8192 250000
asks 4000000 16384
until_has "it asks for more" 1 4000000 "" 4000000
check "weir for a bit less" "${weir[@]}" class set default flow-rate 36mbit
until_has "still the application's" 4000000 4000000 "" 4000000
check "and for much less" "${weir[@]}" class set default flow-rate 16mbit
until_has "then weir's" 1700000 2050000 "" 4000000
check "detach" "${weir[@]}" detach eth
until_has "it has its own back" 4000000 4000000 16384 4000000
finish
