// SPDX-License-Identifier: GPL-2.0-only
/*
 * caps.c: capset(2) and the bounding set.
 */
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "caps.h"

int caps_drop(bool netns, struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3] = {};
	struct __user_cap_data_struct want[_LINUX_CAPABILITY_U32S_3] = {};
	const unsigned int keep[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN };

	if (syscall(SYS_capget, &header, have))
		return err_set(err, errno, "capget: %s", strerror(errno));
	for (unsigned int i = 0; i < ARRAY_SIZE(keep); i++) {
		unsigned int word = keep[i] / 32, bit = 1U << (keep[i] % 32);

		if (keep[i] == CAP_SYS_ADMIN && !netns)
			continue;
		want[word].effective |= have[word].permitted & bit;
		want[word].permitted |= have[word].permitted & bit;
	}
	/* needs CAP_SETPCAP, so before the rest; an agent started without it has no need */
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!(want[cap / 32].permitted & (1U << (cap % 32))))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_capset, &header, want))
		return err_set(err, errno, "capset: %s", strerror(errno));
	return 0;
}
