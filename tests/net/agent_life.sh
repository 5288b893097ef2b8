#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# agent_life.sh: the agent's life: one of each name, readiness and watchdog, signals that are
# pushed, lie, flood and fall silent, a hand that sets a rate, files read again, devices that are
# renamed and replaced, a sudden death. No rate is measured here (agent.sh does).
. "$(dirname "$0")/life.sh"

sock=/run/weir/$host.sock

not_ok_if()
{
	local what=$1
	shift

	if out=$("$@" 2>&1); then not_ok "$what" "succeeded"; else ok "$what: $(tail -n 1 <<< "$out")"; fi
}

# says WHAT REGEX WORD...: the command is refused, with these words
says()
{
	local what=$1 regex=$2
	shift 2

	if out=$("${weir[@]}" "$@" 2>&1) || ! grep -q "$regex" <<< "$out"; then
		not_ok "$what" "$out"
	else
		ok "$what: $out"
	fi
}

# --- one agent of each name, none without an instance
not_ok_if "no agent where nothing is attached" "${weir[@]}" run
check "attach" "${weir[@]}" attach eth egress qdisc keep
check "class" "${weir[@]}" class set app rate 100mbit control queue target 10ms min 1mbit max 200mbit
check "match" "${weir[@]}" match add app proto tcp

# readiness and watchdog, as systemd would hear them
cat > "$tmp/notify.py" <<-'END'
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind(sys.argv[1].replace("@", "\0", 1))
	print("bound", flush=True)
	while True:
	    print(s.recv(4096).decode().replace("\n", " "), flush=True)
END
python3 "$tmp/notify.py" "$tmp/notify" > "$tmp/heard" &
pids+=($!)
wait_until 5 grep -q bound "$tmp/heard"
export NOTIFY_SOCKET=$tmp/notify WATCHDOG_USEC=200000
start
unset NOTIFY_SOCKET WATCHDOG_USEC
until_ok "readiness is told" grep -q READY=1 "$tmp/heard"
until_ok "the watchdog is fed" grep -q WATCHDOG=1 "$tmp/heard"
not_ok_if "a second agent is refused" "${weir[@]}" run
is_equal "the second has not taken the socket away" "$([ -S "$sock" ] && echo there)" there
is_equal "nobody else may open its lock, and so hold it" "$(stat -c %a "/run/weir/$host.lock")" 600
is_equal "who may push" "$(stat -c %a "$sock")" 660

# --- pushed signals
is_equal "before the first" "$(control reason)" waiting
# 40 of what? It was taken for 40 ms, and so was 40%
is_equal "a number, where the target is a time" "$("${weir[@]}" signal queue 40 2>&1; echo $?)" \
	"weir: signal: queue '40': want a time, as the target 10ms of class app is
1"
is_equal "is not sent" "$(said "is no time" && echo it is)" ""
push() { python3 -c "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'$1', '$sock')"; }
check "one that somebody else sends" push 'queue 40'
until_ok "is said" said 'class app: signal "queue": 40 is no time; want one, as the target 10 ms is'
is_equal "and not heard" "$(control reason)" waiting
# zero is zero in any unit
emptied() { "${weir[@]}" signal queue 0 && is_reason idle; }
until_ok "zero is heard" emptied
for value in 41 0 42 0 43 0; do "${weir[@]}" signal queue $value; done
check "a class with a share for its target" "${weir[@]}" class set part control part target 5%
is_equal "a time is refused there" "$("${weir[@]}" signal part 12ms 2>&1; echo $?)" \
	"weir: signal: part '12ms': want a number or a share, as the target 5 of class part is
1"
until_ok "zero is zero" "${weir[@]}" signal part 0ms
check "a class that hears times" "${weir[@]}" class set too control part target 5ms
until_ok "one of two hears it" "${weir[@]}" signal part 12ms
check "and gone" "${weir[@]}" class del too
part() { push 'part 12ms' && said 'class part: signal "part": 12 ms is a time; want a number'; }
until_ok "a time is said there" part
is_equal "a number was said once" "$(grep -c 'is no time' "$tmp/log")" 1
check "and gone" "${weir[@]}" class del part
check "a class that follows what weir finds itself" "${weir[@]}" class set own control backlog
for value in 12ms 0; do
	is_equal "pushes nothing under that name: $value" "$("${weir[@]}" signal backlog $value 2>&1; echo $?)" \
		"weir: signal: 'backlog': class own follows the one that weir finds itself; want a name of \
your own, and control NAME
1"
done
check "and gone" "${weir[@]}" class del own
is_equal "an empty name before others" "$("${weir[@]}" signal '' queue 40ms 2>&1; echo $?)" \
	"weir: signal: '': want NAME VALUE [ttl TIME] [drain RATE]
