#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# page.sh: the page in a real, headless Chromium: it draws, it updates, with a class under control
# too; it asks no other host, the console is empty, the keyboard and a phone's width do, an hour of
# events leaves nothing behind, and a lost agent is said. The picture is left in
# build/tests/page.png.
. "$(dirname "$0")/bed.sh"

need ip jq curl node chromium
[ "$("$WEIR" -j version | jq .features.page)" = true ] || skip_all "built without the page (no npm)"
bed
"$WEIR" -n "$producer" class set bulk control queue target 10ms min 20mbit max 100mbit
agent listen $LISTEN
agent_pid=${pids[-1]}
"$WEIR" -n "$producer" signal queue 5ms ttl 300s
mkdir "$tmp/profile"
ip netns exec "$producer" timeout 860 node "$(dirname "$0")/page.mjs" "http://$LISTEN/" \
	"$tmp/profile" "$tmp" "$agent_pid" > "$tmp/seen" 2> "$tmp/failed" &
pids+=($!)
browser_pid=$!
ready() { grep -q "^ready $1" "$tmp/seen" || ! kill -0 $browser_pid; }
wait_until 60 ready behind
# every sample is a step of the controller: first the consumer is behind, then ahead
# pushes NAME VALUE STEP: until the browser is ready for that step
pushes()
{
	while ! ready "$3"; do
		"$WEIR" -n "$producer" signal "$1" "$2" ttl 300s || break
		read -rt 0.3 -u "$never"
	done
}
pushes queue 50ms ahead
pushes queue 2ms number
"$WEIR" -n "$producer" class set bulk control load target 0.5
pushes load 0.8 share
"$WEIR" -n "$producer" class set bulk control psi cpu target 50%
wait_until 260 ready for-loss
kill "$agent_pid"
wait $browser_pid

# seen KEY
seen()
{
	sed -n "s/^$1 //p" "$tmp/seen"
}

is_equal "it updates" "$(seen updates)" true
is_equal "and goes on" "$(seen goes-on)" true
is_equal "charts drawn" "$(seen charts)" 4
is_equal "what they show now stands above" "$(seen keys | grep -cE '^passed[0-9.]+ Mlevel[0-9.]+ Mlimit100 M$')" 1
is_equal "each class's last minute is in its card" "$(seen sparks)" 4
is_equal "classes" "$(seen classes)" 4
is_least "flows" "$(seen flows)" 8
is_equal "the busiest class is chosen" "$(seen busiest)" bulk
is_equal "the state of the connection" "$(seen status | grep -c '^live')" 1
is_equal "the console" "$(seen errors)" none
is_equal "hosts asked" "$(seen hosts)" "$LISTEN"
is_equal "nothing to scroll sideways on a phone" "$(seen phone-fits)" true
is_equal "nor on a narrow one" "$(seen narrow-fits)" true
is_equal "and its charts fit" "$(seen narrow-charts)" true
is_equal "under control: signal against target" "$(seen signal)" true
is_equal "there is a chart of it" "$(seen signal-panel)" true
is_equal "a new signal is shown" "$(seen signal-updates)" true
is_equal "and drawn" "$(seen drawn-now)" true
is_least "pixels of the signal" "$(seen signal-inked)" 20
is_least "pixels of the target" "$(seen target-inked)" 20
is_equal "a signal that is a number" "$(seen number)" true
is_equal "says its chart" "$(seen number-title)" "Consumer: load and target"
is_equal "is drawn" "$(seen number-drawn)" true
is_equal "without the signal before" "$(seen number-alone)" true
is_least "pixels of it" "$(seen number-inked)" 20
if [ -r /proc/pressure/cpu ]; then
	is_equal "a share" "$(seen share)" true
	is_equal "says its chart, too" "$(seen share-title)" "Consumer: psi cpu and target, %"
fi
is_equal "what the controller did, and why" "$(seen decision)" true
is_equal "and what it did next" "$(seen decisions-update)" true
is_equal "the class says why" "$(seen why)" true
is_least "contrast, light" "$(seen contrast-light)" 4.5
is_least "contrast, dark" "$(seen contrast-dark)" 4.5
is_equal "dark is another" "$(seen dark-is-another)" true
is_least "charts are drawn anew for it" "$(seen dark-chart)" 20
is_equal "by keyboard" "$(seen by-keyboard)" default
is_equal "without control no chart of a signal" "$(seen no-signal-no-panel)" true
is_equal "focus is seen" "$(seen focus-is-seen)" solid
is_equal "and stays through updates" "$(seen focus-stays)" default
is_equal "sorted by keyboard" "$(seen sorted-by-keyboard)" Marked
note "3,600 events are an hour; in $(seen hour-took) s: $(seen hour-is)"
is_least "an hour: events, or what the page took in 80 s" "$(seen hour-events)" 300
is_most "an hour: the page's heap grows by, bytes" "$(seen hour-heap)" 1000000
is_most "an hour: DOM nodes" "$(seen hour-nodes)" 100
is_most "an hour: listeners" "$(seen hour-listeners)" 0
is_most "an hour: the agent grows by, KiB" "$(seen hour-rss)" 2048
is_most "an hour: its descriptors" "$(seen hour-fds)" 8
is_equal "classes that come and go" "$(seen gone)" 4,4,4
is_equal "what nobody looked at is no line" "$(seen gap)" false,true,false
is_equal "without the agent it says so" "$(seen lost)" true
is_equal "failures of the browser" "$(head -c 300 "$tmp/failed")" ""
cp "$tmp/page.png" "$top/build/tests/page.png"
is_least "a picture, bytes" "$(stat -c %s "$tmp/page.png")" 20000
finish
