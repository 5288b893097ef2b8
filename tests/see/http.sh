#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# http.sh: requests as no browser sends them: paths and queries with encoded and missing parts,
# methods, versions, several at once. Each has one answer, of the right length, and what is not
# there is not taken for what is.
. "$(dirname "$0")/bed.sh"

need ip jq curl python3
netns producer consumer
link "$producer" eth "$consumer" eth 1
"$WEIR" -n "$producer" attach eth egress
"$WEIR" -n "$producer" class set bulk rate 10mbit
agent listen $LISTEN

# raw REQUEST: what comes back until the other side closes; escapes as in printf
raw()
{
	# shellcheck disable=SC2016 # expanded by the inner shell
	ip netns exec "$producer" timeout 60 bash -c \
		'exec 3<> "/dev/tcp/${1%:*}/${1#*:}"; printf "%b" "$2" >&3; cat <&3' - $LISTEN "$1" \
		> "$tmp/raw"
}

CLOSE='Host: x\r\nConnection: close\r\n\r\n'
# of the status lines of what came; a body may end without a line's end
codes() { grep -aoE 'HTTP/1\.[01] [0-9]{3} ' "$tmp/raw" | cut -d ' ' -f 2 | xargs; }
# bytes behind the head of the only answer
body_bytes() { sed '1,/^\r$/d' "$tmp/raw" | wc -c; }

# answer CODE TARGET [METHOD [VERSION]]
answer()
{
	raw "${3:-GET} ${2//\\/\\\\} HTTP/${4:-1.1}\r\n$CLOSE"
	is_equal "${3:-GET} ${2:0:60}" "$(codes)" "$1"
}

# --- paths
answer 200 /
answer 200 /healthz
answer 200 /%68ealthz
answer 200 /healthz?
answer 200 http://x/healthz
for path in /%00 /healthz%00 /healthz%00x /api/v1/signals/queue%00 '/api/v1/flows?dport=443%00' \
	'/api/v1/flows?class=bulk%00x' '/api/v1/signals/queue?follow%00'; do
	answer 400 "$path"
done
is_equal "and it says" "$(sed '1,/^\r$/d' "$tmp/raw" | jq -r .error)" "%00: there is no NUL in any name"
for path in /healthz/ /%2e /%2e%2e/healthz /./ /../ /%2f /%2Fhealthz // //healthz //x/healthz \
	/%zz /% /healthz%0a /HEALTHZ /api/v1/ /api/v1/flows/ '*'; do
	answer 404 "$path"
done
answer 404 "/$(printf 'a%.0s' {1..4000})"
answer 400 "/$(printf 'a%.0s' {1..9000})"
answer 400 '/api/v1/flows?dport'
answer 400 '/api/v1/flows?dport=1&dport=2'
answer 400 '/api/v1/classes?x=1'

# an error is an object that names what was wrong, whatever bytes that has
says() { is_equal "$1 says" "$(sed '1,/^\r$/d' "$tmp/raw" | jq -r .error)" "$2"; }
answer 404 '/api/v1/flows?dev=%ff'
says '%ff' "show flows: no device '\\xff'"
answer 400 '/api/v1/flows?src=%c3%a9%ff'
says '%c3%a9%ff' "show flows: src '\\xc3\\xa9\\xff': want an address or a prefix such as 10.0.0.0/8 or 2001:db8::/32"
answer 400 '/api/v1/flows?limit=1001'
says 'limit' "show flows: limit '1001': want a whole number from 1 to 1000"

# --- methods: HEAD is GET without the body
# head_get PATH: asks twice; true where both tell of as many bytes
head_get()
{
	raw "GET $1 HTTP/1.1\r\n$CLOSE"
	got=$(codes) bytes=$(body_bytes)
	raw "HEAD $1 HTTP/1.1\r\n$CLOSE"
	length=$(sed -n 's/^Content-Length: \([0-9]*\)\r$/\1/p' "$tmp/raw")
	[ "$length" = "$bytes" ]
}

# what is counted may have a digit more between the two
for path in / /metrics /healthz /api/v1/classes /nope; do
	wait_until 10 head_get $path
	is_equal "HEAD $path" "$(codes)" "$got"
	is_equal "HEAD $path: bytes of the body" "$(body_bytes)" 0
	is_equal "HEAD $path: its length" "$length" "$bytes"
done
for path in /events '/api/v1/signals/queue?follow'; do
	answer 200 "$path" HEAD
	is_equal "HEAD $path: bytes of the body" "$(body_bytes)" 0
done
for method in POST PUT DELETE OPTIONS PATCH TRACE; do
	answer 405 /metrics $method
	is_equal "$method: what is allowed" "$(sed -n 's/^Allow: \(.*\)\r$/\1/p' "$tmp/raw")" "GET, HEAD"
