"""Operations of a layer, counted by torch and by formula, and its sequential depth."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ex3cli.complexity.layers import WRITTEN_OUT

OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "lstm": lambda n, d: 16 * n * d**2,
    "attention": lambda n, d: 8 * n * d**2 + 4 * n**2 * d,
    "transformer": lambda n, d: 24 * n * d**2 + 4 * n**2 * d,
}
"""Operations of one forward pass on N positions of width d; a multiplication and an addition are two.

LSTM: 4 gates with 2d inputs, 2·4d·2d per step. Attention: 4 projections of 2d² per position, and QKᵀ and the
weighted sum of V at 2N²d each. Transformer: two more linear maps of 8d² per position."""

LONGEST_COUNTED = 1024
"""Longest sequence whose operations are counted: the LSTM's loop is executed step by step."""

_PRODUCTS = ("AddmmBackward", "MmBackward", "BmmBackward", "BaddbmmBackward")


@dataclass(frozen=True)
class Count:
    """Operations of one forward pass, counted and by formula."""

    layer: str
    length: int
    width: int
    counted: int
    formula: int


def core_operations(length: int, width: int) -> int:
    """4N²d, attention without its projections."""
    return 4 * length**2 * width


def count_operations(layer: str, length: int, width: int) -> Count:
    """Run the written-out layer once with torch's FLOP counter."""
    network = WRITTEN_OUT[layer](width)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, length, width))
    return Count(layer, length, width, int(counter.get_total_flops()), OPERATIONS[layer](length, width))


def sequential_depth(layer: str, length: int, width: int = 4) -> int:
    """The number of sequential matrix products of one forward pass: the longest chain in autograd's graph."""
    network: nn.Module = WRITTEN_OUT[layer](width)
    outputs = network(torch.zeros(1, length, width, requires_grad=True))
    depth: dict[Any, int] = {}
    stack = [outputs.grad_fn]
    while stack:  # depth first, without recursion: the LSTM's chain is longer than Python's stack
        node = stack[-1]
        parents = [parent for parent, _ in node.next_functions if parent is not None]
        waiting = [parent for parent in parents if parent not in depth]
        if waiting:
            stack += waiting
            continue
        below = max((depth[parent] for parent in parents), default=0)
        depth[node] = below + node.name().startswith(_PRODUCTS)
        stack.pop()
    return depth[outputs.grad_fn]
