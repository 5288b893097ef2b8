#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# pressure.sh: stalls of a cgroup move a class's rate, of each resource by itself: one that gets a
# tenth of a CPU, one that reads a file half as large again as its memory, one that writes to the
# disk and waits for it. Above its target each lowers its class's rate, with its reason; gone, the
# rate comes back; the cgroup gone, it is held and then the configured one. Nothing is asserted of
# how long that takes, but that it happens. What the kernel counts no stalls of is skipped.
#
#     producer (weir, egress of eth1 to eth3) ==== consumer
. "$(dirname "$0")/lib.sh"

need ip jq findmnt python3
netns producer consumer
cc=cubic
can_cc $cc || cc=reno
# target, 10^-6 of a percent; of memory and of the disk a quick one makes nobody wait for long
declare -A targets=([cpu]=20000000 [memory]=1000000 [io]=2000000) hungry=()
names=()

# --- a cgroup of each resource: by cgroup v2, or by v1 where that holds the controller
disk=$(mktemp -d -p "$top/build")
cgroup2=$(findmnt -nt cgroup2 -o TARGET | head -n 1)

# v1 RESOURCE: where its controller is mounted, or nothing
v1() { findmnt -nt cgroup -O "$1" -o TARGET | head -n 1; }

# limit RESOURCE DIR V1
limit()
{
	case $1,$3 in
	cpu,) echo +cpu > "$cgroup2/cgroup.subtree_control" && echo 10000 100000 > "$2/cpu.max" ;;
	cpu,?*) echo 100000 > "$3/cpu.cfs_period_us" && echo 10000 > "$3/cpu.cfs_quota_us" ;;
	memory,) echo +memory > "$cgroup2/cgroup.subtree_control" && echo 16m > "$2/memory.high" ;;
	memory,?*) echo 16m > "$3/memory.limit_in_bytes" ;;
	esac
}

# cgroup_make RESOURCE
cgroup_make()
{
	local name=w$$-$1 old

	old=$(v1 "$1")
	[ -n "$cgroup2" ] && mkdir "$cgroup2/$name" && [ -e "$cgroup2/$name/$1.pressure" ] || return
	[ -z "$old" ] || mkdir "$old/$name" || return
	limit "$1" "$cgroup2/$name" "${old:+$old/$name}"
}

cat > "$tmp/hungry.py" <<- 'END'
	import os, sys, time
	what, path, *groups = sys.argv[1:]
	for group in groups:
	    with open(group + "/cgroup.procs", "w") as procs:
	        procs.write(str(os.getpid()))
	if what != "cpu":
	    file = os.open(path, os.O_RDWR | os.O_CREAT | (os.O_DSYNC if what == "io" else 0))
	if what == "memory":
	    for i in range(24):
	        os.write(file, bytes(1 << 20))
	end = time.monotonic() + 390
	while time.monotonic() < end:
	    if what == "memory" and not os.read(file, 1 << 18):
	        os.lseek(file, 0, os.SEEK_SET)
	    elif what == "io":
	        os.pwrite(file, bytes(4096), 0)
END

has_joined() { [ -n "$(cat "$cgroup2/w$$-$1/cgroup.procs")" ]; }

# hungry_start RESOURCE [OF]: one in the cgroup of that resource, of another where that is said
hungry_start()
{
	local groups=("$cgroup2/w$$-$1")

	[ -z "$(v1 "$1")" ] || groups+=("$(v1 "$1")/w$$-$1")
	python3 "$tmp/hungry.py" "${2:-$1}" "$disk/$1" "${groups[@]}" 2> "$tmp/hungry.$1" &
	hungry[$1]+=" $!"
}

# hungry_end RESOURCE...
hungry_end()
{
	local name pid

	for name; do
		for pid in ${hungry[$name]:-}; do
			kill "$pid" && wait "$pid"
		done 2> /dev/null
		hungry[$name]=
	done
}

cgroups_gone()
{
	local name dir

	hungry_end "${!targets[@]}"
	for name in "${!targets[@]}"; do
		for dir in "$cgroup2" $(v1 "$name"); do
			[ ! -d "$dir/w$$-$name" ] || wait_until 5 rmdir "$dir/w$$-$name"
		done
	done
}
trap 'cgroups_gone; rm -rf "$disk"; cleanup' EXIT

