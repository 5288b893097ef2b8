// SPDX-License-Identifier: GPL-2.0-only
/*
 * fill.c: fills an instance's flow table by way of its own program (BPF_PROG_TEST_RUN), so that
 * entries and counters are what packets would have made: each flow has two UDP packets, port 443
 * or another, over IPv4 or IPv6. Prints how many it has sent. Or sends a packet to each of so many
 * ports from 1001 on, every so many ms, until it is killed.
 *
 *	fill PIN_DIRECTORY FLOWS [6]
 *	fill PIN_DIRECTORY PORTS every MS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#define FRAME 128			/* bytes */
#define EVERY 64			/* so many flows have port 443 */

static unsigned char v4[FRAME] = {
	[12] = 0x08, [14] = 0x45, [17] = FRAME - 14, [22] = 64, [23] = IPPROTO_UDP,
	[26] = 10, [30] = 192, [31] = 0, [32] = 2, [33] = 1,
	[34] = 0x9c, [35] = 0x40, [39] = FRAME - 34,
};

static unsigned char v6[FRAME] = {
	[12] = 0x86, [13] = 0xdd, [14] = 0x60, [19] = FRAME - 54, [20] = IPPROTO_UDP, [21] = 64,
	[22] = 0x20, [23] = 0x01, [24] = 0x0d, [25] = 0xb8, [28] = 0x12, [29] = 0x34,
	[38] = 0x20, [39] = 0x01, [40] = 0x0d, [41] = 0xb8, [53] = 0x01,
	[54] = 0x9c, [55] = 0x40, [59] = FRAME - 54,
};

static int every(int fd, unsigned long n, unsigned long ms)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = v4, .data_size_in = FRAME, .repeat = 1);

	for (;;) {
		for (unsigned long i = 1; i <= n; i++) {
			*(__be16 *)(v4 + 36) = htons(1000 + i);
			if (bpf_prog_test_run_opts(fd, &opts))
				return -1;
		}
		poll(NULL, 0, ms);
	}
}

int main(int argc, char **argv)
{
	bool six = argc == 4 && !strcmp(argv[3], "6");
	bool again = argc == 5 && !strcmp(argv[3], "every");
	unsigned char *frame = six ? v6 : v4;
	/* the last bytes of the source, the port of the destination */
	unsigned char *host = frame + (six ? 35 : 27), *port = frame + (six ? 56 : 36);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME, .repeat = 2);
	unsigned long n = argc == 3 || six || again ? strtoul(argv[2], NULL, 10) : 0;
	char path[512];
	int fd;

	if (!n || n > 1UL << 24) {
		fprintf(stderr, "usage: fill PIN_DIRECTORY FLOWS [6] | PORTS every MS\n");
		return 2;
	}
	snprintf(path, sizeof(path), "%s/weir_egress", argv[1]);
	fd = bpf_obj_get(path);
	if (fd >= 0 && again)
		fd = every(fd, n, strtoul(argv[4], NULL, 10) % 1000);
	for (unsigned int i = 0; fd >= 0 && i < n; i++) {
		*(__be16 *)port = htons(i % EVERY ? 1000 + i % EVERY : 443);
		host[0] = i >> 16;
		host[1] = i >> 8;
		host[2] = i;
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
