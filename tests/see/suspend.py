# SPDX-License-Identifier: GPL-2.0-only
#
# suspend.py WEIR NETNS: Control-Z and other sizes again and again, into `weir top` on a terminal of
# its own whose session has no shell, so that it goes on at once. Prints how it ended, then on q.
import fcntl, os, pty, random, select, struct, sys, termios, time

random.seed(1)
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[1], [sys.argv[1], "-n", sys.argv[2], "top"])


def ended(seconds):
    """reads what it draws for so long; its wait status, or None while it runs"""
    end = time.monotonic() + seconds
    while True:
        try:
            if select.select([fd], [], [], 0.002)[0]:
                os.read(fd, 65536)
        except OSError:
            pass
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone or time.monotonic() > end:
            return status if gone else None


status = ended(0.3)
for i in range(1500):
    if status is not None:
        break
    size = struct.pack("HHHH", random.choice([1, 5, 24, 200]), random.choice([1, 20, 80, 300]), 0, 0)
    if i % 3 == 0:
        fcntl.ioctl(fd, termios.TIOCSWINSZ, size)
    os.write(fd, random.choice([b"\x1a", b"j"]))
    status = ended(0)
for i in range(200):
    if status is None:
        os.write(fd, b"q")
        status = ended(0.05)
if status is None:
    os.kill(pid, 9)
print("runs on" if status is None else os.waitstatus_to_exitcode(status))