2"
# one that has no answer within a second is pushed again: an agent may have to wait for its CPU
above() { "${weir[@]}" signal queue 40ms ttl 30s && is_state agent; }
until_ok "a signal above the target: the agent's rate is in force" above
compare "slower" "v < t" "$(control rate_bps)" 100000000 "less than configured"
until_ok "one that stands for a second" "${weir[@]}" signal queue 40ms ttl 1s
# for a second more, which a look at the state may miss
until_ok "silence is held first" said 'class app rate [0-9].* -> [0-9].* reason stale'
until_ok "and then the configured rate comes back" is_reason expired
until_ok "state" is_state configured
check "pushed by Python" python3 -c "import socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'queue 40ms ttl 30s', '$sock')"
until_ok "heard" is_state agent
until_ok "without a drain rate the law in force is said" said 'class app .* law pi '
is_equal "and shown" "$(control law)" pi
check "a signal of a cgroup that is not there" "${weir[@]}" class set nowhere control psi cpu cgroup no/where
until_ok "is said" said 'class nowhere: signal "psi cpu cgroup no/where": No such file'
check "another" "${weir[@]}" class set nowhere control psi cpu cgroup nor/there
until_ok "is said, too" said 'class nowhere: signal "psi cpu cgroup nor/there": No such file'
# ten for that, ten for the watchdog; a hundred would be those of a pass over the sockets
wakes() { awk '/^voluntary/ { print $2 }' "/proc/$agent/status"; }
from=$(wakes) start=${EPOCHREALTIME/./}
read -rt 2 -u "$never" || true
is_most "is looked at now and then: it wakes in a second, times" \
	$((($(wakes) - from) * 1000000 / (${EPOCHREALTIME/./} - start))) 50

# --- lies
for lie in nan -1ms inf 1e3 '' 10ms10ms 99999999999999999999s; do
	not_ok_if "refused: '$lie'" "${weir[@]}" signal queue "$lie"
done
huge() { "${weir[@]}" signal queue 1000s > /dev/null && is_reason minimum; }
until_ok "constant and huge: at its minimum" huge
compare "not below it" "v >= t" "$(control rate_bps)" 1000000 "at least the minimum"
zero() { "${weir[@]}" signal queue 0ms 2> "$tmp/late"; [ "$(control rate_bps)" -ge 1000000 ]; }
for ((i = 0; i < 20; i++)); do zero || not_ok "constant 0" "$(control rate_bps)"; done
compare "constant 0: not beyond its maximum" "v <= t" "$(control rate_bps)" 200000000 "at most it"
check "10,000 messages in a second, or as long as it takes" python3 -c "
import socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
end = time.monotonic() + 1
n = 0
while n < 10000 or time.monotonic() < end:
    s.sendto(b'queue %dms' % (n % 100), '$sock')
    n += 1"
until_ok "and it still answers" "${weir[@]}" signal queue 40ms
check "2,000 names" python3 -c "
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for i in range(2000): s.sendto(b'name%d 1ms' % i, '$sock')"
until_ok "the known one is still taken" "${weir[@]}" signal queue 40ms
no_room() { ! out=$("${weir[@]}" signal another 40ms 2>&1) && grep 'signals are in use' <<< "$out"; }
until_ok "a new one has no room" no_room

# --- by hand
check "a rate set by hand" "${weir[@]}" class set app rate 50mbit
"${weir[@]}" signal queue 40ms
until_ok "freezes the controller" is_reason by-hand
is_equal "state" "$(class "$host" app state)" by-hand
check "rate auto" "${weir[@]}" class set app rate auto
hot() { "${weir[@]}" signal queue 40ms > /dev/null && is_state agent; }
until_ok "hands it back" hot

# --- one that stands still, with its socket full: who pushes is told so, and waits no longer
stops "$agent"
check "its socket is full" python3 -c "
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setblocking(False)
try:
    while True: s.sendto(b'queue 40ms', '$sock')
except BlockingIOError: pass"
is_equal "who pushes is told" "$(timeout 60 "${weir[@]}" signal queue 40ms 2>&1; echo $?)" \
	"weir: signal: the agent does not answer
