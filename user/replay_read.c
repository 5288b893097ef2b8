// SPDX-License-Identifier: GPL-2.0-only
/*
 * replay_read.c: a capture file, packet by packet, through libpcap: link headers taken off, times
 * made virtual and monotonic, original lengths kept. Never holds more than one packet.
 * Sources: the LINKTYPE_ registry of tcpdump.org (LINUX_SLL, LINUX_SLL2), IEEE 802.1Q.
 */
#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <pcap/pcap.h>
#include <pcap/sll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <weir/bucket.h>
#include "replay.h"

#define READ_BUFFER (1 << 20)
#define VLAN_DEPTH 2			/* as bpf/parse.h */
#define SECONDS_MAX 8000000000LL	/* no time beyond overflows 64 bits of ns */
#define LONGEST_FRAME 9216		/* jumbo frames end about here */

struct replay_reader {
	FILE *file;
	pcap_t *pcap;
	int link;
	bool any;			/* a packet was read */
	__s64 first_ns, last_ns;	/* the capture's own clock */
	struct replay_capture capture;
};

static bool is_stdin(const char *file)
{
	return !strcmp(file, "-");
}

/* what stands at the file's beginning says more than libpcap's "unknown file format" */
static int magic_check(FILE *file, const char *name, struct err *err)
{
	int first = getc(file);

	if (first == EOF && ferror(file))
		return err_set(err, errno, "%s: %s", name, strerror(errno));
	if (first == EOF)
		return err_set(err, EINVAL, "%s: is empty; want a capture (pcap or pcapng, as "
			       "tcpdump -w writes it)", name);
	ungetc(first, file);
	if (first == 0x1f || first == 0x28 || first == 0xfd)
		return err_set(err, EINVAL, "%s: looks compressed; want for example zcat %s | weir "
			       "replay -", name, name);
	return 0;
}

static int link_check(struct replay_reader *reader, struct err *err)
{
	const char *name = pcap_datalink_val_to_name(reader->link);
	const char *what = pcap_datalink_val_to_description(reader->link);

	reader->capture.link = name ? name : "unknown";
	switch (reader->link) {
	case DLT_EN10MB:
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
	case DLT_LINUX_SLL:
	case DLT_LINUX_SLL2:
		return 0;
	}
	return err_set(err, EPROTONOSUPPORT, "%s: link type %d (%s): want Ethernet, raw IP or Linux "
		       "cooked (tcpdump -i any)", reader->capture.file, reader->link,
		       what ? what : "unknown");
}

static int open_pcap(struct replay_reader *reader, struct err *err)
{
	const char *name = reader->capture.file;
	char why[PCAP_ERRBUF_SIZE] = "";
	struct stat st;
	int r;

	if (pcap_init(PCAP_CHAR_ENC_LOCAL, why))
		return err_set(err, EIO, "%s: %s", name, why);
	reader->file = is_stdin(name) ? stdin : fopen(name, "re");
	if (!reader->file)
		return err_set(err, errno, "%s: %s", name, strerror(errno));
	if (!fstat(fileno(reader->file), &st)) {
		if (S_ISDIR(st.st_mode))
			return err_set(err, EISDIR, "%s: is a directory; want a capture", name);
		if (S_ISREG(st.st_mode))
			reader->capture.size = st.st_size;
	}
	setvbuf(reader->file, NULL, _IOFBF, READ_BUFFER);
	r = magic_check(reader->file, name, err);
	if (r)
		return r;
	reader->pcap = pcap_fopen_offline_with_tstamp_precision(reader->file,
						PCAP_TSTAMP_PRECISION_NANO, why);
	if (!reader->pcap)
		return err_set(err, EINVAL, "%s: not a capture: %s; want pcap or pcapng, as tcpdump "
			       "-w writes it", name, why);
	reader->link = pcap_datalink(reader->pcap);
	return link_check(reader, err);
}

int replay_reader_open(struct replay_reader **ret_reader, const char *file, struct err *err)
{
	struct replay_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return err_set(err, ENOMEM, "out of memory");
	reader->capture.file = file;
	r = open_pcap(reader, err);
	if (r)
		replay_reader_close(reader);
	else
		*ret_reader = reader;
	return r;
}

void replay_reader_close(struct replay_reader *reader)
{
	if (!reader)
		return;
	/* libpcap closes the file that it was given */
	if (reader->pcap)
		pcap_close(reader->pcap);
	else if (reader->file && reader->file != stdin)
		fclose(reader->file);
	free(reader);
}

static __u16 be16(const __u8 *at)
{
	return at[0] << 8 | at[1];
}

