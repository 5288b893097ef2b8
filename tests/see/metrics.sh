#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# metrics.sh: what the agent serves for machines: metrics in both forms, read strictly; JSON that is
# what `show -j` says; bad questions; clients that are slow, many or senseless.
. "$(dirname "$0")/bed.sh"

need ip jq curl node
PATH=$PATH:$top/build/tools	# where tools/deps puts promtool
strict=$top/build/tests/unit_metrics
bed
agent listen $LISTEN
agent_pid=${pids[-1]}

# --- metrics
get /metrics > "$tmp/plain"
get /metrics -H 'Accept: application/openmetrics-text;version=1.0.0' > "$tmp/open"
check "the plain form, read strictly" "$strict" "$tmp/plain"
check "OpenMetrics, read strictly" "$strict" "$tmp/open"
is_equal "OpenMetrics has an end" "$(tail -n 1 "$tmp/open")" "# EOF"
if command -v promtool > /dev/null; then
	check "promtool" promtool check metrics < "$tmp/plain"
else
	skip "promtool" "no promtool here (Debian: prometheus)"
fi
is_equal "content type" "$(get /metrics -o "$tmp/body" -w '%{content_type}' \
	-H 'Accept: application/openmetrics-text')" \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

# sample METRIC-AND-LABELS: its value, summed
sample()
{
	awk -v want="$1" 'index($0, want) == 1 { sum += $NF; n++ } END { if (n) print sum }' "$tmp/plain"
}

is_equal "the limit, in bytes" "$(sample 'weir_class_limit_bytes_per_second{class="bulk"}')" 12500000
is_equal "the policed class is held back" \
	"$(sample 'weir_class_state{class="media",weir_class_state="class-rate"}')" 1
is_least "and its drops are counted" \
	"$(sample 'weir_class_packets_total{class="media",verdict="drop",reason="drop-')" 1
is_equal "no rate is no sample" \
	"$(grep -c '^weir_class_limit_bytes_per_second{class="rpc"}' "$tmp/plain")" 0
is_most "flows are bounded" "$(grep -c '^weir_flow_bytes_total' "$tmp/plain")" 20

# counters never go back
before=$(sample 'weir_class_bytes_total{class="bulk"')
get /metrics > "$tmp/plain"
is_least "bytes grow" "$(sample 'weir_class_bytes_total{class="bulk"')" "$before"

# --- the manual names every label (unit/test_manual.c: every metric)
sed -n '/^\.Sh HTTP/,/^\.Sh REPLAY/p' "$top/user/man/weir.8" | grep -o '[a-z_]*' | sort -u > "$tmp/words"
grep -v '^#' "$tmp/plain" | sed 's/"\([^"\\]\|\\.\)*"//g' | grep -o '[a-z_]*=' | tr -d = | sort -u > "$tmp/labels"
is_equal "labels that the manual does not name" "$(comm -23 "$tmp/labels" "$tmp/words" | xargs)" ""
is_least "labels" "$(wc -l < "$tmp/labels")" 15

# --- the dashboard names only what exists
grep -o 'weir_[a-z_]*' "$top/tools/grafana/weir.json" | sort -u > "$tmp/named"
{ sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$tmp/plain"
  sed -n 's/^# TYPE \([^ ]*\) histogram/\1_bucket/p' "$tmp/plain"; } | sort -u > "$tmp/exist"
is_equal "Grafana: a metric that does not exist" "$(comm -23 "$tmp/named" "$tmp/exist" | xargs)" ""
is_least "Grafana: metrics named" "$(wc -l < "$tmp/named")" 15
is_equal "Grafana: expressions without a metric" \
	"$(jq '[.panels[].targets[].expr | select(test("weir_") | not)] | length' \
	"$top/tools/grafana/weir.json")" 0
