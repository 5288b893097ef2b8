// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_replay_bad.c: what `weir replay` says to captures that are none, broken, mixed, endless or
 * not to be read; that it streams in bounded memory, shows its progress to terminals alone, and
 * ends on control-C with what it has.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <linux/capability.h>
#include "capture.h"

#define LARGE 65000
#define GIB (1ULL << 30)
#define MANY 400000			/* packets */

static void bytes_file(const char *name, const void *data, size_t size)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* the report beside a refusal: so many packets, and not complete */
static void and_reports(__u64 packets)
{
	json_t *report = report_load();

	assert_int_equal(number(row(report, "capture", NULL, NULL), "packets"), packets);
	assert_true(json_is_false(json_object_get(row(report, "capture", NULL, NULL), "complete")));
	json_decref(report);
}

static void is_read(const char *words, __u64 packets, __u64 backwards)
{
	json_t *report;

	assert_int_equal(replay_run_words(words), 0);
	report = report_load();
	assert_int_equal(number(row(report, "capture", NULL, NULL), "packets"), packets);
	assert_int_equal(number(row(report, "capture", NULL, NULL), "backwards"), backwards);
	json_decref(report);
}

static void no_captures(void **state)
{
	__u32 header[] = { 0xa1b23c4d, 2 | 4 << 16, 0, 0, 262144, 1 };
	__u32 longer[] = { 0xa1b23c4d, 2 | 4 << 16, 0, 0, 262144, 1, 0, 0, 0x7fffffff, 0x7fffffff };

	capture_text("conf", "");
	bytes_file("one", header, 1);
	bytes_file("half", header, 13);
	bytes_file("zeros", (__u8[500]){}, 500);
	bytes_file("longer", longer, sizeof(longer));
	header[1] = 9 | 9 << 16;
	bytes_file("version", header, sizeof(header));
	refused("one conf conf", 1, "one: not a capture");
	refused("half conf conf", 1, "half: not a capture");
	refused("zeros conf conf", 1, "zeros: not a capture");
	refused("version conf conf", 1, "version 9.9");
	refused("conf conf conf", 1, "conf: is empty");
	refused("/dev/null conf conf", 1, "is empty");
	refused("longer conf conf", 1, "behind packet 0: invalid packet capture length");
	and_reports(0);
}

/* a pcap's seconds are 32 bits: beyond half of them it is 2038, not a time before all others */
static void beyond_2038(void **state)
{
	const __u64 last_ns = 0x7fffffffULL * SEC;
	struct capture c;
	json_t *report;

	capture_begin(&c, "later", LINK_EN10MB);
	for (int i = 0; i < 5; i++)
		capture_spec(&c, last_ns + i * SEC, &(struct spec){ .payload = 1000 });
	capture_end(&c);
	capture_text("conf", "class set default rate 100kbit\n");
	is_read("later conf conf", 5, 0);
	report = report_load();
	assert_int_equal(number(row(report, "capture", NULL, NULL), "span_ns"), 4 * SEC);
	assert_int_equal(number(row(report, "totals", NULL, NULL), "delayed"), 0);
	json_decref(report);
}

static void bad_words_of_diff(void **state)
{
	struct capture c;

	capture_begin(&c, "cap", LINK_EN10MB);
	capture_spec(&c, 0, &(struct spec){ .payload = 10 });
	capture_end(&c);
	capture_text("good", "");
	capture_text("bad", "class set web rate 1mbit\nclass set web rate 12x\n");
	refused("cap conf good diff", 2, "diff: a value is missing");
	refused("cap conf good diff good diff good", 2, "diff: given twice");
	refused("cap conf good dif good", 2, "did you mean 'diff'");
	refused("cap conf good diff nosuch", 1, "nosuch: No such file");
	refused("cap conf good diff .", 1, ".: Is a directory");
	refused("cap conf good diff bad", 1, "bad:2: web: rate '12x'");
	refused("cap conf good diff cap", 1, "cap: ");
}

/* --- pcapng: sections and interfaces */

static void block(FILE *file, __u32 type, const void *body, __u32 size)
{
	__u32 whole = 12 + ((size + 3) & ~3U), head[] = { type, whole };

	fwrite(head, sizeof(head), 1, file);
	fwrite(body, size, 1, file);
	fwrite("\0\0\0", whole - 12 - size, 1, file);
	fwrite(&whole, 4, 1, file);
}