1"
kill -CONT "$agent"
until_ok "it goes on" hot

# --- a sudden death: the kernel goes on, the lease falls back
lease() { bpftool -j map dump pinned "/sys/fs/bpf/weir/v1/$host/leases" | jq '[.[] | (.formatted // .).value
	| select(.expires_ns > 0) | .expires_ns] | max'; }
until_ok "in force" hot
ends KILL
if [ "$(command -v bpftool)" ]; then
	left=$(($(lease) - $(python3 -c 'import time; print(time.monotonic_ns())')))
	compare "kill -9: the lease ends by itself, ns" "v < t" "$left" 2100000000 "within 2 s"
fi
until_ok "and the configured rate holds" is_state configured
until_ok "no agent is said" [ "$(control state)" = no-agent ]
check "a class with a maximum and no rate" "${weir[@]}" class set most control queue target 10ms max 30mbit
is_equal "has that while there is no agent" "$("${weir[@]}" -j show classes |
	jq '.[] | select(.class == "most") | .limit_bps') $("${weir[@]}" -j show signals |
	jq '.[] | select(.class == "most") | .rate_bps')" "30000000 30000000"
check "and is deleted" "${weir[@]}" class del most
says "and to who pushes a signal" "$host: no agent is running; want .weir run. first" signal queue 40ms

# --- who reads its lines stands still: rates go on, and what was not written is counted
mkfifo "$tmp/lines"
exec {lines}<> "$tmp/lines"
python3 -c "import fcntl; fcntl.fcntl(0, 1031, 4096)" <&$lines	# F_SETPIPE_SZ
: > "$tmp/log"
"${weir[@]}" -j run > "$tmp/lines" 2> "$tmp/log" &
agent=$!
pids+=("$agent")
check "lines that nobody reads" wait_until 10 said 'the agent runs'
# so many cuts end at the minimum
is_cut() { is_reason behind || is_reason minimum; }
is_behind() { "${weir[@]}" signal queue 40ms && is_cut; }
is_ahead() { "${weir[@]}" signal queue 0 && ! is_cut; }
news() { wait_until 5 is_behind && wait_until 5 is_ahead; }
for ((i = 0; i < 15; i++)); do news || break; done
is_equal "the agent goes on" $i 15
counted() { news; dd if="$tmp/lines" iflag=nonblock bs=64k count=1 2> /dev/null | grep '"left_out":[1-9]'; }
until_ok "read on: what was left out is counted" counted
exec {lines}>&-
ends TERM
is_equal "it ends" $? 0

# --- observe; readiness to a socket of the abstract kind, which is of a namespace
python3 "$tmp/notify.py" "@$host" > "$tmp/abstract" &
pids+=($!)
wait_until 5 grep -q bound "$tmp/abstract"
export NOTIFY_SOCKET=@$host
start observe
unset NOTIFY_SOCKET
until_ok "readiness is told where the agent was started" grep -q READY=1 "$tmp/abstract"
"${weir[@]}" signal queue 40ms
until_ok "observe says what it would do" said 'would-be'
is_equal "and does nothing" "$(class "$host" app state)" configured
ends TERM
is_equal "SIGTERM: exit status" $? 0
is_equal "it takes its socket with it" "$([ -e "$sock" ] || echo gone)" gone

# --- files and devices
"${weir[@]}" show config > "$tmp/conf"
for from in - /dev/fd/3; do
	start conf $from < "$tmp/conf" 3< <(cat "$tmp/conf")
	kill -HUP "$agent"
	until_ok "a policy from $from is not there a second time" said "^weir: $from: .*the policy stays as it is"
	is_equal "and changes nothing" "$("${weir[@]}" show config | cmp "$tmp/conf" && echo same)" same
	ends TERM
