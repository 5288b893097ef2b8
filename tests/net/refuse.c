// SPDX-License-Identifier: GPL-2.0-only
/*
 * refuse.c: preloaded into a weir command, refuses what hardened kernels refuse: an iterator that
 * is bound to a map, and a program that copies the kernel's memory. Everything else goes to the
 * kernel.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static int copies(const union bpf_attr *attr)
{
	const struct bpf_insn *insn = (const void *)attr->insns;

	for (unsigned int i = 0; i < attr->insn_cnt; i++)
		if (insn[i].code == (BPF_JMP | BPF_CALL) && !insn[i].src_reg &&
		    (insn[i].imm == BPF_FUNC_probe_read ||
		     insn[i].imm == BPF_FUNC_probe_read_kernel))
			return 1;
	return 0;
}

/* libbpf comes to the kernel by syscall() */
long syscall(long number, ...)
{
	long (*real)(long, ...) = dlsym(RTLD_NEXT, "syscall");
	const union bpf_attr *attr;
	long args[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	attr = (const union bpf_attr *)args[1];
	if (number == SYS_bpf && args[0] == BPF_LINK_CREATE && attr->link_create.iter_info_len) {
		errno = EPERM;
		return -1;
	}
	if (number == SYS_bpf && args[0] == BPF_PROG_LOAD && copies(attr)) {
		errno = EINVAL;
		return -1;
	}
	return real(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