if command -v promtool > /dev/null; then
	jq '{groups: [{name: "weir", rules: [.panels[].targets | to_entries[] | {record: "x",
		expr: (.value.expr | gsub("\\$__rate_interval"; "1m") | gsub("\\$[a-z]+"; ".*"))}]}]}' \
		"$top/tools/grafana/weir.json" > "$tmp/rules.json"
	check "Grafana: promtool reads every query" promtool check rules "$tmp/rules.json"
else
	skip "Grafana: queries" "no promtool here"
fi

# --- JSON
for part in classes devices; do
	is_equal "/api/v1/$part has the fields of show -j" \
		"$(get /api/v1/$part | jq -c 'map(keys) | unique')" \
		"$("$WEIR" -n "$producer" -j show $part | jq -c 'map(keys) | unique')"
done
is_equal "/api/v1/flows?dport=5001" "$(get '/api/v1/flows?dport=5001' |
	jq -c '[.[].dport] | [length, unique]')" "[3,[5001]]"
is_equal "limit" "$(get '/api/v1/flows?limit=2&sort=bytes' | jq length)" 2
is_equal "a word that is wrong" "$(status '/api/v1/flows?dportt=1')" 400
is_equal "and what it says" "$(jq -r '.error | test("did you mean .dport")' "$tmp/body")" true
is_equal "too many" "$(status '/api/v1/flows?limit=1000000')" 400
is_equal "no such class" "$(status '/api/v1/flows?class=nope')" 404
is_equal "no such page" "$(status /api/v1/nope)" 404
is_equal "it is named" "$(jq -r .error "$tmp/body")" "'/api/v1/nope': no such page"
is_equal "a long question" "$(status "/api/v1/flows?src=$(printf '1%.0s' {1..4000})")" 400
is_equal "live" "$(get /api/v1/live | jq -c '[.classes[].class]')" '["default","bulk","media","rpc"]'

