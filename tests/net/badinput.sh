#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# badinput.sh: bad input and bad days: a clear error or a stated behaviour, nothing half-done, and
# no packet dropped because of it. Every refusal is checked for its exit status, for a message
# that begins with "weir: " and names what was wrong, and for an unchanged policy.
#
#     producer (weir on eth and spare, egress) ---- consumer
. "$(dirname "$0")/lib.sh"

need ip jq setpriv unshare
netns producer consumer
link "$producer" eth "$consumer" eth 1
link "$producer" spare "$consumer" spare 2
weir=("$WEIR" -n "$producer")

config()
{
	"${weir[@]}" show config 2>&1
}

# judge WHAT REGEX STATUS: the answer in $tmp/stdout and $tmp/stderr is a refusal
judge()
{
	local said

	said=$(cat "$tmp/stderr")
	if [ "$3" != 1 ] && [ "$3" != 2 ]; then
		not_ok "$1: refused" "exit status $3, said: $said"
	elif [ -s "$tmp/stdout" ]; then
		not_ok "$1: refused" "wrote to stdout: $(cat "$tmp/stdout")"
	elif [[ $said != weir:* ]] || ! grep -qiE -- "$2" <<< "$said"; then
		not_ok "$1: refused" "want 'weir: ' and /$2/, said: $said"
	elif [ "$(config)" != "$before" ]; then
		not_ok "$1: refused" "the policy has changed: $(config)"
	else
		ok "$1: refused: ${said%%$'\n'*}"
	fi
}

# refuses WHAT REGEX WORD...
refuses()
{
	local what=$1 regex=$2
	shift 2

	status=0
	"${weir[@]}" "$@" > "$tmp/stdout" 2> "$tmp/stderr" < "${input:-/dev/null}" || status=$?
	judge "$what" "$regex" $status
}

before=$(config)
refuses "a device that is not there" "nosuch0" attach nosuch0
is_equal "nothing is left behind" "$(ls -d "/sys/fs/bpf/weir"/v*/"$producer" 2> /dev/null)" ""

check "attach" "${weir[@]}" attach eth egress
check "class" "${weir[@]}" class set web rate 20mbit
check "match" "${weir[@]}" match add web proto tcp dport 80
before=$(config)

# --- words
refuses "no such command" "attach" atach eth
refuses "unknown key" "rate" class set web raet 10mbit
refuses "unknown match key" "proto" match add web prot tcp dport 80
refuses "a word given twice" "rate" class set web rate 1mbit rate 2mbit
refuses "a key without a value" "rate" class set web rate
for rate in 12x -1 nan 1e30 1000000000000000000000000000000 0 "" 1mbit1 ' 1mbit' 1bit; do
	refuses "rate '$rate'" "rate '$rate'|'$rate'" class set web rate "$rate"
done
refuses "rate 10mbps" "megabytes|mbit" class set web rate 10mbps
refuses "a class that does not exist, del" "nosuch" class del nosuch
refuses "a class that does not exist, match add" "nosuch" match add nosuch proto tcp
refuses "a match that does not exist" "nosuch" match del nosuch
refuses "the class default cannot go" "default" class del default
refuses "a class in use cannot go" "web" class del web
refuses "a bad prefix" "10.0.0.0/40" match add web src 10.0.0.0/40
refuses "a bad port" "65536" match add web proto tcp dport 65536
refuses "too many ports: wrong words" "1,2,3,4,5,6,7,8,9': more than 8" match add web dport 1,2,3,4,5,6,7,8,9
is_equal "and by its exit status" $status 2
# what is wrong beside the policy alone: not the words
for words in "rate auto" "min 1mbit" "rate 1mbit flow-rate 2mbit"; do
	# shellcheck disable=SC2086 # one word each
	refuses "$words" "web: " class set web $words
	is_equal "and by its exit status" $status 1
done
refuses "a range upside down" "90-80" match add web proto tcp dport 90-80
refuses "an action that is none" "polise" class set web action polise
refuses "attach twice" "eth" attach eth egress
refuses "detach what is not attached" "spare" detach spare
# whoever has too few descriptors is not told that somebody else has the hook
few() { sh -c 'ulimit -n "$0"; exec "$@"' "$1" "${weir[@]}" attach spare egress 2>&1; }
is_equal "too few descriptors" "$(for n in {16..45}; do few $n | sed "s/^/$n: /"
	"${weir[@]}" detach spare > "$tmp/stdout" 2>&1; done | grep already)" ""

for command in attach detach replay; do
	refuses "$command ''" "$command: want " $command ""
done
refuses "apply ''" "'': want the name of a file" apply ""

