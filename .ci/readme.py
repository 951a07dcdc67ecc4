"""Renew what README.md, artifacts/reference/README.md and tests/transcripts/ show of the bundled runs and the
commands.

    python .ci/readme.py                             # the generated parts of both READMEs (seconds)
    python .ci/readme.py transcripts                 # the commands of all transcripts, then both READMEs
    (minutes)
    python .ci/readme.py transcripts doctor report   # the same for two transcripts

`make readme` and `make transcripts` call it, and tests/test_readme.py compares the files with what it gives.

A transcript is a text file. Each line that begins with `$ ex3` is a command; the lines below it are what the
command printed.
`| head -N`, `| tail -N` and `| grep -E REGEX` leave out lines of the answer, and `…` stands for them. The
commands of one file
run one after another in an empty folder, without a data set, `WIDTH` columns wide. Progress lines are left
out, and folders of
the machine are replaced (see `without_folders`).

A generated part of a README stands between two comments, the second one being `<!-- end -->`. The first one
names a table of
`TABLES`, or commands of transcripts, joined by `&&`; their answers are then shown, shortened by filters as
above:

    <!-- m1 results -->
    <!-- $ ex3 vae eval --labels 3000 | head -9 -->
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from ex3cli.datasets.registry import spec
from ex3cli.gan.kinds import NAMES
from ex3cli.gan.tables import scores_table, trainings_table
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store, reference_folder
from ex3cli.tables import half_up, table
from ex3cli.training.attempts import describe_verdict
from ex3cli.vae.few_labels.compare import FILE
from ex3cli.vae.few_labels.paper import TABLE
from ex3cli.vae.tables import accuracy_table

ROOT = Path(__file__).resolve().parents[1]
README, RESULTS = ROOT / "README.md", ROOT / "artifacts/reference/README.md"
TRANSCRIPTS = ROOT / "tests/transcripts"
WIDTH = 100
PART = re.compile(r"<!-- (?!end )(?P<head>[^\n]+) -->\n(?P<body>.*?)<!-- end -->", re.DOTALL)
PROGRESS = re.compile(r"^(?P<what>.+?): [\d,]+/[\d,]+ (?P<unit>.+?), [\d.,e+-]+ (?P=unit)/s", re.MULTILINE)
LOGGED = re.compile(r"^[WEI]\d{4} \d\d:\d\d:\d\d")  # a library's remark on this machine
KINDS = ("dcgan", "wgan", "wgan-clip")
PAPERS = ("dcgan", "wgan")

# --- commands and transcripts


@dataclass(frozen=True)
class Command:
    """A command of a transcript.

    line : as it stands after the prompt, with its filter.
    words : what follows `ex3`, without the filter.
    """

    line: str
    words: tuple[str, ...]
    filter: tuple[str, ...] = ()

    @classmethod
    def parse(cls, line: str) -> "Command":
        """`ex3 …`, or `ex3 … | head -N`, `| tail -N`, `| grep -E REGEX`."""
        program, *words = shlex.split(line.partition(" | ")[0])
        chosen = tuple(shlex.split(line.partition(" | ")[2]))
        is_cut = len(chosen) == 2 and chosen[0] in ("head", "tail") and re.fullmatch(r"-\d+", chosen[1])
        if program != "ex3" or (chosen and not is_cut and chosen[:-1] != ("grep", "-E")):
            sys.exit(f"{line!r} is not `ex3 …`, alone or with | head -N, | tail -N or | grep -E REGEX")
        return cls(line, tuple(words), chosen)

    def kept(self, lines: Sequence[str]) -> list[str]:
        """The lines that the filter keeps, with `…` for each gap."""
        match self.filter:
            case ("head", count):
                keep = [place < -int(count) for place in range(len(lines))]
            case ("tail", count):
                keep = [place >= len(lines) + int(count) for place in range(len(lines))]
            case ("grep", "-E", regex):
                keep = [re.search(regex, line) is not None for line in lines]
            case _:
                keep = [True] * len(lines)
        shown: list[str] = []
        for is_kept, block in groupby(zip(keep, lines, strict=True), key=itemgetter(0)):
            shown += [line for _, line in block] if is_kept else ["…"]
        return shown

    def transcript(self, stdout: str, stderr: str, *, failed: bool = False) -> str:
        """The prompt and the answer: notes before it, but an error after it."""
        answer = self.kept([line.rstrip() for line in stdout.splitlines()])
        notes = [line.rstrip() for line in without_progress(stderr).splitlines()]
        return "\n".join([f"$ {self.line}", *(answer + notes if failed else notes + answer)]) + "\n"


def commands(transcript: str) -> list[Command]:
    """The commands of a transcript, in order."""
    return [
        Command.parse(line.removeprefix("$ "))
        for line in transcript.splitlines()
        if line.startswith("$ ex3 ")
    ]


def answers(transcripts: Iterable[str]) -> dict[tuple[str, ...], list[str]]:
    """What each command of these transcripts printed, by its words."""
    found: dict[tuple[str, ...], list[str]] = {}
    for text in transcripts:
        lines: list[str] = []
        for line in text.splitlines():
            if line.startswith("$ ex3 "):
                lines = found[Command.parse(line.removeprefix("$ ")).words] = []
            else:
                lines.append(line)
    return found


def without_progress(stderr: str) -> str:
    """The notes alone: neither the lines of anything that was counted up to an end, nor what a library
    logged.
    """
    counted = tuple(f"{found['what']}: " for found in PROGRESS.finditer(stderr))
    kept = (line for line in stderr.splitlines() if not line.startswith(counted) and not LOGGED.match(line))
    return "".join(f"{line}\n" for line in kept)


def without_folders(text: str, folder: Path) -> str:
    """The folder that the commands ran in becomes ~/exercise and the checkout ~/ex3; a table's cells keep
    their width.
    """
    for real, shown in ((folder.resolve(), "~/exercise"), (folder, "~/exercise"), (ROOT, "~/ex3")):
        pattern = re.compile(rf"{re.escape(str(real))}(?P<rest>[^│\n]*)")
        text = pattern.sub(lambda found, real=real, shown=shown: _in_place(found, str(real), shown), text)
    return text


def _in_place(found: re.Match[str], real: str, shown: str) -> str:
    in_cell = found.string[found.end() : found.end() + 1] == "│"
    return shown + found["rest"] + " " * (len(real) - len(shown) if in_cell else 0)


def run_again(transcript: str) -> str:
    """The same commands with what they print now."""
    hidden = ("EX3_DATA", "EX3_ARTIFACTS", "FORCE_COLOR", "CUDA_HOME")
    env = {key: value for key, value in os.environ.items() if key not in hidden}
    env |= {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    with tempfile.TemporaryDirectory(prefix="ex3-") as name:
        renewed = ""
        for command in commands(transcript):
            line = [sys.executable, "-m", "ex3cli", *command.words]
            done = subprocess.run(line, cwd=name, env=env, capture_output=True, encoding="utf-8", check=False)
            if "Traceback" in done.stderr or "unexpected " in done.stderr:
                sys.exit(f"{shlex.join(line)} failed:\n{done.stderr}")
            renewed += command.transcript(done.stdout, done.stderr, failed=done.returncode != 0)
        return without_folders(renewed, Path(name))


# --- tables


def _bundled(*category: str) -> Run:
    return Store(Path("artifacts"), reference_folder()).open("reference", category)


def _scores(*place: str) -> Mapping[str, Any]:
    return _bundled("gan", "fashion-mnist", "eval", *place).read_json("scores.json")


def _history() -> Mapping[str, Any]:
    return _bundled("gan", "fashion-mnist", "history").read_json("history.json")


def _overview() -> Mapping[str, Any]:
    return _bundled("gan", "fashion-mnist", "overview").read_json("overview.json")


def _comparison(dataset: str) -> Mapping[str, Any]:
    return _bundled("vae", dataset, "comparison").read_json(FILE)


def _percent(value: float, spread: float | None = None) -> str:
    shown = f"{half_up(value, 2, scale=2)}"
    return shown if spread is None else f"{shown} ± {half_up(spread, 2, scale=2)}"


def m1_results() -> str:
    """Accuracy by number of labels: M1, the default features, the baselines, and the paper's M1."""
    clothes, digits = _comparison("fashion-mnist"), _comparison("mnist")
    mean = _bundled("vae", "fashion-mnist", "mean").read_json("table.json")["results"]
    shown = [
        ("Fashion-MNIST", "M1: the paper's VAE (`paper`)", clothes["recipes"]["paper"]["results"]),
        ("Fashion-MNIST", "VAE, posterior mean alone", mean),
        ("Fashion-MNIST", "VAE + HOG (`edges`, default)", clothes["recipes"]["edges"]["results"]),
        ("Fashion-MNIST", "VAE + HOG, `--transductive`", clothes["recipes"]["edges"]["transductive"]),
        ("Fashion-MNIST", "baseline: raw pixels", clothes["baselines"]["raw_pixels"]),
        ("Fashion-MNIST", "baseline: HOG alone", clothes["baselines"]["hog"]),
        ("MNIST", "M1: the paper's VAE (`paper`)", digits["recipes"]["paper"]["results"]),
        ("MNIST", "VAE + HOG, `--transductive`", digits["recipes"]["edges"]["transductive"]),
        ("MNIST", "baseline: raw pixels", digits["baselines"]["raw_pixels"]),
    ]
    sizes = [row["labels"] for row in shown[0][2]]
    rows = [
        [*head, *(_percent(row["accuracy_mean"], row["accuracy_std"]) for row in found)]
        for *head, found in shown
    ]
    errors = [TABLE["M1+TSVM"][size] for size in sizes]
    paper = [f"{100 - error:.2f} (error {error:.2f} ± {spread:g})" for error, spread in errors]
    rows.append(["MNIST", "published: Kingma et al. 2014, M1+TSVM", *paper])
    return table(["data set", "features", *(f"{size:,} labels" for size in sizes)], rows)


