#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# top.sh: `weir top` in tmux, by keys and by reading the screen: 80x24, 20x5, resized, on a vt100,
# in a locale without UTF-8.
. "$(dirname "$0")/bed.sh"

need ip jq tmux python3
[ "$("$WEIR" -j version | jq .features.top)" = true ] || skip_all "built without top (no ncurses)"
bed
socket=

in_tmux()
{
	tmux -S "$socket" "$@"
}

# start COLUMNSxLINES [ENVIRONMENT...]
start()
{
	local size=$1
	shift

	[ -z "$socket" ] || in_tmux kill-server > /dev/null 2>&1
	socket=$(mktemp -u "$tmp/tmux-XXXXXX")
	in_tmux -f /dev/null new-session -d -x "${size%x*}" -y "${size#*x}" \
		"env $* $WEIR -n $producer top; echo left with \$?; exec cat"
}

keys()
{
	in_tmux send-keys "$@"
}

screen()
{
	in_tmux capture-pane -p
}

shows()
{
	screen | grep -qE -- "$1"
}

# see WHAT PATTERN: within five seconds the screen has a line like it
see()
{
	if wait_until 5 shows "$2"; then ok "$1"; else not_ok "$1" "no '$2' on:
$(screen)"; fi
}

# fits WHAT COLUMNS: no line is longer
fits()
{
	is_most "$1" "$(screen | LC_ALL=C.UTF-8 wc -L)" "$2"
}

resize()
{
	in_tmux resize-window -x "${1%x*}" -y "${1#*x}"
}

start 80x24 TERM=screen-256color LANG=C.UTF-8 LC_ALL=C.UTF-8
see "title" "^weir $producer: 1 hook, 4 classes, [0-9]+ flows"
see "a class at its rate" "^bulk +class-rate +(9[0-9.]+|10[0-9.]+)M +100M +.*█"
see "a policed class drops" "^media +class-rate +[0-9.]+M +20M .* [0-9.]+k?$"
see "a class that is free" "^rpc +free "
see "the default class" "^default +(unlimited|idle) "
see "flows, the largest first" "^media +udp +10\.88\.1\.1:[0-9]+ +10\.88\.1\.2:6000 +(39|4[0-9])"
fits "80 columns" 80

keys s
see "s sorts by the next" "sort: bytes"
keys r /
see "/ asks" "^filter: _"
keys -l "dport 5001"
keys Enter
see "the filter is in the title" "; dport 5001"
wait_until 5 eval '! shows "^media +udp"'
is_equal "and chooses" "$(screen | grep -c '^bulk *tcp')" 3
keys / C-u
keys -l "dprot 1"
keys Enter
see "a filter that is wrong" "filter: unknown word 'dprot'; did you mean 'dport'"
keys / C-u
keys -l "dev eth proto udp"
keys Enter
see "a device of the namespace" "; dev eth"
keys / C-u
keys -l "dev eht"
keys Enter
see "one that is not there" "filter: no device 'eht'"
see "the filter is as before" "; dev eth"
keys / C-u Enter
see "no filter again" "^bulk +tcp"

# a minute is begun; who then wants to look more often does not wait for its end
looked() { screen | head -n 1 | grep -o '[0-9:]*$'; }
moves() { [ "$(looked)" != "$1" ]; }
keys - - - - - -
see "- looks less often" "every 60000 ms"
wait_until 5 moves "$(looked)"
keys + + + + + + + +
see "+ looks more often" "every 250 ms"
check "at once" wait_until 5 moves "$(looked)"
keys - -
see "every second again" "every 1000 ms"

keys Space
see "space pauses" PAUSED
keys Space Enter
see "enter: the flow in full" "^flow +udp 10\.88\.1\.1:[0-9]+ > 10\.88\.1\.2:6000"
see "with the reason in words" "^last packet +(conform|drop-rate|drop-class): "
keys q Tab Down Enter
see "tab, down, enter: the class in full" "^class +bulk"
see "what limits it, in words" "^state +class-rate: its buckets share"
keys q ?
see "? helps" "^tab +from the flows"
keys q

