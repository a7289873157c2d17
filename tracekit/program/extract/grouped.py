"""Sorted values of many groups in one array: ordering by group, and looking up within one."""

from __future__ import annotations

import numpy as np

from tracekit.jit import cached_njit
from tracekit.program.arrays import Ints


def by_group(group: Ints, groups: int) -> tuple[Ints, Ints]:
    """Rows in order of their group, and of their own order within one; and where each group begins (groups + 1)."""
    bounds = np.zeros(groups + 1, np.int64)
    np.cumsum(np.bincount(group, minlength=groups), out=bounds[1:])
    order = np.empty(len(group), np.int64)
    _place(group, bounds[:-1].copy(), order)
    return order, bounds


def count_until(bounds: Ints, values: Ints, group: Ints, until: Ints) -> Ints:
    """For each query how many values come before it: all of earlier groups, and those ≤ `until` of its own.

    `values` ascend within each group, group g's from `bounds[g]`. Queries may come in any order.
    """
    result = np.empty(len(group), np.int64)
    _search(bounds, values, group, until, result)
    return result


@cached_njit
def _place(group: Ints, following: Ints, order: Ints) -> None:
    for row in range(len(group)):
        order[following[group[row]]] = row
        following[group[row]] += 1


@cached_njit
def _search(bounds: Ints, values: Ints, group: Ints, until: Ints, result: Ints) -> None:
    for query in range(len(group)):
        low, high = bounds[group[query]], bounds[group[query] + 1]
        while low < high:
            middle = (low + high) // 2
            if values[middle] <= until[query]:
                low = middle + 1
            else:
                high = middle
        result[query] = low
