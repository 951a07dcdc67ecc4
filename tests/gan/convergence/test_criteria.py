"""A figure that is exactly on its line passes, the nearest one beyond it fails, and a look that does not
count does not.
"""

import math
from dataclasses import fields, replace

import pytest

from ex3cli.gan.convergence import criteria
from ex3cli.gan.convergence.criteria import Thresholds, check_failure, final_verdict, unmet_criterion
from ex3cli.gan.kinds import KINDS

AT = Thresholds(
    grace=100,
    divergence_looks=1,
    variety_looks=1,
    half_way_looks=1,
    critic_looks=2,
    critic_gain=0.25,
    max_fid_ratio=2.0,
    min_coverage=0.5,
)
GOOD = {
    "iteration": 200.0,
    "weights": 30.0,
    "score_gap": 2.0,
    "generator_grad_norm": 0.5,
    "pixel_std": 0.9,
    "critic_auc": 0.98,
    "fid": 1.0,
    "coverage": 0.8,
    "density": 0.9,
    "min_class_variety": 0.8,
    "min_class_share": 0.08,
    "class_kl": 0.01,
    "label_agreement": 0.95,
}
LINES = {
    "score_gap": (AT.min_gap, 0.0, "dead critic"),
    "generator_grad_norm": (AT.min_gradient, 0.0, "dead critic"),
    "pixel_std": (AT.min_pixel_std, 0.0, "constant output"),
    "min_class_variety": (AT.min_class_variety, 0.0, "within-class collapse"),
    "label_agreement": (AT.half_way_agreement, 0.0, "wrong labels"),
    "fid": (2.0, math.inf, "divergence"),  # twice the best
}
Evaluation = dict[str, float]


def seen(*changes: Evaluation) -> list[Evaluation]:
    """Looks at 200, 210, …, good but for the changes."""
    return [{**GOOD, "iteration": 200.0 + 10 * place, **change} for place, change in enumerate(changes)]


def reason(evaluations: list[Evaluation], at: Thresholds = AT, iterations: int = 400) -> str | None:
    failure = check_failure(evaluations, at, iterations)
    return failure.reason if failure else None


@pytest.mark.parametrize("name", LINES)
def test_on_the_line_goes_on_and_just_beyond_it_fails(name: str) -> None:
    line, worse, named = LINES[name]
    assert reason(seen({}, {name: line})) is None
    assert reason(seen({}, {name: math.nextafter(line, worse)})) == named


def test_images_like_nothing_real_are_not_collapsed_however_alike() -> None:
    alike = {"min_class_variety": 0.0, "density": AT.min_density}
    assert reason(seen({}, alike)) == "within-class collapse"
    noise = {**alike, "density": math.nextafter(AT.min_density, 0.0)}
    assert reason(seen({}, noise), iterations=500) is None
    assert reason(seen({}, noise)) == "critic wins"  # half-way: whatever its area, nothing has been learnt
    twice = replace(AT, variety_looks=2)
    assert reason(seen({}, noise, alike), twice, iterations=500) is None
    assert reason(seen({}, alike, alike), twice, iterations=500) == "within-class collapse"


@pytest.mark.parametrize(
    ("name", "worse", "named"),
    [
        ("label_agreement", 0.0, "wrong labels"),
        ("coverage", 0.0, "low coverage"),
        ("min_class_share", 0.0, "wrong labels"),
        ("class_kl", math.inf, "wrong labels"),
    ],
)
def test_on_the_bar_has_converged_and_just_beyond_it_has_not(name: str, worse: float, named: str) -> None:
    bars = {"label_agreement": "min_agreement", "coverage": "min_coverage", "class_kl": "max_class_kl"}
    line = getattr(AT, bars.get(name, name))
    final = (
        GOOD
        if name in ("label_agreement", "coverage")
        else {k: v for k, v in GOOD.items() if k != "label_agreement"}
    )
    assert unmet_criterion({**final, name: line}, AT) is None
    short = unmet_criterion({**final, name: math.nextafter(line, worse)}, AT)
    assert (short.reason if short else None) == named


