"""The report and the grade of real runs: every feature's command runs once, tiny; the report reads what they
wrote, and what the report and its runs say is graded, honest and forged.

The report is of Fashion-MNIST and MNIST, and of runs of full length. Here Fashion-MNIST's files hold the
digits, no run is bundled, and each tiny run counts as one of its preset's full length.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ex3cli.cli import app
from ex3cli.datasets import registry
from ex3cli.datasets.digits import load_enlarged
from ex3cli.datasets.specs import FILES, SPECS
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.criteria import Thresholds
from ex3cli.report.assembly import assemble
from ex3cli.report.source import ResultSource
from ex3cli.runs.formats import tensors_from_bytes, tensors_to_bytes
from ex3cli.runs.jsonio import digest
from ex3cli.runs.manifest import Manifest
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end]

KINDS = ("dcgan", "wgan", "wgan-clip", "lsgan")
DIVERGENCE = "divergence --theta 0 --theta 0.5 --samples 60 --critic-steps 3 --critic-width 4"
COMPLEXITY = "complexity --max-length 64 --width 4 --max-width 64 --length 8 --time-budget 0.1"
LAB = "lab train ring --min-epochs 5 --max-epochs 5 --eval-interval 1 --max-attempts 2 --no-animation"
CLASSIFIER = "classifier train --width 4 --feature-size 8 --epochs 1 --precision float32"
VAE = "vae train --hidden 8 --latent-dim 2 --epochs 1 --iwae-samples 2 --iwae-images 10 --device cpu"
GAN = "gan train --width 2 --batch-size 16 --iterations 8 --precision float32 --max-attempts 1"
COMMANDS = (
    DIVERGENCE,
    COMPLEXITY,
    LAB,
    CLASSIFIER,
    f"{VAE} --preset edges --width 2",
    f"{VAE} --preset paper",
    "vae eval --draws 1",
    "vae compare 0001-edges 0002-paper --draws 1",
    "vae reconstruct --pairs 1",
    "vae sample -n 4",
    *(f"{GAN} --kind {kind}" for kind in KINDS),
    *(f"gan eval --kind {kind}" for kind in KINDS),
    "gan sample --kind dcgan --label dress -n 2",
    "gan compare --label dress",
    "gan compare --label all -n 1",
    "gan history",
    "gan overview",
    "gan correlate",
)
NOT_CONVERGED = 5
EXIT_CODES = {LAB: NOT_CONVERGED}  # by a limit that no JS is below

MISSING = {
    "M1 on mnist": "the digits take the place of Fashion-MNIST, and there is no third data set",
    "a VAE of mnist": "for the same reason",
    "the comparison of recipes on mnist": "for the same reason",
}
"""What the digits cannot have, with the reason."""

PASSED_BY_ALL = {
    "interval": 4,
    "images": 100,
    "final_images": 200,
    "min_agreement": 0.0,
    "min_class_agreement": 0.0,
    "min_coverage": 0.0,
    "min_class_variety": 0.0,
    "max_fid_ratio": 1e9,
}


def write_idx(path: Path, array: np.ndarray) -> str:
    """Write bytes as one of MNIST's files; returns its SHA-256."""
    content = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with the digits as Fashion-MNIST's files, in which every command has run."""
    here = tmp_path_factory.mktemp("end-to-end")
    spec = registry.spec("fashion-mnist")
    (here / "data" / spec.folder).mkdir(parents=True)
    (images, labels), test = load_enlarged()
    training = [np.concatenate([array] * 3) for array in (images, labels)]  # 3,000 labels are to be drawn
    arrays = [array.astype(np.uint8) for array in (*training, *test)]
    digests = {
        file: write_idx(here / "data" / spec.folder / file, array)
        for file, array in zip(FILES, arrays, strict=True)
    }
    finish = Run.finish

    def finish_whole(run: Run, summary: dict[str, Any], *, partial: bool = False, **given: Any) -> Run:
        return finish(run, summary, **given)

    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(here)
        patched.setenv("EX3_DATA", str(here / "data"))
        patched.delenv("EX3_ARTIFACTS", raising=False)
        patched.setitem(SPECS, spec.name, replace(spec, digests=digests))
        patched.setattr("ex3cli.runs.store.reference_folder", lambda: here / "nothing-bundled")
        patched.setattr(Run, "finish", finish_whole)
        patched.setattr(GANConfig, "is_shortened", False)
        patched.setattr(
            Thresholds, "for_kind", lambda kind, **given: Thresholds(**{**PASSED_BY_ALL, **given})
        )
        patched.setattr("ex3cli.complexity.timing.SHORTEST_BLOCK", 1e-5)
        patched.setattr("ex3cli.grading.lab.GENERATED", 2_000)
        for name in ("REAL", "GENERATED"):
            patched.setattr(f"ex3cli.lab.evaluation.{name}", 2_000)
        patched.setattr("ex3cli.lab.training.GENERATED", 2_000)
        patched.setattr("ex3cli.lab.evaluation.TRANSPORTED", 100)
        patched.setattr("ex3cli.lab.evaluation.JS_LIMIT", -1.0)
        for command in COMMANDS:
            outcome = CliRunner().invoke(app, [*command.split(), "--quiet"], prog_name="ex3")
            assert outcome.exit_code == EXIT_CODES.get(command, 0), (command, outcome.stderr)
        yield here


