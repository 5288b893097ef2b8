#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# cost.sh: what a thousand classes cost the agent, all steered a hundred times a second by one
# signal that moves: it shares memory with the kernel; nor does it matter how many flows there are.
# Shares of one run alone are compared.
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
pushes 0.01 queue "drain 50mbit" "$host" &
pids+=($!)
steered() { "${weir[@]}" -j show signals | jq -e "[.[] | select(.state == \"agent\")] | length == $n"; }
wait_until 10 steered && ok "all are steered" || not_ok "all are steered"

spent() { cut -d " " -f 1 "/proc/$pid/schedstat"; }

# share: ns of each second that the agent is on a CPU, over four of them. What else runs here makes
# its loop turn later, in both parts alike. Seen: 140 ns for each class and step, waking up and the
# signal itself included, 200 to 310 beside guests, 805 when it called the kernel for each; with the
# flows 0.86 to 1.07 times as much. Where nothing is new, a class costs some 3 ns: `make bench`
# prints both, beside what the signals themselves cost.
share()
{
	local from start=${EPOCHREALTIME/./}

	from=$(spent)
	read -rt 4 -u "$never" || true
	echo $((($(spent) - from) * 1000000 / (${EPOCHREALTIME/./} - start)))
}

# Where the kernel lets nobody map one, the agent calls it for each class,
# as it did before; then there are none there.
shared=$(grep -c bpf-map "/proc/$pid/maps")
is_least "maps whose memory the agent shares" "$shared" 5
alone=$(share)
note "ns for each class and step: $((alone / 100 / n))"
check "$flows flows" "$fill" "/sys/fs/bpf/weir/v1/$host" $flows
crowded=$(share)
note "ns of a second: $alone, with $flows flows $crowded"
is_most "with $flows flows its share of a core is at most, times" \
	"$(awk -v a="$alone" -v c="$crowded" 'BEGIN { printf "%.2f", c / a }')" 1.5
finish
