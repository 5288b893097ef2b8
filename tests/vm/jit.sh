#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# jit.sh: of the functional lane: where the kernel compiles no BPF program, what is refused says so,
# in a namespace whose sysctl cannot be seen, too.
. "$(dirname "$0")/../net/lib.sh"

need ip jq
netns here there
link "$here" eth "$there" peer 1
knob=/proc/sys/net/core/bpf_jit_enable
# as some kernels are built
if ! was=$(cat $knob) || ! echo 0 > $knob || [ "$(cat $knob)" != 0 ]; then
	skip_all "this kernel compiles always"
fi
says() { if [[ $2 = *"net.core.bpf_jit_enable=1"* ]]; then ok "$1: $2"; else not_ok "$1" "$2"; fi; }

says "attach" "$("$WEIR" -n "$here" attach eth 2>&1)"
says "check" "$("$WEIR" -j check | jq -r '.[] | select(.check == "programs") | .why')"
echo "$was" > $knob
check "and with it: attach" "$WEIR" -n "$here" attach eth
check "detach" "$WEIR" -n "$here" detach all
finish