def test_where_no_label_was_asked_for_the_agreement_fails_nothing() -> None:
    untold = [
        {key: value for key, value in look.items() if key != "label_agreement"} for look in seen({}, {})
    ]
    assert reason(untold) is None
    assert (
        unmet_criterion({**untold[0], "min_class_share": AT.min_class_share, "class_kl": AT.max_class_kl}, AT)
        is None
    )


def test_past_half_way_one_evaluation_is_not_enough_and_what_diverges_is_not_called_behind() -> None:
    at = replace(AT, half_way_looks=2, divergence_looks=3)
    for wrong, named in (({"label_agreement": 0.1}, "wrong labels"), ({"density": 0.0}, "critic wins")):
        assert reason(seen({}, wrong, {}, wrong), at) is None
        assert reason(seen({}, wrong, wrong), at) == named
        far = {**wrong, "fid": 2.1}
        assert reason(seen({}, far, far), at) is None  # it was good: wait whether it comes back
        assert reason(seen({}, far, far, far), at) == "divergence"
        assert reason(seen({}, far, {**wrong, "fid": 1.9}), at) is None  # on its way back
        assert reason(seen({}, far, *[{**wrong, "fid": 1.9}] * 2), at) is not None
    early = [
        {**look, "iteration": 110.0 + place}
        for place, look in enumerate(seen({"density": 0.0}, {"density": 0.0}))
    ]
    assert reason(early, at) is None
    assert reason([*early[:1], {**early[1], "iteration": 200.0}], at) == "critic wins"
    graced = [{**early[0], "iteration": 100.0}, {**early[1], "iteration": 110.0}]
    assert reason(graced, at, iterations=150) is None
    assert reason([*graced, {**early[1], "iteration": 120.0}], at, iterations=150) == "critic wins"


def test_the_last_fid_is_of_as_many_images_as_those_before() -> None:
    evaluations = seen({}, {"fid": 2.3})  # the last look itself may be a jump
    assert final_verdict(evaluations, {**GOOD, "fid": 1.2, "fid_as_evaluated": 2.0}, AT) is None
    failure = final_verdict(evaluations, {**GOOD, "fid": 1.2, "fid_as_evaluated": 2.1}, AT)
    assert failure is not None
    assert (failure.reason, failure.values) == ("divergence", {"fid": 2.1, "best_fid": 1.0})
    failure = final_verdict(evaluations, {**GOOD, "coverage": 0.1, "fid_as_evaluated": 1.0}, AT)
    assert (failure.reason if failure else None) == "low coverage"


def test_half_way_is_the_first_evaluation_that_is_not_before_it() -> None:
    wrong = seen({"label_agreement": 0.1})
    assert reason(wrong, iterations=401) is None
    assert reason(wrong, iterations=400) == "wrong labels"


def test_evaluations_of_grace_do_not_count_but_the_best_among_them_is_the_best() -> None:
    late, twice = replace(AT, grace=200), replace(AT, grace=200, variety_looks=2, divergence_looks=2)
    assert reason(seen({"min_class_variety": 0.0}), late) is None
    assert reason(seen({}, {"min_class_variety": 0.0}), late) == "within-class collapse"
    assert reason(seen({"min_class_variety": 0.0}, {"min_class_variety": 0.0}), twice) is None
    assert reason(seen({"fid": 1.0}, {"fid": 2.1}), late) == "divergence"
    assert reason(seen({}, {}, {"fid": 2.1}, {"fid": 2.1}), twice) == "divergence"
    assert reason(seen({}, {"fid": 2.1}, {"fid": 2.1}), replace(twice, grace=210)) is None
    assert reason(seen({}, {"fid": 9.0}, {"fid": 0.9}, {"fid": 1.9}), twice) is None
    assert (
        reason(
            [{**each, "iteration": each["iteration"] - 110} for each in seen({"fid": 1.0}, {"fid": 2.1}, {})],
            AT,
        )
        is None
    )


