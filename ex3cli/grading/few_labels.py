"""M1: SVM scores and SVMs from the stored features, and the C and gamma that they use."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ex3cli.grading.checks import Archive, RunCheck
from ex3cli.grading.svm_scores import (
    MEAN_TOLERANCE,
    SCORES_TOLERANCE,
    check_choice,
    check_row,
    compare_row,
    recomputed_scores,
    why_not_recomputed,
)
from ex3cli.runs import environment
from ex3cli.runs.compare import compare_files
from ex3cli.runs.formats import estimator_to_bytes
from ex3cli.runs.run import Run
from ex3cli.training.progress import NullProgress
from ex3cli.vae import features as stored
from ex3cli.vae import figures
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.few_labels import compare, svm
from ex3cli.vae.few_labels.evaluate import BASELINES, baselines, selection
from ex3cli.vae.few_labels.fits import SizeResult
from ex3cli.vae.few_labels.paper import paper_results

COMPARE = "vae compare"
ESTIMATOR_TOLERANCE = 0.01  # of a coefficient, for the same reason


def check_evaluation(check: RunCheck, archive: Archive) -> None:
    """Check a `vae eval`: each score, its mean and spread, C and gamma, and the tables."""
    document, config = check.load("table.json"), check.run.settings(EvaluationConfig)
    trained = archive.source(check.run, "vae train")
    rows = document["results"]
    check.expect([row["labels"] for row in rows] == list(config.labels), "its rows are not those asked for")
    for row in rows:
        check_row(check, row, config)
        check.compare(
            f"accuracy with {row['labels']} labels in its manifest",
            check.run.manifest.summary.get(str(row["labels"])),
            row["accuracy_mean"],
        )
        check.expect(
            row["paper"] == paper_results(row["labels"]), "the paper's results are not those of its Table 1"
        )
    printed = [[float(cell or "nan") for cell in line[:3]] for line in check.table("table.csv")]
    numbers = [[row["labels"], row["draws"], row["accuracy_mean"]] for row in rows]
    check.compare("table.csv", printed, numbers)
    if config.svm_c or config.svm_gamma:
        given = [
            f"{name} = {value:g}"
            for name, value in (("C", config.svm_c), ("gamma", config.svm_gamma))
            if value
        ]
        tried = _tried(check.run, archive)
        after = f", after {tried} settings were tried on the test images" if tried > 1 else ""
        check.wrong.append(f"{' and '.join(given)} was given by hand, not chosen on validation images{after}")
    check.figure("figures/accuracy", lambda: figures.accuracy_by_labels(compare.lines_of(document)))
    if trained is None:
        check.untested.append("the training whose features it used is not here")
        return
    names = config.features or stored.config_of(trained).features
    labels = {
        "dataset": stored.dataset_of(trained),
        "preset": compare.preset_of(stored.config_of(trained)),
        "features": stored.describe(names),
        "transductive": config.transductive,
    }
    for key, due in labels.items():  # they give the evaluation its row in the report
        found = document.get(key)
        check.expect(found == due, f"{key} is {found!r}, its training and settings give {due!r}")
    own = tuple(names) == stored.config_of(trained).features
    choices = svm.from_json(trained.manifest.summary.get("svm", {})) if own else {}
    if own:
        chosen = selection(choices, config)
        check.expect(
            document.get("selection", chosen) == chosen,
            f"C and gamma: “{document.get('selection')}”, not “{chosen}”",
        )
        if not config.tune:
            check_choice(check, rows, choices, config)
    _check_baselines(check, archive, document, config)
    why = why_not_recomputed(config, own=own)
    if why:
        check.untested.append(why)
        return
    scores = recomputed_scores(archive, trained, config, check.run.manifest.seed)
    fits_in_all = sum(len(result.accuracies) for result in scores)
    for row, result in zip(rows, scores, strict=True):
        compare_row(check, row, result, rounded=trained.is_reference)
    check.recompute_key(f"{fits_in_all} SVM scores from the stored features")
    _check_estimators(check, scores, rounded=trained.is_reference)


def _tried(run: Run, archive: Archive) -> int:
    """Number of settings of C and gamma in the folder's evaluations of the same training."""
    alike = [
        each.manifest.config
        for each in archive.runs
        if each.manifest.command == run.manifest.command
        and each.manifest.category == run.manifest.category
        and set(each.manifest.sources.values()) == set(run.manifest.sources.values())
    ]
    return len({(config.get("svm_c"), config.get("svm_gamma")) for config in alike})


def _check_estimators(check: RunCheck, found: list[SizeResult], *, rounded: bool) -> None:
    """Compare the stored SVMs with those of the first draws; a stored one is compared, never loaded.

    An SVM may have other support vectors where bundled features, which are rounded, take part.
    """
    version = "scikit-learn"
    if check.run.manifest.versions.get(version) != environment.versions().get(version):
        check.untested.append(f"the stored SVMs, which are of another {version}")
        return
    for result in found:
        name = f"svm-{result.labels}.skops"
        data, own = check.run.read_bytes(name), estimator_to_bytes(result.first_svm)
        if data != own and (_unpacked(data) > 2 * len(own) or not _alike(name, data, own)):
            if rounded:
                check.untested.append(f"{name}, whose features the bundled run has rounded only")
            else:
                check.wrong.append(f"{name} is not the SVM of its first draw")
        else:
            check.recomputed.append(name)