static void section(FILE *file)
{
	block(file, 0x0a0d0d0a, (__u32[]){ 0x1a2b3c4d, 1, ~0U, ~0U }, 16);
}

static void interface(FILE *file, __u32 link)
{
	block(file, 1, (__u32[]){ link, 0 }, 8);
}

static void packets(FILE *file, __u32 interfaces, __u32 n)
{
	struct frame frame;

	frame_build(&frame, &(struct spec){ .payload = 100 });
	for (__u32 i = 0; i < n; i++) {
		__u8 body[20 + 142];
		__u32 head[] = { i % interfaces, 0, 1000 * i, 142, 142 };

		memcpy(body, head, 20);
		memcpy(body + 20, frame.data, 142);
		block(file, 6, body, sizeof(body));
	}
}

static void next_generation(void **state)
{
	static const struct {
		const char *name;
		int interfaces, sections;
		__u32 second;		/* the link type of all but the first */
	} files[] = {
		{ "two", 2, 1, LINK_EN10MB }, { "mixed", 2, 1, LINK_RAW },
		{ "sections", 1, 3, LINK_EN10MB }, { "none", 0, 1, 0 },
	};

	capture_text("conf", "");
	for (unsigned int i = 0; i < sizeof(files) / sizeof(*files); i++) {
		FILE *file = fopen(files[i].name, "w");

		assert_non_null(file);
		for (int s = 0; s < files[i].sections; s++) {
			section(file);
			for (int n = 0; n < files[i].interfaces; n++)
				interface(file, n ? files[i].second : LINK_EN10MB);
			block(file, 0x0bad, "unknown", 7);	/* to be skipped */
			packets(file, files[i].interfaces ?: 1, 10);
		}
		assert_int_equal(fclose(file), 0);
	}
	is_read("two conf conf", 10, 0);
	is_read("sections conf conf", 30, 2 * 9);
	refused("mixed conf conf", 1, "type 101 different from the type of the first interface");
	and_reports(0);
	refused("none conf conf", 1, "none: not a capture");
}

/* --- what is no plain file */

static void ten_packets(const char *name)
{
	struct capture c;

	capture_begin(&c, name, LINK_EN10MB);
	for (int i = 0; i < 10; i++)
		capture_spec(&c, i * SEC, &(struct spec){ .payload = 100 });
	capture_end(&c);
}

