"""A sweep: one training for each kind, setting and seed. Imports nothing heavy."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from ex3cli.config import LARGEST_SEED, declared_options, option_name
from ex3cli.errors import ArtifactError, UsageError, did_you_mean
from ex3cli.gan.config import GANConfig
from ex3cli.runs.jsonio import digest, to_json
from ex3cli.runs.run import Run

MOST_JOBS = 100_000
SEED_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
SWITCH_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Job:
    """One training of a sweep.

    number : position in the sweep, from 0.
    config : the resolved configuration.
    seed : seed of the training.
    settings : the settings of --set, by name.
    """

    number: int
    config: GANConfig
    seed: int
    settings: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Kind, settings and seed, in words."""
        changed = "".join(f", {name} {value}" for name, value in self.settings.items())
        return f"{self.config.kind}{changed}, seed {self.seed}"

    def words(self) -> list[str]:
        """The arguments of `ex3 gan train` for this training."""
        words = ["--kind", self.config.kind]
        if self.config.preset != next(iter(GANConfig.presets)):
            words += ["--preset", self.config.preset]
        words += ["--seed", str(self.seed)]
        declared = declared_options(GANConfig)
        for name, value in self.settings.items():
            if isinstance(value, bool):
                switch = declared[name][2]["switch"] or f"{option_name(name)}/--no-{name.replace('_', '-')}"
                words.append(switch.split("/")[0 if value else 1])
            else:
                words += [option_name(name), str(value)]
        return words

    def is_made_by(self, run: Run, data: Mapping[str, str], sources: Mapping[str, str]) -> bool:
        """Whether a run of `ex3 gan train`, in any state, has this kind, these settings and this seed.

        A run whose settings this version of ex3 does not know is another training.

        Parameters
        ----------
        data : digests of the data files. sources : digest of the classifier, by name.
        """
        manifest = run.manifest
        if manifest.command != "gan train" or manifest.seed != self.seed:
            return False
        try:
            stored = run.settings(GANConfig)
        except ArtifactError:
            return False
        # the manifest has the precision that `auto` selected
        precision = stored.precision if self.config.precision == "auto" else self.config.precision
        same_inputs = manifest.data == dict(data) and manifest.sources == dict(sources)
        return same_inputs and stored == replace(self.config, precision=precision)

    def fingerprint(self, data: Mapping[str, str], sources: Mapping[str, str]) -> str:
        """The SHA-256 of what makes two trainings the same; see `is_made_by`."""
        return digest(to_json([self.config.to_dict(), self.seed, dict(data), dict(sources)]).encode())


def plan(
    kinds: Iterable[str], preset: str | None, settings: Sequence[str], seeds: Sequence[int]
) -> list[Job]:
    """The jobs of a sweep: every kind with every combination of settings, with every seed.

    Parameters
    ----------
    settings : texts such as "learning_rate=1e-3,2e-3".

    Raises
    ------
    UsageError : a kind, a preset, a setting or its value is unknown, or has no effect for one of the kinds.
    """
    grid = [_setting(text) for text in settings]
    if len({name for name, _ in grid}) < len(grid):
        raise UsageError("--set names a setting twice", "separate its values by commas: --set width=16,32")
    configs = {}
    for kind in kinds:
        for values in product(*(values for _, values in grid)):
            chosen = dict(zip((name for name, _ in grid), values, strict=True))
            configs[GANConfig.resolve(preset, kind=kind, **chosen)] = chosen
    if len(configs) * len(seeds) > MOST_JOBS:
        raise UsageError(
            f"the sweep has {len(configs) * len(seeds):,} trainings", f"plan at most {MOST_JOBS:,}"
        )
    # by seed first, so that all kinds and settings have about as many trainings at any time
    pairs = [(seed, config, chosen) for seed in seeds for config, chosen in configs.items()]
    return [Job(number, config, seed, chosen) for number, (seed, config, chosen) in enumerate(pairs)]


def parse_seeds(text: str) -> list[int]:
    """The seeds in a text such as "0-9" or "0,3,7-9", each once, in that order.

    Raises
    ------
    UsageError : the text is malformed.
    """
    found: dict[int, None] = {}
    for part in text.split(","):
        match = SEED_RANGE.fullmatch(part.strip())
        if match is None:
            raise UsageError(f"--seeds {text!r} is no list of seeds", "write --seeds 0-9 or --seeds 0,3,7-9")
        first = int(match[1])
        last = int(match[2] or first)
        if last < first or last > LARGEST_SEED or last - first >= MOST_JOBS:
            raise UsageError(
                f"--seeds {part.strip()} is no range of seeds",
                f"write the smaller seed first, and at most {MOST_JOBS:,} seeds",
            )
        found |= dict.fromkeys(range(first, last + 1))
    return list(found)


def _setting(text: str) -> tuple[str, list[Any]]:
    """The name and the values of "learning_rate=1e-3,2e-3"."""
    name, equals, values = text.partition("=")
    name = name.strip().removeprefix("--").replace("-", "_")
    if not equals or not values.strip():
        raise UsageError(f"--set {text!r} has no value", "write --set learning_rate=1e-3,2e-3")
    declared = declared_options(GANConfig)
    if name == "kind":
        raise UsageError(f"--set {text!r}: kinds have an option of their own", "repeat --kind")
    if name not in declared:
        remedy = did_you_mean(name, [known for known in declared if known != "kind"])
        raise UsageError(f"--set {text!r}: there is no setting {name!r}", remedy)
    hint = declared[name][0]
    return name, list(dict.fromkeys(_value(text, word.strip(), hint) for word in values.split(",")))


def _value(text: str, word: str, hint: Any) -> Any:
    """A word as a value of a setting's type."""
    try:
        return SWITCH_WORDS[word.lower()] if hint is bool else hint(word)
    except (ValueError, KeyError):
        wanted = {int: "a whole number", float: "a number", bool: "true or false"}.get(hint, "a word")
        raise UsageError(f"--set {text!r}: {word!r} is not {wanted}", f"give {wanted}") from None
