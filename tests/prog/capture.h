/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * capture.h: for test_replay*.c: writes small captures packet by packet, runs `weir replay` on them
 * and hands back what it said. Files live in a folder of their own, removed by capture_cleanup().
 */
#ifndef WEIR_CAPTURE_H
#define WEIR_CAPTURE_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <jansson.h>
#include "fixture.h"

enum { LINK_EN10MB = 1, LINK_WIFI = 105, LINK_RAW = 101, LINK_SLL = 113, LINK_SLL2 = 276 };

#define ARGS_MAX 16

static char weir[4096];			/* the command, by its whole path */
static char capture_dir[] = "/tmp/weir-replay-XXXXXX";

struct capture {
	FILE *file;
	int link;
	__u32 snap;			/* bytes kept of each packet */
};

static inline void capture_setup(void)
{
	assert_non_null(mkdtemp(capture_dir));
	assert_int_equal(chdir(capture_dir), 0);
}

static inline void capture_begin(struct capture *c, const char *name, int link)
{
	const __u32 header[] = { 0xa1b23c4d, 2 | 4 << 16, 0, 0, 262144, link };

	*c = (struct capture){ .file = fopen(name, "w"), .link = link, .snap = 262144 };
	assert_non_null(c->file);
	fwrite(header, sizeof(header), 1, c->file);
}

static inline void capture_raw(struct capture *c, __u64 ns, const void *data, __u32 part, __u32 len)
{
	__u32 kept = part < c->snap ? part : c->snap;
	const __u32 header[] = { ns / SEC, ns % SEC, kept, len };

	fwrite(header, sizeof(header), 1, c->file);
	fwrite(data, kept, 1, c->file);
}

/* an Ethernet frame under the capture's own link header */
static inline void capture_frame(struct capture *c, __u64 ns, const struct frame *frame)
{
	static const __u8 sll[16] = { 0, 4, 0, 1, 0, 6, 2 };
	static const __u8 sll2[20] = { [8] = 0, 1, 4, 6, 2 };
	__u8 data[sizeof(frame->data) + 20];
	__u32 n = c->link == LINK_SLL ? 16 : c->link == LINK_SLL2 ? 20 : 0;
	__u32 eth = c->link == LINK_EN10MB ? 0 : 14;

	memcpy(data, n == 20 ? sll2 : sll, n);
	if (c->link == LINK_SLL)
		memcpy(data + 14, frame->data + 12, 2);
	else if (c->link == LINK_SLL2)
		memcpy(data, frame->data + 12, 2);
	memcpy(data + n, frame->data + eth, frame->len - eth);
	capture_raw(c, ns, data, n + frame->len - eth, n + frame->len - eth);
}

static inline void capture_spec(struct capture *c, __u64 ns, const struct spec *spec)
{
	struct frame frame;

	frame_build(&frame, spec);
	capture_frame(c, ns, &frame);
}

static inline void capture_end(struct capture *c)
{
	assert_int_equal(fclose(c->file), 0);
}

static inline void capture_text(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static inline char *file_text(const char *name)
{
	FILE *file = fopen(name, "r");
	char *text = calloc(1, 1 << 22);

	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 22) - 1, file) < (1 << 22) - 1);
	fclose(file);
	return text;
}

static bool as_text;			/* the next reports are for people */

/*
 * `weir -j replay WORDS`, words parted by blanks. Its output goes to files: stdout, stderr; the
 * latter to the descriptor error where that is none below 0.
 */
static inline pid_t replay_start(const char *words, int error)
{
	char *argv[ARGS_MAX] = { (char *)weir, "replay" };
	char *copy = strdup(words), *save = NULL;
	int n = 2;
	pid_t pid;

	if (!as_text)
		argv[n++] = "-j";
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(n < ARGS_MAX - 1);
		argv[n++] = word;
	}
	pid = fork();
	if (!pid) {
		int out = open("stdout", O_WRONLY | O_CREAT | O_TRUNC, 0600);
		int err = error >= 0 ? error :
			  open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);

		if (dup2(out, 1) == 1 && dup2(err, 2) == 2)
			execv(weir, argv);
		_exit(127);
	}
	assert_true(pid > 0);
	free(copy);
	return pid;
}

/* its exit status */
static inline int replay_run_words(const char *words)
{
	pid_t pid = replay_start(words, -1);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static inline json_t *report_load(void)
{
	json_error_t error;
	json_t *report = json_load_file("stdout", 0, &error);

	if (!report)
		fail_msg("no JSON: %s; stderr: %s", error.text, file_text("stderr"));
	return report;
}

/* a report of a run that must succeed */
static inline json_t *report(const char *words)
{
	if (replay_run_words(words))
		fail_msg("replay %s: %s", words, file_text("stderr"));
	return report_load();
}

/* a row of a list, the one whose `key` is `value`; NULL: the first */
static inline json_t *row(json_t *of, const char *list, const char *key, const char *value)
{
	json_t *rows = json_object_get(of, list), *item;
	size_t i;

	json_array_foreach(rows, i, item)
		if (!key || !strcmp(json_string_value(json_object_get(item, key)), value))
			return item;
	fail_msg("no row %s %s in %s", key ? key : "-", value ? value : "-", list);
	return NULL;
}

static inline __u64 number(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	if (!json_is_integer(value))
		fail_msg("no number %s", name);
	return json_integer_value(value);
}

/* it fails with this status, and says this */
static inline void refused(const char *words, int status, const char *want)
{
	int got = replay_run_words(words);
	char *said = file_text("stderr");

	if (got != status || strncmp(said, "weir: ", 6) || !strstr(said, want))
		fail_msg("replay %s: want status %d and '%s', got %d: %s", words, status, want, got,
			 said);
	free(said);
}

static inline void capture_cleanup(void)
{
	if (chdir("/") || !strstr(capture_dir, "weir-replay-"))
		return;
	if (!fork()) {
		execlp("rm", "rm", "-r", capture_dir, NULL);
		_exit(127);
	}
	wait(NULL);
}

#define RUN_CAPTURES(tests) ({ \
	int failed_ = 1; \
\
	if (realpath(getenv("WEIR") ? getenv("WEIR") : "build/weir", weir)) { \
		capture_setup(); \
		failed_ = RUN(tests, 0); \
		capture_cleanup(); \
	} \
	failed_; \
})

#endif
