#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# manual.sh: the examples of weir(8), weir.conf(5) and README are run as they stand: each must
# succeed and do what it says. They name the machine's own instance, eth0 and /run, so the test
# makes itself a machine: namespaces of network, mounts, processes and cgroups of its own.
#
#   here                 there
#   eth0 10.88.1.1 ----- eth0 10.88.1.2
. "$(dirname "$0")/../net/inside.sh"
. "$(dirname "$0")/bed.sh"
need ip jq curl unshare bpftool python3 cc

manual=$top/user/man
dir=$tmp/dir
export PATH=$top/build:$PATH
mkdir "$dir"
cd "$dir" || exit 1
ip netns attach here $$
ip netns add there
ip link set lo up
link here eth0 there eth0 1
ip netns del here
capture yesterday.pcap 600
printf '%s\n' "class set web rate 20mbit action police" "match add web proto udp dport 443" > new.conf

# readme: the commands of README; what is not shell, or on another machine, with a word that runs it
readme()
{
	sed -n '/^## A first session/,/^## The way/s/^    //p' "$1" | sed -e 's/  *# .*//' -e 's/sudo //g' \
		-e 's/^consumer\$ *//' -e "s/^producer\\$ *\\(.*\\)/on_producer '\\1'/" \
		-e "s/^socket\\..*/in_python 'import socket; &'/" -e "s/^sendto.*/in_c '&'/" \
		-e 's/^weir run.*/& \&/'
}
in_python() { python3 -c "$1"; }
in_c()
{
	printf '#include <%s>\n' sys/socket.h sys/un.h > one.c
	echo "int main(void) { return $1 }" >> one.c
	"${CC:-cc}" -o one one.c && ./one
	# the number of bytes sent
	[ $? = 10 ]
}
# the other machine has an instance of its own, and sees this one's address
on_producer()
{
	ip -n there route add 192.0.2.1 via 10.88.1.1 && weir -n there attach eth0 &&
		eval "${1//weir/weir -n there} &"
	pids+=($!)
}

# examples PAGE: the lines of its examples; a line of -- ends a block
examples()
{
	[ "${1##*/}" != README.md ] || { readme "$1"; return; }
	awk '/^\.Sh/ { on = /EXAMPLES/ }
		on && /^\.Bd/ { block = 1; next }
		block && /^\.Ed/ { block = 0; print "--"; next }
		block { gsub(/\\e/, "\\"); gsub(/\\-/, "-"); print }' "$1"
}

# config_has LINE: as show config prints it
config_has() { weir show config | grep -qxF -- "$1"; }
same_config() { weir show config | cmp -s - weir.conf; }
# json WORD... -- JQ: weir -j WORD..., true by JQ
json()
{
	local words=()

	while [ "$1" != -- ]; do words+=("$1"); shift; done
	weir -j "${words[@]}" | jq -e "$2"
}

said=				# what the line under test printed
# numbers: every line of the output is one
numbers() { [ -s "$said" ] && ! grep -qv '^[0-9]*$' "$said"; }
traffic_pid=
# two flows to port 443 and one to 9092, from now on
traffic_starts()
{
	if ! kill -0 "$traffic_pid" 2> /dev/null; then
		ip netns attach here $$
		"$TRAFFIC" run tcp from here to there addr 10.88.1.2 port 443 n 2 rate 5mbit stop 300s \
			tcp from here to there addr 10.88.1.2 port 9092 rate 5mbit stop 300s \
			> "$tmp/traffic" 2>&1 &
		pids+=($!)
		traffic_pid=$!
	fi
	wait_until 20 json show flows -- 'map(select(.rate_bps > 100000)) | length >= 3' || return
	# the machine's own has no name, as everywhere
	[ ! -e /run/netns/here ] || ip netns del here
}
heard() { json show signals -- '.[0].value == 12000000'; }
gone() { ! kill -0 "$agent_pid"; }

# does LINE: what the line, which has just succeeded, was to do. A line that is not here fails.
does()
{
	case $1 in
	"weir check")
		grep -q '^programs *yes' "$said" ;;
	"weir attach eth0")
		json show devices -- 'map(.dev + .state) == ["eth0attached", "eth0attached"]' &&
			traffic_starts ;;
	"weir show flows" | "weir show flows sort bytes limit 20" | "weir show flows class web sort dropped limit 10")
		[ "$(grep -c ' 10.88.1.2:443 ' "$said")" -ge 2 ] ;;
	"weir class set web rate 2gbit flow-rate 100mbit")
		config_has "class set web rate 2gbit flow-rate 100mbit" ;;
	"weir class set web rate 500mbit action observe")
		config_has "class set web rate 500mbit flow-rate 100mbit action observe" ;;
	"weir match add web proto tcp dport 80,443")
		config_has "match add web proto tcp dport 80,443 pref 10" &&
			wait_until 5 json show flows -- 'any(.class == "web")' ;;
	"weir show")
		grep -q '^eth0 *egress ' "$said" && grep -q '^web *2 Gbit/s *100 Mbit/s ' "$said" ;;
	"weir show config > weir.conf" | "weir apply weir.conf")
		grep -q '^class set web' weir.conf && same_config ;;
	"weir show reasons")
		grep -q '^drop-horizon *yes *0 ' "$said" ;;
	"weir class set web action default")
		config_has "class set web rate 500mbit flow-rate 100mbit" ;;
	"weir match del web")
		! weir show config | grep 'match add web' ;;
	"weir class del web")
		! weir show config | grep 'class set web' ;;
	"weir detach eth0" | "weir detach all")
		! weir show ;;
	"bpftool map dump pinned /sys/fs/bpf/weir/v1/host/flows")
		grep -q '"dport": ' "$said" ;;
	*)
		does_with_agent "$1" ;;
	esac
}

