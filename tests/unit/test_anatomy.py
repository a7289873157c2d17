"""What the memory of one task is made of."""

from __future__ import annotations

from tracekit.machine.anatomy import PARTS, anatomy
from tracekit.machine.profile import load_profile
from tracekit.vocabulary import FORMS


def test_the_parts_add_up_to_what_was_measured() -> None:
    profile = load_profile()
    parts = anatomy(profile)
    assert list(parts) == list(FORMS)
    for form, sizes in parts.items():
        assert len(sizes) == len(PARTS) and min(sizes) >= 0
        assert sum(sizes) == profile.value(f"{form}_resident_bytes")


def test_a_process_has_what_a_thread_has_and_more() -> None:
    # the same kernel stack and first pages; an address space of its own with its page tables on top, which a thread
    # shares. A goroutine has nothing in the kernel
    process, thread, goroutine = anatomy(load_profile()).values()
    assert process[1:3] == thread[1:3]
    assert process[0] > thread[0] and process[3] > 2 * thread[3]
    assert goroutine[1] == 0 and sum(goroutine) < thread[0]
