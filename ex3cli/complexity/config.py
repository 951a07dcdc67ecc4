"""Configuration of `ex3 complexity`: sequence lengths N at one width, widths d at one length."""

from dataclasses import dataclass

from ex3cli.config import Config, option


@dataclass(frozen=True)
class ComplexityConfig(Config):
    """One LSTM layer and one Transformer encoder layer (one head, feed-forward width 4d) on one sequence."""

    max_length: int = option(
        4096,
        "Longest sequence N; seven lengths are measured, in steps of 2×.",
        minimum=64,
        maximum=65536,
    )
    width: int = option(64, "Model width d while N varies.", minimum=4, maximum=4096)
    max_width: int = option(
        512,
        "Largest model width d; five widths are measured, in steps of 2×.",
        minimum=64,
        maximum=8192,
    )
    length: int = option(256, "Sequence length N while d varies.", minimum=8, maximum=65536)
    # Other processes disturb one thread least.
    threads: int = option(
        1,
        "torch threads during timing.",
        panel="Advanced",
        minimum=1,
    )
    # 3 to 9 rounds.
    time_budget: float = option(
        30.0,
        "Seconds for timing; a larger budget adds rounds and slower sizes.",
        panel="Advanced",
        minimum=0,
        exclusive=True,
    )

    @property
    def lengths(self) -> tuple[int, ...]:
        """The measured lengths N, ascending."""
        return tuple(
            self.max_length >> halvings for halvings in range(6, -1, -1) if self.max_length >> halvings >= 8
        )

    @property
    def widths(self) -> tuple[int, ...]:
        """The measured widths d, ascending."""
        return tuple(self.max_width >> halvings for halvings in range(4, -1, -1))
