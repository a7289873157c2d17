"""What the memory of one task is made of, as far as it is known: sizes from the kernel and the Go runtime, and the rest."""

from __future__ import annotations

from tracekit.machine.profile import Profile
from tracekit.vocabulary import FORMS

_THREAD_STRUCTURES = 5_888 + 192 + 256  # task_struct, pid, task_delay_info: object sizes of /proc/slabinfo, Linux 6.18
_PROCESS_STRUCTURES = 1_600 + 704 + 1_152 + 2_112  # mm_struct, files, signal and sighand, likewise
KERNEL_STACK_BYTES = 16_384  # THREAD_SIZE on x86-64 (arch/x86/include/asm/page_64_types.h)
TOUCHED_STACK_BYTES = 8_192  # two pages of a new thread's stack
G_BYTES, FIRST_STACK_BYTES = 448, 2_048  # runtime/sizeof_test.go; runtime/stack.go: stackMin

PARTS = ("descriptors and kernel structures", "kernel stack", "stack, touched", "page tables, written copies, the rest")
_KNOWN = {
    "process": (_THREAD_STRUCTURES + _PROCESS_STRUCTURES, KERNEL_STACK_BYTES, TOUCHED_STACK_BYTES),
    "thread": (_THREAD_STRUCTURES, KERNEL_STACK_BYTES, TOUCHED_STACK_BYTES),
    "goroutine": (G_BYTES, 0, FIRST_STACK_BYTES),
}


def anatomy(profile: Profile) -> dict[str, tuple[int, ...]]:
    """By form the bytes of each of PARTS; the last is what the profile's measured sum holds beyond the known ones."""
    found: dict[str, tuple[int, ...]] = {}
    for form in FORMS:
        known = _KNOWN[form]
        found[form] = (*known, max(profile.value(f"{form}_resident_bytes") - sum(known), 0))
    return found
