"""What a task that blocks within a system call waits for, by the call's number.

Numbers: arch/x86/entry/syscalls/syscall_64.tbl for x86_64, and include/uapi/asm-generic/unistd.h for the
architectures that began after it (aarch64, riscv64, loongarch64). From 424 on both are the same. What descriptor
a read or write is on is not recorded, so one on a pipe or a socket counts as io, as one on a file does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tracekit.vocabulary import REASONS

# reason: name of the call: (x86_64, generic), None where an architecture has no such call
_BLOCKS_AS: dict[str, dict[str, tuple[int | None, int | None]]] = {
    "lock": {
        "futex": (202, 98), "futex_waitv": (449, 449), "futex_wait": (455, 455), "flock": (73, 32),
    },
    "sleep": {"nanosleep": (35, 101), "clock_nanosleep": (230, 115)},
    "network": {
        "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72),
        "epoll_wait": (232, None), "epoll_pwait": (281, 22), "epoll_pwait2": (441, 441),
        "accept": (43, 202), "accept4": (288, 242), "connect": (42, 203), "sendto": (44, 206), "recvfrom": (45, 207),
        "sendmsg": (46, 211), "recvmsg": (47, 212), "sendmmsg": (307, 269), "recvmmsg": (299, 243),
    },
    "io": {
        "read": (0, 63), "write": (1, 64), "pread64": (17, 67), "pwrite64": (18, 68), "readv": (19, 65),
        "writev": (20, 66), "preadv": (295, 69), "pwritev": (296, 70), "preadv2": (327, 286), "pwritev2": (328, 287),
        "fsync": (74, 82), "fdatasync": (75, 83), "sync": (162, 81), "syncfs": (306, 267), "msync": (26, 227),
        "sync_file_range": (277, 84), "sendfile": (40, 71), "splice": (275, 76), "tee": (276, 77),
        "vmsplice": (278, 75), "copy_file_range": (326, 285), "fallocate": (285, 47), "open": (2, None),
        "openat": (257, 56), "close": (3, 57), "io_getevents": (208, 4), "io_pgetevents": (333, 292),
        "io_uring_enter": (426, 426),
    },
    "join": {"wait4": (61, 260), "waitid": (247, 95)},
    "event": {"semop": (65, 193), "semtimedop": (220, 192)},
    "channel_send": {"msgsnd": (69, 189), "mq_timedsend": (242, 182)},
    "channel_recv": {"msgrcv": (70, 188), "mq_timedreceive": (243, 183)},
}  # fmt: skip
NUMBERS = 1024  # more than any architecture has; beyond are private ones

_X86_64, _GENERIC = 0, 1
_GENERIC_MACHINES = ("aarch64", "arm64", "riscv64", "loongarch64")


def _reasons() -> npt.NDArray[np.int8]:
    found = np.full((2, NUMBERS), REASONS["syscall"], np.int8)
    for reason, calls in _BLOCKS_AS.items():
        for numbers in calls.values():
            for table, number in zip(found, numbers, strict=True):
                if number is not None:
                    table[number] = REASONS[reason]
    return found


SYSCALL_REASONS = _reasons()  # [x86_64 or generic, number]: REASONS


def has_generic_numbers(machine: str | None) -> bool | None:
    """Which numbers a machine (as `uname -m` names it) uses: generic, x86_64's, or None for others."""
    if machine in _GENERIC_MACHINES:
        return True
    return False if machine == "x86_64" else None
