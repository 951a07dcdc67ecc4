"""KL, JS and Wasserstein of two shifted lines: derived, and computed."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ex3cli.divergence.tables import closed_forms_table, estimates_table
from ex3cli.report.document import Formula, MissingResult, Part, refer
from ex3cli.report.images import figure
from ex3cli.report.provenance import provenance_of
from ex3cli.report.source import ResultSource
from ex3cli.tables import number

if TYPE_CHECKING:
    from ex3cli.runs.run import Run


def lines(archive: ResultSource) -> "tuple[Run, dict[str, Any]]":
    """The newest run with θ = 0 and θ ≠ 0 for the thin lines, and its results."""
    gap = MissingResult(
        "KL, JS and Wasserstein of the two lines",
        "no run has θ = 0 and θ ≠ 0",
        archive.command("ex3", "divergence"),
    )
    run = archive.newest(("divergence",), "divergence", gap, suits=_asks_the_question)
    return run, archive.json(run, "results.json")


IN_SHORT = (
    "For θ ≠ 0: KL = ∞ in both directions, JS = log 2, W = |θ|. For θ = 0 all three are 0. Only W changes "
    "with θ, so only W has a gradient that moves Q towards P."
)


def definitions(_: ResultSource) -> Part:
    """The three distances, and the densities of the two lines."""
    return Part(
        "Definitions",
        [
            "P is uniform on the segment x = 0, Q on the segment x = θ, both with 0 ≤ y ≤ 1. Neither has "
            "a density in the plane, but both have one along the segments: let μ be the length along "
            "both. Then p = 1 on P's segment and 0 elsewhere, and q = 1 on Q's segment and 0 elsewhere. M "
            "= ½P + ½Q is the mixture; logarithms are natural.",
            Formula(
                r"\operatorname{KL}(P\|Q) = \int p \log\frac{p}{q}\,\mathrm{d}\mu, \quad "
                r"\operatorname{JS}(P,Q) = \frac{1}{2}\operatorname{KL}(P\|M) + "
                r"\frac{1}{2}\operatorname{KL}(Q\|M)"
            ),
            Formula(
                r"W(P,Q) = \inf_{\gamma\in\Pi(P,Q)} \mathbb{E}_{(u,v)\sim\gamma} \lVert u-v\rVert = "
                r"\sup_{\lVert f\rVert_L\le 1} \left( \mathbb{E}_{v\sim Q} f(v) - \mathbb{E}_{u\sim P} "
                r"f(u) \right)"
            ),
            "Π(P, Q) holds the couplings: the distributions of pairs (u, v) in which u is distributed as "
            "P and v as Q. The supremum is over all 1-Lipschitz f, those with f(v) − f(u) at most the "
            "distance of u and v. The second equality is the Kantorovich-Rubinstein duality; the proof "
            "below needs only that no f exceeds any coupling.",
        ],
    )


def apart(_: ResultSource) -> Part:
    """Derivation for θ ≠ 0."""
    return Part(
        "θ ≠ 0",
        [
            "The segments do not meet: q = 0 wherever p = 1, and p = 0 wherever q = 1. Points with p = 0 add "
            "nothing to KL(P‖Q), because 0 log 0 = 0. The same holds for Q, so both directions are infinite:",
            Formula(
                r"\operatorname{KL}(P\|Q) = \int_0^1 1\cdot\log\frac{1}{0}\,\mathrm{d}y = \infty, \quad "
                r"\operatorname{KL}(Q\|P) = \int_0^1 1\cdot\log\frac{1}{0}\,\mathrm{d}y = \infty"
            ),
            "The mixture has density m = ½ on both segments, so its logarithms are finite:",
            Formula(
                r"\operatorname{KL}(P\|M) = \int_0^1 1\cdot\log\frac{1}{1/2}\,\mathrm{d}y = \log 2, \quad "
                r"\operatorname{KL}(Q\|M) = \int_0^1 1\cdot\log\frac{1}{1/2}\,\mathrm{d}y = \log 2"
            ),
            Formula(r"\operatorname{JS}(P,Q) = \frac{1}{2}\log 2 + \frac{1}{2}\log 2 = \log 2 \approx 0.693"),
            "Upper bound of W. The coupling that moves each point (0, y) straight to (θ, y) costs",
            Formula(
                r"\mathbb{E}\lVert u-v\rVert = \int_0^1 \lVert(0,y)-(\theta,y)\rVert\,\mathrm{d}y = "
                r"\int_0^1 \lvert\theta\rvert\,\mathrm{d}y = \lvert\theta\rvert, \quad\text{so } W \le "
                r"\lvert\theta\rvert."
            ),
            "Lower bound of W. f(x, y) = sign(θ)·x is 1-Lipschitz. For every coupling γ this gives",
            Formula(
                r"\mathbb{E}_{\gamma}\lVert u-v\rVert \ge \mathbb{E}_{\gamma}\left(f(v)-f(u)\right) = "
                r"\mathbb{E}_{Q} f - \mathbb{E}_{P} f = \operatorname{sign}(\theta)\,\theta - 0 = "
                r"\lvert\theta\rvert, \quad\text{so } W \ge \lvert\theta\rvert."
            ),
            "Both bounds together prove W = |θ|.",
        ],
    )


def together(_: ResultSource) -> Part:
    """Derivation for θ = 0."""
    return Part(
        "θ = 0",
        [
            "The segments are the same and p = q = m = 1 on them. The coupling that leaves every point where "
            "it is costs 0, and no cost is negative:",
            Formula(
                r"\operatorname{KL}(P\|Q) = \operatorname{KL}(Q\|P) = "
                r"\int_0^1 1\cdot\log\frac{1}{1}\,\mathrm{d}y = 0, \quad "
                r"\operatorname{JS} = \frac{1}{2}\cdot 0 + \frac{1}{2}\cdot 0 = 0, \quad W = 0"
            ),
        ],
    )


def why_wasserstein(_: ResultSource) -> Part:
    """The gradients that the three distances give a generator."""
    return Part(
        "Why Wasserstein is better",
        [
            Formula(
                r"\operatorname{JS}(\theta) = \begin{cases} 0 & \quad\theta = 0 \\ \log 2 & \quad\theta "
                r"\ne 0 \end{cases}, \quad \frac{\mathrm{d}}{\mathrm{d}\theta}\operatorname{JS} = 0, \quad "
                r"W(\theta) = \lvert\theta\rvert, \quad \frac{\mathrm{d}}{\mathrm{d}\theta} W = "
                r"\operatorname{sign}(\theta) \quad (\theta\ne 0)"
            ),
            "A generator moves Q by gradient descent, so it needs a derivative in θ. JS is constant on "
            "both sides of its jump: its derivative is 0 at every θ ≠ 0. KL is infinite there and has no "
            "derivative. Both change only by the jump at θ = 0, which no gradient shows: at θ = 0.001, as at "
            "θ = 1, the generator gets no gradient and does not move. W falls continuously to 0, and its "
            "derivative sign(θ) gives the direction at every θ ≠ 0.",
            "KL is not symmetric either. Let R be uniform on the half 0 ≤ y ≤ ½ of P's segment. Then "
            "KL(R‖P) = log 2, but KL(P‖R) = ∞: KL is infinite if the first distribution has mass where the "
            "second has none, but not in the reverse case. JS and W are symmetric.",
            "Real and generated images lie near thin sets that hardly meet, like the two segments. The "
            "optimal discriminator D = p/(p + q) then makes no error, and the objective of the original "
            "GAN's generator,",
            Formula(
                r"\max_D \left( \mathbb{E}_{P}\log D + \mathbb{E}_{Q}\log(1-D) \right) = "
                r"2\operatorname{JS}(P,Q) - 2\log 2,"
            ),
            "is constant at 0. A WGAN's critic estimates W by its dual instead. One caveat: from n samples "
            "in d > 2 dimensions W too is overestimated, by an error that falls like the d-th root of "
            "1/n, and a trained critic only approximates the optimal f. W gives a better training signal; it "
            "is not easier to measure.",
        ],
    )


def computed(archive: ResultSource) -> Part:
    """The closed forms and estimates that `ex3 divergence` computed."""
    run, document = lines(archive)
    figures = [
        figure(
            archive,
            run,
            "figures/distances",
            alt=_describe(document["results"]),
            caption="Each distance, and its slope in θ.",
            label="distances",
        ),
        figure(
            archive,
            run,
            "figures/samples",
            caption="Estimates of the distances by the number of points.",
            alt="Panels of estimates against the number of points: KL has no limit, JS and W converge.",
            folded=True,
        ),
    ]
    text = (
        f"{refer('closed-forms')} and {refer('distances')} show the three distances for several θ. For θ ≠ 0 "
        "KL and JS do not depend on θ; W does."
    )
    tables = [
        replace(closed_forms_table(document), label="closed-forms"),
        replace(estimates_table(document), folded=True),
    ]
    return Part("Computed", [text], tables, figures, provenances=[provenance_of(run)])


def _asks_the_question(run: "Run") -> bool:
    thetas = run.manifest.config.get("theta", [])
    return run.manifest.summary.get("family") == "lines" and 0 in thetas and any(thetas)


def _describe(results: list[dict[str, Any]]) -> str:
    far = max(results, key=lambda result: abs(result["theta"]))
    return (
        "Three panels against the shift θ, values above and slopes below. "
        f"KL is 0 at θ = 0 and {number(far['kl']['exact'])} elsewhere, without a slope. "
        f"JS is 0 at θ = 0 and {number(far['js']['exact'])} elsewhere, with slope "
        f"{number(far['js']['gradient'])}. "
        "W is a V with its tip at 0, with slope −1 on the left and 1 on the right; estimates lie on the "
        "lines."
    )