does_with_agent()
{
	case $1 in
	"weir class set kafka control queue target 10ms min 20mbit max 1gbit")
		config_has "class set kafka min 20mbit max 1gbit control queue target 10ms" ;;
	"weir match add kafka proto tcp dport 9092")
		wait_until 5 json show flows -- 'any(.class == "kafka")' ;;
	"weir run listen 127.0.0.1:9090 &")
		agent_pid=$!
		wait_until 10 curl -sf http://127.0.0.1:9090/healthz ;;
	"weir signal queue 12ms ttl 10s drain 300mbit")
		wait_until 5 heard ;;
	"weir show signals")
		if [ "$page" = README.md ]; then
			# what comes next is said to such a class
			grep -q '^kafka *backlog ' "$said" && weir class set kafka control queue target 10ms
			return
		fi
		grep -q '^kafka *queue *12 ms *10 ms .* agent ' "$said" ;;
	"curl -s http://127.0.0.1:9090/api/v1/signals/queue")
		jq -e '.value == 12000000 and .drain_bps == 300000000' "$said" ;;
	"curl -s 'http://127.0.0.1:9090/api/v1/flows?dport=9092&limit=5'")
		jq -e 'length >= 1 and all(.dport == 9092)' "$said" ;;
	"curl -s http://127.0.0.1:9090/metrics")
		grep -q '^weir_class_signal_value{class="kafka",signal="queue",unit="seconds"} 0.012$' "$said" ;;
	"weir class set kafka control backlog target 5ms min 20mbit max 1gbit")
		config_has "class set kafka min 20mbit max 1gbit control backlog target 5ms" ;;
	"weir run &")
		agent_pid=$!
		wait_until 10 json show signals -- '.[0] | .signal == "backlog" and .state != "no-agent"' ;;
	"weir signal queue 12ms" | 'in_python '* | 'in_c '*)
		wait_until 5 heard && wait_until 5 weir signal queue 1ms &&
			wait_until 5 json show signals -- '.[0].value == 1000000' || return
		# of an instance there is one
		[[ $1 != in_c* ]] || { kill "$agent_pid" && wait_until 5 gone &&
			weir class set kafka control backlog; } ;;
	"weir run listen 192.0.2.1:9090 &")
		agent_pid=$!
		wait_until 10 curl -sf http://192.0.2.1:9090/healthz ;;
	'on_producer '*)
		wait_until 30 json -n there show signals -- \
			'.[0] | .signal == "http://192.0.2.1:9090/kafka" and .value != null' ;;
	"weir class set kafka rate 50mbit")
		wait_until 5 json show signals -- '.[0] | .state == "by-hand" and .rate_bps == 50000000' ;;
	"weir class set kafka rate auto")
		wait_until 5 json show signals -- '.[0].state == "agent"' ;;
	'kill $!')
		wait_until 5 gone ;;
	*)
		does_otherwise "$1" ;;
	esac
}

does_otherwise()
{
	case $1 in
	"weir -j show flows sort rate limit 5 | jq '.[].rate_bps'")
		numbers && [ "$(wc -l < "$said")" = 5 ] && sort -rnc "$said" ;;
	"weir -j show classes | jq -r '.[] | "*)
		grep -qE '^web [0-9]+$' "$said" ;;
	"weir replay yesterday.pcap conf new.conf dev-rate 50mbit")
		grep -q '^web *600 .* drop-rate ' "$said" && grep -q '^without *50 Mbit/s' "$said" ;;
	"weir replay yesterday.pcap diff new.conf")
		grep -q 'PACKETS-A *PACKETS-B' "$said" ;;
	"weir -j replay yesterday.pcap conf new.conf | jq '.totals[0].dropped'")
		numbers && [ "$(cat "$said")" -ge 100 ] ;;
	"ip netns add blue")
		[ -e /run/netns/blue ] ;;
	"weir -n blue attach lo egress" | "weir -n blue show devices")
		json -n blue show devices -- '.[0] | .dev == "lo" and .state == "attached"' ;;
	"weir -n blue detach all")
		! weir -n blue show ;;
	"ip netns del blue")
		[ ! -e /run/netns/blue ] ;;
	*)
		echo "no example that this test knows: what is it to do?"
		return 1 ;;
	esac
}

