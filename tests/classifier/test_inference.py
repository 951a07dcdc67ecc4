"""Whoever looks with a classifier sees the same on every machine."""

from typing import Any

import pytest
import torch

from ex3cli.classifier.inference import predict


class Watcher(torch.nn.Module):
    """A classifier of one feature that notes how cuDNN was set while it looked."""

    def __init__(self, fail: bool = False) -> None:
        super().__init__()
        self.head = torch.nn.Linear(1, 2)
        self.fail, self.found = fail, dict[str, Any]()

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        self.found = settings()
        if self.fail:
            raise RuntimeError("the machine went away")
        return pixels.flatten(1).float().mean(dim=1, keepdim=True)


def settings() -> dict[str, Any]:
    cudnn: Any = torch.backends.cudnn
    names = ("enabled", "benchmark", "deterministic", "allow_tf32")
    return {name: getattr(cudnn, name) for name in names} | {
        "conv": cudnn.conv.fp32_precision,
        "rnn": cudnn.rnn.fp32_precision,
    }


@pytest.mark.parametrize("fail", [False, True])
def test_convolutions_are_not_rounded_to_tf32_and_nothing_else_is_changed(
    fail: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    before, watcher = settings(), Watcher(fail)
    assert before["allow_tf32"]
    try:
        predict(watcher, torch.zeros(3, 28, 28, dtype=torch.uint8))  # type: ignore[arg-type]
    except RuntimeError:
        assert fail
    assert watcher.found["allow_tf32"] is False
    same = ("enabled", "benchmark", "deterministic")
    assert {name: watcher.found[name] for name in same} == {name: before[name] for name in same}
    assert settings() == before
