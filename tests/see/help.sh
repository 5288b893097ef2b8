#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# help.sh: every command explains itself, and completion in bash offers what may stand there: names,
# keys and values from the tables that parse. What is offered is taken by the parser.
. "$(dirname "$0")/bed.sh"

need ip jq
netns here
ip -n "$here" link add port type veth peer name port-peer
"$WEIR" -n "$here" attach port egress 2> /dev/null
"$WEIR" -n "$here" class set web rate 10mbit
"$WEIR" -n "$here" class set wide control backlog
export PATH=$top/build:$PATH

offered() { weir help complete "$@"; }
mapfile -t commands < <(offered | grep -v '^-\|^help$')

# --- help
is_least "commands" "${#commands[@]}" 13
for name in "${commands[@]}"; do
	text=$(weir help "$name"; echo $?)
	check "$name help, -h and help $name" [ \
		"$(weir "$name" help; echo $?)$(weir "$name" -h; echo $?)" = "$text$text" ]
	is_equal "$name: what it is, and usage" "$(head -n 2 <<< "$text" |
		grep -c -e "^$name: ..*" -e "^usage: weir \[-n NETNS\] \[-j\] $name\( \|$\)")" 2
	is_equal "$name: explains each word that it offers" "$(offered "$name" | grep -v '^[A-Z-]*$\|^help$' |
		while read -r word; do grep -qw -- "$word" <<< "$text" || echo "$word"; done)" ""
	is_equal "$name: in weir help" "$(weir help | grep -c "^  $name  *[a-z\`]")" 1
	is_least "$name: in the manual" "$(grep -c "^\.\(It \)\?Cm $name\b" "$top/user/man/weir.8")" 2
done
is_equal "help of what is none" "$(weir help atach 2>&1; echo $?)" \
	"weir: unknown command 'atach'; did you mean 'attach'?
2"

is_equal "help of more than one" "$(weir help show flows 2>&1; echo $?)" \
	"weir: help show: nothing may follow, not 'flows'
2"

# --- what is offered is taken: a word that is refused is "unknown", or something else is wanted
# taken FIRST... : each word that is offered behind them, and each value of each of these
refused()
{
	weir -n "$here" "$@" 2>&1 | grep -E "unknown word '${*: -1}'|'${*: -1}': want" | sed "s/^/$*: /"
}
taken()
{
	local key value

	offered "$@" | grep -v '^[A-Z]*$\|^-$\|^help$' | while read -r key; do
		refused "$@" "$key"
		# psi takes a further word, which is offered behind it
		offered "$@" "$key" | grep -v '^[A-Z]*$\|^-$\|^psi$' | while read -r value; do
			refused "$@" "$key" "$value"
		done
	done
}
for words in "class" "class set new" "class set wide" "class set wide control psi" "match" "match add web" "match del web" show \
	"show flows" "attach no-device" "detach no-device" "replay no-file"; do
	# shellcheck disable=SC2086 # one word each
	is_equal "$words: all that is offered is taken" "$(taken $words)" ""
done
is_equal "run: all that is offered is taken" "$(for key in $(offered run | grep -v help); do
	weir -n no-such-place run $key 2>&1; done | grep unknown)" ""

# --- bash
. "$top/user/completion/weir.bash"
# completes WHAT WORD... -- EXPECTED...: the last word is what has been typed so far
completes()
{
	local what=$1 COMP_CWORD COMPREPLY COMP_LINE=weir COMP_POINT word
	local -a COMP_WORDS=(weir) parts
	shift

	# bash parts words at these as well
	while [ "$1" != -- ]; do
		COMP_LINE+=" $1"
		mapfile -t parts < <(sed 's/[:=@]\+/\n&\n/g; s/\n$//' <<< "$1")
		COMP_WORDS+=("${parts[@]}")
		shift
	done
	shift
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_POINT=${#COMP_LINE}
	_weir
	is_equal "$what: $COMP_LINE" "$(printf '%s\n' "${COMPREPLY[@]}" | sort -u | xargs)" "$*"
}
at=(-n "$here")
completes "a command" at -- attach
completes "commands" "" -- -j -n "$(printf '%s\n' "${commands[@]}" help | sort | xargs)"
completes "a namespace" -n "$here" -- "$here"
completes "a device" attach lo -- lo
completes "a device of the namespace" "${at[@]}" attach por -- port port-peer
completes "no device of another" "${at[@]}" match add web dev "" -- lo port port-peer
completes "all or a device" detach al -- all
completes "a direction" attach lo in -- ingress
completes "behind a direction" attach lo ingress "" -- flows qdisc via
completes "behind a value" attach lo ingress via tcx "" -- flows qdisc
completes "a value" attach lo via "" -- clsact tcx
completes "behind an IPv6 address" match add web src 2001:db8::/32 p -- pref proto
completes "behind a port" run listen 127.0.0.1:9090 ob -- observe
completes "behind a class named a:b@c" "${at[@]}" class set a:b@c ra -- rate
"$WEIR" -n "$here" class set a:b@c-d
completes "such a class, bash's last part of it" "${at[@]}" show classes a:b@ -- c-d
completes "and before" "${at[@]}" show classes a:b -- b@c-d
completes "all of it" "${at[@]}" show classes a -- a:b@c-d
completes "what is attached" "${at[@]}" detach "" -- all help port
completes "a verb" class "" -- del help set
completes "classes" "${at[@]}" class set w -- web wide
completes "classes, with -j between" "${at[@]}" -j class set we -- web
completes "a key" class set web ra -- rate
completes "keys that are left" class set web rate 1mbit flow-rate 1mbit m -- mark-at max min mpu
completes "values" class set web action p -- pace police
completes "a default" class set web action d -- default
completes "no number" class set web rate "" -- auto none
completes "switches" class set web ecn o -- off on
completes "signals" class set web control "" -- backlog ce loss none psi rtt
completes "a resource" class set web control psi "" -- cpu io memory
completes "behind it" class set web control psi io ta -- target
completes "or its cgroup" class set web control psi io cg -- cgroup
completes "what goes on from there" class set web control psi io cgroup a.slice ta -- target
completes "keys of a match" match add web s -- sport src
completes "a key, behind a device that is called so" match add web dev src s -- sport src
completes "a device of a match" match add web dev l -- lo
completes "protocols" match add web proto i -- icmp icmp6
completes "the next of a list" match add web proto tcp,ud -- tcp,udp
completes "hooks" match add web hook "" -- egress ingress
completes "of match del" match del web "" -- pref
completes "what to show" show s -- signals
completes "flows" show flows d -- dev dport dst
completes "nothing that a flow does not keep" show flows m --
completes "sort" show flows dport 443 sort d -- delayed dropped
completes "a class of flows" "${at[@]}" show flows class wi -- wide
completes "watch" show classes w -- watch
completes "a class" "${at[@]}" show classes wi -- wide
completes "watch behind a class" "${at[@]}" show classes wide "" -- watch
completes "nothing behind watch" show flows sort rate watch 1 "" --
completes "an agent" run "" -- conf help listen observe
completes "behind a word without value" run observe "" -- conf listen
completes "a signal" signal queue 1 "" -- drain ttl
completes "help" help ver -- version
completes "no command" nothing "" --
touch "$tmp/a.conf" "$tmp/b.conf"
completes "files" apply "$tmp/a" -- "$tmp/a.conf"
completes "files behind a key" replay x conf "$tmp/" -- "$(find "$tmp" -mindepth 1 -maxdepth 1 | sort | xargs)"
for option in -V --version; do
	is_equal "$option" "$("$WEIR" -j $option)" "$("$WEIR" -j version)"
done
# the help of a key stands two blanks behind the widest one
blanks() { "$WEIR" help "$1" | sed -n 's/^  [a-z][^ ]* [^ ]*\(  *\)[^ ].*/\1/p' | awk '{ print length }'; }
for command in show class match run replay; do
	is_equal "help $command: blanks behind the widest key" "$(blanks $command | sort -n | head -n 1)" 2
done
finish
