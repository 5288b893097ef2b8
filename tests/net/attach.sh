#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# attach.sh: the life of an instance: hooks by tcx and by clsact beside those of others, qdiscs
# replaced and restored, devices that are renamed or deleted, commands that are killed or meet,
# and the places where weir refuses. Wherever it goes wrong, nothing is left half-done.
#
#     here (weir on eth; fq where there is one) ---- there
. "$(dirname "$0")/lib.sh"

need ip tc jq setpriv unshare
netns here there
link "$here" eth "$there" peer 1
pins=/sys/fs/bpf/weir/v1/$here

weir()
{
	"$WEIR" -n "$here" "$@"
}

tc_here()
{
	tc -n "$here" "$@"
}

# state [DEV]: "hook via state" of every record
state()
{
	weir -j show devices | jq -r ".[] | select(\"${1:-}\" == \"\" or .dev == \"${1:-}\") |
		\"\(.hook) \(.via) \(.state)\"" | sort | paste -sd,
}

# what there is of weir: prog ids are in the filters, so that another in its place is seen
picture()
{
	state
	ls "$pins"
	tc_here filter show dev eth egress
	tc_here filter show dev eth ingress
}

filters()
{
	{ tc_here filter show dev eth egress; tc_here filter show dev eth ingress; } | grep -c "$1"
}

root_qdisc()
{
	tc_here qdisc show dev "${1:-eth}" | grep -v clsact | sed 's/ *$//' | sort
}

# refused WHAT STATUS PATTERN COMMAND...: that exit status, and words that match
refused()
{
	local what=$1 status=$2 pattern=$3 got=0 out
	shift 3

	out=$("$@" 2>&1) || got=$?
	if [ $got = "$status" ] && [[ $out =~ $pattern ]]; then
		ok "$what: $out"
	else
		not_ok "$what" "exit $got, '$out'; want exit $status and '$pattern'"
	fi
}

# send N: UDP packets from here to there, by a shell alone
send()
{
	ip netns exec "$here" bash -c "for ((i = 0; i < $1; i++)); do echo x > /dev/udp/10.88.1.2/9; done"
}

seen()
{
	class "$here" default packets
}

gone()
{
	is_equal "$1: no pins, no filters, no clsact" \
		"$([ -e "$pins" ] && ls "$pins") $(filters weir) $(tc_here qdisc | grep -c clsact)" " 0 0"
}

first=$(root_qdisc)

# has NAME: `check` says that this kernel has it
check "check" sh -c "'$WEIR' -j check > $tmp/check"
has()
{
	jq -e --arg n "$1" '.[] | select(.check == $n) | .available' "$tmp/check" > "$tmp/has"
}

vias=(clsact)
! has tcx || vias+=(tcx)

# --- both hooks, by each way

for via in "${vias[@]}"; do
	check "$via: attach" weir attach eth via "$via"
	is_equal "$via: state" "$(state)" "egress $via attached,ingress $via attached"
	send 20
	compare "$via: packets are seen" "v >= t" "$(seen)" 20 "at least 20"
	before=$(picture)
	refused "$via: attach twice" 1 "eth: egress: attached already" weir attach eth via "$via"
	refused "$via: one hook twice" 1 "eth: ingress: attached already" weir attach eth ingress
	if [ "$(picture)" = "$before" ]; then
		ok "$via: and nothing changed"
	else
		not_ok "$via: and nothing changed" "$before, then $(picture)"
	fi
	check "$via: detach egress" weir detach eth egress
	is_equal "$via: ingress stays" "$(state)" "ingress $via attached"
	is_equal "$via: the qdisc is back" "$(root_qdisc)" "$first"
	refused "$via: detach egress again" 1 "eth: egress: not attached" weir detach eth egress
	check "$via: detach ingress, the last" weir detach eth
	gone "$via"
done
refused "detach all of nothing" 1 "nothing is attached" weir detach all
refused "show of nothing" 1 "nothing is attached" weir show devices

