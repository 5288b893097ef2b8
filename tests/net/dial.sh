#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# dial.sh: connections that the agent looks at before both of their flows are known. A server's,
# before it has answered: its round trips are heard all the same. A consumer's that connects to its
# producers, for a second in vain: its backlog is, and the numbers that TCP begins with are no bytes
# that it has read.
#
#     producers (weir, both: a class that follows rtt) ---- consumer (weir, both: backlog)
. "$(dirname "$0")/lib.sh"

need ip jq python3
netns producers consumer
link "$producers" eth "$consumer" eth 1
ip -n "$consumer" neigh replace 10.88.1.3 lladdr 02:00:00:00:01:01 dev eth nud permanent

cat > "$tmp/serve.py" <<'END'
import socket, threading
listener = socket.create_server(("", 7000))
print("listens", flush=True)
def serve(s):
    try:
        s.recv(1)
        while True:
            s.sendall(bytes(65536))
    except OSError:
        pass
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
END
# read.py ADDRESS SECONDS: asks so much later, then reads some 16 mbit, at most 20, until its input
# ends
cat > "$tmp/read.py" <<'END'
import select, socket, sys
s = socket.create_connection((sys.argv[1], 7000))
print("connected", flush=True)
select.select([], [], [], float(sys.argv[2]))
s.send(b"?")
while not select.select([sys.stdin], [], [], 0.002)[0]:
    s.recv(5000)
END

# dials FILE ADDRESS SECONDS: reads in the background until $dialling is closed
dials()
{
	mkfifo "$1.end"
	ip netns exec "$consumer" python3 "$tmp/read.py" "$2" "$3" < "$1.end" > "$1" &
	pids+=($!)
	exec {dialling}> "$1.end"
}

signal()
{
	"$WEIR" -n "$1" -j show signals | jq -e ".[0] | $2"
}

for ns in "$producers" "$consumer"; do
	check "$ns: attach" "$WEIR" -n "$ns" attach eth both
done
check "class rtt" "$WEIR" -n "$producers" class set answers control rtt target 10s
check "match rtt" "$WEIR" -n "$producers" match add answers proto tcp sport 7000
check "class backlog" "$WEIR" -n "$consumer" class set read control backlog target 10ms max 1gbit
check "match backlog" "$WEIR" -n "$consumer" match add read proto tcp sport 7000
told "$producers"
told "$consumer"
ip netns exec "$producers" python3 "$tmp/serve.py" > "$tmp/served" &
pids+=($!)
wait_until 10 grep -q listens "$tmp/served" || not_ok "the server listens"

# asks when the agent has looked
dials "$tmp/first" 10.88.1.1 0.3
check "a server's round trips are heard" \
	wait_until 5 signal "$producers" '.value != null and .reason != "waiting"'
check "the backlog of who has connected is heard" wait_until 5 signal "$consumer" '.drain_bps > 0'
exec {dialling}>&-

dials "$tmp/second" 10.88.1.3 0
check "a connection waits for its answer" wait_until 5 \
	sh -c "ip netns exec $consumer ss -Htn state syn-sent | grep -q 10.88.1.3"
# looked at by then
wait_until 5 sh -c "ip netns exec $consumer ss -Htno state syn-sent | grep -q ',[1-9][0-9]*)'"
ip -n "$producers" addr add 10.88.1.3/24 dev eth
check "and stands" wait_until 10 grep -q connected "$tmp/second"
before=$(class "$consumer" read bytes)
more()
{
	[ "$(class "$consumer" read bytes)" -gt $((before + 200000)) ]
}
check "is read from" wait_until 10 more
exec {dialling}>&-
is_most "no drain rate is more than it reads" "$(lines "$consumer" 'map(.drain_bps // 0) | max')" \
	100000000
finish