BAD = {"critic_auc": 1.0, "coverage": 0.1}  # the critic tells all apart, and the images would not pass


@pytest.mark.parametrize(
    ("fids", "named"),
    [
        ((4.0, 4.0), "critic wins"),  # nothing before: held against the first of the two
        ((4.0, 3.0), "critic wins"),  # a quarter better exactly is not yet better by more than a quarter
        ((4.0, 2.99), None),
        ((2.0, 4.0, 3.0, 3.0), "critic wins"),  # better than one before, not than the best before
        ((4.0, 2.9, 3.9), None),  # the better of the two counts, not the last
        ((4.0, 4.5, 4.5), "critic wins"),
        ((4.0,), None),
    ],
)
def test_a_critic_wins_where_no_better_image_comes_of_it(fids: tuple[float, ...], named: str | None) -> None:
    at = replace(AT, max_fid_ratio=9.0)
    assert reason(seen(*[{**BAD, "fid": fid} for fid in fids]), at) == named


def test_a_critic_on_its_line_or_of_grace_has_not_won() -> None:
    area = {**BAD, "critic_auc": AT.critic_auc}
    assert reason(seen(area, area, area)) is None
    assert (
        reason(seen(area, *[{**area, "critic_auc": math.nextafter(AT.critic_auc, 1)}] * 2)) == "critic wins"
    )
    assert reason(seen(BAD, BAD), replace(AT, grace=200)) is None
    assert reason(seen(BAD, BAD, {**BAD, "critic_auc": 0.9})) is None
    assert reason(seen(*[{"critic_auc": 1.0}] * 3)) is None  # what would pass need not get better
    passing = {"critic_auc": 1.0}
    scattered = {**passing, "label_agreement": 0.89}  # of 1,000 images
    assert reason(seen(passing, scattered)) is None
    assert reason(seen(passing, scattered, scattered)) == "critic wins"
    assert reason(seen(passing, BAD, BAD)) == "critic wins"


DEFAULTS = Thresholds()


