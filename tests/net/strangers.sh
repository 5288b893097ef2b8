#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# strangers.sh: a device has one weir: that of another bpffs, of pins that are lost, or of the
# namespace that the device was moved from is seen at attach, by tcx and by clsact, and is refused.
#
#     here (weir on eth) ---- there          eth is moved to `away`
. "$(dirname "$0")/lib.sh"

need ip jq unshare
netns here there away
link "$here" eth "$there" peer 1
vias=(clsact) soonest=9999
! "$WEIR" -j check | jq -e '.[] | select(.check == "tcx") | .available' > "$tmp/has" || vias+=(tcx)

# elsewhere COMMAND...: where another bpffs is
elsewhere()
{
	unshare -m sh -c 'mount -t bpf bpf /sys/fs/bpf; exec "$@"' - "$@"
}

# refused WHAT COMMAND...: says who is there, by its number, in another bpffs too; changes nothing.
# soonest: ms that the quickest of them took
refused()
{
	local what=$1 got=0 from
	shift

	from=${EPOCHREALTIME/./}
	"$@" > "$tmp/out" 2>&1 || got=$?
	took=$(((${EPOCHREALTIME/./} - from) / 1000))
	[ $took -ge "$soonest" ] || soonest=$took
	if [ $got = 1 ] && grep -qE "^weir: eth: [a-z]+: another weir's program is there \(id $id\)" \
		"$tmp/out"; then
		ok "$what: $(cat "$tmp/out")"
	else
		not_ok "$what" "exit $got, not of $id: $(cat "$tmp/out")"
	fi
}

# program of the first record: hook ingress of eth, in the map itself
program()
{
	bpftool map dump pinned "/sys/fs/bpf/weir/v1/$here/devices" |
		jq '.[] | .formatted // . | select(.value.name == "eth") | .value.prog_id' | head -n 1
}

for via in "${vias[@]}"; do
	check "$via: attach" "$WEIR" -n "$here" attach eth egress via "$via"
	id=$(command -v bpftool > /dev/null && program) || id='[0-9]+'
	soonest=9999
	for other in "${vias[@]}"; do
		refused "$via: another bpffs, via $other" elsewhere "$WEIR" -n "$here" attach eth via "$other"
	done
	# beside what is refused for want of a device, where much else runs
	from=${EPOCHREALTIME/./}
	elsewhere "$WEIR" -n "$here" attach none 2> "$tmp/none"
	took=$(((${EPOCHREALTIME/./} - from) / 1000))
	is_most "$via: which does not go, and is not waited for, ms" $soonest $((450 + 4 * took))
	check "$via: its other hook is free" elsewhere sh -ec "'$WEIR' -n $here attach eth ingress
		'$WEIR' -n $here detach all"
	check "$via: another device is free" elsewhere sh -ec "'$WEIR' -n $here attach lo
		'$WEIR' -n $here detach all"
	is_equal "$via: the first goes on" \
		"$("$WEIR" -n "$here" -j show devices | jq -r '.[].state')" attached

	# a link goes with its pin, a filter stays
	rm -r "/sys/fs/bpf/weir/v1/$here"
	if [ "$via" = tcx ]; then
		check "$via: its pins are lost" "$WEIR" -n "$here" attach eth egress
		check "$via: detach" "$WEIR" -n "$here" detach all
	else
		refused "$via: its pins are lost" "$WEIR" -n "$here" attach eth egress
		tc -n "$here" filter del dev eth egress
		check "$via: once it is deleted" "$WEIR" -n "$here" attach eth egress
		check "$via: detach" "$WEIR" -n "$here" detach all
		tc -n "$here" qdisc del dev eth clsact
	fi
done

if [ ${#vias[@]} = 2 ]; then
	check "attach" "$WEIR" -n "$here" attach eth egress via tcx
	id=$(command -v bpftool > /dev/null && program) || id='[0-9]+'
	ip -n "$here" link set eth netns "$away"
	is_equal "moved with a link: for the first" \
		"$("$WEIR" -n "$here" -j show devices | jq -r '.[].state')" gone
	refused "the other namespace's" "$WEIR" -n "$away" attach eth
	check "detach, where it was" "$WEIR" -n "$here" detach eth
	check "attach, where it is" "$WEIR" -n "$away" attach eth egress via tcx

	# an agent waits for it, where it comes to next
	check "attach there" "$WEIR" -n "$here" attach lo ingress
	link "$here" eth "$there" peer2 2
	check "attach there" "$WEIR" -n "$here" attach eth egress
	agent "$here"
	said() { grep -q "^weir: eth: egress: $1" "$tmp/agent.$here"; }
	ip -n "$here" link del eth
	check "an agent misses its device" wait_until 10 said "the device is gone"
	ip -n "$away" link set eth netns "$here"
	again="cannot be put on again, and is tried every second: another weir's program is there (id"
	check "one comes that has a weir: that is said" wait_until 10 said "$again"
	check "detach, where it was" "$WEIR" -n "$away" detach all
	check "and is free for the agent" wait_until 10 said "the device is back"
	last_ends
	check "detach" "$WEIR" -n "$here" detach all
else
	skip "moved with a link" "no tcx here"
fi
finish
