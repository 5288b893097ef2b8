#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# follow.sh: signals of other machines: ports and names that are not there, one that falls silent,
# stands, floods, never ends or has nothing to say; and name servers that do not answer.
. "$(dirname "$0")/life.sh"

check "attach" "${weir[@]}" attach eth egress
# --- another machine's signal
start listen 127.0.0.1:9090
for url in 127.0.0.1:9090/nothing 127.0.0.1:9/nothing; do
	check "follows $url" "${weir[@]}" class set "port${url//[!0-9]/}" control "http://$url" target 5ms
done
until_ok "a name that is not there" said ':9090/nothing: answers, but has no such signal'
until_ok "a port that is not there" said ':9/nothing: cannot be reached'
# one that was pushed once: it is older each time that it is asked for, and in the end too old
check "follows one that falls silent" "${weir[@]}" class set slow rate 10mbit \
	control http://127.0.0.1:9090/slow
until_ok "which is pushed once" "${weir[@]}" signal slow 50ms ttl 8s
until_ok "it is heard" said 'class slow rate configured -> .*:9090/slow" value 50 ms'
if wait_until 25 said 'class slow .* reason expired'; then ok "it expires"; else
	not_ok "it expires" "$(grep ' slow ' "$tmp/log")"
fi
# nobody takes one that stands for long for a connection that has broken off
cat > "$tmp/follow.py" <<- 'END'
	import socket
	s = socket.create_connection(("127.0.0.1", 9090))
	s.sendall(b"GET /api/v1/signals/slow?follow HTTP/1.1\r\nHost: x\r\n\r\n")
	for line in s.makefile():
	    print(line.strip(), flush=True)
END
until_ok "one that stands for half a minute" "${weir[@]}" signal slow 50ms ttl 30s
ip netns exec "$host" python3 "$tmp/follow.py" > "$tmp/followed" &
pids+=($!)
alive() { [ "$(grep -c '^:$' "$tmp/followed")" -ge 2 ]; }
until_ok "who follows it hears that it does" alive
is_equal "and the signal once" "$(grep -c '^data: ' "$tmp/followed")" 1
last_ends
# one that is sent without a pause is not followed more often than others
cat > "$tmp/flood.py" <<- 'END'
	import json, socket, time, urllib.request
	def steps():
	    live = json.load(urllib.request.urlopen("http://127.0.0.1:9090/api/v1/live"))
	    return max(d["seq"] for d in live["decisions"]), time.monotonic()
	server = socket.create_server(("127.0.0.1", 9093))
	print("listens", flush=True)
	client = server.accept()[0]
	client.recv(4096)
	client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	text = 'data: {"value": %d, "unit": "ns", "ttl_ns": 1000000000, "drain_bps": 0}\n\n'
	first, end, n = steps(), time.monotonic() + 2, 0
	# who gets a part of a CPU takes longer for as many
	while n < 4000 or time.monotonic() < end:
	    one = text % (5000000, 60000000)[n % 2]
	    client.sendall(b"%x\r\n%s\r\n" % (len(one), one.encode()))
	    n += 1
	    time.sleep(0.0001)
	last = steps()
	print(n, round((last[0] - first[0]) / (last[1] - first[1])), flush=True)
END
ip netns exec "$host" python3 "$tmp/flood.py" > "$tmp/flooded" &
pids+=($!)
wait_until 5 grep -q listens "$tmp/flooded"
check "follows one that is sent without a pause" "${weir[@]}" class set flood rate 10mbit \
	control http://127.0.0.1:9093/x