def evaluations(*changes: Evaluation, begin: int = 1_800) -> list[Evaluation]:
    """Looks at every interval from `begin` on, good but for the changes."""
    return [
        {**GOOD, "iteration": float(begin + 300 * place), **change} for place, change in enumerate(changes)
    ]


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (evaluations({}), None),
        (evaluations({"weights": float("nan")}, begin=300), "non-finite"),
        (evaluations({"critic_auc": float("nan")}, begin=300), "non-finite"),
        (evaluations({"score_gap": 1e-7}), "dead critic"),
        (evaluations({"generator_grad_norm": 1e-9}), "dead critic"),
        (evaluations({"pixel_std": 0.09, "min_class_variety": 0.0}), "constant output"),
        (evaluations({"pixel_std": 0.11}), None),
        # saturated: no gradient gets through
        (evaluations({"pixel_std": 0.0, "generator_grad_norm": 0.0}), "constant output"),
        (evaluations({"pixel_std": 0.0, "generator_grad_norm": 0.0, "score_gap": 0.0}), "dead critic"),
        (evaluations({"score_gap": 0.0, "pixel_std": 0.0}, begin=1_500), None),  # of grace
        (evaluations({"min_class_variety": 0.2}, {"min_class_variety": 0.2}), "within-class collapse"),
        (evaluations({"min_class_variety": 0.2}, {}, {"min_class_variety": 0.2}), None),
        (
            evaluations(
                *[{"min_class_variety": 0.2, "density": 0.0, "critic_auc": 1.0, "coverage": 0.0}] * 6
            ),
            "critic wins",
        ),  # noise
        (evaluations({"min_class_variety": 0.2}, {"min_class_variety": 0.2}, begin=1_500), None),
        (evaluations({}, *[{"fid": 2.1}] * 3), "divergence"),
        (evaluations({}, *[{"fid": 2.1}] * 2), None),
        (evaluations({}, *[{"fid": 2.1}] * 2, {"fid": 1.9}), None),
        (evaluations({"fid": 5.0}, *[{"critic_auc": 1.0, "fid": 5.0, "coverage": 0.1}] * 5), "critic wins"),
        (evaluations({"fid": 5.0}, *[{"critic_auc": 1.0, "fid": 5.0, "coverage": 0.1}] * 4), None),
        (
            evaluations(
                {"fid": 5.0},
                *[{"critic_auc": 1.0, "fid": 4.8 - place, "coverage": 0.1} for place in range(5)],
            ),
            None,
        ),
        (evaluations({"fid": 1.0}, *[{"critic_auc": 1.0}] * 9), None),  # converged: no better, and no need
        (evaluations(*[{"label_agreement": 0.2}] * 2, begin=4_200), "wrong labels"),
        (evaluations({}, {"label_agreement": 0.2}, begin=4_200), None),
        (evaluations(*[{"label_agreement": 0.2}] * 2, begin=3_900), None),
        (evaluations(*[{"label_agreement": 0.2, "density": 0.05}] * 2, begin=4_200), "critic wins"),  # noise
        (evaluations(*[{"label_agreement": 0.2, "critic_auc": 1.0}] * 2, begin=4_200), "wrong labels"),
        # it may come back
        (evaluations({}, *[{"fid": 9.0, "density": 0.0, "label_agreement": 0.1}] * 2, begin=4_200), None),
        (
            evaluations({}, *[{"fid": 9.0, "density": 0.0, "label_agreement": 0.1}] * 3, begin=4_200),
            "divergence",
        ),
    ],
)
def test_evaluations_made_by_hand(seen: list[Evaluation], reason: str | None) -> None:
    failure = check_failure(seen, DEFAULTS, iterations=9_000)
    assert (failure.reason if failure else None) == reason
    assert failure is None or failure.values


def test_a_long_training_gets_as_long_as_it_needs_to_show_a_gain() -> None:
    """Of 200,000 iterations, an FID that halves every 92,000 gains 1.5 % in five looks, and 14 % in a tenth
    of the whole.
    """
    steady = [
        {
            **GOOD,
            "iteration": 400.0 * place,
            "critic_auc": 1.0,
            "coverage": 0.3,
            "fid": 5.0 * 0.5 ** (400 * place / 92_000),
        }
        for place in range(1, 200)
    ]
    assert not any(check_failure(steady[:end], DEFAULTS, iterations=200_000) for end in range(1, 200))
    assert check_failure(steady, DEFAULTS, iterations=6_000) is not None
    stuck = [{**look, "fid": 5.0} for look in steady]
    named = [
        failure.reason
        for end in range(1, 200)
        if (failure := check_failure(stuck[:end], DEFAULTS, iterations=200_000))
    ]
    assert set(named) == {"critic wins"}
    assert len(named) == 199 - 3 - 50 + 1  # three looks of grace, then a tenth of 200,000 iterations


RECORDED = """
iteration fid density coverage label_agreement min_class_agreement min_class_variety pixel_std critic_auc score_gap
20  12.88  0  0  0.12  0  1.097  1.023  0.9923  5.671
40  0.9709  0.424  0.345  0.45  0.2  0.9895  1.127  0.8833  5.084
60  0.4095  0.497  0.52  0.74  0.35  1.004  1.031  0.9137  4.264
80  0.3444  0.427  0.6  0.85  0.5  0.9742  0.9775  0.8213  2.861
100  0.5363  0.424  0.66  0.895  0.75  0.8761  0.8353  0.9021  2.055
120  0.747  0.476  0.635  0.835  0.6  0.7844  0.6837  0.8373  1.601
140  1.166  0.466  0.515  0.74  0.2  0.6652  0.6187  0.8471  1.488
160  1.869  0.323  0.36  0.69  0  0.8013  0.5706  0.79  1.754
"""  # noqa: E501
"""Of a dcgan of digits whose step size of 0.02 never falls: its images are best at iteration 80, and worse
from then on.
"""


