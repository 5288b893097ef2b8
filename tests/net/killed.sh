#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# killed.sh: attach, detach, class, match and apply are killed behind each call by which they change
# something (die.c), one place after the other. What is then there is the policy of before or the
# new one, and the next command puts everything right: nothing is left, and nobody's qdisc is lost.
#
#     here (weir on lo, which keeps the instance, and on eth) ---- there
. "$(dirname "$0")/die.sh"

ip -n "$here" link add many numtxqueues 4 type veth peer name ynam
ip -n "$here" link set many up
ip -n "$here" link set ynam up
looks_at lo eth many
most=400			# no command makes so many changes

weir()
{
	"$WEIR" -n "$here" "$@"
}

# dies N WORD...: that command, killed behind its Nth change; fails where it came to its end
dies()
{
	local after=$1 status=0
	shift

	# a shell in between, so that this one does not tell of each death
	sh -c '"$@"; exit $?' sh env WEIR_DIE_AFTER="$after" LD_PRELOAD="$DIE" \
		"$WEIR" -n "$here" "$@" > "$tmp/out" 2>&1 || status=$?
	[ $status = 137 ]
}

# everywhere WHAT STEP BEFORE AFTER WORD...: the command dies at every STEPth place. BEFORE is run
# each time before it, AFTER puts it right; then all has to be as it was
everywhere()
{
	local what=$1 step=$2 before=$3 after=$4 was now='' n=1 bad=''
	shift 4

	was=$(outside)
	$before
	while [ $n -lt $most ] && dies $n "$@"; do
		$after $n || bad+=" $n"
		now=$(outside)
		if [ "$now" != "$was" ]; then
			note "behind change $n: $(diff <(echo "$was") <(echo "$now") | grep '^[<>]')"
			bad+=" $n"
			break
		fi
		$before
		n=$((n + step))
	done
	if [ -z "$bad" ] && [ $n -gt 1 ] && [ $n -lt $most ] && $after $n; then
		ok "$what: killed at each of $((n / step)) places, all is put right"
	else
		not_ok "$what" "not put right when killed behind change$bad, of up to $n"
	fi
	[ "$now" = "$was" ] || [ -z "$now" ] || start_again
}

# after a failure: the next test is to begin as it would have
start_again()
{
	weir detach all > "$tmp/out" 2>&1 || true
	tc -n "$here" qdisc del dev eth root 2> "$tmp/out"
	tc -n "$here" qdisc del dev many root 2> "$tmp/out"
	weir attach lo ingress via clsact
}

nothing()
{
	:
}

# says WORDS COMMAND...: succeeds, or is refused with these words
says()
{
	local words=$1
	shift

	weir "$@" > "$tmp/said" 2>&1 || grep -q "$words" "$tmp/said" || {
		note "weir $*: $(cat "$tmp/said")"
		return 1
	}
}

detach_eth() { says "not attached" detach "$dev"; }
detach_all() { says "nothing is attached" detach all; }
attach_eth() { weir attach "$dev" "${words[@]}" > "$tmp/out" 2>&1 || note "attach: $(cat "$tmp/out")"; }
again_eth() { says "attached already" attach "$dev" "${words[@]}" && detach_eth; }

has() { "$WEIR" -j check | jq -e --arg n "$1" '.[] | select(.check == $n) | .available' > "$tmp/has"; }

vias=(clsact)
! has tcx || vias+=(tcx)
dev=eth words=()
[ -n "${WEIR_TEST_SHORT:-}" ] || everywhere "the first attach" 5 nothing detach_all attach eth
check "attach lo" weir attach lo ingress via clsact
[ -z "${WEIR_TEST_SHORT:-}" ] || vias=()
for via in "${vias[@]}"; do
	words=(via "$via")
	everywhere "$via: attach, then detach" 1 nothing detach_eth attach eth via "$via"
	everywhere "$via: attach, then attach and detach" 1 nothing again_eth attach eth via "$via"
	everywhere "$via: detach, then detach" 1 attach_eth detach_eth detach eth
