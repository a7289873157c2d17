"""Units: parse what people write (`1.5ms`, `64KiB`) and print what people read. Integers inside."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

_DURATIONS = {"ns": 1, "us": NS_PER_US, "µs": NS_PER_US, "ms": NS_PER_MS, "s": NS_PER_S, "min": 60 * NS_PER_S}
_SIZES = {
    "B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3,
    "k": 1024, "K": 1024, "M": 1024**2, "G": 1024**3,
}  # fmt: skip


def _parse(text: str | int, units: dict[str, int], what: str) -> int:
    if isinstance(text, int):
        return text
    stripped = text.strip().replace("_", "")
    for unit in sorted(units, key=len, reverse=True):
        if stripped.endswith(unit):
            number, factor = stripped[: -len(unit)].strip(), units[unit]
            break
    else:
        number, factor = stripped, 1
    try:
        value = Decimal(number) * factor
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a {what}; write a number and one of {', '.join(units)}") from None
    if not value.is_finite() or value < 0 or value >= 2**62:
        raise ValueError(f"{text!r} is out of range for a {what}")
    return int(value.to_integral_value())


def parse_duration_ns(text: str | int) -> int:
    """`"1.5ms"` → 1500000. A bare number is nanoseconds. Raises ValueError."""
    return _parse(text, _DURATIONS, "duration")


def parse_bytes(text: str | int) -> int:
    """`"64KiB"` → 65536. A bare number is bytes. Raises ValueError."""
    return _parse(text, _SIZES, "size")


def _scaled(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    for factor, unit in steps:
        if abs(value) >= factor:
            scaled = value / factor
            digits = 0 if abs(scaled) >= 100 else 1 if abs(scaled) >= 10 else 2
            return f"{scaled:.{digits}f} {unit}"
    return f"{value:.0f} {steps[-1][1]}"


def format_duration(ns: float) -> str:
    """1500000 → `1.50 ms`: three significant figures, the largest fitting unit."""
    return _scaled(ns, ((NS_PER_S, "s"), (NS_PER_MS, "ms"), (NS_PER_US, "µs"), (1, "ns")))


def format_bytes(size: float) -> str:
    """65536 → `64.0 KiB`."""
    return _scaled(size, ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"), (1, "B")))
