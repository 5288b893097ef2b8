#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# page.sh: the page in a real, headless Chromium: it draws, it updates, it asks no other host, the
# console is empty, the keyboard and a phone's width do, and a lost agent is said. The picture is
# left in build/tests/page.png.
. "$(dirname "$0")/bed.sh"

need ip jq curl node chromium
[ "$("$WEIR" -j version | jq .features.page)" = true ] || skip_all "built without the page (no npm)"
bed
agent listen $LISTEN
agent_pid=${pids[-1]}
mkdir "$tmp/profile"
ip netns exec "$producer" timeout 170 node "$(dirname "$0")/page.mjs" "http://$LISTEN/" \
	"$tmp/profile" "$tmp" > "$tmp/seen" 2> "$tmp/failed" &
pids+=($!)
browser_pid=$!
ready() { grep -q '^ready ' "$tmp/seen" || ! kill -0 $browser_pid; }
wait_until 120 ready
kill "$agent_pid"
wait $browser_pid

# seen KEY
seen()
{
	sed -n "s/^$1 //p" "$tmp/seen"
}

is_equal "it updates" "$(seen updates)" true
is_equal "and goes on" "$(seen goes-on)" true
is_equal "charts drawn" "$(seen charts)" 3
is_equal "classes" "$(seen classes)" 4
is_least "flows" "$(seen flows)" 8
is_equal "the busiest class is chosen" "$(seen busiest)" bulk
is_equal "the state of the connection" "$(seen status | grep -c '^live')" 1
is_equal "the console" "$(seen errors)" none
is_equal "hosts asked" "$(seen hosts)" "$LISTEN"
is_equal "nothing to scroll sideways on a phone" "$(seen phone-fits)" true
is_equal "by keyboard" "$(seen by-keyboard)" default
is_equal "without the agent it says so" "$(seen lost)" true
is_equal "failures of the browser" "$(head -c 300 "$tmp/failed")" ""
cp "$tmp/page.png" "$top/build/tests/page.png"
is_least "a picture, bytes" "$(stat -c %s "$tmp/page.png")" 20000
finish