def gan_results() -> str:
    """Quality of each kind's generated images beside that of real ones, and how many attempts failed."""
    documents = [_scores(kind) for kind in KINDS]
    rates = [_history()["kinds"][kind] for kind in KINDS]
    rows = [
        [
            name,
            *(str(half_up(each[key], digits)) for each in documents),
            str(half_up(documents[0][real], digits)),
        ]
        for name, key, real, digits in (
            ("FID ↓ (64 classifier features)", "fid", "fid_floor", 4),
            ("coverage ↑", "coverage", "coverage_floor", 3),
            ("label agreement ↑", "label_agreement", "classifier_accuracy", 3),
        )
    ]
    rows.append(["failed attempts (95 % interval)", *map(_failures, rates), "–"])
    return table(["", *(NAMES[kind] for kind in KINDS), "real images"], rows)


def _failures(counts: Mapping[str, Any]) -> str:
    low, high = (half_up(counts["failure_rate"][end], 0, scale=2) for end in ("low", "high"))
    return f"{counts['failed']} of {counts['failed'] + counts['converged']} ({low} to {high} %)"


def bundled_runs() -> str:
    """Each bundled run with the command line that made it."""
    reference = reference_folder()
    store = Store(Path("artifacts"), reference)
    runs = [store.open_folder(folder) for folder in store.folders() if folder.is_relative_to(reference)]
    rows = [
        [
            f"`{run.path.relative_to(reference).as_posix()}`",
            f"`{shlex.join(run.manifest.argv)}`",
            run.manifest.started[:10],
        ]
        for run in sorted(runs, key=lambda run: run.name)
    ]
    return table(["folder", "command", "made on"], rows)


