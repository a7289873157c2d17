"""Errors a user can act on: what is wrong, where, and what to do.

Every error that reaches the command line is a `TracekitError`; it is printed as one line and never as a
traceback. The class says the exit code: 1 the work failed, 2 the call was wrong.
"""

from __future__ import annotations


class TracekitError(Exception):
    """The work failed. `where` is a file, an offset, a task; `remedy` is what to do about it."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        self.what, self.where, self.remedy = what, where, remedy
        super().__init__(self.line())

    def line(self) -> str:
        """The whole error in one line: `where: what; remedy`."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.remedy}" if self.remedy else text


class UsageError(TracekitError):
    """The call was wrong: an unknown name, an impossible number."""

    exit_code = 2


class SourceError(TracekitError):
    """A recording can't be read. Name the file, and the byte offset where there is one."""


class StoreError(TracekitError):
    """A bundle folder is damaged, foreign, or from a newer tracekit."""


class TableError(TracekitError):
    """A table breaks its contract (schema or checks)."""


class WorkloadError(TracekitError):
    """A workload file is wrong. `where` is `file:line` when the line is known."""

    exit_code = 2


class ProfileError(TracekitError):
    """A machine profile is wrong: which field, and what was expected."""

    exit_code = 2


class ModelError(TracekitError):
    """A model broke the engine's rules, or the program can't be replayed under it."""


class ExecutionError(TracekitError):
    """A program can't be executed for real, or its execution failed or took too long."""
