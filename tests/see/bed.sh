# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# bed.sh: what the tests of seeing share: one producer with weir, a consumer, and four kinds of
# traffic that goes on until the test ends: a class that its rate holds back, one that is policed,
# one that is free, and the default.
. "$(dirname "${BASH_SOURCE[0]}")/../net/lib.sh"

LISTEN=127.0.0.1:9911

bed()
{
	local words

	netns producer consumer
	link "$producer" eth "$consumer" eth 1
	while read -r words; do
		# shellcheck disable=SC2086 # one word each
		"$WEIR" -n "$producer" $words || { echo "Bail out! weir $words"; exit 1; }
	done <<-END
		attach eth egress
		class set bulk rate 100mbit flow-rate 40mbit
		match add bulk proto tcp dport 5001-5002
		class set media rate 20mbit action police
		match add media proto udp dport 6000
		class set rpc flow-rate 5mbit
		match add rpc proto tcp dport 7000
	END
	"$TRAFFIC" run \
		tcp from "$producer" to "$consumer" addr 10.88.1.2 port 5001 n 3 stop 300s \
		tcp from "$producer" to "$consumer" addr fd88:1::2 port 5002 n 3 stop 300s \
		udp from "$producer" to "$consumer" addr 10.88.1.2 port 6000 rate 40mbit size 1400 stop 300s \
		rr from "$producer" to "$consumer" addr 10.88.1.2 port 7000 interval 1ms stop 300s \
		> "$tmp/traffic" 2>&1 &
	pids+=($!)
	wait_until 20 flows_there || { echo "Bail out! no traffic: $(head -n 3 "$tmp/traffic")"; exit 1; }
}

flows_there()
{
	[ "$("$WEIR" -n "$producer" -j show flows | jq '[.[] | select(.rate_bps > 500000)] | length')" -ge 8 ]
}

# agent WORD...: weir run in the producer's namespace; its output in $tmp/agent
agent()
{
	"$WEIR" -n "$producer" run "$@" > "$tmp/agent" 2>&1 &
	pids+=($!)
	wait_until 10 get /healthz || { echo "Bail out! no agent: $(cat "$tmp/agent")"; exit 1; }
}

# get PATH [CURL OPTION...]: the body; fails where the status is not 2xx
get()
{
	local path=$1
	shift

	ip netns exec "$producer" curl -sf --max-time 60 "$@" "http://$LISTEN$path"
}

# status PATH [CURL OPTION...]
status()
{
	local path=$1
	shift

	ip netns exec "$producer" curl -s -o "$tmp/body" -w '%{http_code}' --max-time 60 "$@" \
		"http://$LISTEN$path"
}

# capture FILE N: a pcap of N UDP packets of 1000 bytes to port 443, one every 100 us (80 Mbit/s)
capture()
{
	local i us header ethernet ip udp

	header='\xd4\xc3\xb2\xa1\x02\x00\x04\x00\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0'
	ethernet='\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0'
	ip='\x45\0\x03\xda\0\0\0\0\x40\x11\0\0\xc0\0\x02\x01\xc6\x33\x64\x01'
	udp='\x30\x39\x01\xbb\x03\xc6\0\0'
	{
		printf '%b' "$header"
		for ((i = 0; i < $2; i++)); do
			us=$((i * 100))
			printf '%b' "\0\0\0\x66$(printf '\\x%02x\\x%02x\\x%02x\\0' $((us & 255)) \
				$((us >> 8 & 255)) $((us >> 16)))\xe8\x03\0\0\xe8\x03\0\0$ethernet$ip$udp"
			printf '%0958d' "$i"
		done
	} > "$1"
}
