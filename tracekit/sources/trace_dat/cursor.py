"""Reading on through a header: every length is checked, and the end is an error with its offset."""

from __future__ import annotations

import struct

from tracekit.errors import SourceError

AGAIN = "copy the file again, whole, or record again and let trace-cmd finish"
_TEXT_USUAL, _TEXT_MOST = 1 << 6, 1 << 16


class Cursor:
    """A place in `data` (a file, or a section unpacked from it) that moves on as it is read."""

    def __init__(self, data: memoryview, where: str, order: str = "<", at: int = 0) -> None:
        self.data, self.where, self.order, self.at = data, where, order, at

    def error(self, what: str) -> SourceError:
        """An error about what is here."""
        return SourceError(what, where=f"{self.where} at byte {self.at}", remedy=AGAIN)

    def take(self, size: int) -> memoryview:
        """The next `size` bytes. Raises SourceError when there are fewer."""
        if size > len(self.data) - self.at:
            raise self.error(f"the file ends too early: {size} bytes should follow")
        taken = self.data[self.at : self.at + size]
        self.at += size
        return taken

    def number(self, code: str) -> int:
        """One number of a `struct` code. Raises SourceError at the end."""
        value: int = struct.unpack(self.order + code, self.take(struct.calcsize("<" + code)))[0]
        return value

    def sized(self, code: str) -> memoryview:
        """What follows a size of this code. Raises SourceError at the end."""
        return self.take(self.number(code))

    def string(self) -> str:
        """Text up to a zero byte. Raises SourceError where none follows."""
        for most in (_TEXT_USUAL, _TEXT_MOST):
            window = bytes(self.data[self.at : self.at + most])
            size = window.find(b"\0")
            if size >= 0:
                self.at += size + 1
                return window[:size].decode("utf-8", "replace")
        raise self.error("a text without an end")

    @property
    def left(self) -> int:
        """Bytes that follow."""
        return len(self.data) - self.at


def text(data: memoryview) -> str:
    """Text that may end at a zero byte or, as some writers leave it, without one."""
    return bytes(data).split(b"\0", 1)[0].decode("utf-8", "replace")
