#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# cost.sh: what a thousand classes cost the agent, all steered a hundred times a second by one
# signal that moves: they share memory with the kernel, so that hardly any of that is time in the
# kernel, however many they are; nor does it matter how many flows there are. Shares of one run are
# compared, no times.
#
#     host (weir on eth, egress; nothing is sent)
. "$(dirname "$0")/lib.sh"

need ip jq python3
fill=$top/build/tests/fill
[ -x "$fill" ] || { echo "Bail out! $fill is not built"; exit 1; }
netns host peer
link "$host" eth "$peer" eth 1
weir=("$WEIR" -n "$host")
flows=200000 n=1000

check "attach" "${weir[@]}" attach eth egress qdisc keep flows 262144
for ((i = 1; i <= n; i++)); do
	echo "class set c$i rate 100mbit control queue target 10ms min 1mbit max 200mbit"
done > "$tmp/conf"
check "$n classes" "${weir[@]}" apply "$tmp/conf"
agent "$host"
pid=${pids[-1]}
# a hundred a second, each of which moves the rate of all
python3 - "/run/weir/$host.sock" 2> /dev/null <<-'END' &
	import itertools, socket, sys, time
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	at = time.monotonic()
	for i in itertools.count():
	    s.sendto(b"queue %dms drain 50mbit" % (7 + i * 5 % 9), sys.argv[1])
	    at += 0.01
	    time.sleep(max(0, at - time.monotonic()))
END
pids+=($!)
steered() { "${weir[@]}" -j show signals | jq -e "[.[] | select(.state == \"agent\")] | length == $n"; }
wait_until 10 steered && ok "all are steered" || not_ok "all are steered"

# spent: ticks of the agent so far, in user space and in the kernel
spent() { awk '{ print $14, $15 }' "/proc/$pid/stat"; }

# measure N: "user kernel" ticks, N and more, that the agent has spent meanwhile
measure()
{
	local from=($(spent)) now

	enough() { now=($(spent)) && [ $((now[0] - from[0])) -ge "$1" ]; }
	wait_until 60 enough "$1" || not_ok "the agent steers"
	echo $((now[0] - from[0])) $((now[1] - from[1]))
}

start=${EPOCHREALTIME/./}
read -r user kernel <<< "$(measure 20)"
is_most "of so many ticks in user space, in the kernel" "$kernel" $((user * 5 / 4))
alone=$(((${EPOCHREALTIME/./} - start) / (user + kernel)))
note "ns for each class and step: $((100000000000 / alone / n))"
check "$flows flows" "$fill" "/sys/fs/bpf/weir/v1/$host" $flows
start=${EPOCHREALTIME/./}
read -r user kernel <<< "$(measure 12)"
crowded=$(((${EPOCHREALTIME/./} - start) / (user + kernel)))
note "us of the clock for a tick of the agent: $alone, with $flows flows $crowded"
is_most "with $flows flows its share of a core is at most, times" \
	"$(awk -v a=$alone -v c=$crowded 'BEGIN { printf "%.2f", a / c }')" 1.5
finish