/* a device of that ARPHRD_ had an Ethernet header, which the cooked form has lost */
static bool had_ethernet(__u16 hardware)
{
	return hardware == ARPHRD_ETHER || hardware == ARPHRD_LOOPBACK;
}

/*
 * Behind the link header; false where the packet is too short to have one. A cooked packet of an
 * Ethernet device counts with the Ethernet header that it had on the wire.
 */
static bool link_strip(int link, const __u8 *data, __u32 size, struct replay_packet *packet)
{
	__u32 header = link == DLT_EN10MB ? ETH_HLEN : link == DLT_LINUX_SLL ? SLL_HDR_LEN :
		       link == DLT_LINUX_SLL2 ? SLL2_HDR_LEN : 0;
	bool ethernet = link == DLT_EN10MB;
	__u16 type;

	if (size < header + !header || packet->len < header)
		return false;
	switch (link) {
	case DLT_EN10MB:
		type = be16(data + 2 * ETH_ALEN);
		break;
	case DLT_LINUX_SLL:
		ethernet = had_ethernet(be16(data + 2));
		type = be16(data + 14);
		break;
	case DLT_LINUX_SLL2:
		ethernet = had_ethernet(be16(data + 8));
		type = be16(data);
		break;
	default:
		type = data[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
	}
	packet->len -= header;
	packet->frame_len = packet->len + ETH_HLEN;
	if (ethernet)
		packet->len = packet->frame_len;
	packet->ethertype = type;
	packet->l3 = data + header;
	packet->l3_size = size - header;
	return true;
}

/*
 * VLAN tags leave the bytes but not the length: on a live device the kernel keeps the tag beside
 * the packet, and a tag that stands inside hides the protocol from the helpers.
 */
static void vlan_strip(struct replay_packet *packet)
{
	for (int i = 0; i < VLAN_DEPTH && packet->l3_size >= 4; i++) {
		if (packet->ethertype != ETH_P_8021Q && packet->ethertype != ETH_P_8021AD)
			return;
		packet->ethertype = be16(packet->l3 + 2);
		packet->l3 += 4;
		packet->l3_size -= 4;
		packet->frame_len -= packet->frame_len >= ETH_HLEN + 4 ? 4 : 0;
	}
}

static void time_set(struct replay_reader *reader, const struct timeval *ts,
		     struct replay_packet *packet)
{
	__s64 seconds = ts->tv_sec > SECONDS_MAX ? SECONDS_MAX : ts->tv_sec;
	__s64 ns;

	/* pcap's 32 bits have no sign, libpcap gives them one: from 2038 on */
	if (seconds < 0)
		seconds = (__u32)seconds;
	ns = seconds * 1000000000LL + ts->tv_usec;	/* of nanosecond precision */

	if (!reader->any)
		reader->first_ns = reader->last_ns = ns;
	reader->any = true;
	if (ns < reader->last_ns)
		reader->capture.backwards++;
	else
		reader->last_ns = ns;
	reader->capture.span_ns = reader->last_ns - reader->first_ns;
	packet->now_ns = REPLAY_T0_NS + reader->capture.span_ns;
}

int replay_reader_next(struct replay_reader *reader, struct replay_packet *packet, struct err *err)
{
	struct replay_capture *capture = &reader->capture;
	struct pcap_pkthdr *header;
	const __u8 *data;
	int r;

	while ((r = pcap_next_ex(reader->pcap, &header, &data)) == 1) {
		packet->len = header->len > header->caplen ? header->len : header->caplen;
		if (packet->len > WEIR_BYTES_MAX)
			packet->len = WEIR_BYTES_MAX;
		time_set(reader, &header->ts, packet);
		if (!link_strip(reader->link, data, header->caplen < packet->len ? header->caplen :
				packet->len, packet)) {
			capture->runts++;
			continue;
		}
		vlan_strip(packet);
		capture->packets++;
		capture->bytes += packet->len;
		capture->truncated += header->caplen < header->len;
		capture->unsegmented += packet->len > LONGEST_FRAME;
		return 1;
	}
	capture->complete = r == PCAP_ERROR_BREAK;
	if (capture->complete)
		return 0;
	return err_set(err, EIO, "%s: cannot be read on behind packet %llu: %s; the report covers "
		       "what was read", capture->file, capture->packets + capture->runts,
		       pcap_geterr(reader->pcap));
}

const struct replay_capture *replay_reader_capture(const struct replay_reader *reader)
{
	return &reader->capture;
}

__u64 replay_reader_offset(const struct replay_reader *reader)
{
	off_t at = ftello(reader->file);

	return at < 0 ? 0 : at;
}