def test_the_report_reads_what_every_command_wrote(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    outcome = CliRunner().invoke(app, ["report", "--json"], prog_name="ex3")
    assert outcome.exit_code == 0, outcome.stderr
    document = json.loads(outcome.stdout)
    assert document["damaged"] == []
    assert {each["what"] for each in document["missing"]} == MISSING.keys()
    incomplete = {each["id"] for each in document["sections"] if not each["complete"]}
    assert incomplete == {"few-labels"}
    text = re.sub(r"data:[^\"]*", "", (folder / document["page"]).read_text(encoding="utf-8"))
    for words in ("is damaged", "Traceback", "Exception", "Error:", "Error)", "cannot be read"):
        assert words not in text, words


def test_a_kind_beyond_those_asked_for_stands_beside_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    report = assemble(ResultSource(Store(folder / "artifacts", folder / "nothing-bundled")))
    parts = [part for each in report.sections for part in each.parts]
    tables = {table.label: table for part in parts for table in part.tables if table.label}
    for label in ("scores", "settings"):
        assert tables[label].headings[1:5] == ["DCGAN", "WGAN-GP", "WGAN (clipping)", "LSGAN"]
    for label in ("losses", "failures"):
        assert "LSGAN" in [row[0] for row in tables[label].rows]
    captions = [figure.caption for part in parts for figure in part.figures]
    assert "LSGAN: loss against iteration." in captions
    assert any("LSGAN" in caption for caption in captions if caption.startswith("Images of every class"))


# --- ex3 grade


@pytest.fixture(scope="module")
def handed_in(folder: Path) -> Path:
    """What a student hands in: the artifacts folder with a report."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        outcome = CliRunner().invoke(app, ["report", "--author", "Mia, 1", "--quiet"], prog_name="ex3")
    assert outcome.exit_code == 0, outcome.stderr
    return folder / "artifacts"


@pytest.fixture
def mia(handed_in: Path, tmp_path: Path) -> Path:
    """A copy of the folder, to be forged."""
    return Path(shutil.copytree(handed_in, tmp_path / "mia"))


def graded(*words: object, exit_code: int = 4) -> dict[str, Any]:
    """The document of `ex3 grade`."""
    outcome = CliRunner().invoke(app, ["grade", *map(str, words), "--json", "--quiet"], prog_name="ex3")
    assert outcome.exit_code == exit_code, (outcome.stdout, outcome.stderr)
    document: dict[str, Any] = json.loads(outcome.stdout)
    return document


def contents_of(folder: Path) -> dict[str, tuple[float, str]]:
    """Each file with its time of change and its digest."""
    every = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime, digest(path.read_bytes())) for path in every}


def test_an_honest_folder_has_no_flag_and_is_not_touched(handed_in: Path) -> None:
    before = contents_of(handed_in)
    document = graded(handed_in, exit_code=0)
    (found,) = document["folders"]
    assert document["ok"]
    assert found["flags"] == []
    states = {each["id"]: each["state"] for each in found["questions"]}
    assert states.pop("few-labels") == "in part", "there is no MNIST here"
    assert set(states.values()) == {"right"}
    anew = {each["command"] for each in found["runs"] if each["computed_anew"]}
    assert anew >= {"divergence", "complexity", "lab train", "vae train", "vae eval", "gan train", "gan eval"}
    assert contents_of(handed_in) == before


def forge(
    run: Path,
    files: Mapping[str, bytes] | None = None,
    sources: Mapping[str, str] | None = None,
    **changes: Any,
) -> str:
    """Change files and manifest of a run, with all digests made to fit; returns its new digest."""
    manifest = replace(Manifest.read(run), **changes)
    for name, data in (files or {}).items():
        (run / name).write_bytes(data)
        manifest.files[name] = {"size": len(data), "sha256": digest(data)}
    manifest.sources.update(sources or {})
    manifest.write(run)
    return Manifest.read(run).digest


def run_in(artifacts: Path, pattern: str) -> Path:
    """The one run that a pattern names."""
    (found,) = (path.parent for path in artifacts.glob(f"{pattern}/run.json"))
    return found


def raise_accuracies(artifacts: Path) -> None:
    """Every accuracy is better by ten test images, in every place where it stands."""
    run = run_in(artifacts, "vae/fashion-mnist/*-eval")
    document = json.loads((run / "table.json").read_bytes())
    summary = dict(Manifest.read(run).summary)
    lines = ["labels,draws,accuracy_mean,accuracy_std"]
    for row in document["results"]:
        matrix = row["confusion"]
        moved = 0
        for true, line in enumerate(matrix):
            for said in range(len(line)):
                share = min(line[said], 10 - moved) if said != true else 0
                line[said], line[true], moved = line[said] - share, line[true] + share, moved + share
        total = sum(map(sum, matrix))
        accuracy = sum(matrix[each][each] for each in range(len(matrix))) / total
        row["accuracies"], row["accuracy_mean"] = [accuracy], accuracy
        row["class_accuracies"] = [line[at] / sum(line) for at, line in enumerate(matrix)]
        summary[str(row["labels"])] = accuracy
        lines.append(f"{row['labels']},1,{accuracy!r},")
    files = {"table.json": json.dumps(document).encode(), "table.csv": ("\n".join(lines) + "\n").encode()}
    forge(run, files, summary=summary)


def take_the_score_of_another_run(artifacts: Path) -> None:
    """The files of an evaluation of the other VAE take the place of those of the one that answers."""
    run = run_in(artifacts, "vae/fashion-mnist/*-eval")
    used = set(Manifest.read(run).sources.values())
    vae = [run_in(artifacts, f"vae/fashion-mnist/*-{name}") for name in ("edges", "paper")]
    other = next(each for each in vae if Manifest.read(each).digest not in used)
    words = ["vae", "eval", "--run", other.name, "--draws", "1", "--quiet", "--artifacts", str(artifacts)]
    assert CliRunner().invoke(app, words, prog_name="ex3").exit_code == 0
    taken = max(artifacts.glob("vae/fashion-mnist/*-eval"))
    files = {name: (taken / name).read_bytes() for name in Manifest.read(taken).files}
    summary = Manifest.read(taken).summary
    shutil.rmtree(taken)
    forge(run, files, summary=summary)


def raise_the_scores_of_other_features(artifacts: Path) -> None:
    """An evaluation of the posterior mean, beside the one that answers, has accuracies that are too high."""
    options = ("--run", run_in(artifacts, "vae/fashion-mnist/*-paper").name, "--features", "mean")
    words = ["vae", "eval", *options, "--draws", "1", "--quiet", "--artifacts", str(artifacts)]
    assert CliRunner().invoke(app, words, prog_name="ex3").exit_code == 0
    run = max(artifacts.glob("vae/fashion-mnist/*-eval"))
    document = json.loads((run / "table.json").read_bytes())
    for row in document["results"]:
        row["accuracies"] = [accuracy + 0.1 for accuracy in row["accuracies"]]
        row["accuracy_mean"] += 0.1
    forge(run, {"table.json": json.dumps(document).encode()})


def name_another_preset(artifacts: Path) -> None:
    """The scores stand in the row of another preset."""
    run = run_in(artifacts, "vae/fashion-mnist/*-eval")
    document = json.loads((run / "table.json").read_bytes())
    forge(run, {"table.json": json.dumps({**document, "preset": "pixels"}).encode()})


def swap_the_generator(artifacts: Path) -> None:
    """The generator's weights are another's; training and scores are changed to name it by its digest."""
    run = run_in(artifacts, "gan/fashion-mnist/dcgan/*")
    tensors = tensors_from_bytes((run / "generator.safetensors").read_bytes(), run)
    other = {name: -each if each.is_floating_point() else each for name, each in tensors.items()}
    before = Manifest.read(run).digest
    after = forge(run, {"generator.safetensors": tensors_to_bytes(other)})
    for path in artifacts.rglob("run.json"):
        for name, source in Manifest.read(path.parent).sources.items():
            if source == before:
                forge(path.parent, sources={name: after})


def show_the_losses_of_another_run(artifacts: Path) -> None:
    run, other = (run_in(artifacts, f"gan/fashion-mnist/{kind}/*") for kind in ("dcgan", "wgan"))
    forge(run, {"figures/losses.png": (other / "figures/losses.png").read_bytes()})


def choose_c_on_the_test_set(artifacts: Path) -> None:
    """The training says that it chose the C that is best on the test set."""
    run = run_in(artifacts, "vae/fashion-mnist/*-paper")
    summary = json.loads(json.dumps(Manifest.read(run).summary))
    for each in summary["svm"].values():
        each["penalty"], each["gamma"], each["accuracy"] = 1.0, 0.001, 0.99
    forge(run, summary=summary)


def give_c_by_hand(artifacts: Path) -> None:
    """The evaluation was made with the C that is best on the test set."""
    run = run_in(artifacts, "vae/fashion-mnist/*-eval")
    forge(run, config={**Manifest.read(run).config, "svm_c": 30.0})


def remove_the_failed_attempt(artifacts: Path) -> None:
    """The first attempt is removed from record and log, and the second one numbered as the first."""
    run = run_in(artifacts, "lab/ring/*")
    files = {}
    for name in ("attempts.jsonl", "metrics.jsonl"):
        rows = [json.loads(line) for line in (run / name).read_bytes().splitlines()]
        kept = [{**row, "attempt": 1} for row in rows if row["attempt"] == 2]
        files[name] = b"".join(json.dumps(row).encode() + b"\n" for row in kept)
    forge(run, files)


def delete_the_failed_run(artifacts: Path) -> None:
    shutil.rmtree(run_in(artifacts, "lab/ring/*"))


def change_a_closed_form(artifacts: Path) -> None:
    run = run_in(artifacts, "divergence/*")
    document = json.loads((run / "results.json").read_bytes())
    document["results"][1]["w"]["exact"] = 0.25
    forge(run, {"results.json": json.dumps(document).encode()})


def change_a_number_of_the_page(artifacts: Path) -> None:
    """The page's digest fits the changed page."""
    page = artifacts / "report" / "index.html"
    text = page.read_text(encoding="utf-8")
    number = re.search(r"<td([^>]*)>(\d+\.\d+)</td>", text)
    assert number is not None
    page.write_text(text.replace(number[0], f"<td{number[1]}>99.99</td>", 1), encoding="utf-8")
    record = artifacts / "report" / "digests.json"
    written = json.loads(record.read_bytes())
    written["sha256"]["index.html"] = digest(page.read_bytes())
    record.write_text(json.dumps(written))


def change_a_number_of_the_source(artifacts: Path) -> None:
    source = artifacts / "report" / "source" / "report.typ"
    source.write_text(source.read_text(encoding="utf-8") + "The accuracy is 99.99.\n", encoding="utf-8")


def replace_the_pdf(artifacts: Path) -> None:
    (artifacts / "report" / "report.pdf").write_bytes(b"%PDF-1.7 another")


def record_the_digests(artifacts: Path, *, recompiled: bool = False) -> None:
    """The record of digests is changed to fit the report."""
    record = artifacts / "report" / "digests.json"
    written = json.loads(record.read_bytes())
    written["sha256"] = {
        name: digest((artifacts / "report" / name).read_bytes()) for name in written["sha256"]
    }
    written["from_source"] |= recompiled
    record.write_text(json.dumps(written))


def edit_the_page(artifacts: Path, edit: Callable[[str], str]) -> None:
    page = artifacts / "report" / "index.html"
    text = page.read_text(encoding="utf-8")
    edited = edit(text)
    assert edited != text
    page.write_text(edited, encoding="utf-8")
    record_the_digests(artifacts)


def add_a_script(artifacts: Path) -> None:
    script = "<script>document.querySelector('td').textContent = '99.99'</script></body>"
    edit_the_page(artifacts, lambda text: text.replace("</body>", script))


def add_a_style(artifacts: Path) -> None:
    edit_the_page(artifacts, lambda text: text.replace("</style>", "td::after {content: '9'}</style>", 1))


def link_to_another_picture(artifacts: Path) -> None:
    edit_the_page(artifacts, lambda text: re.sub(r'src="data:image[^"]*"', 'src="forged.png"', text, count=1))


def swap_two_pictures(artifacts: Path) -> None:
    def swap(text: str) -> str:
        pictures = list(re.finditer(r"data:image/[^\"]*", text))
        first = pictures[0]
        second = next(each for each in pictures if each[0] != first[0])
        between = text[first.end() : second.start()]
        return text[: first.start()] + second[0] + between + first[0] + text[second.end() :]

    edit_the_page(artifacts, swap)


def edit_the_source(artifacts: Path, edit: Callable[[str], str]) -> None:
    """The source is edited as if `ex3 report --from-source` had compiled it."""
    source = artifacts / "report" / "source" / "report.typ"
    text = source.read_text(encoding="utf-8")
    edited = edit(text)
    assert edited != text
    source.write_text(edited, encoding="utf-8")
    record_the_digests(artifacts, recompiled=True)


def swap_two_numbers_of_the_source(artifacts: Path) -> None:
    def swap(text: str) -> str:
        numbers = list(re.finditer(r"(?<![\d.])\d\.\d{3}(?![\d.])", text))
        first = numbers[0]
        second = next(each for each in numbers if each[0] != first[0])
        between = text[first.end() : second.start()]
        return text[: first.start()] + second[0] + between + first[0] + text[second.end() :]

    edit_the_source(artifacts, swap)


def remove_a_number_of_the_source(artifacts: Path) -> None:
    edit_the_source(artifacts, lambda text: re.sub(r"\d\.\d{3,}", "a little", text, count=1))


def leave_out_sources(run: Path, command: str) -> None:
    """The manifest of a run names no source by the command."""
    manifest = Manifest.read(run)
    feature = command.split()[0]
    kept = {name: each for name, each in manifest.sources.items() if not name.startswith(f"{feature}/")}
    assert kept != manifest.sources
    manifest.sources = kept
    manifest.write(run)


def score_with_an_unnamed_classifier(artifacts: Path) -> None:
    run = run_in(artifacts, "gan/fashion-mnist/eval/dcgan/*")
    leave_out_sources(run, "classifier train")
    document = json.loads((run / "scores.json").read_bytes())
    forge(run, {"scores.json": json.dumps({**document, "fid": 0.01}).encode()})


def train_with_an_unnamed_judge(artifacts: Path) -> None:
    leave_out_sources(run_in(artifacts, "gan/fashion-mnist/dcgan/*"), "classifier train")


def evaluate_an_unnamed_training(artifacts: Path) -> None:
    leave_out_sources(run_in(artifacts, "vae/fashion-mnist/*-eval"), "vae train")


def compare_an_unknown_training(artifacts: Path) -> None:
    run = run_in(artifacts, "vae/fashion-mnist/comparison/*")
    document = json.loads((run / "comparison.json").read_bytes())
    for entry in document["recipes"].values():
        entry["runs"][0]["digest"] = "0" * 64
    forge(run, {"comparison.json": json.dumps(document).encode()})


def raise_the_baselines(artifacts: Path) -> None:
    run = run_in(artifacts, "vae/fashion-mnist/*-eval")
    document = json.loads((run / "table.json").read_bytes())
    for row in document["results"]:
        for beside in row["baselines"].values():
            beside["accuracies"] = [0.25 for _ in beside["accuracies"]]
            beside["accuracy_mean"] = 0.25
    forge(run, {"table.json": json.dumps(document).encode()})


FORGERIES: dict[Callable[[Path], None], tuple[str, str, str]] = {
    raise_accuracies: ("few-labels", "-eval", r"accuracy of draw .* computed anew"),
    take_the_score_of_another_run: ("few-labels", "-eval", r"accuracy of draw .* computed anew"),
    raise_the_scores_of_other_features: ("few-labels", "-eval", r"mean accuracy is .* computed anew"),
    name_another_preset: ("few-labels", "-eval", r"preset is 'pixels', its training and settings give"),
    swap_the_generator: ("gans", "dcgan/0001-quick", r"of its last evaluation is .* computed anew"),
    show_the_losses_of_another_run: (
        "gans",
        "dcgan/0001-quick",
        r"figures/losses.png does not show the numbers that are stored",
    ),
    choose_c_on_the_test_set: (
        "few-labels",
        "-paper",
        r"validation images give .* chosen on the test set",
    ),
    give_c_by_hand: ("few-labels", "-eval", r"C = 30 was given by hand"),
    remove_the_failed_attempt: ("lab", "lab/ring/0001-log", r"attempt 1 has seed .*: was one removed\?"),
    delete_the_failed_run: (
        "lab",
        "",
        r"counts 2 \w+ attempts of lab/ring, the runs have 0",
    ),
    change_a_closed_form: (
        "distances",
        "divergence/",
        r"of W at θ = 0.5 is 0.25, computed anew 0.5",
    ),
    change_a_number_of_the_page: (
        "distances",
        "report",
        r"index.html is not .* “99.99” where they give",
    ),
    change_a_number_of_the_source: (
        "distances",
        "report",
        r"typ was edited, with other numbers: 99.99",
    ),
    replace_the_pdf: ("distances", "report", r"report.pdf was changed after"),
    add_a_script: ("distances", "report", r"other tags, styles or scripts .* “<script>”"),
    add_a_style: ("distances", "report", r"other tags, styles or scripts"),
    link_to_another_picture: ("distances", "report", r"other tags.*forged.png"),
    swap_two_pictures: ("distances", "report", r"has \d+ pictures that these results do not give"),
    swap_two_numbers_of_the_source: ("distances", "report", r"edited, its numbers are in another order"),
    remove_a_number_of_the_source: ("distances", "report", r"edited, without the numbers \d\.\d+"),
    score_with_an_unnamed_classifier: ("gans", "eval/dcgan", r"names no source by `ex3 classifier train`"),
    train_with_an_unnamed_judge: ("gans", "dcgan/0001-quick", r"names no classifier as a source"),
    evaluate_an_unnamed_training: ("few-labels", "-eval", r"names no source by `ex3 vae train`"),
    compare_an_unknown_training: ("few-labels", "comparison", r"a training that is not a source of it"),
}


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda each: each.__name__)
def test_a_forgery_has_its_line(mia: Path, forgery: Callable[[Path], None]) -> None:
    question, where, line = FORGERIES[forgery]
    forgery(mia)
    (found,) = graded(mia, "--questions", question)["folders"]
    lines = [each["what"] for each in found["flags"] if where in each["where"]]
    assert any(re.search(line, each) for each in lines), (
        found["flags"],
        [each for each in found["runs"] if where in each["run"]],
    )
    if where and where != "report" and forgery is not evaluate_an_unnamed_training:  # which answers nothing
        assert [each["right"] for each in found["questions"]] == ["no"]


