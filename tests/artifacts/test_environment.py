"""What a manifest tells of the machine."""

from pathlib import Path

import pytest

from ex3cli.artifacts import environment

INTEL = "processor\t: 0\nmodel name\t: Some Xeon @ 2 GHz\nflags\t\t: fpu avx avx2 avx512f\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd\n"


@pytest.mark.parametrize(
    ("told", "found"),
    [(INTEL, {"model": "Some Xeon @ 2 GHz", "vectors": "avx512f"}), (ARM, {"vectors": "asimd"}), ("", {}), (None, {})],
)
def test_the_processor_is_told_as_far_as_it_is_known(
    told: str | None, found: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    if told is not None:
        cpuinfo.write_text(told)
    monkeypatch.setattr(environment, "CPUINFO", cpuinfo)
    environment._machine.cache_clear()
    machine = environment.machine()
    environment._machine.cache_clear()
    assert {name: machine[name] for name in machine.keys() - {"system", "processor"}} == found
