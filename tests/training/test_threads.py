"""The number of threads is set for a block and put back, also when it fails."""

import pytest
import torch

from ex3cli.training.threads import torch_threads


def test_threads_are_set_and_put_back() -> None:
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    with pytest.raises(ZeroDivisionError), torch_threads(before + 2):
        _ = 1 / 0
    assert torch.get_num_threads() == before
