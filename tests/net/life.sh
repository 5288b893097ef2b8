# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# life.sh: what tests of an agent's life share: two namespaces, and one agent in the first of them
# that is started, asked and ended. Owns nothing beyond what tests/net/lib.sh cleans up.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need ip jq python3
netns host peer
link "$host" eth "$peer" eth 1
weir=("$WEIR" -n "$host")

# control FIELD: of class "app"
control()
{
	"${weir[@]}" -j show signals | jq -r ".[] | select(.class == \"app\") | .$1"
}

is_reason() { [ "$(control reason)" = "$1" ]; }
is_state() { [ "$(class "$host" app state)" = "$1" ]; }
said() { grep -q "$1" "$tmp/log"; }

under=()
start()
{
	: > "$tmp/log"
	"${under[@]}" "${weir[@]}" run "$@" <&0 2> "$tmp/log" &
	agent=$!
	pids+=("$agent")
	wait_until 10 said 'the agent runs' || not_ok "run $*" "$(cat "$tmp/log")"
}

# ends SIGNAL: sent; the exit status. Its number may be another's from then on.
ends()
{
	local status=0

	kill "-$1" "$agent"
	wait "$agent" 2> /dev/null || status=$?
	unset "pids[-1]"
	return $status
}

until_ok()
{
	local what=$1
	shift

	if wait_until 8 "$@"; then ok "$what"; else not_ok "$what" "$(control reason): $(tail -n 5 "$tmp/log")"; fi
}
