# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# moved.sh: what signals.sh and pressure.sh ask of a class that its signal moves: from 40 mbit down,
# and up to 60. Wants $producer, and $targets by class, in the units of `show signals -j`.

# signal CLASS FIELD
signal()
{
	"$WEIR" -n "$producer" -j show signals | jq -r --arg n "$1" ".[] | select(.class == \$n) | .$2"
}

# is_lowered CLASS: at the same time above its target, and at less than half of what was configured
is_lowered()
{
	"$WEIR" -n "$producer" -j show signals | jq -e --arg n "$1" --argjson t "${targets[$1]}" \
		'.[] | select(.class == $n) | .value > $t and .rate_bps < 20000000 and .state == "agent"'
}

is_reason() { [ "$(signal "$1" reason)" = "$2" ]; }
is_back() { [ "$(signal "$1" rate_bps)" = 60000000 ]; }
said() { grep -qE "$1" "$tmp/agent.$producer"; }

until_ok()
{
	local what=$1 name=$2
	shift 2

	if wait_until 12 "$@"; then ok "$name: $what"; else
		not_ok "$name: $what" "$("$WEIR" -n "$producer" show signals; grep " $name " \
			"$tmp/agent.$producer" | tail -n 4)"
	fi
}