# --- a file: all or nothing
printf 'class set web rate 30mbit\nclass set bulk rate 12x\n' > "$tmp/bad.conf"
refuses "a file with a bad line" "12x" apply "$tmp/bad.conf"
refuses "a file that is not there" "nosuch.conf" apply "$tmp/nosuch.conf"
input=$tmp/bad.conf refuses "a bad line on stdin" "12x" apply -
# no standard input is not an empty policy, which would take every class away
status=0
"${weir[@]}" apply - > "$tmp/stdout" 2> "$tmp/stderr" <&- || status=$?
judge "a closed stdin" "stdin: Bad file descriptor" $status

# --- hosts
without_dev() { unshare -m sh -c 'mount -t tmpfs tmpfs /dev && exec "$@"' sh "${weir[@]}" "$@"; }
is_equal "a chroot without /dev" "$(without_dev show config 2>&1)" "$("${weir[@]}" show config)"
status=0
setpriv --reuid 65534 --clear-groups --bounding-set -all "${weir[@]}" class set web rate 1mbit \
	> "$tmp/stdout" 2> "$tmp/stderr" || status=$?
judge "no root" "permi|root|privilege" $status
status=0
without_bpffs "${weir[@]}" class set web rate 1mbit \
	> "$tmp/stdout" 2> "$tmp/stderr" || status=$?
judge "no bpffs" "bpf" $status
status=0
ip netns exec "$consumer" "$WEIR" attach eth > "$tmp/stdout" 2> "$tmp/stderr" || status=$?
judge "inside ip netns exec" "-n" $status
mkdir -p "/sys/fs/bpf/weir/v999/$consumer"
status=0
"$WEIR" -n "$consumer" attach eth > "$tmp/stdout" 2> "$tmp/stderr" || status=$?
judge "pins of another ABI version" "v?999" $status
rmdir "/sys/fs/bpf/weir/v999/$consumer"
rmdir /sys/fs/bpf/weir/v999
status=0
"$WEIR" -n "w$$-nosuch" attach eth > "$tmp/stdout" 2> "$tmp/stderr" || status=$?
judge "no such namespace" "w$$-nosuch" $status

# --- two commands at once: each waits for the other, none is lost
jobs=()
for i in 1 2 3 4 5 6 7 8; do
	"${weir[@]}" class set "at-once-$i" rate "${i}mbit" > /dev/null 2> "$tmp/at-once-$i" &
	jobs+=($!)
done
for i in "${jobs[@]}"; do
	wait "$i" || not_ok "a command at the same time as others" "$(cat "$tmp"/at-once-*)"
done
is_equal "commands at once: classes made" "$(config | grep -c 'class set at-once-')" 8

# --- devices come and go, with traffic running
traffic "$tmp/out" \
	at 500ms exec "ip -n $producer link set spare down; ${weir[*]} attach spare egress" \
	at 1s exec "ip -n $producer link set spare up" \
	at 1500ms exec "ip -n $producer link set spare down && ip -n $producer link set spare name other &&
		ip -n $producer link set other up && ${weir[*]} show devices" \
	at 2s exec "ip -n $producer link del other && ${weir[*]} show && ${weir[*]} detach spare" \
	udp name steady from "$producer" to "$consumer" addr 10.88.1.2 size 200 rate 5mbit stop 3s
mapfile -t statuses <<< "$(jq -r 'select(.type == "event") | .status' "$tmp/out")"
is_equal "attach a device that is down" "${statuses[0]:-}" 0
is_equal "a device renamed while attached" "${statuses[2]:-}" 0
is_equal "a device deleted while attached" "${statuses[3]:-}" 0
is_equal "the other device's packets, sent and received" \
	"$(flow "$tmp/out" steady received)" "$(flow "$tmp/out" steady sent)"
is_equal "only eth is attached now" \
	"$("${weir[@]}" -j show devices | jq -c '[.[].dev]')" '["eth"]'

# --- a full flow map: two packets of each of 180,000 flows, and a conversation beside them
flood=()
for i in 1 2 3; do
	flood+=(udp name "flood$i" from "$producer" to "$consumer" addr 10.88.1.2 port 4000
		spray 60000 size 20 rate 60mbit packets 120000 stop 60s)
done
traffic "$tmp/out" "${flood[@]}" \
	rr name talk from "$producer" to "$consumer" addr 10.88.1.2 port 7 interval 10ms stop 4s
is_equal "full flow map: dropped" "$(class "$producer" default dropped)" 0
sent=$(jq -s '[.[] | select(.type == "flow") | .sent // 0] | add' "$tmp/out")
is_equal "full flow map: sent" "$sent" 360000
is_least "full flow map: every packet was seen" "$(class "$producer" default packets)" "$sent"
is_lossless "full flow map: the conversation" "$tmp/out" talk
is_least "full flow map: requests answered" "$(flow "$tmp/out" talk count)" 200

check "detach all" "${weir[@]}" detach all
is_equal "detach all removes every pin" "$(ls -d "/sys/fs/bpf/weir"/v*/"$producer" 2> /dev/null)" ""
finish
