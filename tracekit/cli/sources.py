"""`tracekit sources`: the formats that can be read."""

from __future__ import annotations

from tracekit.cli import options


def command(json: options.Json = False) -> None:
    """List the recording formats that can be read."""
    from tracekit.cli import output
    from tracekit.sources.registry import sources

    known = [{"name": s.name, "title": s.title, "how_to_record": s.how_to_record} for s in sources().values()]
    if json:
        output.say_json(known)
    else:
        output.say(output.columns(("source", "reads", "record with"), [tuple(source.values()) for source in known]))