# --- clients that misbehave, while one that behaves is served and the controller keeps its pace
"$WEIR" -n "$producer" class set bulk control queue target 10ms min 20mbit max 100mbit
cat > "$tmp/clients.mjs" <<'END'
/* clients.mjs KIND N PORT: so many of a kind, until killed; says "open" when all have tried */
import { connect } from "node:net";
const [kind, n, port] = process.argv.slice(2);
const kinds = {
	silent: () => {},
	/* a byte now and then, never a whole request: slowloris */
	slow: s => {
		s.write("GET /metrics HTTP/1.1\r\n");
		s.timer = setInterval(() => s.write("x"), 300);
	},
	/* asks, and does not read */
	deaf: s => { s.pause(); s.write("GET /api/v1/flows HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20)); },
	pages: s => s.write("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"),
	garbage: s => s.write(Buffer.from(Array.from({ length: 2000 }, (x, i) => i * 7919 % 256))),
	large: s => s.write("GET / HTTP/1.1\r\nX: " + "y".repeat(100000)),
	absurd: s => s.write("GET http://[::1 HTTP/9.9\r\nContent-Length: -1\r\n\r\n\0\0"),
};
let tried = 0, closed = 0;
for (let i = 0; i < n; i++) {
	const s = connect(port, "127.0.0.1");
	s.on("connect", () => { kinds[kind](s); if (++tried == n) console.log("open"); });
	s.on("error", () => {});
	s.on("close", () => { clearInterval(s.timer); if (++closed == n) console.log("closed"); });
}
setInterval(() => {}, 1000);
END

# the agent's pace: a stream of a pushed signal, one event per step that saw a new one
"$WEIR" -n "$producer" signal queue 5ms ttl 300s
ip netns exec "$producer" curl -sN "http://$LISTEN/api/v1/signals/queue?follow" > "$tmp/paced" \
	2> "$tmp/err" &
pids+=($!)
followed() { [ "$(grep -c '^data' "$tmp/paced")" -gt "$1" ]; }

# median NUMBER...: of ten; a machine that stalls makes the worst say nothing
median()
{
	printf '%s\n' "$@" | sort -n | sed -n 6p
}

# is_quick KIND WHAT MS TIME...: the median; where a busy machine takes long for one alone (the
# first that is asked about), twenty times that
declare -A alone=()
is_quick()
{
	local kind=$1 what=$2 most=$3 ms

	ms=$(median "${@:4}")
	note "ms: ${*:4}"
	: "${alone[$what]:=$ms}"
	[ $((alone[$what] * 20)) -lt "$most" ] || most=$((alone[$what] * 20))
	is_most "$kind: $what, ms" "$ms" "$most"
}

# behaves KIND: asks for what there is, ten times, and pushes signals that must be seen at once
behaves()
{
	local i n began took=() answers=

	for i in {1..10}; do
		began=${EPOCHREALTIME/./}
		answers+="$(status /metrics) $(status /healthz) "
		took+=($(((${EPOCHREALTIME/./} - began) / 1000)))
	done
	is_equal "$1: who asks as usual is served" \
		"$(xargs -n 1 <<< "$answers" | sort | uniq -c | xargs)" "20 200"
	is_quick "$1" "two answers take" 1000 "${took[@]}"
	took=()
	for i in {1..10}; do
		n=$(grep -c '^data' "$tmp/paced")
		began=${EPOCHREALTIME/./}
		"$WEIR" -n "$producer" signal queue ${i}ms ttl 300s
		wait_until 5 followed "$n" || not_ok "$1: the signal was not seen"
		took+=($(((${EPOCHREALTIME/./} - began) / 1000)))
	done
	is_quick "$1" "from a pushed signal to the controller and its followers" 250 "${took[@]}"
	is_most "$1: the agent's descriptors" "$(ls "/proc/$agent_pid/fd" | wc -l)" 700
}

rss() { awk '/VmRSS/ { print $2 }' "/proc/$agent_pid/status"; }

behaves "alone"
before=$(rss)
for kind in silent:1000 slow:1000 deaf:400 pages:1000 garbage:1000 large:200 absurd:1000; do
	ip netns exec "$producer" node "$tmp/clients.mjs" "${kind%:*}" "${kind#*:}" "${LISTEN#*:}" \
		> "$tmp/$kind" 2>&1 &
	clients=$!
	pids+=($clients)
	wait_until 30 grep -q open "$tmp/$kind" || not_ok "$kind: $(head -n 3 "$tmp/$kind")"
	behaves "$kind clients"
	if [ $kind = slow:1000 ]; then
		check "none of them stays longer than 10 s or so" wait_until 20 grep -q closed "$tmp/$kind"
	fi
	kill $clients
	wait $clients 2> /dev/null
done
is_most "after all that the agent has grown by, KiB" $(($(rss) - before)) 16384
quiet() { [ "$(ls "/proc/$agent_pid/fd" | wc -l)" -le 60 ]; }
check "and has let go of them" wait_until 15 quiet
is_equal "POST is refused" "$(status /metrics -X POST -d x | grep -c '^[45]')" 1
is_equal "a look still works" "$(status /metrics)" 200

# --- a port in use: said, and nothing has changed
netns other far
link "$other" eth "$far" eth 2
ip netns exec "$other" node -e \
	'require("net").createServer().listen(9911, "127.0.0.1", () => console.log("on"))' \
	> "$tmp/taken" &
pids+=($!)
wait_until 10 test -s "$tmp/taken"
"$WEIR" -n "$other" attach eth egress
"$WEIR" -n "$other" show config > "$tmp/config"
echo 'class set new rate 1mbit' > "$tmp/conf"
"$WEIR" -n "$other" run conf "$tmp/conf" listen $LISTEN > "$tmp/out" 2>&1
is_equal "a port in use: status" $? 1
is_equal "and what it says" "$(cat "$tmp/out")" "weir: listen 127.0.0.1 port 9911: Address already in use"
is_equal "the policy is what it was" "$("$WEIR" -n "$other" show config)" "$(cat "$tmp/config")"
is_equal "nothing is left" "$(ls /run/weir | grep -c "^$other")" 0
is_equal "the other agent goes on" "$(status /metrics)" 200

# --- a namespace with no IPv4 address but the loopback one
netns lone
ip -n "$lone" link add eth type veth peer name far
ip -n "$lone" link set eth up
ip -n "$lone" link set far up
"$WEIR" -n "$lone" attach eth egress
local_only() { ip -n "$lone" -6 -o address show dev eth | grep -q 'fe80:.* link *\\'; }
check "IPv6 is there, IPv4 is not" wait_until 10 local_only
for address in 127.0.0.1:9912 '[::1]:9912'; do
	"$WEIR" -n "$lone" run listen "$address" > "$tmp/lone" 2>&1 &
	pids+=($!)
	answered() { ip netns exec "$lone" curl -sfg "http://$address/healthz" > "$tmp/body"; }
	check "listen $address" wait_until 10 answered
	kill ${pids[-1]}
	wait ${pids[-1]}
done
"$WEIR" -n "$lone" run listen '*:0' > "$tmp/anywhere" 2>&1 &
pids+=($!)
check "listen *" wait_until 10 grep -q 'the agent runs' "$tmp/anywhere"
for url in 'http://0\.0\.0\.0:' 'http://\[::]:'; do
	check "it says where: $url" grep -q "serves $url[1-9][0-9]*/" "$tmp/anywhere"
done
kill ${pids[-1]}
wait ${pids[-1]}
refused() { "$WEIR" -n "$lone" run listen "$1" 2>&1; }
is_equal "no address of this host" "$(refused 192.0.2.1:9912)" \
	"weir: listen 192.0.2.1 port 9912: Cannot assign requested address"
is_equal "nor in IPv6" "$(refused '[2001:db8::1]:9912')" \
	"weir: listen 2001:db8::1 port 9912: Cannot assign requested address"
is_equal "no address at all" "$(refused '[fe80::x]:9912')" \
	"weir: listen fe80::x port 9912: Name or service not known"

# a name: every address that it has here, and the one that this host has will do
printf '%s\n' '::1 weir-both' '127.0.0.1 weir-both' '127.0.0.1 weir-both' '2001:db8::1 weir-one' \
	'127.0.0.1 weir-one' > "$tmp/hosts"
# named NAME: an agent that finds it in a file of its own
named()
{
	unshare -m bash -c 'mount --bind "$1" /etc/hosts && exec "$2" -n "$3" run listen "$4:9912"' \
		- "$tmp/hosts" "$WEIR" "$lone" "$1" > "$tmp/lone" 2>&1 &
	pids+=($!)
}
if [ -e /etc/hosts ]; then
	named weir-both
	for address in 127.0.0.1:9912 '[::1]:9912'; do
		check "listen NAME: $address" wait_until 10 answered
	done
	kill ${pids[-1]}
	wait ${pids[-1]}
	address=127.0.0.1:9912
	named weir-one
	check "listen NAME: the address that is there" wait_until 10 answered
	kill ${pids[-1]}
	wait ${pids[-1]}
else
	skip "listen NAME" "no /etc/hosts here"
fi

# --- a hook that somebody wipes, as often as the agent puts it back
attached() { get /metrics | grep -q "^weir_device_attached{dev=\"eth\",hook=\"ingress\".*} $1\$"; }
"$WEIR" -n "$producer" attach eth ingress via clsact
check "attached" wait_until 10 attached 1
ip netns exec "$producer" bash -c 'while :; do tc qdisc del dev eth clsact; done' 2> "$tmp/wipe" &
wiper=$!
pids+=($wiper)
check "and not" wait_until 15 attached 0
kill $wiper
check "and put back" wait_until 15 attached 1

# --- the instance goes and comes
"$WEIR" -n "$producer" detach all
gone() { [ "$(status /metrics)" = 503 ]; }
check "nothing attached: 503" wait_until 5 gone
"$WEIR" -n "$producer" attach eth egress
back() { [ "$(status /metrics)" = 200 ]; }
check "attached again: 200" wait_until 5 back
finish
