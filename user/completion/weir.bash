# SPDX-License-Identifier: GPL-2.0-only
#
# weir.bash: completion for bash. What may stand where comes from `weir help complete`, and so from
# the tables that parse; names come from the system, with -n from ip, and from `weir show config`.
# Of a list such as 80,443 the last item is completed.

_weir_names()
{
	case $1 in
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

_weir()
{
	local cur=${COMP_WORDS[COMP_CWORD]} i=1 dev head word
	local -a words=() netns=() found=()

	while ((i < COMP_CWORD)); do
		case ${COMP_WORDS[i]} in
		-j)	;;
		-n)	if ((${#words[@]})); then words+=(-n); else netns=(-n "${COMP_WORDS[++i]}"); fi ;;
		*)	words+=("${COMP_WORDS[i]}") ;;
		esac
		((i++))
	done
	COMPREPLY=()
	if ((i > COMP_CWORD)) && ((${#netns[@]})); then
		mapfile -t COMPREPLY < <(compgen -W "$(ls /run/netns 2> /dev/null)" -- "$cur")
		return
	fi
	head=
	while IFS= read -r word; do
		case $word in
		FILE)	compopt -o filenames 2> /dev/null ;;&
		DEV | CLASS | PATH | FILE)
			mapfile -t -O "${#found[@]}" found < <(_weir_names "$word") ;;
		*[A-Z]*)	# a number or the like: nothing to offer
			[[ $cur != *,* ]] || head=${cur%,*}, ;;
		*)	found+=("$word") ;;
		esac
	done < <(command weir help complete "${words[@]}" 2> /dev/null)
	cur=${cur#"$head"}
	for word in "${found[@]}"; do
		[[ $word != "$cur"* ]] || COMPREPLY+=("$head$word")
	done
}

complete -F _weir weir
