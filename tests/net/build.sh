#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# build.sh: programs that another build of weir has attached go on, and are told from one's own,
# which the next attach puts in their place (update.sh: how).
. "$(dirname "$0")/lib.sh"

need ip jq
netns here there
link "$here" eth "$there" peer 1
other=$tmp/other
# a word of the object's debugging text: nothing that it does
sed 's/off > 0x7fff/off > 0x7FFF/' "$WEIR" > "$other"
chmod +x "$other"
cmp -s "$WEIR" "$other" && { not_ok "another build" "the word is not in the object"; finish; }

# says WHAT YES|NO BINARY WORD...: that the programs are of another build
says()
{
	local what=$1 want=$2 binary=$3 out got=no
	shift 3

	out=$("$binary" -n "$here" "$@" 2>&1 > "$tmp/shown") || not_ok "$what" "exit $?: $out"
	[[ $out != *"of another build of weir;"*"weir attach DEV"* ]] || got=yes
	is_equal "$what" "$got" "$want"
}
program() { "$1" -n "$here" -j show devices 2> "$tmp/log" | jq -r '.[].program' | sort -u; }

says "another build attaches" no "$other" attach eth egress via clsact
says "which is its own" no "$other" show
is_equal "which is its own, JSON" "$(program "$other")" own
says "check knows its own" no "$other" check
says "and other ones" yes "$WEIR" check
says "show" yes "$WEIR" show
says "show devices" yes "$WEIR" show devices
is_equal "JSON" "$(program "$WEIR")" other
"$WEIR" -n "$here" run 2> "$tmp/log" &
pids+=($!)
wait_until 10 grep -q 'the agent runs' "$tmp/log" || :
is_equal "the agent says it" "$(grep -c 'of another build of weir' "$tmp/log")" 1
says "a class" no "$WEIR" class set web rate 20mbit
check "another hook" "$WEIR" -n "$here" attach eth ingress via clsact
is_equal "of this build, as the first is" "$(program "$WEIR")" own
says "which is its own" no "$WEIR" show
is_equal "the policy is there" "$(class "$here" web rate_bps)" 20000000
finish