# by a name that is longer than its own may be; and where nothing can be removed nothing is
longer=the-port-to-the-backup-of-the-office
if ip -n "$here" link property add dev eth altname $longer 2> "$tmp/out"; then
	check "a longer name: attach" weir attach $longer
	refused "a longer name: attach again" 1 "eth: egress: attached already" weir attach $longer
	for words in "detach $longer" "detach all"; do
		# shellcheck disable=SC2086 # words
		refused "a read-only bpffs: $words" 1 "$here: nothing can be removed there: Read-only" \
			unshare -m sh -c 'mount -o remount,bind,ro /sys/fs/bpf && exec "$@"' - \
			"$WEIR" -n "$here" $words
		is_equal "a read-only bpffs: and nothing is" "$(state | grep -o attached | wc -l)" 2
	done
	check "a longer name: detach" weir detach $longer
	refused "a longer name that is none" 1 "${longer}s: no such device$" weir attach ${longer}s
	ip -n "$here" link property del dev eth altname $longer
else
	skip "a longer name" "no alternative names here"
fi

# lo keeps the instance alive from here on: to load one takes seconds under emulation
check "attach lo" weir attach lo ingress via clsact

# --- beside others: their filters and qdisc stay, before and after ours

# foreign DIRECTION PREF: a filter of somebody else, that lets everything pass
foreign()
{
	tc_here filter add dev eth "$1" protocol all pref "$2" bpf bytecode '1,6 0 0 4294967295,'
}

tc_here qdisc add dev eth clsact
foreign egress 10
check "clsact of another: attach" weir attach eth egress via clsact
foreign egress 60000
foreign ingress 1
check "pref taken: attach all the same" weir attach eth ingress via clsact
is_equal "pref taken: state" "$(state eth)" "egress clsact attached,ingress clsact attached"
check "clsact of another: detach" weir detach eth
is_equal "filters of others stay" "$(filters 'handle 0x1') $(filters weir)" "3 0"
tc_here qdisc del dev eth clsact

