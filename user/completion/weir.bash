# SPDX-License-Identifier: GPL-2.0-only
#
# weir.bash: completion for bash. What may stand where comes from `weir help complete`, and so from
# the tables that parse; names come from the system, with -n from ip, and from `weir show config`.
# Of a list such as 80,443 the last item is completed.

_weir_names()
{
	case $1 in
	ATTACHED)
		command weir "${netns[@]}" show devices 2> /dev/null > >(sed -n '2,$s/ .*//p') ||
			_weir_names DEV ;;
	DEV)	if ((${#netns[@]})); then
			ip -o "${netns[@]}" link 2> /dev/null | sed 's/^[0-9]*: \([^:@]*\).*/\1/'
		else
			for dev in /sys/class/net/*; do echo "${dev##*/}"; done
		fi ;;
	CLASS)	command weir "${netns[@]}" show config 2> /dev/null |
			sed -n 's/^class set \([^ ]*\).*/\1/p'
		echo default ;;
	PATH)	(cd /sys/fs/cgroup/unified 2> /dev/null || cd /sys/fs/cgroup 2> /dev/null &&
			compgen -d -- "$cur") ;;
	FILE)	compgen -f -- "$cur" ;;
	esac
}

# the words up to the cursor as the line has them: bash parts them at : = @ as well, which stand in
# addresses and names
_weir_typed()
{
	local line=$COMP_LINE word

	for word in "${COMP_WORDS[@]:0:COMP_CWORD + 1}"; do
		if ((${#typed[@]})) && [[ $line != [[:blank:]]* ]]; then
			typed[-1]+=$word
		else
			typed+=("$word")
			line=${line#"${line%%[![:blank:]]*}"}
		fi
		line=${line#"$word"}
	done
}

_weir()
{
	local cur i=1 dev head='' breaks=${COMP_WORDBREAKS//[!:=@]/} before='' word
	local -a typed=() words=() netns=() found=()

	_weir_typed
	cur=${typed[-1]}
	# what bash does not replace
	[ -z "$breaks" ] || before=${cur%"${cur##*[$breaks]}"}
	while ((i < ${#typed[@]} - 1)); do
		case ${typed[i]} in
		-j)	;;
		-n)	if ((${#words[@]})); then words+=(-n); else netns=(-n "${typed[++i]}"); fi ;;
		*)	words+=("${typed[i]}") ;;
		esac
		((i++))
	done
	COMPREPLY=()
	if ((i >= ${#typed[@]})) && ((${#netns[@]})); then
		mapfile -t COMPREPLY < <(compgen -W "$(ls /run/netns 2> /dev/null)" -- "$cur")
		COMPREPLY=("${COMPREPLY[@]#"$before"}")
		return
	fi
	while IFS= read -r word; do
		case $word in
		FILE)	compopt -o filenames 2> /dev/null ;;&
		DEV)	[[ ${words[*]} != detach ]] || word=ATTACHED ;;&
		DEV | CLASS | PATH | FILE)
			mapfile -t -O "${#found[@]}" found < <(_weir_names "$word") ;;
		*[A-Z]*)	# a number or the like: nothing to offer
			[[ $cur != *,* ]] || head=${cur%,*}, ;;
		*)	found+=("$word") ;;
		esac
	done < <(command weir help complete "${words[@]}" 2> /dev/null)
	cur=${cur#"$head"}
	for word in "${found[@]}"; do
		[[ $word != "$cur"* ]] || { word=$head$word; COMPREPLY+=("${word#"$before"}"); }
	done
}

complete -F _weir weir
