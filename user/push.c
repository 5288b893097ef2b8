// SPDX-License-Identifier: GPL-2.0-only
/*
 * push.c: both ends of the socket for pushed signals. A flood is bounded: so many datagrams a
 * turn, the rest waits in the socket, and when that is full the sender waits or is told.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include "log.h"
#include "push.h"

#define TURN 256			/* datagrams */
#define TEXT_MAX_BYTES 255
#define ANSWER_MS 1000
#define MODE 0660

int push_path(const char *instance_name, char *buf, size_t size)
{
	int n = snprintf(buf, size, PUSH_DIR "/%s.sock", instance_name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int address_of(const char *instance_name, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return push_path(instance_name, address->sun_path, sizeof(address->sun_path));
}

int push_open(const char *instance_name, struct err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	mode_t mask;
	int r = address_of(instance_name, &address), ret;

	if (fd < 0 || r)
		return err_set(err, fd < 0 ? errno : -r, "socket for signals: %s",
			       strerror(fd < 0 ? errno : -r));
	/* the agent's lock is held: whoever bound this is dead */
	unlink(address.sun_path);
	mask = umask(0777 & ~MODE);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)) ? errno : 0;
	umask(mask);
	if (r)
		return err_set(err, r, "%s: %s", address.sun_path, strerror(r));
	ret = fd;
	fd = -1;
	return ret;
}

static void answer(int fd, const struct sockaddr_un *to, socklen_t len, const char *text)
{
	if (len > sizeof(sa_family_t))
		sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
		       (const struct sockaddr *)to, len);
}

void push_read(int fd, struct signals *signals, __u64 now_ns)
{
	char text[TEXT_MAX_BYTES + 1];
	struct sockaddr_un from;
	struct signal signal;

	for (int i = 0; i < TURN; i++) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC,
				     (struct sockaddr *)&from, &len);
		struct err err = {};
		int r;

		if (n < 0)
			return;
		if (n > TEXT_MAX_BYTES || memchr(text, '\0', n)) {
			r = err_set(&err, EINVAL, "want one line of text of at most %d characters",
				    TEXT_MAX_BYTES);
		} else {
			text[n] = '\0';
			r = signal_parse(text, &signal, &err);
		}
		if (!r && signals_put(signals, &signal, now_ns))
			r = err_set(&err, ENOSPC, "all %d signals are in use", SIGNALS_MAX);
		if (r)
			log_debug("signal refused: %s", err.text);
		answer(fd, &from, len, err.text);
	}
}

bool push_is_heard(const char *instance_name)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	return fd >= 0 && !address_of(instance_name, &address) &&
	       !connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static int wait_answer(int fd, struct err *err)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	char text[sizeof(err->text)];
	ssize_t n;

	if (poll(&pollfd, 1, ANSWER_MS) <= 0)
		return err_set(err, ETIMEDOUT, "the agent does not answer");
	n = recv(fd, text, sizeof(text) - 1, 0);
	if (n < 0)
		return err_set(err, errno, "the agent does not answer: %s", strerror(errno));
	text[n] = '\0';
	return n ? err_set(err, EINVAL, "%s", text) : 0;
}

int push_send(const char *instance_name, const char *text, struct err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct timeval wait = { .tv_sec = ANSWER_MS / 1000 };
	struct sockaddr_un address, own = { .sun_family = AF_UNIX };
	int r = address_of(instance_name, &address);

	if (fd < 0 || r)
		return err_set(err, fd < 0 ? errno : -r, "%s", strerror(fd < 0 ? errno : -r));
	/* an address of the kernel's choice, for the answer to find */
	if (bind(fd, (struct sockaddr *)&own, sizeof(sa_family_t)))
		return err_set(err, errno, "cannot bind: %s", strerror(errno));
	/* the socket of an agent that stands still is full before long */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    send(fd, text, strlen(text), MSG_NOSIGNAL) < 0) {
		r = errno;
		if (r == EAGAIN)
			return err_set(err, ETIMEDOUT, "the agent does not answer");
		if (r == ENOENT || r == ECONNREFUSED)
			return err_set(err, r, "%s: no agent is running; want `weir run` first",
				       instance_name);
		return err_set(err, r, "%s: %s", address.sun_path, strerror(r));
	}
	return wait_answer(fd, err);
}
