"""Every seed that one command takes, all take, however large: libraries with seeds of 32 bits get one derived
from it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import typer

import ex3cli.cli
from ex3cli.seeding import seed_of_32_bits
from ex3cli.vae.few_labels.svm import tuned
from ex3cli.vae.generate import place

SEEDS = (0, 2**32 - 1, 2**32, 20261128003600, 2**63 - 1)
ARGUMENTS = {
    "gan compare": ("--label", "dress"),
    "vae compare": ("0001-paper",),
    "vae predict": ("dress.png",),
}


def _seeded(group: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            found += _seeded(command, (*before, name))
        elif any("--seed" in parameter.opts for parameter in command.params):
            found.append((*before, name))
    return found


COMMANDS = _seeded(typer.main.get_command(ex3cli.cli.app))


def test_there_are_commands_with_a_seed() -> None:
    assert {("vae", "eval"), ("vae", "latent"), ("gan", "sample"), ("lab", "train")} <= set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_takes_the_same_seeds(ex3: Callable[..., Any], words: tuple[str, ...]) -> None:
    given = (*words, *ARGUMENTS.get(" ".join(words), ()), "--dry-run", "--json")
    for seed in SEEDS:
        outcome = ex3(*given, "--seed", seed)
        assert outcome.exit_code == 0, outcome.stderr
        assert outcome.document["settings"]["seed"] == seed
    for seed in (-1, 2**63, 2**64, 10**30):
        assert ex3(*given, "--seed", seed).exit_code == 2


@pytest.mark.parametrize("seed", SEEDS)
def test_scikit_learn_computes_with_every_seed(seed: int) -> None:
    draws = np.random.default_rng(0)
    x, y = draws.normal(size=(24, 3)).astype(np.float32), np.arange(24) % 2
    x[:, 0] += 3 * y
    assert place(x, seed).shape == (24, 2)
    assert set(tuned(x, y, seed).predict(x)) == {0, 1}


def test_derived_seeds_have_32_bits_and_differ_by_seed_and_purpose() -> None:
    derived = [seed_of_32_bits(seed, purpose) for seed in SEEDS for purpose in ("folds", "tsne")]
    assert len(set(derived)) == len(derived)
    assert all(0 <= each < 2**32 for each in derived)
