#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# accept.sh: a consumer of short connections: it accepts one each 50 ms, reads it and closes it at
# once, and eight clients come again and again. Nothing of a connection is left when the agent
# looks; that it was taken is known all the same: eight take 400 ms, and nothing has stopped.
#
#     clients ---- server (weir on eth, ingress)
. "$(dirname "$0")/lib.sh"

need ip jq python3
netns clients server
link "$clients" eth "$server" eth 1
weir=("$WEIR" -n "$server")
check "attach" "${weir[@]}" attach eth ingress qdisc keep
check "class" "${weir[@]}" class set app rate 50mbit min 1mbit control backlog target 100ms
check "match" "${weir[@]}" match add app proto tcp dport 7000
agent "$server"

ip netns exec "$server" python3 -c '
import socket, time
s = socket.socket()
s.bind(("10.88.1.2", 7000))
s.listen(128)
at = time.monotonic()
while True:
    c = s.accept()[0]
    c.recv(100)
    c.close()
    at = max(at, time.monotonic() - .05) + .05
    time.sleep(max(0, at - time.monotonic()))' 2> /dev/null &
pids+=($!)
listens() { ip netns exec "$server" ss -Htln 'sport = 7000' | grep -q .; }
wait_until 5 listens
ip netns exec "$clients" python3 -c '
import socket, threading
def come():
    while True:
        s = socket.create_connection(("10.88.1.2", 7000))
        s.sendall(b"x")
        try: s.recv(1)
        except OSError: pass
        s.close()
for i in range(8): threading.Thread(target=come).start()' 2> /dev/null &
pids+=($!)

signal() { "${weir[@]}" -j show signals | jq -r ".[0].$1"; }
is_slow() { [ "$(signal state)" = agent ]; }
wait_until 8 is_slow && ok "the class is slowed" || not_ok "the class is slowed" "$("${weir[@]}" show signals)"
# of more than two seconds, a standstill would be seen to grow; and many, as the median is of them.
# Where the server or its clients had no CPU for one of these, others are looked at
enough() { values+=("$(signal value)") && [ $((${EPOCHREALTIME/./} - start)) -gt 2500000 ] &&
	[ ${#values[@]} -ge 20 ]; }
for i in 1 2 3 4; do
	values=() start=${EPOCHREALTIME/./}
	wait_until 30 enough || not_ok "twenty looks"
	sorted=($(printf '%s\n' "${values[@]}" | sort -n))
	median=${sorted[${#sorted[@]} / 2]}
	! awk -v v="$median" 'BEGIN { exit !(v >= 24e7 && v <= 56e7) }' || break
done
is_within "how long the last of them waits (the median), ns" "$median" 400000000 40
compare "it has not stopped" 'v != t' "$([ "$(signal reason)" = stalled ]; echo $?)" 0 "no standstill"
note "$(signal reason), from ${sorted[0]} to ${sorted[-1]} ns, ${#sorted[@]} looks"
finish