done
start conf "$tmp/conf"
echo "class set late rate 7mbit" >> "$tmp/conf"
kill -HUP "$agent"
has_late() { "${weir[@]}" show config | grep -q 'late.*7mbit'; }
until_ok "SIGHUP reads the file again" has_late
echo "class set late rate 7mbps" >> "$tmp/conf"
kill -HUP "$agent"
until_ok "a bad file is said" said 'the policy stays as it is'
check "and changes nothing" has_late
# what is attached anew begins without a policy: it has the file's, unless one was applied since
sed -i '$d' "$tmp/conf"
check "detach" "${weir[@]}" detach eth
until_ok "nothing is attached any more" said 'nothing is attached any more'
check "attach" "${weir[@]}" attach eth egress qdisc keep
until_ok "the file is applied" has_late
check "detach" "${weir[@]}" detach eth
is_twice() { [ "$(grep -c "$1" "$tmp/log")" = 2 ]; }
until_ok "and once more" is_twice 'nothing is attached any more'
stops "$agent"
check "attach" "${weir[@]}" attach eth egress qdisc keep
check "a policy by hand" "${weir[@]}" class set default per src
kill -CONT "$agent"
until_ok "is seen" is_twice 'was attached anew'
is_equal "and stays" "$("${weir[@]}" show config)" "class set default per src"
check "the file's again" "${weir[@]}" apply "$tmp/conf"
ip -n "$host" link set eth down
ip -n "$host" link set eth name renamed
ip -n "$host" link set renamed up
until_ok "a renamed device is noticed" said 'the device is called renamed now'
ip -n "$host" link del renamed
until_ok "one that goes" said 'the device is gone'
link "$host" renamed "$peer" eth 1
until_ok "and comes again is taken back" said 'the device is back'
state() { "${weir[@]}" -j show devices | jq -r '.[].state'; }
is_equal "attached" "$(state)" attached
# a hook that was wiped and, while another's qdisc is in its place, cannot be put on
check "detach" "${weir[@]}" detach renamed
check "attach by clsact" "${weir[@]}" attach renamed egress qdisc keep via clsact
stops "$agent"		# or it may be there between the two
tc -n "$host" -batch - <<- 'END'
	qdisc del dev renamed clsact
	qdisc add dev renamed ingress
END
kill -CONT "$agent"
until_ok "one that cannot be put on is said" said 'egress: cannot be put on again'
is_equal "it is known as lost" "$(state)" lost
tc -n "$host" qdisc del dev renamed ingress
until_ok "and put on when it can be" said 'taken off; it is put back'
is_equal "attached again" "$(state)" attached
is_equal "said once" "$(grep -c 'cannot be put on' "$tmp/log")" 1
# one that seems lost, to whom waits for the lock of a detach that is under way
pins=/sys/fs/bpf/weir/v1/$host
mapfile -t key < <(bpftool -j map dump pinned "$pins/devices" | jq -r '.[0].key[]')
waits() { ! "${weir[@]}" signal queue 1ms 2> /dev/null; }
answers() { "${weir[@]}" signal queue 1ms 2> /dev/null; }
exec {lock}< "$pins"
check "the lock is had" flock "$lock"
tc -n "$host" qdisc del dev renamed clsact
until_ok "the agent waits for it" waits
check "the hook is taken off" bpftool map delete pinned "$pins/devices" key "${key[@]}"
exec {lock}<&-
until_ok "the agent goes on" answers
is_equal "what was taken off meanwhile is not put back" "$("${weir[@]}" -j show devices)" "[]"
check "attach it again" "${weir[@]}" attach renamed egress qdisc keep via clsact
# ... and one that was put on in another way meanwhile, and then wiped, comes back in that
exec {lock}< "$pins"
check "the lock is had" flock "$lock"
tc -n "$host" qdisc del dev renamed clsact
until_ok "the agent waits for it" waits
stops "$agent"
exec {lock}<&-
check "a user detaches" "${weir[@]}" detach renamed
check "and attaches by tcx" "${weir[@]}" attach renamed egress qdisc keep via tcx
check "which somebody takes off" bpftool link detach pinned "$pins"/link_*_egress
kill -CONT "$agent"
is_back() { [ "$("${weir[@]}" -j show devices | jq -r '.[] | .via + " " + .state')" = "$1 attached" ]; }
until_ok "it is put back by tcx" is_back tcx
# a device that comes back, and that a user attaches before the agent does: it is theirs to detach
spare=(ip -n "$host" link add spare up type veth peer name far)
"${spare[@]}"
check "attach another" "${weir[@]}" attach spare egress qdisc keep
# renames FROM TO...: with each, the agent looks at all devices
renames()
{
	local now=$1 name
	shift

	for name; do
		ip -n "$host" link set "$now" down name "$name"
		ip -n "$host" link set "$name" up
		until_ok "one is renamed" said "the device is called $name now"
		now=$name
	done
}
ip -n "$host" link del renamed
until_ok "one goes again" is_twice '^weir: renamed: egress: the device is gone'
# it holds the lock meanwhile
check "and that is done with" "${weir[@]}" class set app control queue target 10ms
stops "$agent"
link "$host" renamed "$peer" eth 1
check "a user is sooner" "${weir[@]}" attach renamed egress qdisc keep
kill -CONT "$agent"
renames spare one two
check "detach" "${weir[@]}" detach renamed
renames two three spare
is_equal "it is not put on again" "$("${weir[@]}" -j show devices | jq -r '.[].dev')" spare
check "attach" "${weir[@]}" attach renamed egress qdisc keep
check "detach another" "${weir[@]}" detach spare
ip -n "$host" link del spare
# one that goes while another is attached
stops "$agent"
ip -n "$host" link del renamed
"${spare[@]}"
check "a user attaches another" "${weir[@]}" attach spare egress qdisc keep
kill -CONT "$agent"
gone_thrice() { [ "$(grep -c '^weir: renamed: egress: the device is gone' "$tmp/log")" = 3 ]; }
until_ok "what has gone is known" gone_thrice
link "$host" renamed "$peer" eth 1
has_both() { [ "$("${weir[@]}" -j show devices | jq -c 'map(select(.state == "attached").dev) | sort')" = '["renamed","spare"]' ]; }
until_ok "and put on when it comes again" has_both
check "detach another" "${weir[@]}" detach spare
ip -n "$host" link del spare
# one whose index is another's before anybody has looked
check "detach" "${weir[@]}" detach renamed
check "attach by clsact" "${weir[@]}" attach renamed egress qdisc keep via clsact
stops "$agent"
index=$(ip -n "$host" -j link show renamed | jq '.[0].ifindex')
ip -n "$host" link del renamed
ip -n "$host" link add heir index "$index" type veth peer name rieh
tc -n "$host" qdisc add dev heir clsact
is_equal "the heir of an index is not the device" "$("${weir[@]}" -j show devices | jq -c '.[0] | [.dev, .state]')" \
	'["renamed","gone"]'
