"""Renew the generated parts of README.md and artifacts/reference/README.md, and tests/transcripts.

    python .ci/readme.py                             # both READMEs (seconds)
    python .ci/readme.py transcripts                 # all transcripts, then both READMEs (minutes)
    python .ci/readme.py transcripts doctor report   # two transcripts, then both READMEs

`make readme` and `make transcripts` call it; tests/test_readme.py compares the files with its output.

A transcript is a text file. Each line that begins with `$ ex3` is a command; the lines below it are its
output. `| head -N`, `| tail -N` and `| grep -E REGEX` omit lines of the output, and `…` replaces them. The
commands of a file run one after another in an empty folder, without a data set, in `WIDTH` columns. Progress
lines are removed, and folders of the machine are replaced (`without_folders`).

A generated part of a README stands between two comments; the second is `<!-- end -->`. The first names a
table of `TABLES`, or commands of transcripts joined by `&&`, whose output follows, with the same filters:

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
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from ex3cli.datasets.registry import spec
from ex3cli.gan.analysis.tables import failures_table, history_table, overview_table
from ex3cli.gan.kinds import NAMES
from ex3cli.gan.results import OVERVIEW_FILE, SCORES_FILE
from ex3cli.gan.tables import classes_table, criteria_text, scores_table
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store, reference_folder
from ex3cli.tables import NONE, Table, mean_and_spread
from ex3cli.training.attempts import HISTORY_FILE
from ex3cli.vae.few_labels.compare import FILE
from ex3cli.vae.few_labels.paper import TABLE
from ex3cli.vae.tables import accuracy_table

ROOT = Path(__file__).resolve().parents[1]
README, RESULTS = ROOT / "README.md", ROOT / "artifacts/reference/README.md"
TRANSCRIPTS = ROOT / "tests/transcripts"
WIDTH = 100
PART = re.compile(r"<!-- (?!end )(?P<head>[^\n]+) -->\n(?P<body>.*?)<!-- end -->", re.DOTALL)
PROGRESS = re.compile(r"^(?P<what>.+?): [\d,]+/[\d,]+ (?P<unit>.+?), [\d.,e+-]+ (?P=unit)/s", re.MULTILINE)
LOGGED = re.compile(r"^[WEI]\d{4} \d\d:\d\d:\d\d")  # a log message of a library
KINDS = ("dcgan", "wgan", "wgan-clip")
PAPERS = ("dcgan", "wgan")

# --- commands and transcripts


@dataclass(frozen=True)
class Command:
    """A command of a transcript.

    line : the text after the prompt, with the filter.
    words : the arguments of `ex3`.
    """

    line: str
    words: tuple[str, ...]
    filter: tuple[str, ...] = ()

    @classmethod
    def parse(cls, line: str) -> "Command":
        """Parse `ex3 …`, optionally with `| head -N`, `| tail -N` or `| grep -E REGEX`."""
        command, _, selection = line.partition(" | ")
        program, *words = shlex.split(command)
        chosen = tuple(shlex.split(selection))
        is_cut = len(chosen) == 2 and chosen[0] in ("head", "tail") and re.fullmatch(r"-\d+", chosen[1])
        if program != "ex3" or (chosen and not is_cut and chosen[:-1] != ("grep", "-E")):
            sys.exit(f"{line!r} is not `ex3 …`, alone or with | head -N, | tail -N or | grep -E REGEX")
        return cls(line, tuple(words), chosen)

    def kept(self, lines: Sequence[str]) -> list[str]:
        """The lines that pass the filter, with `…` for omitted ones."""
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
        """The prompt, notes and output; errors follow the output."""
        output = self.kept([line.rstrip() for line in stdout.splitlines()])
        notes = [line.rstrip() for line in without_progress(stderr).splitlines()]
        return "\n".join([f"$ {self.line}", *(output + notes if failed else notes + output)]) + "\n"


def commands(transcript: str) -> list[Command]:
    """The commands of a transcript, in order."""
    return [
        Command.parse(line.removeprefix("$ "))
        for line in transcript.splitlines()
        if line.startswith("$ ex3 ")
    ]


def answers(transcripts: Iterable[str]) -> dict[tuple[str, ...], list[str]]:
    """The output of each command of the transcripts, by its words."""
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
    """The notes on stderr, without progress lines and log messages of libraries."""
    counted = tuple(f"{found['what']}: " for found in PROGRESS.finditer(stderr))
    kept = (line for line in stderr.splitlines() if not line.startswith(counted) and not LOGGED.match(line))
    return "".join(f"{line}\n" for line in kept)


def without_folders(text: str, folder: Path) -> str:
    """Replace the working folder by ~/exercise and the checkout by ~/ex3.

    Cells of tables keep their width.
    """
    for real, shown in ((folder.resolve(), "~/exercise"), (folder, "~/exercise"), (ROOT, "~/ex3")):
        pattern = re.compile(rf"{re.escape(str(real))}(?P<rest>[^│\n]*)")
        text = pattern.sub(lambda found, real=real, shown=shown: _in_place(found, str(real), shown), text)
    return text


def _in_place(found: re.Match[str], real: str, shown: str) -> str:
    in_cell = found.string[found.end() : found.end() + 1] == "│"
    return shown + found["rest"] + " " * (len(real) - len(shown) if in_cell else 0)


def run_again(transcript: str) -> str:
    """The transcript with the commands' present output."""
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
    return _bundled("gan", "fashion-mnist", "eval", *place).read_json(SCORES_FILE)


def _history() -> Mapping[str, Any]:
    return _bundled("gan", "fashion-mnist", "history").read_json(HISTORY_FILE)


def _overview() -> Mapping[str, Any]:
    return _bundled("gan", "fashion-mnist", "overview").read_json(OVERVIEW_FILE)


