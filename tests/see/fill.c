// SPDX-License-Identifier: GPL-2.0-only
/*
 * fill.c: fills an instance's flow table by way of its own program (BPF_PROG_TEST_RUN), so that
 * entries and counters are what packets would have made: each flow has two UDP packets, port 443
 * or another. Prints how many it has sent.
 *
 *	fill PIN_DIRECTORY FLOWS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#define HEADERS 42
#define EVERY 64			/* so many flows have port 443 */

int main(int argc, char **argv)
{
	unsigned char frame[HEADERS + 86] = {
		[12] = 0x08, [14] = 0x45, [17] = sizeof(frame) - 14, [22] = 64, [23] = IPPROTO_UDP,
		[26] = 10, [30] = 192, [31] = 0, [32] = 2, [33] = 1,
		[34] = 0x9c, [35] = 0x40, [39] = sizeof(frame) - 34,
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 2);
	unsigned long n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	char path[512];
	int fd;

	if (!n || n > 1UL << 24) {
		fprintf(stderr, "usage: fill PIN_DIRECTORY FLOWS\n");
		return 2;
	}
	snprintf(path, sizeof(path), "%s/weir_egress", argv[1]);
	fd = bpf_obj_get(path);
	for (unsigned int i = 0; fd >= 0 && i < n; i++) {
		*(__be16 *)(frame + 36) = htons(i % EVERY ? 1000 + i % EVERY : 443);
		frame[27] = i >> 16;
		frame[28] = i >> 8;
		frame[29] = i;
		if (bpf_prog_test_run_opts(fd, &opts)) {
			fd = -1;
			break;
		}
	}
	if (fd < 0) {
		fprintf(stderr, "fill: %s: %s\n", path, strerror(errno));
		return 1;
	}
	printf("%lu\n", 2 * n);
	return 0;
}