kill -CONT "$agent"
gone_again() { [ "$(grep -c '^weir: renamed: egress: the device is gone' "$tmp/log")" = 4 ]; }
until_ok "that is gone" gone_again
is_equal "the heir is left alone" "$("${weir[@]}" -j show devices)" "[]"
is_equal "and so is its clsact" "$(tc -n "$host" qdisc show dev heir | grep -c clsact)" 1
ip -n "$host" link del heir
link "$host" renamed "$peer" eth 1
has_it() { [ "$("${weir[@]}" -j show devices | jq -c 'map([.dev, .state])')" = '[["renamed","attached"]]' ]; }
until_ok "one of its name has weir again" has_it
ends TERM
is_equal "SIGTERM again" $? 0
files() { ls /run/weir | grep -c "^$host\\."; }
is_equal "nothing is left of it" "$(files)" 0
start
"${spare[@]}"
check "attach another" "${weir[@]}" attach spare egress qdisc keep
ip -n "$host" link del spare
until_ok "which goes" said 'spare: egress: the device is gone'
check "detach all" "${weir[@]}" detach all
is_equal "a living agent keeps its lock and its socket" "$(files)" 2
until_ok "and notices it" said 'nothing is attached any more'
check "attach" "${weir[@]}" attach renamed egress qdisc keep
"${spare[@]}"
# in two passes over the devices the agent has seen it
renames renamed first renamed
is_equal "what was detached while it was gone is not put on again" \
	"$("${weir[@]}" -j show devices | jq -r '.[].dev')" renamed
# many at once, some of them while the agent looks at the others
pairs=35
for ((i = 1; i <= pairs; i++)); do echo "link add a$i up type veth peer name b$i"; done | ip -n "$host" -batch -
for ((i = 1; i <= pairs; i++)); do
	"${weir[@]}" attach a$i egress qdisc keep && "${weir[@]}" attach b$i egress qdisc keep || not_ok "attach a$i, b$i"
done 2> "$tmp/attached"
for ((i = 1; i <= pairs; i++)); do echo "link del a$i"; done | ip -n "$host" -batch -
all_gone() { [ "$(grep -c '^weir: [ab][0-9]*: egress: the device is gone' "$tmp/log")" = $((2 * pairs)) ]; }
until_ok "each of many that go at once is said" all_gone
for ((i = 1; i <= pairs; i++)); do echo "link add a$i up type veth peer name b$i"; done | ip -n "$host" -batch -
all_back() { [ "$("${weir[@]}" -j show devices | jq '[.[] | select(.dev | test("^[ab][0-9]"))] | length')" = $((2 * pairs)) ]; }
until_ok "and put on again when it comes" all_back
ends KILL
check "detach all" "${weir[@]}" detach all
is_equal "what a killed one leaves goes with the last hook" "$(files)" 0