check "clsact of our own: attach" weir attach eth egress via clsact
foreign ingress 10
check "clsact of our own: detach" weir detach eth
is_equal "it stays while another uses it" "$(filters 'handle 0x1') $(filters weir)" "1 0"
tc_here qdisc del dev eth clsact
tc_here qdisc add dev eth ingress
refused "an ingress qdisc has no egress" 1 "qdisc ingress is there" weir attach eth egress via clsact
check "but an ingress" weir attach eth ingress via clsact
check "and off again" weir detach eth
is_equal "the ingress qdisc stays" "$(tc_here qdisc show dev eth | grep -c '^qdisc ingress')" 1
tc_here qdisc del dev eth ingress
if [ ${#vias[@]} = 2 ]; then
	"$top/build/tests/other" "$here" eth before > "$tmp/stranger" &
	pids+=($!)
	check "tcx: a stranger before us" wait_until 5 grep -q ready "$tmp/stranger"
	check "tcx: attach" weir attach eth via tcx
	send 20
	compare "tcx: we see packets" "v >= t" "$(seen)" 20 "at least 20"
	check "tcx: detach" weir detach eth
	send 20
	last_ends
	is_least "tcx: so does the stranger, who stays" "$(tail -n 1 "$tmp/stranger")" 40

	# a second instance of the same namespace, by another name
	twin=$here-twin
	touch "/run/netns/$twin"
	mount --bind "/run/netns/$here" "/run/netns/$twin"
	netns_made=("$twin" "${netns_made[@]}")
	check "tcx: a twin" "$WEIR" -n "$twin" attach eth via tcx
	refused "tcx: no packet is charged twice" 1 "eth: egress: another weir's program is there" \
		weir attach eth via tcx
	check "tcx: the twin off" "$WEIR" -n "$twin" detach eth
fi

# --- what happens to devices

# the states of all records but lo's
states()
{
	weir -j show devices | jq -r '.[] | select(.dev != "lo") | .state' | sort -u
}

for via in "${vias[@]}"; do
	check "$via: attach" weir attach eth via "$via"
	ip -n "$here" link set eth down
	ip -n "$here" link set eth name lan up
	is_equal "$via: renamed" "$(states)" attached
	check "$via: detach by the new name" weir detach lan egress
	check "$via: renamed, attach again" weir attach lan egress via "$via"
	ip -n "$here" link set lan down
	ip -n "$here" link set lan name eth up
	ip -n "$here" link del eth
	is_equal "$via: deleted" "$(states)" gone
	link "$here" eth "$there" peer 1
	check "$via: made again, attach" weir attach eth via "$via"
	is_equal "$via: only the new one" "$(state eth)" "egress $via attached,ingress $via attached"
	ip -n "$here" link del eth
	check "$via: detach the deleted" weir detach eth
	is_equal "$via: nothing of it is left" "$(states)" ""
	link "$here" eth "$there" peer 1
done
check "attach by clsact" weir attach eth via clsact
tc_here qdisc del dev eth clsact
is_equal "wiped by another: seen" "$(states)" lost
check "wiped by another: attach repairs" weir attach eth via clsact
is_equal "repaired" "$(state eth)" "egress clsact attached,ingress clsact attached"
check "detach" weir detach eth
is_equal "nothing of it is left" "$(states) $(filters weir) $(tc_here qdisc show dev eth | grep -c clsact)" \
	" 0 0"

ip -n "$here" link set eth down
check "a device that is down: attach" weir attach eth
ip -n "$here" link set eth up
send 20
compare "and up: packets are seen" "v >= t" "$(seen)" 1 "at least 1"
check "detach" weir detach eth
if ip -n "$here" tuntap add tun0 mode tun 2> "$tmp/tun"; then
	check "tun: attach" weir attach tun0
	is_equal "tun: no Ethernet header" "$(weir -j show devices |
		jq -r '.[] | select(.dev == "tun0") | .l3' | sort -u)" true
	check "tun: detach" weir detach tun0
else
	skip "tun" "no tun here"
fi

# --- root qdiscs

edt()
{
	weir -j show devices | jq -r --arg d "$1" '.[] | select(.dev == $d and .hook == "egress") | .edt'
}

# restored WHAT DEV FQS SED: what the root is now (but for what SED takes out of it) is what it is
# after attach and detach; in between there are so many fq
restored()
{
	local was edt

	was=$(root_qdisc "$2")
	check "$1: attach" weir attach "$2" egress
	edt=$(edt "$2")
	is_equal "$1: fq is there: departure times are kept" \
		"$(tc_here qdisc show dev "$2" | grep -c '^qdisc fq ') $edt" "$3 true"
	check "$1: detach" weir detach "$2"
	is_equal "$1: what was there is back" "$(root_qdisc "$2" | sed "$4" | sort)" \
		"$(echo "$was" | sed "$4" | sort)"
}

if has fq; then
	ip -n "$here" link add many numtxqueues 4 type veth peer name ynam
	ip -n "$here" link set many up
	ip -n "$here" link set ynam up
	restored "the default" eth 1 ""
	check "fq: attach" weir attach eth egress
	is_equal "it tells forwarded flows apart by 18 bits of their hash" \
		"$(tc_here qdisc show dev eth root | grep -c 'orphan_mask 262143 ')" 1
	check "fq: detach" weir detach eth
	tc_here qdisc replace dev eth root handle 77: pfifo limit 77
	restored "pfifo limit 77" eth 1 ""
	# another handle: with the one of another kind it is refused
	check "fq_codel" tc_here qdisc replace dev eth root handle 78: fq_codel limit 333 target 7ms \
		interval 70ms noecn
	restored "fq_codel with options" eth 1 ""
	tc_here qdisc replace dev eth root sfq perturb 10
	restored "sfq" eth 1 ""
	tc_here qdisc replace dev many root handle 5: mq
	restored "mq" many 4 's/^\(qdisc pfifo_fast\|qdisc fq_codel\) [0-9a-f]*:/\1/'
	tc_here qdisc replace dev eth root handle 1: tbf rate 50mbit burst 20kb latency 50ms
	check "a shaper of another: attach" weir attach eth egress
	is_equal "a shaper of another: stays" "$(root_qdisc | grep -c tbf)" 1
	check "detach" weir detach eth
	refused "qdisc fq over it" 1 "qdisc tbf is configured" weir attach eth egress qdisc fq
	is_equal "qdisc fq refused: nothing is attached" "$(state eth)" ""
	tc_here qdisc del dev eth root
	check "qdisc keep: attach" weir attach eth qdisc keep
	is_equal "qdisc keep: nothing changed" "$(root_qdisc)" "$first"
	check "detach" weir detach eth
	tc_here qdisc replace dev eth root fq flow_limit 55
	check "fq of another: attach" weir attach eth qdisc keep
	is_equal "fq of another: departure times" "$(edt eth)" true
	check "fq of another: detach" weir detach eth
	is_equal "fq of another: stays" "$(root_qdisc | grep -c 'flow_limit 55p')" 1
	tc_here qdisc del dev eth root
	check "attach" weir attach eth egress
	tc_here qdisc replace dev eth root pfifo limit 9
	check "detach, when another has replaced our fq" weir detach eth
	is_equal "the other's stays" "$(root_qdisc | grep -c 'pfifo .* limit 9p')" 1
	tc_here qdisc del dev eth root
else
	refused "qdisc fq" 1 "this kernel has no fq" weir attach eth qdisc fq
	is_equal "qdisc fq refused: nothing is attached" "$(state eth)" ""
	skip "root qdiscs" "this kernel has no fq"
fi

check "attach eth" weir attach eth
ip -n "$here" link add gone type veth peer name enog
check "attach one that goes" weir attach gone ingress
ip -n "$here" link del gone
refused "what fails changes nothing: detach" 1 "nosuch: not attached" weir detach nosuch
refused "what fails changes nothing: attach" 1 "attached already" weir attach eth
is_equal "there is a record of what has gone" "$(state gone | grep -c gone)" 1
check "detach lo" weir detach lo
is_equal "and what does forgets it" "$(state gone)" ""
ip -n "$here" link del eth
check "the last device is gone: detach" weir detach eth
link "$here" eth "$there" peer 1
gone "and with it the instance"

# --- commands that meet, and commands that die

for i in 1 2 3 4 5 6 7 8; do
	weir attach eth > "$tmp/meet.$i" 2>&1 && echo won >> "$tmp/meet.$i" &
	pids+=($!)
done
wait "${pids[@]}"
pids=()
# where the first one is slow, the others may give up waiting
is_equal "eight attach at once: one does" "$(cat "$tmp"/meet.* | sed 's/other weir commands have held.*/lock/
	s/.*: \(attached already\|lock\)$/refused/' | sort | uniq -c | sed 's/^ *//' | paste -sd,)" \
	"7 refused,1 won"
is_equal "and its work is whole" "$(state | sed 's/ [a-z]* attached/ +/g')" "egress +,ingress +"
for i in 1 2 3; do
	weir detach all > "$tmp/meet.$i" 2>&1 &
	pids+=($!)
	weir attach eth > "$tmp/meet.1$i" 2>&1 &
	pids+=($!)
done
wait "${pids[@]}"
pids=()
weir detach all > "$tmp/out" 2>&1 || true
gone "attach and detach at once"

leftovers=0
# WEIR_KILL_STEP_MS: coarser where loading takes long
for via in "${vias[@]}"; do
	for ((ms = 0; ms < 400; ms += ${WEIR_KILL_STEP_MS:-30})); do
		for words in "attach eth via $via" "detach all"; do
			# shellcheck disable=SC2086 # words
			"$WEIR" -n "$here" $words > "$tmp/out" 2>&1 &
			pid=$!
			read -rt "0.$(printf %03d $ms)" -u "$never" || true
			kill -9 $pid 2> /dev/null
			wait $pid 2> /dev/null
		done
		# whatever is there now: one more attach and detach must do
		weir attach eth via "$via" > "$tmp/out" 2>&1 || grep -q "attached already" "$tmp/out" ||
			{ leftovers=$((leftovers + 1)); note "after $ms ms: $(cat "$tmp/out")"; }
		weir detach all > "$tmp/out" 2>&1 ||
			{ leftovers=$((leftovers + 1)); note "after $ms ms: $(cat "$tmp/out")"; }
		[ "$([ -e "$pins" ] && ls "$pins")$(filters weir)$(root_qdisc)" = "0$first" ] ||
			{ leftovers=$((leftovers + 1)); note "after $ms ms: leftovers"; }
	done
done
is_equal "killed at any time, the next command does" $leftovers 0
gone "killed"

# --- where weir refuses

binary=$tmp/weir
cp "$WEIR" "$binary"
refused "no such device" 1 "ethh: no such device; did you mean 'eth'" weir attach ethh
refused "no such device, nothing near" 1 "no such device$" weir attach wlan0
refused "nothing left to ask with" 1 "^weir: lo: [^n].*: Too many open files" \
	sh -c 'ulimit -n 6; exec "$0" -n "$1" attach lo' "$WEIR" "$here"
refused "no device" 2 "want DEV" weir attach
refused "unknown word" 2 "unknown word 'egres'; did you mean 'egress'" weir attach eth egres
refused "two directions" 2 "'ingress': want it right behind DEV, and one of" weir attach eth egress ingress
refused "a direction behind a key" 2 "'egress': want it right behind DEV" weir attach eth qdisc keep egress
refused "two directions, detach" 2 "not 'ingress'; want DEV" weir detach eth egress ingress
refused "words of no command" 2 "class: a word is missing; want set or del" weir class
refused "words of no command" 2 "match: unknown word 'ad'; want add or del" weir match ad web
refused "twice" 2 "via: given twice" weir attach eth via tcx via tcx
refused "flows" 2 "flows '12x'" weir attach eth flows 12x
refused "no such namespace" 1 "no such network namespace" "$WEIR" -n "$here-none" attach eth
for words in "attach eth" "detach all" check show "signal queue 1ms" run version; do
	# shellcheck disable=SC2086 # words
	refused "a path for a name, $words" 2 "want the name of a network namespace" \
		"$WEIR" -n ../etc $words
done
refused "the machine's own by name" 2 "want another name" "$WEIR" -n host check
refused "no privileges" 1 "CAP_BPF.*sudo" setpriv --bounding-set=-all --inh-caps=-all \
	"$binary" -n "$here" attach eth
refused "no privileges: show" 1 "CAP_BPF.*sudo" setpriv --bounding-set=-all --inh-caps=-all \
	"$binary" -n "$here" show
is_equal "no privileges: check says what is wanted" "$(setpriv --bounding-set=-all --inh-caps=-all \
	"$binary" -j check | jq -r '.[] | select(.check == "privileges") | .available')" false
refused "ip netns exec" 1 "use .weir -n $here. outside" ip netns exec "$here" "$WEIR" attach eth
refused "ip netns exec: show" 1 "use .weir -n $here. outside" ip netns exec "$here" "$WEIR" show
refused "ip netns exec with a bpffs of its own" 1 "use .weir -n $here. outside" \
	ip netns exec "$here" sh -c "mount -t bpf bpf /sys/fs/bpf; '$WEIR' attach eth"
# check says what the others would: status 1, and why there is no place for pins
no_place()
{
	"$@" -j check > "$tmp/place"
	echo "$? $(jq -r '.[] | select(.check == "bpffs") | "\(.available) \(.why)"' "$tmp/place" | tr -d '`')"
}
for words in "" "-n $here"; do
	# shellcheck disable=SC2086 # words
	is_equal "ip netns exec: ${words:-no -n}, check" "$(no_place ip netns exec "$here" "$WEIR" $words)" \
		"1 false inside ip netns exec $here: its /sys ends with the command, and with it every pin: $(
		)use weir -n $here outside of it"
