"""`tracekit models`: what a program can be replayed under."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracekit.cli import options

if TYPE_CHECKING:
    from tracekit.models.model import Model


def command(
    name: Annotated[str | None, typer.Argument(help="Show this one's rules and parameters.")] = None,
    json: options.Json = False,
) -> None:
    """List the models, or show the rules of one."""
    from tracekit.cli import output
    from tracekit.cli.suggest import unknown
    from tracekit.models.catalog import catalog

    known = catalog()
    if name is not None and name not in known:
        raise unknown("model", name, known)
    shown = [known[name]] if name else list(known.values())
    if json:
        output.say_json([_facts(model) for model in shown])
    elif name:
        output.say(_page(known[name]))
    else:
        rows = [(m.name, m.title, m.runtime.name, m.kernel.name) for m in shown]
        output.say(output.columns(("model", "what it is", "runtime", "kernel policy"), rows))


def _facts(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "title": model.title,
        "form": model.form,
        "runtime": model.runtime.name,
        "kernel_policy": model.kernel.name,
        "isolation": model.isolation,
        "doc": model.doc,
        "parameters": [
            {"name": name, "default": p.default, "unit": p.unit, "low": p.low, "high": p.high, "meaning": p.meaning}
            for name, p in model.all_parameters().items()
        ],
    }


def _page(model: Model) -> str:
    from tracekit.cli.output import columns, facts

    known = _facts(model)
    head = facts({key: known[key] for key in ("name", "title", "isolation")})
    parts = [
        model.doc,
        f"Runtime {model.runtime.name}. {model.runtime.doc}",
        f"Kernel policy {model.kernel.name}. {model.kernel.doc}",
    ]
    rows = [(p["name"], p["default"], p["unit"], p["meaning"]) for p in known["parameters"]]
    table = columns(("--set", "default", "unit", "meaning"), rows)
    return "\n\n".join(part for part in (head, *parts, table) if part)
