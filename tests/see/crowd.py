#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# crowd.py: puts so many programs of the kind that follows sockets at a cgroup v2, says how many,
# and holds them until its input ends.
#
#	crowd.py CGROUP N

import ctypes
import os
import struct
import sys

SYS_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
PROG_LOAD, LINK_CREATE = 5, 28
PROG_TYPE_SOCK_OPS, CGROUP_SOCK_OPS = 13, 3
RETURN_1 = struct.pack("<BBhi", 0xB7, 0, 0, 1) + struct.pack("<BBhi", 0x95, 0, 0, 0)

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    attributes = ctypes.create_string_buffer(attributes, 128)
    fd = libc.syscall(SYS_BPF[os.uname().machine], command, attributes, 128)
    if fd < 0:
        sys.exit("crowd.py: bpf: " + os.strerror(ctypes.get_errno()))
    return fd


cgroup = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
code = ctypes.create_string_buffer(RETURN_1)
name = ctypes.create_string_buffer(b"GPL")
for i in range(int(sys.argv[2])):
    program = bpf(PROG_LOAD, struct.pack("<IIQQ", PROG_TYPE_SOCK_OPS, 2, ctypes.addressof(code),
                                         ctypes.addressof(name)))
    bpf(LINK_CREATE, struct.pack("<IIII", program, cgroup, CGROUP_SOCK_OPS, 0))
print(sys.argv[2], flush=True)
sys.stdin.read()