done
is_equal "a read-only bpffs: check" "$(no_place unshare -m sh -c \
	'mount -o remount,bind,ro /sys/fs/bpf && exec "$@"' - "$WEIR")" "1 false Read-only file system"
refused "another namespace without -n" 1 "use .weir -n $here." \
	nsenter --net="/run/netns/$here" "$WEIR" attach eth
gone "refused"
check "no bpffs: attach mounts one" without_bpffs sh -ec "
	if '$WEIR' -n $here show; then exit 1; fi
	'$WEIR' -n $here attach eth
	'$WEIR' -n $here show devices
	'$WEIR' -n $here detach all"
# two at once: the second waits, and takes what the first has mounted
is_equal "no bpffs, and another is about to mount one" "$(without_bpffs sh -c "
	flock /sys/fs/bpf timeout 1 '$WEIR' -n $here attach eth
	grep -c ' /sys/fs/bpf ' /proc/self/mountinfo" 2>&1)" 0
mkdir -p "/sys/fs/bpf/weir/v999/$here"
refused "pins of another version" 1 "v999/$here: pins of version 999.*rm -r" weir attach eth
refused "pins of another version: show" 1 "pins of version 999" weir show
rmdir "/sys/fs/bpf/weir/v999/$here" /sys/fs/bpf/weir/v999
mkdir -p "/sys/fs/bpf/weir/v999/other"
check "those of another name are no obstacle" weir attach eth flows 2048
rmdir "/sys/fs/bpf/weir/v999/other" /sys/fs/bpf/weir/v999
refused "flows, when the table is there" 1 "made for 2048 flows" weir attach lo flows 4096
check "the same size" weir attach lo flows 2048
check "a class under control" weir class set controlled control backlog
is_equal "it has means, though no rate yet" "$(class "$here" controlled means | grep -c 'mark,drop')" 1

