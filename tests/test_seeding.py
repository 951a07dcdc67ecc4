import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ex3cli.seeding import child_seed, forked_global_rng, numpy_generator, torch_generator


@given(st.integers(0, 2**40), st.lists(st.text() | st.integers(), max_size=3))
def test_a_stream_is_repeatable(seed: int, names: list[str | int]) -> None:
    assert child_seed(seed, *names) == child_seed(seed, *names)
    assert 0 <= child_seed(seed, *names) < 2**63


def test_streams_are_the_same_on_every_machine() -> None:
    assert child_seed(0, "noise") == 7958856190608717080


def test_other_names_and_seeds_give_other_numbers() -> None:
    draws = {
        torch.randint(2**60, (1,), generator=torch_generator(seed, *names)).item()
        for seed in (0, 1)
        for names in (("noise",), ("batches",), ("noise", 1), ("noise", 2))
    }
    assert len(draws) == 8
    assert numpy_generator(0, "a").random() != numpy_generator(0, "b").random()
    assert np.array_equal(numpy_generator(0, "a").random(3), numpy_generator(0, "a").random(3))


def test_the_global_generator_is_put_back() -> None:
    before = torch.get_rng_state()
    with forked_global_rng(3, "layers"):
        inside = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with forked_global_rng(3, "layers"):
        assert torch.equal(torch.rand(3), inside)
