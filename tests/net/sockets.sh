#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# sockets.sh: ten thousand connections of a class under `control backlog`, looked at a hundred times
# a second: the agent stays within 3 % of a core, or looks less often, and says so.
#
#     peer (ten thousand clients) ---- host (weir on eth, ingress; the consumer)
. "$(dirname "$0")/lib.sh"

need ip jq python3
netns host peer
link "$host" eth "$peer" eth 1
weir=("$WEIR" -n "$host")
n=10000

# Each end in a process of its own; a thousand small messages a second, over all connections in turn
cat > "$tmp/ends.py" <<- 'END'
	import resource, select, socket, sys, time
	what, n = sys.argv[1], int(sys.argv[2])
	resource.setrlimit(resource.RLIMIT_NOFILE, (n + 100, n + 100))
	end = time.monotonic() + 390
	if what == "server":
	    server = socket.create_server(("10.88.1.1", 7000), backlog=4096)
	    poll = select.epoll()
	    poll.register(server, select.EPOLLIN)
	    clients = {}
	    while time.monotonic() < end:
	        for fd, event in poll.poll(1):
	            if fd == server.fileno():
	                client = server.accept()[0]
	                clients[client.fileno()] = client
	                poll.register(client, select.EPOLLIN)
	                if len(clients) == n:
	                    print("all", flush=True)
	            elif not clients[fd].recv(65536):
	                poll.unregister(fd)
	                clients.pop(fd).close()
	else:
	    ends = [socket.create_connection(("10.88.1.1", 7000)) for i in range(n)]
	    at = 0
	    while time.monotonic() < end:
	        for i in range(10):
	            ends[(at + i) % n].send(bytes(100))
	        at += 10
	        time.sleep(0.01)
END
[ "$(ulimit -Hn)" -gt $((n + 100)) ] || ulimit -n $((n + 200)) || skip_all "no $n descriptors here"
check "attach" "${weir[@]}" attach eth ingress
check "class" "${weir[@]}" class set sink rate 1gbit control backlog target 500ms
check "match" "${weir[@]}" match add sink proto tcp dport 7000
ip netns exec "$host" python3 "$tmp/ends.py" server $n > "$tmp/server" 2>&1 &
pids+=($!)
listens() { ip netns exec "$host" ss -Htln 'sport = 7000' | grep -q 7000; }
wait_until 10 listens
ip netns exec "$peer" python3 "$tmp/ends.py" client $n > "$tmp/client" 2>&1 &
pids+=($!)
if wait_until 30 grep -q all "$tmp/server"; then ok "$n connections"; else
	not_ok "$n connections" "$(cat "$tmp/server" "$tmp/client")"
	finish
fi
agent "$host"
pid=${pids[-1]}
interval_ms() { "${weir[@]}" -j show signals | jq '.[0].interval_ns / 1e6 | floor'; }
is_heard() { "${weir[@]}" -j show signals | jq -e '.[0].value != null'; }
said() { grep 'a pass over the sockets takes' "$tmp/agent.$host" | tail -n 1; }
check "they are looked at" wait_until 15 is_heard
looks=$("${weir[@]}" -j show flows class sink limit 20000 | jq length)
is_least "flows of the class" "$looks" $((n * 9 / 10))

# share: ten thousandths of a core that the agent takes, of so many seconds
share()
{
	local from start=${EPOCHREALTIME/./}

	from=$(cut -d " " -f 1 "/proc/$pid/schedstat")
	read -rt "$1" -u "$never" || true
	echo $((($(cut -d " " -f 1 "/proc/$pid/schedstat") - from) * 10 / (${EPOCHREALTIME/./} - start)))
}

# the first second has sockets that are new, and a pass whose cost is not known yet
share 1 > "$tmp/share"
taken=$(share 4)
note "of a core: $((taken / 100)).$(printf %02d $((taken % 100))) % (in the first second" \
	"$(cat "$tmp/share") of 10000), a look every $(interval_ms) ms; $(said)"
# 3 % is what it means to take; two more for what a busy machine's caches add
is_most "of a core, 1/10000" "$taken" 500
if [ "$(interval_ms)" -le 15 ]; then
	ok "a hundred times a second"
else
	is_least "less often, and that is said" "$(said | wc -l)" 1
fi
finish
