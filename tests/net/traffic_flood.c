// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic_flood.c: `traffic flood`: packets of flows that nobody has seen before, one each, as a
 * forged SYN flood or a scan by UDP makes them: source address and ports from a counter. Written
 * to the device as whole frames, in batches, at a bounded rate.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "traffic.h"

#define BATCH 64
#define ETH_BYTES 14
#define FRAME_BYTES 64			/* a SYN has 54, a probe by UDP 64 */
#define FIRST_SRC 0x0b000000U		/* 11.0.0.0/8 */

static uint16_t ip_sum(const void *data, unsigned int bytes)
{
	const uint16_t *p = data;
	uint32_t sum = 0;

	for (; bytes; bytes -= 2)
		sum += *p++;
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16));
}

/* every second one a SYN; returns the frame's length */
static unsigned int frame_fill(uint8_t *frame, const uint8_t mac[6], in_addr_t dst, uint32_t n)
{
	int syn = n & 1;
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .daddr = dst};
	struct tcphdr tcp = {.doff = 5, .syn = 1, .window = htons(1024)};
	struct udphdr udp = {.len = htons(FRAME_BYTES - ETH_BYTES - sizeof(ip))};
	unsigned int bytes = syn ? ETH_BYTES + sizeof(ip) + sizeof(tcp) : FRAME_BYTES;

	memset(frame, 0, FRAME_BYTES);
	memcpy(frame, mac, 6);
	frame[6] = 2;			/* a local address, nobody's */
	frame[12] = 8;
	ip.protocol = syn ? IPPROTO_TCP : IPPROTO_UDP;
	ip.tot_len = htons(bytes - ETH_BYTES);
	ip.saddr = htonl(FIRST_SRC + n);
	ip.check = ip_sum(&ip, sizeof(ip));
	tcp.source = udp.source = htons(1024 + n % 60000);
	tcp.dest = udp.dest = htons(1 + n % 1021);
	memcpy(frame + ETH_BYTES, &ip, sizeof(ip));
	if (syn)
		memcpy(frame + ETH_BYTES + sizeof(ip), &tcp, sizeof(tcp));
	else
		memcpy(frame + ETH_BYTES + sizeof(ip), &udp, sizeof(udp));
	return bytes;
}

/* one batch; returns how many were sent or dropped */
static int send_batch(int fd, const struct sockaddr_ll *to, in_addr_t dst, uint32_t first, int n)
{
	static uint8_t frames[BATCH][FRAME_BYTES];
	struct mmsghdr msgs[BATCH] = {};
	struct iovec iov[BATCH];
	int i;

	for (i = 0; i < n; i++) {
		iov[i].iov_base = frames[i];
		iov[i].iov_len = frame_fill(frames[i], to->sll_addr, dst, first + i);
		msgs[i].msg_hdr.msg_name = (void *)to;
		msgs[i].msg_hdr.msg_namelen = sizeof(*to);
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	i = sendmmsg(fd, msgs, n, 0);
	/* it ends at a frame that is dropped on its way out */
	return i < 0 ? 1 : i < n ? i + 1 : n;
}

/* DEV of the namespace we are in, MAC and DST its neighbour's, COUNT frames at PPS */
int flood(int argc, char **argv)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(0x0800),
				 .sll_halen = 6};
	uint32_t n = 0, count = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;
	uint32_t pps = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
	uint64_t start;
	in_addr_t dst;
	int fd;

	if (argc != 5 || !count || count > 1 << 24 || !pps ||
	    inet_pton(AF_INET, argv[2], &dst) != 1 ||
	    sscanf(argv[1], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &to.sll_addr[0], &to.sll_addr[1],
		   &to.sll_addr[2], &to.sll_addr[3], &to.sll_addr[4], &to.sll_addr[5]) != 6) {
		fputs("traffic: flood: want DEV MAC DST COUNT PPS, at most 16777216\n", stderr);
		return 2;
	}
	to.sll_ifindex = if_nametoindex(argv[0]);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0 || !to.sll_ifindex) {
		fprintf(stderr, "traffic: flood: %s: %s\n", argv[0], strerror(errno));
		return 1;
	}
	start = clock_ns();
	while (n < count) {
		uint32_t left = count - n;

		n += send_batch(fd, &to, dst, n, left < BATCH ? left : BATCH);
		sleep_until(start + (uint64_t)n * SEC / pps);
	}
	printf("{\"type\":\"flood\",\"packets\":%u,\"seconds\":%.3f}\n", n,
	       (clock_ns() - start) / (double)SEC);
	close(fd);
	return 0;
}
