#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# metrics.sh: what the agent serves for machines: metrics in both forms, read strictly; JSON that is
# what `show -j` says; bad questions; clients that are slow, many or senseless.
. "$(dirname "$0")/bed.sh"

need ip jq curl
strict=$top/build/tests/unit_metrics
bed
agent listen $LISTEN

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
is_equal "a long question" "$(status "/api/v1/flows?src=$(printf '1%.0s' {1..4000})")" 400
is_equal "live" "$(get /api/v1/live | jq -c '[.classes[].class]')" '["default","bulk","media","rpc"]'

# --- clients that misbehave: 100 that say nothing, 100 at once, one that stops reading, garbage
open_connection()
{
	ip netns exec "$producer" bash -c "for i in {1..100}; do exec {fd}<>/dev/tcp/${LISTEN/://}; done
		echo open > '$tmp/open-$1'; read -r -t 60 -u \$fd" > /dev/null 2>&1 &
	pids+=($!)
}
open_connection a
wait_until 10 test -s "$tmp/open-a"
is_equal "with 100 silent connections" "$(status /healthz)" 200
ip netns exec "$producer" curl -sN --limit-rate 100 --max-time 60 "http://$LISTEN/events" > /dev/null 2>&1 &
pids+=($!)
jobs=()
for i in {1..100}; do
	status /metrics > "$tmp/status-$i" & jobs+=($!)
done
wait "${jobs[@]}"
answers=$(cat "$tmp"/status-* | sed 's/\(...\)/\1\n/g' | sort | uniq -c | xargs)
note "100 at once: $answers"
is_equal "every one gets 200 or 503" "$(cat "$tmp"/status-* | sed 's/\(...\)/\1\n/g' |
	grep -cvE '^(200|503|)$')" 0
head -c 20000 /dev/urandom | ip netns exec "$producer" timeout 5 bash -c \
	"cat > /dev/tcp/${LISTEN/://}" 2> /dev/null
is_equal "after garbage" "$(status /healthz)" 200
is_equal "POST is refused" "$(status /metrics -X POST -d x | grep -c '^[45]')" 1
is_equal "a look still works" "$(status /metrics)" 200

# --- the instance goes and comes
"$WEIR" -n "$producer" detach all
gone() { [ "$(status /metrics)" = 503 ]; }
check "nothing attached: 503" wait_until 5 gone
"$WEIR" -n "$producer" attach eth egress
back() { [ "$(status /metrics)" = 200 ]; }
check "attached again: 200" wait_until 5 back
finish
