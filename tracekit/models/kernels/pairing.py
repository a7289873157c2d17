"""Pairing heaps over threads: nodes in one array, so that any number of heaps shares it without a size of its own.

Fredman, Sedgewick, Sleator, Tarjan: The pairing heap (Algorithmica 1, 1986). Insert is O(1), removal
O(log n) amortised. Of equal keys the one with the smaller `order` is first: who joined the queue before, as in the
kernel's trees, where an equal key goes to the right (rb_add_augmented_cached).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracekit.engine.state import NONE, Records
from tracekit.jit import njit

NODE = np.dtype([("key", "i8"), ("order", "i8"), ("child", "i4"), ("sibling", "i4"), ("previous", "i4")], align=True)


@njit
def _link(nodes: Any, a: int, b: int) -> int:
    if nodes[b].key < nodes[a].key or (nodes[b].key == nodes[a].key and nodes[b].order < nodes[a].order):
        a, b = b, a
    child = nodes[a].child
    nodes[b].sibling = child
    nodes[b].previous = a
    if child >= 0:
        nodes[child].previous = b
    nodes[a].child = b
    return a


@njit
def push(nodes: Records, root: int, node: int, key: int, order: int) -> int:
    """Insert `node`; returns the new root."""
    n = nodes[node]
    n.key = key
    n.order = order
    n.child = NONE
    n.sibling = NONE
    n.previous = NONE
    return node if root < 0 else _link(nodes, root, node)


@njit
def _merge_children(nodes: Any, first: int) -> int:
    """Two passes: pair the siblings from left to right, then link the pairs from right to left."""
    pairs = NONE
    while first >= 0:
        second = nodes[first].sibling
        if second < 0:
            merged, following = first, NONE
        else:
            following = nodes[second].sibling
            nodes[second].sibling = NONE
            nodes[first].sibling = NONE
            merged = _link(nodes, first, second)
        nodes[merged].sibling = pairs
        pairs = merged
        first = following
    root = NONE
    while pairs >= 0:
        following = nodes[pairs].sibling
        nodes[pairs].sibling = NONE
        nodes[pairs].previous = NONE
        root = pairs if root < 0 else _link(nodes, root, pairs)
        pairs = following
    return root


@njit
def pop(nodes: Records, root: int) -> int:
    """Remove the root; returns the new root."""
    return _merge_children(nodes, nodes[root].child)


@njit
def remove(nodes: Records, root: int, node: int) -> int:
    """Remove any node; returns the new root."""
    if node == root:
        return pop(nodes, root)
    n = nodes[node]
    if nodes[n.previous].child == node:
        nodes[n.previous].child = n.sibling
    else:
        nodes[n.previous].sibling = n.sibling
    if n.sibling >= 0:
        nodes[n.sibling].previous = n.previous
    rest = _merge_children(nodes, n.child)
    return root if rest < 0 else _link(nodes, root, rest)
