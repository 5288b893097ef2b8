// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c: the options before the command, the choice of the command, the exit status. Knows no
 * command from inside.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "clock.h"
#include "help.h"
#include "log.h"
#include "pin.h"

/*
 * A closed stdin, stdout or stderr must not become a map: fill them with what cannot be read, lest
 * no input be an empty policy, or cannot be written.
 */
static int descriptors_fill(void)
{
	/* none is opened where none is closed: a chroot may have no /dev/null */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return -EBADF;
	return 0;
}

static bool is_version(const char *word)
{
	return !strcmp(word, "-V") || !strcmp(word, "--version");
}

static bool is_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "-h") || !strcmp(word, "--help");
}

/* takes -j out of the words wherever it stands; no value begins that way */
static int take_json(struct context *context, int argc, char **argv)
{
	int kept = 0;

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "-j") || !strcmp(argv[i], "--json"))
			context->json = true;
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	return kept;
}

/* takes the options before the command; the words that are left */
static int options(struct context *context, int argc, char ***argv)
{
	while (argc && (*argv)[0][0] == '-' && !is_help((*argv)[0]) && !is_version((*argv)[0])) {
		const char *option = (*argv)[0];
		int r;

		if (strcmp(option, "-n"))
			return err_set(&context->err, EINVAL, "unknown option '%s'; want -n NETNS or "
				       "-j", option);
		if (context->netns)
			return err_set(&context->err, EINVAL, "-n: given twice");
		if (argc < 2)
			return err_set(&context->err, EINVAL, "-n: a value is missing; want a name "
				       "as `ip netns` knows it");
		context->netns = (*argv)[1];
		r = pin_check_name(context->netns, &context->err);
		if (r)
			return r;
		argc -= 2;
		*argv += 2;
	}
	for (int i = 1; i < argc; i++)
		if (!strcmp((*argv)[i], "-n"))
			return err_set(&context->err, EINVAL, "-n: want it before the command: weir -n "
				       "NETNS %s ...", (*argv)[0]);
	return argc;
}

static int run(struct context *context, int argc, char **argv)
{
	const struct command *command;

	argc = options(context, take_json(context, argc, argv), &argv);
	if (argc < 0)
		return CMD_USAGE;
	if (!argc) {
		help_run(context, 0, NULL);
		return CMD_USAGE;
	}
	if (is_version(argv[0]))
		argv[0] = "version";
	if (is_help(argv[0]))
		return help_run(context, argc - 1, argv + 1);
	command = help_command(argv[0], &context->err);
	if (!command)
		return CMD_USAGE;
	if (argc == 2 && is_help(argv[1]))
		return help_run(context, 1, argv);
	return command->run(context, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	struct context context = {};
	int status;

	if (descriptors_fill())
		return CMD_FAILED;
	/* a reader that goes away must not end a change half-way */
	signal(SIGPIPE, SIG_IGN);
	clock_init();
	libbpf_set_print(log_libbpf);
	status = run(&context, argc - 1, argv + 1);
	if (context.err.text[0])
		log_error("%s", context.err.text);
	if (fflush(stdout) == EOF && status == CMD_DONE) {
		if (errno != EPIPE)
			log_error("cannot write the output: %s", strerror(errno));
		status = CMD_FAILED;
	}
	return status;
}
