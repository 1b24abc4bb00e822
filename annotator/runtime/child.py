"""Starts one program as a child that cannot outlive its parent; run as a script, imports little.

It gives up root when told to, asks the kernel for a signal on the parent's death, and becomes the
program. Doing this here, and not between fork and exec of a large process, is what makes it safe.
"""

import argparse
import ctypes
import os
import pwd
import signal
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1


def become(account: str) -> None:
    """Become the named account for good, with its groups and home."""
    entry = pwd.getpwnam(account)
    os.initgroups(account, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ.update(HOME=entry.pw_dir, USER=account, LOGNAME=account)


def step_back(niceness: int) -> None:
    """Give way to others, also to those of other sessions, between which Linux shares first."""
    os.nice(niceness)
    if niceness:
        with suppress(OSError), open("/proc/self/autogroup", "w") as group:  # noqa: PTH123 (imports little)
            group.write(str(niceness))


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel (Linux) to send `number` to this process when its parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def main() -> None:
    """Read the options, then become the program that follows them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--account")
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--parent", type=int)
    parser.add_argument("--signal", default="SIGKILL")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    program = options.program[1:] if options.program[:1] == ["--"] else options.program
    step_back(options.nice)
    if options.account:
        become(options.account)
    if options.parent:
        die_with_parent(signal.Signals[options.signal])
        if os.getppid() != options.parent:  # it died before we asked
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main()
