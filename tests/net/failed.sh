#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# failed.sh: each call by which a command changes something is refused in turn (die.c): a command
# that fails has changed nothing, and names in its error nothing twice in a row; one that succeeds
# has done all of it. A detach that fails in the middle is completed by the next one.
#
#     here (weir on lo, which keeps the instance, and on eth) ---- there
. "$(dirname "$0")/die.sh"

enough=12			# so many in a row unharmed: the command makes no more changes

weir() { "$WEIR" -n "$here" "$@" > "$tmp/out" 2>&1; }

looks_at lo eth

# all that a command may change
state()
{
	outside
	weir show config
	grep -v '^#' "$tmp/out"
}

# what it must do: a means that the host lacks is left out, and an ifb that cannot be taken away
# again stays known
must() { grep -v '^link_sockops$\|weir-[0-9]'; }

# fails N WORD...: that command, its Nth change refused
fails()
{
	local at=$1
	shift

	WEIR_FAIL_AT=$at LD_PRELOAD="$DIE" "$WEIR" -n "$here" "$@" > "$tmp/said" 2>&1
}

# wrong_words N: in what it said
wrong_words()
{
	[ -s "$tmp/said" ] || echo " $1 (said nothing)"
	sed -nE "s/(^|.* )([^ ]+: )\2.*/ $1 (&)/p" "$tmp/said"
}

# everywhere WHAT BACK WORD...: BACK makes it as it was, once it has succeeded
everywhere()
{
	local what=$1 back=$2 was='' now='' done='' n=1 whole=0 refused=0 bad=''
	shift 2

	was=$(state)
	weir "$@"
	done=$(state)
	$back
	while [ $whole -lt $enough ] && [ $n -lt 200 ]; do
		if fails $n "$@"; then
			now=$(state)
			[ "$(must <<< "$now")" = "$(must <<< "$done")" ] || bad+=" $n (not all done)"
			whole=$((whole + 1))
			$back
		else
			now=$(state)
			bad+=$(wrong_words $n)
			if [ "$now" != "$was" ]; then
				bad+=" $n ($(head -n 1 "$tmp/said"))"
				$back
			fi
			refused=$((refused + 1))
			whole=0
		fi
		n=$((n + 1))
	done
	if [ -z "$bad" ] && [ $refused -gt 0 ] && [ $n -lt 200 ]; then
		ok "$what: refused at each place, $refused times: all of it or nothing"
	else
		not_ok "$what" "not so at change$bad, of $n"
	fi
}

detach_all() { weir detach all; }
detach_eth() { weir detach eth; }
everywhere "the first attach" detach_all attach eth
check "attach lo" weir attach lo ingress
vias=(clsact)
! "$WEIR" -j check | jq -e '.[] | select(.check == "tcx") | .available' > "$tmp/has" || vias+=(tcx)
for via in "${vias[@]}"; do
	everywhere "attach via $via" detach_eth attach eth via "$via"
done

cat > "$tmp/old.conf" <<-END
	class set web rate 20mbit
	match add web proto tcp dport 80 pref 10
END
cat > "$tmp/new.conf" <<-END
	class set other rate 3mbit
	match add other proto udp pref 10
END
old_policy() { weir apply "$tmp/old.conf"; }
old_policy
everywhere "apply" old_policy apply "$tmp/new.conf"
everywhere "class set" old_policy class set web rate 25mbit
everywhere "match del" old_policy match del web

# --- detach

for via in "${vias[@]}"; do
	bad='' n=1 whole=0
	was=$(state)
	while [ $whole -lt $enough ] && [ $n -lt 200 ]; do
		weir attach eth via "$via"
		whole=$((whole + 1))
		if ! fails $n detach eth; then
			whole=0
			bad+=$(wrong_words $n)
			weir detach eth || bad+=" $n ($(head -n 1 "$tmp/out"))"
		fi
		now=$(state)
		[ "$now" = "$was" ] || bad+=" $n (something is left)"
		was=$now
		n=$((n + 1))
	done
	is_equal "detach via $via: refused at each place, the next one completes it" "$bad" ""
done
check "detach all" weir detach all
is_equal "no pins are left" "$([ ! -e "$pins" ] || ls "$pins")" ""
finish