done

# --- the qdiscs of others, in place of which fq comes

if has fq; then
	words=(egress)
	tc -n "$here" qdisc replace dev eth root handle 77: pfifo limit 77
	everywhere "pfifo limit 77: attach twice, detach" 1 nothing again_eth attach eth egress
	if [ -z "${WEIR_TEST_SHORT:-}" ]; then
		tc -n "$here" qdisc replace dev eth root handle 77: pfifo limit 77
		everywhere "pfifo limit 77: attach, detach" 1 nothing detach_eth attach eth egress
		tc -n "$here" qdisc replace dev eth root handle 77: pfifo limit 77
		everywhere "pfifo limit 77: detach twice" 1 attach_eth detach_eth detach eth
	fi
	dev=many
	everywhere "the kernel's mq: attach, detach" 1 nothing detach_eth attach many egress
	tc -n "$here" qdisc replace dev many root handle 5: mq
	everywhere "mq: attach, detach" 1 nothing detach_eth attach many egress
	dev=eth
else
	skip "the qdiscs of others" "this kernel has no fq"
fi

if [ -n "${WEIR_TEST_SHORT:-}" ]; then
	check "detach all" weir detach all
	finish
fi

# --- an agent looks at the records of a killed attach, and does not complete what is not its own

state_of() { weir -j show devices | jq -r --arg d "$1" '.[] | select(.dev == $d) | .state'; }
put_back() { [ "$(grep -c 'lo: ingress: .* it is put back' "$tmp/agent.$here")" = "$1" ]; }

agent "$here"
n=1
until dies $n attach eth egress && [ "$(state_of eth)" = lost ] || [ $n = 30 ]; do
	n=$((n + 1))
done
for times in 1 2; do		# when it has done the second, it is through with the first
	tc -n "$here" qdisc del dev lo clsact
	check "the agent puts right what is attached" wait_until 10 put_back $times
done
is_equal "a hook that was announced when attach died stays so" "$(state_of eth)" lost
kill "${pids[@]}"
wait "${pids[@]}" 2> "$tmp/out"
pids=()
check "detach eth" weir detach eth

# --- a policy: the one of before or the new one, all of it

check "attach eth" weir attach eth
cat > "$tmp/old.conf" <<-END
	class set web rate 20mbit
	class set bulk rate 1mbit per src
	match add web proto tcp dport 80 pref 10
	match add bulk proto tcp pref 20
END
cat > "$tmp/new.conf" <<-END
	class set other rate 3mbit
	class set web rate 30mbit flow-rate 2mbit
	match add other proto udp pref 10
	match add web proto tcp dport 80,443 pref 20
END

old_policy() { weir apply "$tmp/old.conf" && old=$(weir show config | sort); }

# policy FILE: in force is what was, or what the file says; and the command does the next time
policy()
{
	local now

	now=$(weir show config | sort)
	[ "$now" = "$old" ] || [ "$now" = "$(sort "$tmp/want.conf")" ] ||
		{ note "behind change $1: $now"; return 1; }
	weir "${command[@]}" > "$tmp/out" 2>&1 || grep -q 'no class' "$tmp/out"
	now=$(weir show config | sort)
	[ "$now" = "$(sort "$tmp/want.conf")" ] || { note "then: $now"; return 1; }
}

changes()
{
	command=("$@")
	old_policy
	weir "$@"
	weir show config > "$tmp/want.conf"
	everywhere "${*/$tmp\//}" 1 old_policy policy "$@"
}

changes apply "$tmp/new.conf"
changes class set web rate 25mbit
changes class set fresh rate 25mbit
changes match del web
check "detach all" weir detach all
is_equal "no pins are left" "$([ ! -e "$pins" ] || ls "$pins")" ""
finish
