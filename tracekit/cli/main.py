"""The command line: one file per command, and one place that turns every error into one line.

Nothing heavy is imported here or at the top of a command's file, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from tracekit import __version__
from tracekit.errors import TracekitError

COMMANDS = (
    "demo",
    "ingest",
    "record",
    "join",
    "synth",
    "inspect",
    "analyze",
    "replay",
    "report",
    "export",
    "models",
    "sources",
    "scenarios",
    "calibrate",
    "verify",
    "diff",
    "verdict",
)
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it

app = typer.Typer(
    name="tracekit",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich takes longer to import than the whole of --help may
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name in COMMANDS:
    app.command(_name)(import_module(f"tracekit.cli.{_name}").command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tracekit {__version__}")
        raise typer.Exit


@app.callback()
def _tracekit(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Replay a recorded program as processes, as threads and as goroutines, and see what each would cost."""


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code: 0 done, 1 failed, 2 called wrongly, 130 interrupted."""
    try:
        status = app(list(arguments), standalone_mode=False, prog_name="tracekit")
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()
        return 1  # as typer, which notices first where more than a buffer is printed
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", INTERRUPTED)
    except TracekitError as error:
        return _fail(error.line(), error.exit_code, error)
    except Exception as error:
        return _explain(error)
    if status == INTERRUPTED:  # typer's own answer to Ctrl-C
        return _fail("interrupted", INTERRUPTED)
    return status if isinstance(status, int) else 0


def _explain(error: Exception) -> int:
    """Typer's usage errors in our form; anything else is a bug of ours, and says so."""
    message = getattr(error, "format_message", None)
    if callable(message):
        hint = "" if "did you mean" in message().lower() else "; see `tracekit --help`"
        return _fail(message().rstrip(".") + hint, int(getattr(error, "exit_code", 2)))
    line = f"unexpected {type(error).__name__}: {error}; please report it (TRACEKIT_DEBUG=1 shows where it happened)"
    return _fail(line, 1, error)


def _fail(line: str, code: int, error: BaseException | None = None) -> int:
    if error is not None and os.environ.get("TRACEKIT_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    print(f"tracekit: {' '.join(line.split())}", file=sys.stderr)
    return code


def _discard_stdout() -> None:
    """The reader of our pipe has gone: let the interpreter's own flush at exit go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