def test_scores_that_were_not_computed_anew_are_not_called_right(mia: Path) -> None:
    """Label spreading takes minutes, and the figure follows from the table that it is drawn of."""
    run = run_in(mia, "vae/fashion-mnist/*-eval")
    document = {**json.loads((run / "table.json").read_bytes()), "transductive": True}
    files = {"table.json": json.dumps(document).encode()}
    forge(run, files, config={**Manifest.read(run).config, "transductive": True})
    (found,) = graded(mia, "--questions", "few-labels")["folders"]
    (question,) = found["questions"]
    assert [each["what"] for each in found["flags"] if each["kind"] == "wrong"] == []
    assert question["right"] == "–"
    assert any("label spreading: only --reproduce computes it" in each for each in question["why"])


def test_baselines_are_computed_anew_where_the_data_set_is(
    mia: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EX3_DATA", str(folder / "data"))
    words = (mia, "--questions", "few-labels")
    (found,) = graded(*words, exit_code=0)["folders"]
    (run,) = (each for each in found["runs"] if each["command"] == "vae eval")
    assert "hog, raw_pixels with 100 labels" in run["computed_anew"]
    assert "hog, raw_pixels with 600, 1000, 3000 labels" in run["not_tested"]
    raise_the_baselines(mia)
    (found,) = graded(*words)["folders"]
    (run,) = (each for each in found["runs"] if each["command"] == "vae eval")
    assert any(
        each.startswith("100 labels: raw_pixels, accuracy of draw [1] is 0.25") for each in run["wrong"]
    )


def test_a_run_of_another_student_is_named_in_both_folders(mia: Path, tmp_path: Path) -> None:
    ben = tmp_path / "ben"
    copy = ben / "gan/fashion-mnist/dcgan/0007-quick"
    shutil.copytree(mia / "gan/fashion-mnist/dcgan/0001-quick", copy)
    forge(copy, started="2020-01-01T00:00:00.000000+00:00", seed=5)
    found = {
        each["folder"]: each["flags"] for each in graded(mia, ben, "--questions", "distances")["folders"]
    }
    for folder, other in ((mia, ben), (ben, mia)):
        copied = [each for each in found[str(folder)] if each["kind"] == "copy"]
        assert len(copied) == 1
        assert copied[0]["what"].startswith(f"{other} has gan/fashion-mnist/dcgan/")
        assert "the same weights" in copied[0]["what"]


def test_only_a_reproduction_finds_what_no_stored_file_contradicts(mia: Path, tmp_path: Path) -> None:
    words = (mia, "--questions", "lab", "--reproduce", "--into", tmp_path / "own")
    (found,) = graded(*words, exit_code=0)["folders"]
    assert [each["reproduced"] for each in found["questions"]] == ["yes"]
    run = run_in(mia, "lab/ring/*")
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_bytes().splitlines()]
    row = next(each for each in rows if (each["attempt"], each["epoch"]) == (2, 3))
    row["kl"] += 1.0
    lines = (run / "history.csv").read_text().splitlines()
    at = next(place for place, line in enumerate(lines) if line.startswith("3,"))
    cells = lines[at].split(",")
    lines[at] = ",".join([*cells[:3], f"{row['kl']:.7g}", *cells[4:]])
    log = b"".join(json.dumps(each).encode() + b"\n" for each in rows)
    forge(run, {"metrics.jsonl": log, "history.csv": ("\n".join(lines) + "\n").encode()})
    shutil.rmtree(mia / "report")
    (found,) = graded(*words[:3])["folders"]
    assert [each["right"] for each in found["questions"]] == ["yes"]
    (found,) = graded(*words)["folders"]
    assert [each["reproduced"] for each in found["questions"]] == ["no"]
    assert any("not reproduced: 2 files differ" in each["what"] for each in found["flags"])