# --- a pin is missing: it is said which, and there is a way out
check "detach all" weir detach all
for pin in door devices; do
	check "attach" weir attach eth via clsact
	rm "$pins/$pin"
	refused "without pin $pin: show" 1 "$pin: is missing.*want .weir detach all" weir show classes
	refused "without pin $pin: attach" 1 "$pin: is missing.*want .weir detach all" weir attach lo
	check "without pin $pin: detach all" weir detach all
	is_equal "without pin $pin: no pins are left" "$([ -e "$pins" ] && ls "$pins")" ""
	[ $pin != door ] || gone "without pin $pin"
done
tc_here qdisc del dev eth clsact
check "attach" weir attach lo

# --- a namespace that comes again under its name

ip netns del "$here"
refused "the namespace is gone" 1 "no such network namespace" weir show
ip netns add "$here"
refused "and another has its name" 1 "earlier namespace" weir show
ip -n "$here" link set lo up
check "attach there" weir attach lo
is_equal "it knows nothing of the other" "$(weir -j show devices | jq -r '.[].dev' | sort -u)" lo
refused "who cannot ask which one this is" 1 "Too many open files" \
	sh -c 'ulimit -n 5; exec "$0" -n "$1" detach all' "$WEIR" "$here"
is_equal "takes it for no other" "$(weir -j show devices | jq -r '.[].state' | sort -u)" attached
ip netns del "$here"
check "detach all, when the namespace is gone" weir detach all
is_equal "no pins" "$([ -e "$pins" ] && ls "$pins")" ""
dotted=$here.a%b
ip netns add "$dotted"
netns_made+=("$dotted")
check "a name with a dot" "$WEIR" -n "$dotted" attach lo
check "and off" "$WEIR" -n "$dotted" detach all

# --- what it says of itself

is_equal "version" "$("$WEIR" -j version | jq -r '.abi, (.features | type)' | paste -sd,)" "1,object"
for word in --version -V; do
	is_equal "$word" "$("$WEIR" -j $word)" "$("$WEIR" -j version)"
done
refused "no room for the output: check" 1 "No space left" sh -c "'$WEIR' check > /dev/full"
refused "no room for the output: version" 1 "No space left" sh -c "'$WEIR' version > /dev/full"
refused "-n twice" 2 "-n: given twice" "$WEIR" -n "$here" -n "$there" show
refused "-n behind the command" 2 "before the command" "$WEIR" show devices -n "$here"
if unshare -Ur true 2> /dev/null; then
	refused "root in a user namespace" 1 "inside a user namespace" unshare -Ur "$WEIR" show
else
	skip "root in a user namespace" "no user namespaces here"
fi
is_equal "no kernel release in it" "$("$WEIR" -j version | grep -c "$(uname -r)")" 0
finish