def _unpacked(data: bytes) -> int:
    """Uncompressed size of a zip file according to its directory; decompression stops at this size."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return sum(member.file_size for member in archive.infolist())


def _alike(name: str, data: bytes, own: bytes) -> bool:
    """Whether two SVMs differ by rounding only."""
    diff = compare_files({name: own}, {name: data})[0]
    if diff.condition == "same":
        return True
    gap, size = diff.largest_difference, diff.largest_value
    return gap is not None and gap <= ESTIMATOR_TOLERANCE * max(size or 0.0, 1.0)


def check_comparison(check: RunCheck, archive: Archive) -> None:
    """Check a `vae compare`: the scores of each training with stored features, and all means."""
    document, config = check.load(compare.FILE), check.run.settings(EvaluationConfig)
    trainings = {source.manifest.digest: source for source in archive.sources(check.run)}
    inductive = EvaluationConfig.from_dict({**config.to_dict(), "transductive": False})
    why = why_not_recomputed(inductive, own=not config.features)
    older = not set(check.run.manifest.sources.values()) <= trainings.keys()
    fits_in_all, complete = 0, True
    for name, entry in document["recipes"].items():
        for row in (*entry["results"], *entry.get("transductive", ())):
            check_row(check, row, config)
        if "transductive" in entry:
            why_spread = why_not_recomputed(config, own=not config.features)
            check.untested.append(f"{name}: {why_spread or 'label spreading, which was not asked for'}")
            complete = False
        trained = [trainings.get(run["digest"]) for run in entry["runs"]]
        check.expect(
            older or (trained and None not in trained), f"{name} is of a training that is not a source of it"
        )
        here = [training for training in trained if training is not None and not training.is_reference]
        if why or not here or len(here) < len(trained):
            check.untested.append(f"{name}: {why or 'its features are not here in full'}")
            complete = False
            continue
        scores = [
            recomputed_scores(archive, training, inductive, check.run.manifest.seed) for training in here
        ]
        for row, result in zip(entry["results"], scores[0], strict=True):
            compare_row(check, row, result)
        fits_in_all += sum(len(result.accuracies) for results in scores for result in results)
        means = np.mean([[each.accuracy_mean for each in results] for results in scores], axis=0)
        check.compare(
            f"{name}: mean over trainings",
            [seed["accuracy_mean"] for seed in entry["seeds"]],
            means,
            within=MEAN_TOLERANCE,
        )
    for rows in document["baselines"].values():
        for row in rows:
            check_row(check, row, config)
    _recompute_baselines(check, archive, document["baselines"], config)
    if fits_in_all and complete:
        check.recompute_key(f"{fits_in_all} SVM scores from the stored features")
    elif fits_in_all:
        check.recomputed.append(f"{fits_in_all} SVM scores from the stored features")


def _check_baselines(
    check: RunCheck, archive: Archive, document: Mapping[str, Any], config: EvaluationConfig
) -> None:
    """Compare the baselines of an evaluation: those of the bundled comparison, and those computed anew."""
    seed, shipped = (
        check.run.manifest.seed,
        archive.bundled(("vae", document["dataset"], "comparison"), COMPARE),
    )
    known = compare.bundled_rows(shipped.read_json(compare.FILE), config, seed) if shipped else {}
    measured: dict[str, list[Mapping[str, Any]]] = {}
    for row in document["results"]:
        for name, beside in row["baselines"].items():
            if beside.get("source") != "shipped":
                measured.setdefault(name, []).append({**beside, "labels": row["labels"]})
                continue
            what = f"{row['labels']} labels: {name}"
            bundled = next((each for each in known.get(name, ()) if each["labels"] == row["labels"]), None)
            if bundled is None:
                check.untested.append(f"{what}, which is of a bundled run that is not here")
                continue
            for key in ("accuracy_mean", "accuracy_std"):
                check.compare(f"{what}, {key}, as bundled", beside[key], bundled[key])
    _recompute_baselines(check, archive, measured, config)


def _recompute_baselines(
    check: RunCheck,
    archive: Archive,
    measured: Mapping[str, Sequence[Mapping[str, Any]]],
    config: EvaluationConfig,
) -> None:
    """Compute the baselines of the smallest number of labels anew, if the data set is here."""
    if not measured:
        return
    dataset, seed = check.run.manifest.category[1], check.run.manifest.seed
    names, sizes = ", ".join(measured), sorted({row["labels"] for rows in measured.values() for row in rows})
    data = archive.images(dataset)
    if data is None or config.tune or set(measured) - set(BASELINES):
        why = "whose data set is not here" if data is None else "which only --reproduce computes"
        check.untested.append(f"{names}, {why}")
        return
    smallest = replace(config, labels=(sizes[0],), transductive=False)
    settings = (sizes[0], config.draws, config.svm_c, config.svm_gamma)
    digests = tuple(sorted(data.digests.items()))
    found = archive.cached(
        ("baselines", dataset, digests, settings, seed),
        lambda: baselines(data, smallest, seed=seed, progress=NullProgress()),
    )
    for name, rows in measured.items():
        (due,) = found[name]
        row = next(each for each in rows if each["labels"] == sizes[0])
        what = f"{sizes[0]} labels: {name}"
        within = max(SCORES_TOLERANCE, 1.01 / len(data.test_labels))
        check.compare(f"{what}, accuracy of draw", row["accuracies"], due["accuracies"], within)
        check.compare(f"{what}, mean accuracy", row["accuracy_mean"], due["accuracy_mean"], within)
    check.recomputed.append(f"{names} with {sizes[0]} labels")
    if len(sizes) > 1:
        check.untested.append(f"{names} with {', '.join(map(str, sizes[1:]))} labels")