# stalled RESOURCE: us so far
stalled() { sed -n 's/^some.*total=//p' "$cgroup2/w$$-$1/$1.pressure"; }
has_stalled() { [ "$(stalled "$1")" -gt 20000 ]; }

. "$(dirname "$0")/moved.sh"

flows=() k=0
for name in cpu memory io; do
	k=$((k + 1))
	link "$producer" eth$k "$consumer" eth$k $k
	if ! cgroup_make $name 2> "$tmp/why"; then
		skip "$name" "no cgroup with $name and its pressure here: $(tail -n 1 "$tmp/why")"
		continue
	fi
	names+=("$name")
	check "attach eth$k" "$WEIR" -n "$producer" attach eth$k egress qdisc keep
	check "class $name" "$WEIR" -n "$producer" class set $name rate 40mbit min 4mbit max 60mbit \
		control psi $name cgroup "w$$-$name" target "$((targets[$name] / 1000000))"
	check "match $name" "$WEIR" -n "$producer" match add $name proto tcp dport 700$k
	flows+=(tcp from "$producer" to "$consumer" addr 10.88.$k.2 port 700$k cc $cc n 4 stop 390s)
done
[ ${#names[@]} != 0 ] || finish
agent "$producer"
for name in "${names[@]}"; do
	until_ok "nothing is heard yet" "$name" said "class $name .* reason (waiting|idle): "
done
"$TRAFFIC" run "${flows[@]}" > "$tmp/out" &
pids+=($!)

# --- who waits for a CPU alone waits for nothing else
for name in "${names[@]}"; do
	hungry_start "$name" cpu
	# one waits for the other beside the bound on both
	[ "$name" != cpu ] || hungry_start cpu
done
for name in "${names[@]}"; do
	wait_until 15 has_joined "$name" || note "$name: $(cat "$tmp/hungry.$name")"
	if [ "$name" = cpu ]; then
		until_ok "above its target" cpu is_lowered cpu
		continue
	fi
	is_equal "$name: moved by no other resource" "$(signal "$name" reason)" idle
	hungry_end "$name"
	hungry_start "$name"
done

# --- above its target: slower
counted=()
for name in "${names[@]}"; do
	wait_until 15 has_joined "$name" || note "$name: $(cat "$tmp/hungry.$name")"
	if ! wait_until 1 has_stalled "$name"; then
		skip "$name" "the kernel counts no stalls"
		continue
	fi
	counted+=("$name")
	until_ok "above its target, at less than half of the configured rate" "$name" is_lowered "$name"
	until_ok "says why" "$name" said \
		"class $name rate .* signal \"psi $name[^\"]*\" value [0-9].* reason behind: the signal is above"
	is_equal "$name: state" "$(class "$producer" "$name" state)" agent
	note "$name: $("$WEIR" -n "$producer" show signals | grep " psi $name ")"
done

# a rate that stands still is what the wire carries
if [[ " ${counted[*]} " = *" cpu "* ]]; then
	until_ok "at its minimum" cpu is_reason cpu minimum
	carried "$consumer" eth1 300000		# what was sent faster is over
	is_carried "cpu: on the wire at its minimum" "$consumer" eth1 1000000 3400000 4600000
fi

# --- gone: back, up to the maximum
hungry_end "${names[@]}"
for name in "${counted[@]}"; do
	until_ok "gone: the rate comes back" "$name" is_back "$name"
	until_ok "and says so" "$name" said "class $name rate .* reason probe.*: the signal is clear"
	until_ok "and is at its maximum" "$name" is_reason "$name" maximum
done

# --- silent: held, then the configured rate
cgroups_gone
for name in "${counted[@]}"; do
	until_ok "silent: held first" "$name" said "class $name rate .* -> 60mbit .* reason stale"
	until_ok "then the configured rate" "$name" is_reason "$name" expired
	is_equal "$name: state" "$(class "$producer" "$name" state)" configured
	until_ok "a cgroup that is gone is said" "$name" said \
		"class $name: signal \"psi $name cgroup .*\": No such"
done
finish