def _comparison(dataset: str) -> Mapping[str, Any]:
    return _bundled("vae", dataset, "comparison").read_json(FILE)


def m1_results() -> Table:
    """Accuracy by number of labels: M1, the default features, the baselines, and the paper's M1."""
    clothes = _comparison("fashion-mnist")
    digits = _comparison("mnist")
    mean, relu = (
        _bundled("vae", "fashion-mnist", name).read_json("table.json")["results"] for name in ("mean", "relu")
    )
    results = [
        ("Fashion-MNIST", "M1: the paper's VAE (`paper`)", clothes["recipes"]["paper"]["results"]),
        ("Fashion-MNIST", "M1 with ReLU, batch norm (`relu`)", relu),
        ("Fashion-MNIST", "VAE, posterior mean alone", mean),
        ("Fashion-MNIST", "VAE + HOG (`edges`, default)", clothes["recipes"]["edges"]["results"]),
        ("Fashion-MNIST", "VAE + HOG, `--transductive`", clothes["recipes"]["edges"]["transductive"]),
        ("Fashion-MNIST", "baseline: raw pixels", clothes["baselines"]["raw_pixels"]),
        ("Fashion-MNIST", "baseline: HOG alone", clothes["baselines"]["hog"]),
        ("MNIST", "M1: the paper's VAE (`paper`)", digits["recipes"]["paper"]["results"]),
        ("MNIST", "VAE + HOG, `--transductive`", digits["recipes"]["edges"]["transductive"]),
        ("MNIST", "baseline: raw pixels", digits["baselines"]["raw_pixels"]),
    ]
    sizes = [row["labels"] for row in results[0][2]]
    rows = [
        [*names, *(mean_and_spread(row["accuracy_mean"], row["accuracy_std"]) for row in by_size)]
        for *names, by_size in results
    ]
    errors = [TABLE["M1+TSVM"][size] for size in sizes]
    paper = [f"{100 - error:.2f} (error {error:.2f} ± {spread:g})" for error, spread in errors]
    rows.append(["MNIST", "published: Kingma et al. 2014, M1+TSVM", *paper])
    return Table("", ["data set", "features", *(f"{size:,} labels" for size in sizes)], rows)


def gan_results() -> Table:
    """Quality of the generated images and of real ones, and the failure rate, by kind."""
    scores = scores_table([_scores(kind) for kind in KINDS])
    shown = ("FID", "coverage", "label agreement")
    rows = [row for row in scores.rows if row[0].startswith(shown)]
    failures = {row[0]: row for row in failures_table(_history()["kinds"]).rows}
    counts = [failures[NAMES[kind]] for kind in KINDS]
    rates = [
        f"{failed} of {int(failed) + int(converged)} ({rate.partition('(')[2][:-1]} %)"
        for _, _, _, failed, converged, rate, *_ in counts
    ]
    rows.append(["failed attempts (95 % interval)", *rates, NONE])
    return Table("", scores.headings, rows)


def bundled_runs() -> Table:
    """Each bundled run with the command line that made it."""
    reference = reference_folder()
    store = Store(Path("artifacts"), reference)
    runs = store.scan(bundled=True).require_undamaged().runs
    rows = [
        [
            f"`{run.path.relative_to(reference).as_posix()}`",
            f"`{shlex.join(run.manifest.argv)}`",
            run.manifest.started[:10],
        ]
        for run in sorted(runs, key=lambda run: run.name)
    ]
    return Table("", ["folder", "command", "made on"], rows)


def vae_by_class() -> Table:
    """Accuracy of the default features by class and number of labels."""
    results = _comparison("fashion-mnist")["recipes"]["edges"]["results"]
    rows = [
        [name, *(mean_and_spread(row["class_accuracies"][place], None) for row in results)]
        for place, name in enumerate(spec("fashion-mnist").class_names)
    ]
    return Table("", ["class", *(f"{row['labels']:,} labels" for row in results)], rows)


def gan_by_class() -> Table:
    """Label agreement of each kind by class, and the classifier's accuracy on real images."""
    real = _bundled("classifier", "fashion-mnist").read_json("result.json")["class_accuracies"]
    return classes_table([_scores(kind) for kind in KINDS], real)


def failure_rates() -> Table:
    """Failed attempts by kind, and the convergence criteria."""
    history = _history()
    counts = {kind: count | {"shipped": True} for kind, count in history["kinds"].items()}
    table = failures_table(counts)
    return replace(table, note=f"{table.note} {criteria_text(history['bars'])}")


TABLES: Mapping[str, Callable[[], Table]] = {
    "m1 results": m1_results,
    "gan results": gan_results,
    "bundled runs": bundled_runs,
    "vae compare fashion-mnist": lambda: accuracy_table(_comparison("fashion-mnist")),
    "vae compare mnist": lambda: accuracy_table(_comparison("mnist")),
    "vae compare by class": vae_by_class,
    "gan eval": lambda: scores_table([_scores(kind) for kind in KINDS]),
    "gan eval by class": gan_by_class,
    "gan eval paper": lambda: scores_table([_scores(kind, "paper") for kind in PAPERS]),
    "gan overview": lambda: overview_table(_overview()["trainings"]),
    "gan history": failure_rates,
    "gan history attempts": lambda: history_table(_history()["attempts"]),
}

# --- READMEs


def parts(text: str) -> dict[str, str]:
    """The generated parts of a README, by the text of their first comment."""
    return {found["head"]: found["body"] for found in PART.finditer(text)}


def rendered(head: str) -> str:
    """The present content of a generated part."""
    if head in TABLES:
        return TABLES[head]().to_markdown()
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
    """A README with renewed parts."""
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