def vae_by_class() -> str:
    """Accuracy of the default features by class, with each number of labels."""
    found = _comparison("fashion-mnist")["recipes"]["edges"]["results"]
    names = spec("fashion-mnist").class_names
    rows = [
        [name, *(_percent(row["class_accuracies"][place]) for row in found)]
        for place, name in enumerate(names)
    ]
    return table(["class", *(f"{row['labels']:,} labels" for row in found)], rows)


def gan_by_class() -> str:
    """Label agreement of each kind by class, beside the classifier's accuracy on real images."""
    documents = [_scores(kind) for kind in KINDS]
    real = _bundled("classifier", "fashion-mnist").read_json("result.json")["class_accuracies"]
    rows = [
        [
            name,
            *(str(half_up(each["class_agreements"][name], 3)) for each in documents),
            str(half_up(real[name], 3)),
        ]
        for name in spec("fashion-mnist").class_names
    ]
    return table(["class", *(NAMES[kind] for kind in KINDS), "real images"], rows)


def failure_rates() -> str:
    """How many attempts of each kind failed, with the Wilson interval, and what an attempt must reach."""
    history = _history()
    rows = [
        [
            NAMES[kind],
            *(str(history["bars"][kind][name]) for name in ("label_agreement", "coverage")),
            _failures(counts),
        ]
        for kind, counts in history["kinds"].items()
    ]
    return table(
        ["kind", "label agreement at least", "coverage at least", "failed attempts (95 % interval)"], rows
    )


