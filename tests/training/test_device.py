import pytest
import torch

from ex3cli.errors import UsageError
from ex3cli.training.device import choose_device, use_bfloat16


def test_auto_takes_what_is_here() -> None:
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device("auto").type == expected
    assert choose_device("cpu").type == "cpu"


def test_a_device_that_is_not_here_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="--device cuda") as caught:
        choose_device("cuda")
    assert "cpu" in caught.value.remedy


def test_a_misspelt_device_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        choose_device("cdua")
    assert caught.value.remedy == "did you mean 'cuda'?"


def test_bfloat16_is_used_on_request_or_where_the_processor_computes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for able in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda able=able: able)
        assert [use_bfloat16(word, cpu) for word in ("auto", "bfloat16", "float32")] == [able, True, False]
    assert not use_bfloat16("auto", torch.device("mps"))