done
answer 501 /metrics BREW
answer 501 /metrics get
raw 'POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n'"${CLOSE}abc"
is_equal "a body" "$(codes)" 413

# --- versions, several in a row, and what is no HTTP
raw 'GET /healthz HTTP/1.0\r\n\r\n'
is_equal "HTTP/1.0" "$(codes)" 200
is_equal "HTTP/1.0: ends, without chunks" "$(sed '1,/^\r$/d' "$tmp/raw")" ok
answer 400 /healthz GET 2.0
raw 'GET /healthz\r\n\r\n'
is_equal "HTTP/0.9" "$(codes)" 400
one='HTTP/1.1\r\nHost: x\r\n\r\n'
raw "GET /healthz ${one}HEAD /metrics ${one}GET /metrics ${one}GET /nope ${one}GET /healthz HTTP/1.1\r\n$CLOSE"
is_equal "five in a row" "$(codes)" "200 200 200 404 200"
is_equal "in their order" "$(tail -n 1 "$tmp/raw")" ok
raw 'GET /healthz HTTP/1.1\nHost: x\nConnection: close\n\n'
is_equal "lines without a carriage return" "$(codes)" 200
raw "GET / HTTP/1.1\r\n$(printf 'X: yyyyyyyyyyyyyyyy\\r\\n%.0s' {1..1000})$CLOSE"
is_equal "headers beyond 8 KiB" "$(codes)" 400
is_equal "it still serves" "$(status /healthz)" 200

# --- a device that is renamed has its new name in what the agent serves
# flow_devices WORD...: of the flows in /api/v1/flows, as the query says
flow_devices() { get "/api/v1/flows?$1" | jq -r '[.[].dev] | unique | join(" ")'; }
is_named() { [ "$(flow_devices dport=9)" = "$1" ]; }
# shellcheck disable=SC2016 # expanded by the inner shell
ip netns exec "$producer" bash -c 'exec 3> /dev/udp/10.88.1.2/9; for i in 1 2 3 4; do echo "$i" >&3; done' 2> "$tmp/refused"
check "a flow's device" wait_until 10 is_named eth
ip -n "$producer" link set eth down
ip -n "$producer" link set eth name renamed
ip -n "$producer" link set renamed up
check "renamed" wait_until 10 is_named renamed
is_equal "and chosen by its new name" "$(flow_devices 'dport=9&dev=renamed')" renamed

# --- more questions at once than may wait: a scrape among them has its place
cat > "$tmp/flood.py" <<'END'
import select, socket
ROUNDS, OTHERS = 15, 200
served = 0
for i in range(ROUNDS):
    others = [socket.create_connection(("127.0.0.1", 9911)) for n in range(OTHERS)]
    scrape = socket.create_connection(("127.0.0.1", 9911))
    for other in others:
        other.sendall(b"GET /api/v1/flows HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
    scrape.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    scrape.settimeout(60)
    served += scrape.recv(64).startswith(b"HTTP/1.1 200 ")
    for one in [*others, scrape]:
        one.close()
    select.select([], [], [], 0.6)  # until a look is too old to be given again
print(served)
END
is_equal "scrapes that are served, of 15" "$(ip netns exec "$producer" python3 "$tmp/flood.py")" 15

# --- who follows and vanishes without a word is asked for after a minute
ip netns exec "$producer" curl -sN "http://$LISTEN/api/v1/signals/silent?follow" > "$tmp/silent" &
pids+=($!)
timer() { ip netns exec "$producer" ss -Htno state established "sport = :${LISTEN##*:}" |
	grep -o 'timer:(keepalive,[^,]*'; }
check "who follows is asked for, when silent" wait_until 5 timer
is_equal "within a minute" "$(timer | grep -cE ',([0-9]+sec|1min)$')" 1

# --- who follows and reads nothing is let go of
ip netns exec "$producer" sysctl -qw net.ipv4.tcp_wmem="4096 4096 4096"
cat > "$tmp/deaf.py" <<'END'
import socket, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
s.connect(("127.0.0.1", 9911))
s.sendall(b"GET /api/v1/signals/queue?follow HTTP/1.1\r\nHost: x\r\n\r\n")
print(s.getsockname()[1], flush=True)
time.sleep(1000)
END
ip netns exec "$producer" python3 "$tmp/deaf.py" > "$tmp/deaf" &
pids+=($!)
pushes 0.01 queue "" "$producer" &
pids+=($!)
is_held() { ip netns exec "$producer" ss -Htn state established "dport = :$(cat "$tmp/deaf")" | grep -q .; }
is_gone() { ! is_held; }
check "who follows and reads nothing" wait_until 5 is_held
check "is let go of" wait_until 45 is_gone
is_equal "it still serves" "$(status /healthz)" 200
finish
