# SPDX-License-Identifier: GPL-2.0-only
#
# weir.bash: completion for bash. Knows the order of words; the words themselves come from
# `weir help words`, and names from the system or from `weir show`.

_weir_words()
{
	command weir help words "$@" 2>/dev/null
}

_weir_devices()
{
	local path

	for path in /sys/class/net/*; do
		echo "${path##*/}"
	done
}

_weir_classes()
{
	command weir "${netns[@]}" show config 2>/dev/null | sed -n 's/^class set \([^ ]*\).*/\1/p'
	echo default
}

# after KEY VALUE pairs from word $1 on: the keys of table $2, or what may follow a key
_weir_pairs()
{
	local from=$1 table=$2 prev=${words[cword - 1]}

	if (( (cword - from) % 2 == 0 )); then
		_weir_words "$table"
	elif [[ $prev == dev ]]; then
		_weir_devices
	else
		_weir_words "$prev"
	fi
}

# the words that may stand at cword, one a line
_weir_candidates()
{
	local i=1 command
	local -a netns=()

	while (( i < cword )); do
		case ${words[i]} in
		-n)	netns=(-n "${words[i + 1]}"); (( i += 2 )) ;;
		-j)	(( i++ )) ;;
		*)	break ;;
		esac
	done
	if [[ ${words[cword - 1]} == -n ]]; then
		ls /run/netns 2>/dev/null
		return
	fi
	if (( i == cword )); then
		_weir_words
		printf '%s\n' help -n -j
		return
	fi
	command=${words[i]}
	case $command:$(( cword - i )) in
	attach:1)	_weir_devices ;;
	detach:1)	_weir_devices; echo all ;;
	class:1 | match:1 | show:1)	_weir_words "$command" ;;
	help:1)		_weir_words ;;
	class:2 | match:2)	_weir_classes ;;
	class:*)	_weir_pairs $(( i + 3 )) class-keys ;;
	match:*)	_weir_pairs $(( i + 3 )) match-keys ;;
	show:*)
		if [[ ${words[i + 1]} == flows ]]; then
			if [[ ${words[cword - 1]} == class ]]; then
				_weir_classes
			else
				_weir_pairs $(( i + 2 )) flow-keys
			fi
		fi
		;;
	attach:*)
		case ${words[cword - 1]} in
		qdisc)	printf '%s\n' keep fq ;;
		via)	printf '%s\n' tcx clsact ;;
		*)	_weir_words attach ;;
		esac
		;;
	detach:*)	printf '%s\n' egress ingress both ;;
	*)		_weir_words "$command" ;;
	esac
}

_weir()
{
	local cur=${COMP_WORDS[COMP_CWORD]} cword=$COMP_CWORD
	local -a words=("${COMP_WORDS[@]}")

	mapfile -t COMPREPLY < <(compgen -W "$(_weir_candidates)" -- "$cur")
	# files, where a file may stand
	case ${words[cword - 1]} in
	apply | conf | diff | replay)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
		;;
	esac
}

complete -F _weir weir