resize 20x5
see "20x5: still a class" "^(default|bulk|media) "
fits "20 columns" 20
keys G
see "20x5: keys work" "^weir"
keys Tab Enter
resize 1x1
resize 20x5
see "1x1 and back: the class in full" "^class"
keys q Tab
resize 132x40
see "132x40: the reason has its column" "REASON"
fits "132 columns" 132
resize 80x24
see "80x24 again" "q quit"
keys q
see "q leaves with 0" "left with 0"

start 80x24 TERM=vt100 LANG=C LC_ALL=C
see "vt100: a bar of #" "^bulk +class-rate +.*M +100M +#+"
is_equal "LANG=C: ASCII alone" "$(screen | LC_ALL=C grep -c '[^ -~]')" 0
keys q
see "vt100: leaves with 0" "left with 0"

start 80x24 TERM=nosuchterm
see "an unknown terminal" "terminal 'nosuchterm' is not known here"
start 80x24 TERM=dumb
see "one that cannot be drawn on" "terminal 'dumb' cannot place its cursor"
see "dumb: leaves with 1" "left with 1"
start 20x5 TERM=vt100 LANG=C LC_ALL=C
see "vt100 of 20x5" "^(default|bulk) "
resize 200x50
see "vt100 of 200x50" "REASON"

# more classes than there are lines: those that send are in sight
for i in {1..30}; do echo "class set idle$i rate 1mbit"; done > "$tmp/idle"
"$WEIR" -n "$producer" show config | cat "$tmp/idle" - > "$tmp/many"
"$WEIR" -n "$producer" apply "$tmp/many"
start 80x24 TERM=screen LC_ALL=C
see "34 classes" ": 1 hook, 34 classes, "
for class in bulk media rpc; do
	see "$class is among those shown" "^$class +(class|flow)-rate|^$class +free"
done
order() { in_tmux capture-pane -p | sed -n 3,5p | cut -d ' ' -f 1 | xargs; }
first_three() { [ "$(order | xargs -n 1 | sort | xargs)" = "bulk media rpc" ]; }
check "and before the others" wait_until 5 first_three
"$WEIR" -n "$producer" show config | grep -v idle > "$tmp/few"
"$WEIR" -n "$producer" apply "$tmp/few"

# the instance goes and comes
start 80x24 TERM=screen LC_ALL=C
see "colours or not" "^bulk"
pins=/sys/fs/bpf/weir/v1/$producer
if [ "$("$WEIR" -n "$producer" -j show devices | jq -r '.[0].via')" = tcx ]; then
	rm "$pins"/link_*_egress
else
	tc -n "$producer" filter del dev eth egress
fi
see "a hook without its program" "^weir $producer: 1 hook \(1 lost\), "
ip -n "$producer" link add passing type veth peer name by
ip -n "$producer" link set passing up
"$WEIR" -n "$producer" attach passing egress
ip -n "$producer" link del passing
see "and one whose device is gone" "^weir $producer: 2 hooks \(1 lost, 1 gone\), "
"$WEIR" -n "$producer" detach all
see "detached: it says so" "nothing is attached"
"$WEIR" -n "$producer" attach eth egress
see "attached again: it goes on" "^default +(unlimited|idle)"
wait_until 5 eval '! shows "nothing is attached"'
keys C-c
see "control-C leaves" "left with 0"
in_tmux kill-server

# Control-Z while it draws: curses draws in the signal's handler
is_equal "Control-Z again and again ends it not; q does, with" \
	"$(timeout 60 python3 "$(dirname "$0")/suspend.py" "$WEIR" "$producer")" 0

"$WEIR" -n "$producer" top < /dev/null > "$tmp/out" 2>&1
is_equal "no terminal: status" $? 1
is_equal "no terminal: a word" "$(grep -c 'want a terminal' "$tmp/out")" 1
finish
