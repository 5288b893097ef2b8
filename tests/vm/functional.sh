#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# functional.sh: the functional lane, in a guest with a stock kernel, in real time: the program
# tests on this kernel's verifier, and those network tests that ask what weir does rather than
# how fast: attach (tcx and clsact, fq put and restored), maps, neighbours. Several TAP streams in
# a row; exits 1 when a test did.
set -u
cd "$(dirname "$0")/../.." || exit 1
export CMOCKA_MESSAGE_OUTPUT=tap WEIR_KILL_STEP_MS=200	# loading is slow under emulation

status=0
for test in build/tests/prog_*[!.][!d] tests/net/{attach,maps,neighbour}.sh; do
	echo "# $test on $(uname -r)"
	"$test" || status=1
done
exit $status