# words [LINE]: of commands, in the order of the alphabet, in the form that show config prints
words()
{
	local line

	while IFS= read -r line; do
		line=${line#weir }
		(eval "set -- $line"; printf '%s\n' "$@") | tr ' ' '\n' | sed 's/%$//' | sort | paste -sd' '
	done < <(if [ $# = 0 ]; then cat; else printf '%s\n' "$1"; fi)
}

# runs LINE: again where its only fault is that the agent has had no CPU for the second that it has
runs()
{
	local i

	for i in 1 2 3 4; do
		eval "$1" > "$said" 2>&1 && return
		grep -q 'the agent does not answer' "$said" || return
	done
	false
}

# commands PAGE: runs the page's examples, line by line
commands()
{
	local line n=0

	page=$(basename "$1")
	while IFS= read -r line; do
		[ "$line" != -- ] || continue
		# a file each: what runs in the background goes on writing to its own
		n=$((n + 1)) said=$tmp/said-$n
		if ! runs "$line"; then
			not_ok "$line" "$(cat "$said")"
		elif does "$line" > "$tmp/why" 2>&1; then
			ok "$line"
		else
			not_ok "does what it says: $line" "$(cat "$tmp/why" "$said")"
		fi
	done < <(examples "$1")
}

# a file of words with continued lines joined, without comments; pref where it was given by us
policy_lines()
{
	sed -e ':more' -e '/\\$/{N;s/\\\n//;b more' -e '}' "$1" | sed -e 's/^#.*//' -e '/^[[:space:]]*$/d'
}

# as_written FILE: show config says what the file says, but for the order and the prefs
as_written()
{
	local mine theirs

	mine=$(policy_lines "$1" | sed '/^match/s/ pref [0-9]*//' | words | sort)
	theirs=$(weir show config | sed '/^match/s/ pref [0-9]*//' | words | sort)
	diff <(echo "$mine") <(echo "$theirs")
}

round_trip()
{
	weir show config > weir.conf && weir apply weir.conf && same_config
}

# policies PAGE: applies each example, which is a whole file
policies()
{
	local line n=1 file

	file=example-$n.conf
	while IFS= read -r line; do
		if [ "$line" != -- ]; then
			echo "$line" >> "$file"
			continue
		fi
		check "$file is applied" weir apply "$file"
		check "$file is in force as written" as_written "$file"
		check "$file goes round" round_trip
		check "$file is replayed" weir replay yesterday.pcap conf "$file"
		n=$((n + 1)) file=example-$n.conf
	done < <(examples "$1")
}

commands "$manual/weir.8"
ip addr add 192.0.2.1/32 dev lo
commands "$top/README.md"
kill "$agent_pid"
weir detach all

# the devices and the cgroup that the policies name
weir attach eth0
mkdir -p "/sys/fs/cgroup/backup.slice/full backup.service"
policies "$manual/weir.conf.5"
is_equal "policies" "$(find . -name 'example-*.conf' | wc -l)" 5
for object in class match; do
	unused=$(weir "$object" help | awk '/^  [a-z]/ { print $1 }' | sort -u |
		while read -r key; do grep -qw -- "$key" example-*.conf || echo "$key"; done | xargs)
	is_equal "keys of a $object that no example shows" "$unused" ""
done

# broken SED PAGE RUN LINE...: the page's first example, changed: these lines fail and no other
broken()
{
	local change=$1 page=$2 run=$3
	shift 3

	rm -f example-*.conf
	weir detach all 2> /dev/null
	[ "$run" = commands ] || weir attach eth0
	awk '{ print } /EXAMPLES/ { on = 1 } on && /^\.Ed/ { exit }' "$manual/$page" |
		sed "$change" > "$tmp/broken"
	diff <(printf '%s\n' "$@") <(count=0; $run "$tmp/broken" | sed -n 's/^not ok [0-9]* - //p')
}
check "a command that is broken is seen" broken 's/flow-rate 100mbit$/flow-rat 100mbit/' weir.8 \
	commands "weir class set web rate 2gbit flow-rat 100mbit" \
	"weir match add web proto tcp dport 80,443" "does what it says: weir show" \
	"weir show flows class web sort dropped limit 10" \
	"does what it says: weir show config > weir.conf" "does what it says: weir apply weir.conf"
check "one that does something else" broken 's/dport 80,443$/dport 80/' weir.8 commands \
	"does what it says: weir match add web proto tcp dport 80" \
	"does what it says: weir show flows class web sort dropped limit 10"
check "one that this test does not know" broken 's/^weir check$/weir version/' weir.8 commands \
	"does what it says: weir version"
check "a policy that is broken" broken 's/sport 80,443/sport 80,/' weir.conf.5 policies \
	"example-1.conf is applied" "example-1.conf is in force as written" \
	"example-1.conf is replayed"
weir detach all
rmdir "/sys/fs/cgroup/backup.slice/full backup.service" /sys/fs/cgroup/backup.slice
finish