def failure_attempts() -> str:
    """One row for each attempt: its seed, its verdict and the scores at its end."""
    rows = [
        [
            NAMES[each["kind"]],
            str(each["seed"]),
            describe_verdict(each["verdict"], each["reason"]),
            f"{each['iteration']:,}",
            *(_if_number(each["values"].get(name)) for name in ("label_agreement", "coverage", "fid")),
        ]
        for each in _history()["attempts"]
    ]
    return table(["kind", "seed", "verdict", "iteration", "label agreement", "coverage", "FID"], rows)


def _if_number(value: object) -> str:
    return str(half_up(value, 3)) if isinstance(value, float) else "–"


TABLES: Mapping[str, Callable[[], str]] = {
    "m1 results": m1_results,
    "gan results": gan_results,
    "bundled runs": bundled_runs,
    "vae compare fashion-mnist": lambda: accuracy_table(_comparison("fashion-mnist")),
    "vae compare mnist": lambda: accuracy_table(_comparison("mnist")),
    "vae compare by class": vae_by_class,
    "gan eval": lambda: scores_table([_scores(kind) for kind in KINDS]),
    "gan eval by class": gan_by_class,
    "gan eval paper": lambda: scores_table([_scores(kind, "paper") for kind in PAPERS]),
    "gan overview": lambda: trainings_table(_overview()["trainings"]),
    "gan history": failure_rates,
    "gan history attempts": failure_attempts,
}

# --- READMEs


def parts(text: str) -> dict[str, str]:
    """What stands between the comments, by what the first one says."""
    return {found["head"]: found["body"] for found in PART.finditer(text)}


def rendered(head: str) -> str:
    """What belongs between the comments now."""
    if head in TABLES:
        return TABLES[head]()
    if not head.startswith("$ "):
        sys.exit(f"<!-- {head} --> is neither a command nor one of {', '.join(TABLES)}")
    known = answers(path.read_text(encoding="utf-8") for path in sorted(TRANSCRIPTS.glob("*.txt")))
    shown: list[str] = []
    for command in map(Command.parse, head.removeprefix("$ ").split(" && ")):
        if command.words not in known:
            sys.exit(
                f"<!-- {head} -->: no transcript in {TRANSCRIPTS.relative_to(ROOT)} has ex3 "
                f"{shlex.join(command.words)}"
            )
        shown += [f"$ {shlex.join(('ex3', *command.words))}", *command.kept(known[command.words])]
    return "```\n" + "\n".join(shown) + "\n```\n"


def renewed(text: str) -> str:
    """A README with every generated part as it belongs now."""
    return PART.sub(lambda found: f"<!-- {found['head']} -->\n{rendered(found['head'])}<!-- end -->", text)


def main(words: Sequence[str]) -> int:
    if words and words[0] != "transcripts":
        sys.exit("usage: python .ci/readme.py [transcripts [NAME …]]")
    files = {README: renewed, RESULTS: renewed}
    if words:
        paths = [TRANSCRIPTS / f"{name}.txt" for name in words[1:]] or sorted(TRANSCRIPTS.glob("*.txt"))
        files = dict.fromkeys(paths, run_again) | files
    began = time.monotonic()
    for path, renew in files.items():
        before = path.read_text(encoding="utf-8")
        now = renew(before)
        path.write_text(now, encoding="utf-8")
        print(
            f"{time.monotonic() - began:5.0f} s  "
            f"{path.relative_to(ROOT)}{', changed' if now != before else ''}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
