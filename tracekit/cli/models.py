"""`tracekit models`: what a program can be replayed under: models, and the runtimes and kernel policies they are of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracekit.cli import options

if TYPE_CHECKING:
    from tracekit.models.model import KernelPolicy, Model, Parameter, Runtime


def command(
    name: Annotated[str | None, typer.Argument(help="Show this one's rules and parameters.")] = None,
    json: options.Json = False,
) -> None:
    """List the models, or show the rules of one, of a runtime or of a kernel policy."""
    from tracekit.cli import output
    from tracekit.cli.suggest import unknown
    from tracekit.models.catalog import KERNELS, catalog, find_model

    known = catalog() if name is None or ":" not in name else {name: find_model(name)}
    parts = {part.name: part for model in known.values() for part in (model.runtime, model.kernel)} | KERNELS
    if name is not None and name not in known and name not in parts:
        raise unknown("model", name, list(known | parts))
    if name is not None and name not in known:
        output.say_json(_part_facts(parts[name], known)) if json else output.say(_part_page(parts[name], known))
        return
    shown = [known[name]] if name else list(known.values())
    if json:
        output.say_json([_facts(model) for model in shown])
    elif name:
        output.say(_page(known[name]))
    else:
        rows = [(m.name, m.title, m.runtime.name, m.kernel.name) for m in shown]
        policies = [(policy.name, policy.title) for policy in KERNELS.values()]
        models = output.columns(("model", "what it is", "runtime", "kernel policy"), rows)
        output.say(f"{models}\n\n{output.columns(('--kernel', 'what it is'), policies)}")


def _facts(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "title": model.title,
        "form": model.form,
        "runtime": model.runtime.name,
        "kernel_policy": model.kernel.name,
        "isolation": model.isolation,
        "doc": model.doc,
        "parameters": _parameters(model.all_parameters()),
    }


def _parameters(named: Mapping[str, Parameter]) -> list[dict[str, Any]]:
    return [
        {"name": name, "default": p.default, "unit": p.unit, "low": p.low, "high": p.high, "meaning": p.meaning}
        for name, p in named.items()
    ]


def _part_facts(part: Runtime | KernelPolicy, models: Mapping[str, Model]) -> dict[str, Any]:
    """A kernel policy's parameters are set under its own name, a runtime's under that of each model that has it."""
    users = [model.name for model in models.values() if part in (model.runtime, model.kernel)]
    owners = users if any(part is model.runtime for model in models.values()) else [part.name]
    named = {f"{owner}.{p.name}": p for owner in owners for p in part.parameters}
    return {
        "name": part.name,
        "title": part.title,
        "models": users,
        "doc": part.doc,
        "parameters": _parameters(named),
    }


def _part_page(part: Runtime | KernelPolicy, models: Mapping[str, Model]) -> str:
    from tracekit.cli.output import facts

    known = _part_facts(part, models)
    head = facts({"name": known["name"], "title": known["title"], "used by": ", ".join(known["models"]) or "--kernel"})
    return "\n\n".join(text for text in (head, known["doc"], _table(known["parameters"])) if text)


def _table(parameters: list[dict[str, Any]]) -> str:
    from tracekit.cli.output import columns

    rows = [(p["name"], p["default"], p["unit"], p["meaning"]) for p in parameters]
    return columns(("--set", "default", "unit", "meaning"), rows) if rows else ""


def _page(model: Model) -> str:
    from tracekit.cli.output import facts

    known = _facts(model)
    head = facts({key: known[key] for key in ("name", "title", "isolation")})
    parts = [
        model.doc,
        f"Runtime {model.runtime.name}. {model.runtime.doc}",
        f"Kernel policy {model.kernel.name}. {model.kernel.doc}",
    ]
    return "\n\n".join(part for part in (head, *parts, _table(known["parameters"])) if part)
