"""Measurements to a profile, and a profile to TOML."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from tracekit.errors import ExecutionError
from tracekit.machine.calibrate.derive import C_RULES, GO_RULES, derive
from tracekit.machine.calibrate.rounds import Measurements
from tracekit.machine.costs import COSTS
from tracekit.machine.host import host
from tracekit.machine.profile import Profile, load_profile, parse_profile

_RULES = {rule.cost: rule for rule in (*C_RULES, *GO_RULES)}


def to_toml(found: Measurements, name: str) -> str:
    """The profile as TOML. Costs that could not be measured are the reference profile's, and say so."""
    middle = {figure: median(values) for figure, values in found.rounds.items()}
    rules = [*C_RULES, *GO_RULES]
    costs = derive(middle, rules)
    rounds = max((len(values) for values in found.rounds.values()), default=0)
    each = [derive({f: v[i] for f, v in found.rounds.items() if len(v) > i}, rules) for i in range(rounds)]
    reference, here = load_profile(), host()
    lines = [
        f"# Measured by `tracekit calibrate` in {rounds} rounds. value: from the medians of all rounds; low and high:",
        "# the range of what single rounds give; source: the measurements under [observations] that it is made of.",
        "",
        f"name = {_text(name)}",
        f"description = {_text(', '.join(str(value) for value in here.values()))}",
        f"warnings = [{', '.join(_text(warning) for warning in (*found.warnings, *found.missing))}]",
        "",
        "[host]",
        *(f"{key} = {value if isinstance(value, int) else _text(value)}" for key, value in here.items()),
        "",
        "[costs]",
    ]
    for cost in COSTS:
        lines.append(_cost_line(cost, costs, middle, each, reference))
    lines += ["", "[observations]"]
    lines += [
        f"{figure} = {{ value = {middle[figure]:.1f}, low = {min(values):.1f}, high = {max(values):.1f} }}"
        for figure, values in found.rounds.items()
    ]
    return "\n".join(lines) + "\n"


def _cost_line(
    cost: str, costs: dict[str, float], middle: dict[str, float], each: list[dict[str, float]], reference: Profile
) -> str:
    if cost in costs:
        singles = [single[cost] for single in each if cost in single]
        value, low, high, source = costs[cost], min(singles), max(singles), f"measured: {_RULES[cost].how}"
    elif cost in middle:
        value = low = high = middle[cost]
        source = "measured"
    else:
        known = reference.costs[cost]
        value, low, high, source = known.value, known.low, known.high, f"not measured; the reference's: {known.source}"
    return (
        f"{cost} = {{ value = {value:.1f}, low = {min(low, value):.1f}, high = {max(high, value):.1f}, "
        f"unit = {_text(COSTS[cost].unit)}, source = {_text(source)} }}"
    )


def _text(value: object) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def save_profile(found: Measurements, path: Path, name: str) -> Profile:
    """Write the profile whole or not at all, and give it back as read. Raises ExecutionError, ProfileError."""
    text = to_toml(found, name)
    profile = parse_profile(text, where=str(path))
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ExecutionError(f"can't write the profile ({error.strerror})", where=str(path)) from None
    return profile
