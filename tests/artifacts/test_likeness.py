"""Files of a run against those of its repetition."""

import torch

from ex3cli.artifacts.formats import tensors_to_bytes
from ex3cli.artifacts.likeness import Likeness, likenesses


def test_the_same_bytes_are_the_same_and_what_is_gone_is_missing() -> None:
    old, new = {"a.json": b"1", "b.json": b"1", "c.json": b"1"}, {"a.json": b"1", "b.json": b"2", "d.json": b"1"}
    assert likenesses(old, new) == [Likeness("a.json", "same"), Likeness("b.json", "differs"), Likeness("c.json", "missing")]


def test_tensors_that_differ_say_by_how_much() -> None:
    one = tensors_to_bytes({"w": torch.tensor([1.0, -3.0]), "steps": torch.tensor(5), "none": torch.zeros(0)})
    other = tensors_to_bytes({"w": torch.tensor([1.0, -3.25]), "steps": torch.tensor(5), "none": torch.zeros(0)})
    (told,) = likenesses({"w.safetensors": one}, {"w.safetensors": other})
    assert told == Likeness("w.safetensors", "differs", 0.25, 5.0)
    shape = tensors_to_bytes({"w": torch.zeros(3), "steps": torch.tensor(5), "none": torch.zeros(0)})
    assert likenesses({"w.safetensors": one}, {"w.safetensors": shape})[0].largest_difference is None
