"""`python -m tests.untold [--profile FILE]`: what recordings can't tell, apart from all noise.

Each workload of the standing suite is replayed as each form; each of these runs, without its operations, is taken for
a recording, and its program predicts all forms. A prediction differs from the replay of the workload itself by what the
recording does not tell: no recorder and no machine is in it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tracekit.api import synth
from tracekit.machine.profile import Profile, load_profile
from tracekit.program.extract import extract
from tracekit.tables.bundle import Run, Trace
from tracekit.tables.schema import BUNDLES
from tracekit.verify.predict import predict
from tracekit.verify.suite import SUITE
from tracekit.vocabulary import FORMS


class Error(NamedTuple):
    """Of a predicted makespan, as a share."""

    workload: str
    recorded: str
    predicted: str
    error: float


def as_recorded(run: Run, form: str) -> Trace:
    """The run as if it had been recorded: without operations, and without what is known of its program."""
    meta = {name: value for name, value in run.meta.items() if name != "program"}
    return Trace({name: run.tables[name] for name in BUNDLES["trace"]}, {**meta, "form": form})


def errors(profile: Profile) -> Iterator[Error]:
    """Of each workload, each form as recorded, and each as predicted."""
    for entry in SUITE:
        program = synth(entry.scenario, parameters=dict(entry.parameters))
        own = {form: predict(program, form, cpus=entry.cpus, profile=profile) for form in FORMS}
        for recorded, (_, run) in own.items():
            found = extract(as_recorded(run, recorded), costs=profile.form_costs(recorded, None))
            for form, (quantities, _) in own.items():
                again, _ = predict(found, form, cpus=entry.cpus, profile=profile)
                name = f"{entry.name}, {entry.cpus} CPUs"
                yield Error(name, recorded, form, again["makespan"] / quantities["makespan"] - 1)


def main() -> None:
    """Print the tables, as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.untold", description=__doc__)
    parser.add_argument("--profile", default="reference", help="costs of the machine that replays are for")
    found = list(errors(load_profile(parser.parse_args().profile)))
    print("| recorded as | predicted as | median, 90th percentile | furthest off |\n|---|---|---|---|")
    for recorded in FORMS:
        for form in FORMS:
            rows = [row for row in found if (row.recorded, row.predicted) == (recorded, form)]
            median, most = (100 * np.quantile([abs(row.error) for row in rows], q) for q in (0.5, 0.9))
            worst = max(rows, key=lambda row: abs(row.error))
            print(f"| {recorded} | {form} | {median:.1f}, {most:.0f} | {worst.error:+.0%}: {worst.workload} |")
    print("\n| workload | recorded as | " + " | ".join(FORMS) + " |\n|---|---|" + "---|" * len(FORMS))
    for workload in dict.fromkeys(row.workload for row in found):
        for recorded in FORMS:
            row = [e.error for e in found if (e.workload, e.recorded) == (workload, recorded)]
            print(f"| {workload} | {recorded} | " + " | ".join(f"{error:+.0%}" for error in row) + " |")


if __name__ == "__main__":
    main()