wait "${pids[-1]}"
unset "pids[-1]"
read -r sent moved < <(tail -n 1 "$tmp/flooded")
is_least "steps a second, while $sent were sent" "$moved" 1
is_most "nor more" "$moved" 250
check "and gone" "${weir[@]}" class del flood
# a class's backlog is served where nothing is pushed by its name, and again when that has expired
served() { ip netns exec "$host" python3 -c "import json, urllib.request
print(json.load(urllib.request.urlopen('http://127.0.0.1:9090/api/v1/signals/mine'))['value'])" 2>&1; }
serves() { [ "$(served)" = "$1" ]; }
check "a class with a backlog" "${weir[@]}" class set mine control backlog
until_ok "its backlog is served" serves 0
mine() { "${weir[@]}" signal mine 7ms ttl 1s; serves 7000000; }
until_ok "a signal of its name is served" mine
until_ok "and, silent, gives way to the backlog" serves 0
# ss succeeds where it finds nothing, too
listens() { ip netns exec "$host" ss -Htln "sport = $1" | grep -q .; }
# headers, then a chunk, that never end: no more than a little is kept, and it is tried again
cat > "$tmp/endless.py" <<- 'END'
	import socket
	server = socket.create_server(("127.0.0.1", 9091))
	for n in range(3):
	    client = server.accept()[0]
	    client.recv(4096)
	    print(n, flush=True)
	    client.settimeout(1)
	    try:
	        client.sendall(b"HTTP/1.1 200 OK\r\n")
	        if n:
	            client.sendall(b"Transfer-Encoding: chunked\r\n\r\n7fffffffffff\r\n")
	        for i in range(1000):
	            client.sendall(b"a" * 65536 if n else (b"X: " + b"a" * 1019 + b"\r\n") * 64)
	    except OSError:
	        pass
END
ip netns exec "$host" python3 "$tmp/endless.py" > "$tmp/endless" &
pids+=($!)
wait_until 10 listens 9091
check "follows one without an end" "${weir[@]}" class set endless control http://127.0.0.1:9091/x
is_tried() { grep -q "$1" "$tmp/endless"; }
if wait_until 20 is_tried 2; then ok "it is tried again"; else not_ok "it is tried again"; fi
is_most "the agent's memory, kB" "$(awk '/VmHWM/ { print $2 }' "/proc/$agent/status")" 40000
wait "${pids[-1]}" 2> /dev/null
unset "pids[-1]"
# one that answers and has nothing to say yet is not left alone for longer and longer
cat > "$tmp/mute.py" <<- 'END'
	import socket, time
	server = socket.create_server(("::1", 9092), family=socket.AF_INET6)
	at = [0]
	for n in range(9):
	    client = server.accept()[0]
	    request = client.recv(4096).decode().split("\r\n")
	    at.append(time.monotonic())
	    print(n, round((at[-1] - at[-2]) * 1000), *[line for line in request if line.startswith("Host:")],
	          flush=True)
	    client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	    client.close()
END
ip netns exec "$host" python3 "$tmp/mute.py" > "$tmp/mute" &
pids+=($!)
wait_until 10 listens 9092
check "follows one that has nothing to say" "${weir[@]}" class set mute control 'http://[::1]:9092/x'
check "it is asked again" wait_until 5 grep -q '^8 ' "$tmp/mute"
# each is 100 ms later than the last; twice as late each time, they would be 3, 5 and 5 s
is_most "as soon as at first, the soonest of three, ms" \
	"$(tail -n 3 "$tmp/mute" | cut -d ' ' -f 2 | sort -n | head -n 1)" 2000
is_equal "by its address in brackets" "$(sed -n '1s/^0 [0-9]* //p' "$tmp/mute")" 'Host: [::1]:9092'
last_ends
ends TERM

# --- names of hosts: of several addresses, and where no name server answers
if [ -e /etc/hosts ] && [ -e /etc/resolv.conf ]; then
	printf '%s both\n' ::1 127.0.0.1 > "$tmp/hosts"
	# whoever waits for the answer does so twice half a minute
	printf '%s\n' 'nameserver 127.0.0.53' 'options timeout:30' > "$tmp/resolv.conf"
	cat > "$tmp/silent.py" <<- 'END'
		import socket
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("127.0.0.53", 53))
		print("bound", flush=True)
		while True:
		    print(s.recv(4096), flush=True)
	END
	ip netns exec "$host" python3 "$tmp/silent.py" > "$tmp/questions" &
	pids+=($!)
	wait_until 5 grep -q bound "$tmp/questions"
	under=(unshare -m sh -c 'for f in hosts resolv.conf; do mount --bind "$0/$f" "/etc/$f" || exit
		done; exec "$@"' "$tmp")
	start listen 127.0.0.1:9090
	under=()
	check "follows a name of two addresses" "${weir[@]}" class set both \
		control http://both:9090/nothing
	until_ok "which is at the second" said 'both:9090/nothing: answers, but has no such signal'
	check "follows a name that nobody tells" "${weir[@]}" class set far \
		control http://nobody.test:9090/nothing
	until_ok "it is asked for" grep -q nobody "$tmp/questions"
	for ((i = 0; i < 3; i++)); do
		until_ok "the agent does not wait for that" "${weir[@]}" signal queue 40ms
	done
	ends TERM
	for name in both far; do "${weir[@]}" class del $name; done
	last_ends
else
	skip "names of hosts" "no /etc/hosts or no /etc/resolv.conf"
fi
finish