# --- one that has few descriptors, and clients that ask for ever
under=(sh -c 'ulimit -n 64; exec "$@"' -)
check "attach" "${weir[@]}" attach renamed egress qdisc keep
check "class" "${weir[@]}" class set app rate 100mbit control queue target 10ms min 1mbit
start listen 127.0.0.1:0
# leaves N: the agent has but so many descriptors left
leaves()
{
	local n=3

	while [ -e "/proc/$agent/fd/$n" ]; do n=$((n + 1)); done
	prlimit --pid "$agent" --nofile=$((n + $1)):
}
# fewer than the clients that it takes at once
check "it has eight left" leaves 8
ip netns exec "$host" python3 - "$(grep -o '[0-9]*/$' "$tmp/log")" <<- 'END' &
	import socket, sys, time
	crowd = [socket.socket() for i in range(150)]
	for s in crowd:
	    s.setblocking(False)
	    s.connect_ex(("127.0.0.1", int(sys.argv[1].strip("/"))))
	while True:
	    time.sleep(1)
END
pids+=($!)
thrice() { [ "$(grep -c 'cannot take a connection: Too many open files' "$tmp/log")" -ge 3 ]; }
until_ok "it tries again by and by" thrice
is_most "and says so once in a second, lines" "$(wc -l < "$tmp/log")" 50
is_equal "nothing is taken off meanwhile" "$(state)" attached
until_ok "its rates go on" eval '"${weir[@]}" signal queue 40ms drain 20mbit && is_reason behind'
last_ends
ends TERM
is_equal "and it ends when it is told to" $? 0
under=()

# --- one that has none left for a while: what it lacks, it has when there are some again
start
check "no descriptor is left" leaves 0
check "a class with a backlog" "${weir[@]}" class set own control backlog
until_ok "whose sockets it cannot look at" said '^weir: .*: Too many open files'
check "there are some again" prlimit --pid "$agent" --nofile=1024:
own() { [ "$("${weir[@]}" -j show signals | jq -r '.[] | select(.class == "own").value')" = "$1" ]; }
until_ok "it looks at them" own 0
check "none is left" leaves 0
until_ok "it cannot" said 'a step failed: Too many open files'
until_ok "others' rates go on" eval '"${weir[@]}" signal queue 40ms && is_reason behind'
ends TERM
check "detach all" "${weir[@]}" detach all

# --- pins that this weir cannot use, as those of another version
broken() { "${weir[@]}" attach renamed egress qdisc keep && rm "/sys/fs/bpf/weir/v1/$host/told"; }
start_of() { "${weir[@]}" run 2>&1; }
switches() { sed -n 's/^voluntary_ctxt_switches:\t//p' "/proc/$agent/status"; }
check "attach" "${weir[@]}" attach renamed egress qdisc keep
mkdir -m 700 "$tmp/own" && cp "$tmp/conf" "$tmp/own" && chown 65534 "$tmp/own"
start conf "$tmp/own/conf"
is_equal "a file that root alone can read" "$(grep -c 'own/conf: cannot be read again' "$tmp/log")" 1
check "detach all" "${weir[@]}" detach all
until_ok "is seen" said 'nothing is attached any more'
kill -STOP "$agent"
check "attach, and a map is taken away" broken
kill -CONT "$agent"
until_ok "that is seen" said 'told: is missing'
was=$(switches)
turned() { [ "$(switches)" -gt $((was + 25)) ]; }	# ten in a second, of which one looks
until_ok "it goes on looking" turned
is_equal "and says so once" "$(grep -c 'told: is missing' "$tmp/log")" 1
ends TERM
is_equal "another one is told why it does not start, alone" "$(start_of | sed 's/: .*missing/ missing/; s/:.*//')" \
	"weir missing"
check "detach all" "${weir[@]}" detach all

# --- a namespace that goes, and another of its name
netns brief
weir=("$WEIR" -n "$brief")
check "attach in another namespace" "${weir[@]}" attach lo egress qdisc keep
start
ip netns del "$brief"
ip netns add "$brief"
until_ok "a namespace that has gone is said" said "^weir: $brief: the network namespace of that name is gone"
is_equal "the agent ends: exit status" "$(wait "$agent"; echo $?)" 1
finish