def test_a_recorded_divergence_is_found_at_its_third_evaluation_and_no_other_failure_before() -> None:
    names, *rows = (line.split() for line in RECORDED.strip().splitlines())
    recorded = [dict(zip(names, map(float, row), strict=True)) for row in rows]
    at = Thresholds(interval=20, grace=30, critic_looks=3)
    found = [check_failure(recorded[:end], at, iterations=400) for end in range(1, 9)]
    assert [failure.reason if failure else None for failure in found] == [None] * 7 + ["divergence"]
    assert found[-1] is not None
    assert found[-1].values == {"fid": 1.869, "best_fid": 0.3444}
    at_its_best = {**recorded[3], "fid_as_evaluated": recorded[3]["fid"]}
    enough = replace(at, min_agreement=0.85, min_coverage=0.6)
    assert final_verdict(recorded[:4], at_its_best, enough) is None
    assert final_verdict(recorded[:4], at_its_best, replace(enough, min_coverage=0.61)) is not None
    late = final_verdict(recorded[:6], {**recorded[5], "fid_as_evaluated": recorded[5]["fid"]}, enough)
    assert (late.reason if late else None) == "divergence"  # 0.747 is more than twice 0.3444


UNTOLD = {key: value for key, value in GOOD.items() if key != "label_agreement"}


@pytest.mark.parametrize(
    ("kind", "final", "reason"),
    [
        ("dcgan", GOOD, None),
        ("wgan", {**GOOD, "label_agreement": 0.899}, "wrong labels"),
        ("wgan-clip", {**GOOD, "label_agreement": 0.86, "coverage": 0.71}, None),
        ("wgan-clip", {**GOOD, "label_agreement": 0.84}, "wrong labels"),
        ("dcgan", {**GOOD, "coverage": 0.69}, "low coverage"),
        ("dcgan", {**GOOD, "min_class_agreement": 0.5}, None),
        ("dcgan", {**GOOD, "min_class_agreement": 0.49}, "wrong labels"),  # nine good classes of ten
        ("wgan-clip", {**GOOD, "coverage": 0.69}, "low coverage"),
        ("dcgan", {**GOOD, "min_class_variety": 0.3}, None),
        # of one class: coverage does not show it
        ("dcgan", {**GOOD, "min_class_variety": 0.29}, "within-class collapse"),
        ("wgan", {**UNTOLD, "min_class_variety": 0.0}, "within-class collapse"),
        ("dcgan", {**UNTOLD, "min_class_share": 0.021, "class_kl": 0.3}, None),
        ("dcgan", {**UNTOLD, "min_class_share": 0.019}, "wrong labels"),
        ("wgan", {**UNTOLD, "class_kl": 0.51}, "wrong labels"),
    ],
)
def test_what_is_not_enough_at_the_end(kind: str, final: Evaluation, reason: str | None) -> None:
    failure = unmet_criterion(final, Thresholds.for_kind(kind))
    assert (failure.reason if failure else None) == reason


def test_every_threshold_has_a_reason_and_every_reason_a_meaning() -> None:
    assert all(len(each.metadata["help"]) > 20 for each in fields(Thresholds))
    named = {value for name, value in vars(criteria).items() if name.isupper() and isinstance(value, str)}
    assert named - {criteria.FID_AS_EVALUATED} == set(criteria.REASONS)
    names = {each.name for each in fields(Thresholds)}
    assert all(set(kind.criteria) <= names for kind in KINDS.values())