static void pipes(void **state)
{
	int in;
	pid_t pid;

	capture_text("conf", "");
	ten_packets("cap");
	assert_int_equal(mkfifo("pipe", 0600), 0);
	pid = fork();
	if (!pid) {
		ten_packets("pipe");
		_exit(0);
	}
	is_read("pipe conf conf", 10, 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	in = dup(0);
	assert_int_equal(dup2(open("cap", O_RDONLY | O_CLOEXEC), 0), 0);
	is_read("- conf conf", 10, 0);
	assert_int_equal(dup2(in, 0), 0);
}

/* without the capability by which root reads everything */
static void no_permission(void **state)
{
	int status;
	pid_t pid;

	capture_text("conf", "");
	ten_packets("cap");
	ten_packets("mine");
	assert_int_equal(chmod("mine", 0), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE);
		prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH);
		refused("mine conf conf", 1, "mine: Permission denied");
		refused("cap conf mine", 1, "mine: Permission denied");
		refused("cap conf conf diff mine", 1, "mine: Permission denied");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* --- long ones */

static __u64 cpu_us(const struct rusage *used)
{
	return (used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000000ULL +
	       used->ru_utime.tv_usec + used->ru_stime.tv_usec;
}

/* 1 GiB of 64 KiB packets and 256 flows, by a pipe */
static void memory_is_bounded(void **state)
{
	static __u8 data[LARGE];
	struct rusage used;
	struct frame frame;
	json_t *report;
	int status;
	pid_t writer, reader;

	capture_text("conf", "class set default rate 1gbit\n");
	assert_int_equal(mkfifo("gib", 0600), 0);
	writer = fork();
	if (!writer) {
		struct capture c;

		capture_begin(&c, "gib", LINK_EN10MB);
		for (__u64 i = 0; i < GIB / LARGE; i++) {
			frame_build(&frame, &(struct spec){ .sport = i % 256, .payload = 1000 });
			memcpy(data, frame.data, 200);
			capture_raw(&c, i * MSEC, data, LARGE, LARGE);
		}
		capture_end(&c);
		_exit(0);
	}
	reader = replay_start("gib conf conf", -1);
	assert_int_equal(wait4(reader, &status, 0, &used), reader);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
	report = report_load();
	assert_int_equal(number(row(report, "capture", NULL, NULL), "packets"), GIB / LARGE);
	json_decref(report);
	print_message("1 GiB: %ld KiB resident at most\n", used.ru_maxrss);
	assert_in_range(used.ru_maxrss, 1, 65536);
}

/* the level's timer has its work in the time between two packets, too */
static void write_many(__u64 gap_ns)
{
	struct capture c;

	capture_begin(&c, "many", LINK_EN10MB);
	for (int i = 0; i < MANY; i++)
		capture_spec(&c, i * gap_ns, &(struct spec){ .src = i % 64 + 1, .payload = 18 });
	capture_end(&c);
}

/* in CPU time, so that other work does not count; loading the programs is not replaying */
static void half_a_million_a_second(void **state)
{
	__u64 rate = 0;

	capture_text("conf", "class set default rate 100mbit\n");
	ten_packets("few");
	write_many(USEC);
	for (int i = 0; i < 4 && rate < 500000; i++) {
		struct rusage few, many;
		int status;

		assert_true(wait4(replay_start("few conf conf", -1), &status, 0, &few) > 0);
		assert_int_equal(status, 0);
		assert_true(wait4(replay_start("many conf conf", -1), &status, 0, &many) > 0);
		assert_int_equal(status, 0);
		assert_true(cpu_us(&many) > cpu_us(&few));
		rate = MANY * 1000000ULL / (cpu_us(&many) - cpu_us(&few));
		print_message("%llu packets/s of CPU time\n", rate);
	}
	assert_in_range(rate, 500000, 100000000);
}

static void progress_on_a_terminal(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, status;
	char said[8192], *text;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	write_many(20 * MSEC);
	capture_text("conf", "class set default rate 100mbit\n");
	assert_true(master >= 0 && !grantpt(master) && !unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	pid = replay_start("many conf conf", slave);
	close(slave);
	while (n < sizeof(said) - 1 && (got = read(master, said + n, sizeof(said) - 1 - n)) > 0)
		n += got;
	said[n] = '\0';
	close(master);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_non_null(strstr(said, " % of 3"));
	assert_non_null(strstr(said, " packets/s, "));
	assert_non_null(strstr(said, " s left"));
	/* and nothing is left of it in the end */
	assert_true(n >= 5 && !strcmp(said + n - 5, "\r\033[K\r"));
	is_read("many conf conf", MANY, 0);
	text = file_text("stderr");
	assert_string_equal(text, "");
	free(text);
}

static void drained(int pipe)
{
	int waiting;

	/* the time-out of the whole test is the limit */
	do {
		sched_yield();
		assert_int_equal(ioctl(pipe, FIONREAD, &waiting), 0);
	} while (waiting);
}

static void interrupted(void **state)
{
	struct capture c;
	json_t *report;
	char *said;
	int status;
	pid_t pid;

	capture_text("conf", "");
	assert_int_equal(mkfifo("slow", 0600), 0);
	pid = replay_start("slow conf conf", -1);
	capture_begin(&c, "slow", LINK_EN10MB);
	/* the first bytes may be read before it can be interrupted, the second ones not */
	for (int i = 0; i < 2; i++) {
		capture_spec(&c, i * SEC, &(struct spec){ .payload = 100 });
		assert_int_equal(fflush(c.file), 0);
		drained(fileno(c.file));
	}
	assert_int_equal(kill(pid, SIGINT), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	capture_end(&c);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	said = file_text("stderr");
	assert_non_null(strstr(said, "slow: interrupted behind packet "));
	free(said);
	report = report_load();
	assert_true(json_is_false(json_object_get(row(report, "capture", NULL, NULL), "complete")));
	assert_in_range(number(row(report, "totals", NULL, NULL), "packets"), 1, 2);
	json_decref(report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_captures),
		TEST(beyond_2038),
		TEST(bad_words_of_diff),
		TEST(next_generation),
		TEST(pipes),
		TEST(no_permission),
		TEST(memory_is_bounded),
		TEST(half_a_million_a_second),
		TEST(progress_on_a_terminal),
		TEST(interrupted),
	};

	signal(SIGPIPE, SIG_IGN);
	return RUN_CAPTURES(tests);
}
