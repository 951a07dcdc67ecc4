"""The two theoretical questions: distances between shifted lines, and what an LSTM costs beside a
Transformer.
"""

from typing import TYPE_CHECKING, Any

from ex3cli.report.document import Formula, MissingResult, Part, Table, refer
from ex3cli.report.images import figure
from ex3cli.report.provenance import making
from ex3cli.report.source import ResultSource
from ex3cli.report.words import between, fixed, listed, number

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

ESTIMATORS = {
    "knn": "neighbours",
    "normal_fit": "fitted normals",
    "classifier": "held-out classifier",
    "histogram": "histogram",
    "sorted_pairing": "sorted pairing",
    "assignment": "assignment",
    "witness": "dual, f = x",
    "entropic": "entropic transport",
    "critic": "dual, trained critic",
}
LAYERS = {"lstm": "LSTM", "attention": "attention", "transformer": "Transformer"}
WAYS = {"forward": "forward", "training": "forward and backward"}


def lines(archive: ResultSource) -> "tuple[Run, dict[str, Any]]":
    """The newest run that answers the question of the two thin lines, and its results; who speaks of them
    asks here.
    """
    gap = MissingResult(
        "KL, JS and Wasserstein of the two lines",
        "no run has θ = 0 and θ ≠ 0",
        archive.command("ex3", "divergence"),
    )
    run = archive.newest(("divergence",), "divergence", gap, suits=_asks_the_question)
    return run, archive.json(run, "results.json")


DISTANCES_IN_SHORT = (
    "For θ ≠ 0: KL = ∞ in both directions, JS = log 2, W = |θ|. For θ = 0 all three are 0. Only W changes "
    "with θ, so only W has a gradient that moves Q towards P."
)
COSTS_IN_SHORT = (
    "A layer of width d takes 16Nd² operations in N sequential steps as an LSTM, and 24Nd² + 4N²d in a "
    "constant number as a Transformer. An LSTM suits long streams and little memory, a Transformer "
    "parallel hardware and distant dependencies."
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
    """The distances where the lines do not meet."""
    return Part(
        "θ ≠ 0",
        [
            "The segments do not meet: q = 0 wherever p = 1, and p = 0 wherever q = 1. Points with p = 0 add "
            "nothing to KL(P‖Q), as 0 log 0 = 0. The same holds for Q, so both directions are infinite:",
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
    """The distances where the lines are one."""
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
    """What the three are worth to a generator that learns by gradients."""
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
            "derivative. All that either knows of the distance is the jump at θ = 0, and no gradient "
            "shows a jump: at θ = 0.001 the generator learns as little as at θ = 1, and does not move. W "
            "falls continuously to 0, and its derivative sign(θ) names the direction at every θ ≠ 0.",
            "KL is not symmetric either. Let R be uniform on the half 0 ≤ y ≤ ½ of P's segment. Then "
            "KL(R‖P) = log 2, but KL(P‖R) = ∞: mass of the first distribution where the second has none "
            "costs infinitely much, the reverse nothing. JS and W are symmetric.",
            "Real and generated images lie near thin sets that hardly meet, like the two segments. The "
            "best discriminator D = p/(p + q) then makes no mistake, and what the original GAN's "
            "generator minimises,",
            Formula(
                r"\max_D \left( \mathbb{E}_{P}\log D + \mathbb{E}_{Q}\log(1-D) \right) = "
                r"2\operatorname{JS}(P,Q) - 2\log 2,"
            ),
            "is 0 and flat. A WGAN's critic estimates W by its dual instead. One caveat: from n samples "
            "in d > 2 dimensions W too is overestimated, by an error that falls like the d-th root of "
            "1/n, and a trained critic only approximates the best f. W gives a better training signal; it "
            "is not easier to measure.",
        ],
    )


def computed(archive: ResultSource) -> Part:
    """The closed forms and estimates that `ex3 divergence` computed."""
    run, document = lines(archive)
    results = document["results"]
    figures = [
        figure(
            archive,
            run,
            "figures/distances",
            alt=_seen(results),
            caption="Each distance, and its slope in θ.",
            label="distances",
        ),
        figure(
            archive,
            run,
            "figures/samples",
            caption="The same distances estimated from more and more points.",
            alt="Panels of estimates against the number of points: KL keeps growing and has no limit, JS "
            "and W settle.",
            folded=True,
        ),
    ]
    said = (
        f"{refer('closed-forms')} and {refer('distances')} show the three for several θ. KL and JS do not "
        "depend on θ ≠ 0; W and its slope do."
    )
    return Part("Computed", [said], [_exact(results), _estimates(results)], figures, makings=[making(run)])


def _asks_the_question(run: "Run") -> bool:
    thetas = run.manifest.config.get("theta", [])
    return run.manifest.summary.get("family") == "lines" and 0 in thetas and any(thetas)


def _seen(results: list[dict[str, Any]]) -> str:
    far = max(results, key=lambda each: abs(each["theta"]))
    return (
        "Three panels against the shift θ, values above and slopes below. "
        f"KL is 0 at θ = 0 and {number(far['kl']['exact'])} elsewhere, without a slope. "
        f"JS is 0 at θ = 0 and {number(far['js']['exact'])} elsewhere, with slope "
        f"{number(far['js']['gradient'])}. "
        "W is a V with its tip at 0, with slope −1 on the left and 1 on the right; estimates lie on the "
        "lines."
    )


def _exact(results: list[dict[str, Any]]) -> Table:
    names = ("kl", "js", "w")
    rows = [
        [
            number(each["theta"]),
            *(number(each[name]["exact"]) for name in names),
            *(number(each[name]["gradient"]).replace("–", "none") for name in names),
        ]
        for each in results
    ]
    headings = ["θ", "KL", "JS", "W", "slope of KL", "slope of JS", "slope of W"]
    return Table("Closed forms; KL and JS in nats", headings, rows, label="closed-forms")


def _estimates(results: list[dict[str, Any]]) -> Table:
    rows = []
    for each in results:
        for name in ("kl", "js", "w"):
            for estimator, found in each[name]["estimates"].items():
                low, high, decimals = between(*found["interval"]) if found["interval"] else ("", "", 4)
                cells = [
                    ESTIMATORS.get(estimator, estimator),
                    number(each[name]["exact"]),
                    fixed(found["value"], decimals),
                ]
                interval = f"{low} … {high}" if low else ""
                rows.append(
                    [number(each["theta"]), name.upper(), *cells, interval, f"{found['n']:,}", found["note"]]
                )
    headings = ["θ", "distance", "estimator", "exact", "estimate", "95 % interval", "n", "note"]
    return Table("Estimates from samples", headings, rows, folded=True)


def lstm(_: ResultSource) -> Part:
    """The operations and the steps of an LSTM, derived."""
    return Part(
        "LSTM",
        [
            "An operation is one multiplication or one addition, so that the product of an n × k and a k × m "
            "matrix takes 2nkm. Terms without d² or N² (biases, activations, normalisation) are left out. At "
            "each position, each of 4 gates multiplies the input and the previous state by a d × d matrix: "
            "8 products of 2d² operations. Over N positions and L layers:",
            Formula(r"C = L \cdot N \cdot 4 \cdot 2 \cdot 2d^2 = 16LNd^2 \in O(LNd^2)"),
            "Position n needs the state of position n − 1, so each layer takes N steps one after the "
            "other. A layer can start on a position once the layer below has finished it: N + L − 1 "
            "sequential steps.",
        ],
    )


def transformer(_: ResultSource) -> Part:
    """The operations and the steps of a Transformer, derived."""
    return Part(
        "Transformer",
        [
            "In each layer all N positions pass four d × d projections (queries, keys, values, output), "
            "4 · 2Nd² operations, and a feed-forward network d → 4d → d, 2 · 2N · 4d². Attention multiplies "
            "queries by keys (N × d by d × N) and weights by values (N × N by N × d), 2N²d each:",
            Formula(
                r"C = L\left(8Nd^2 + 16Nd^2 + 2N^2d + 2N^2d\right) = L\left(24Nd^2 + 4N^2d\right) "
                r"\in O(LNd^2 + LN^2d)"
            ),
            "No position waits for another, only a layer for the one below: O(L) sequential steps, "
            "whatever N is.",
        ],
    )


def choice(_: ResultSource) -> Part:
    """Both side by side, and when each is the better choice."""
    table = Table(
        "One layer: N positions, width d",
        ["", "LSTM", "Transformer"],
        [
            ["operations", "16Nd²", "24Nd² + 4N²d"],
            ["parameters", "8d²", "12d²"],
            ["sequential steps", "N", "constant"],
            ["steps between two positions", "up to N", "1"],
            ["memory to train", "O(Nd)", "O(Nd + N²), with fused attention O(Nd)"],
            ["memory to continue a sequence", "O(d)", "O(Nd)"],
        ],
        label="layers",
    )
    return Part(
        "When each is better",
        [
            "Attention alone costs as much as the LSTM where",
            Formula(r"4N^2d = 16Nd^2 \Longleftrightarrow N = 4d;"),
            "for shorter sequences it takes fewer operations, for longer ones more. The whole Transformer "
            "layer always takes more operations, but not more time: its products are few and large, and "
            "parallel hardware works on all positions at once.",
            "A Transformer is better where it is trained on parallel hardware, where distant positions "
            "have to be related, and while N is at most a few d. An LSTM is better where N is much larger "
            "than 4d, where the sequence arrives one position at a time, and where memory is scarce: it "
            "keeps a state of size d and not every earlier position.",
        ],
        [table],
    )


def measured(archive: ResultSource) -> Part:
    """Both layers counted and timed."""
    gap = MissingResult(
        "the cost of an LSTM beside a Transformer",
        "it was not computed yet",
        archive.command("ex3", "complexity"),
    )
    run = archive.newest(("complexity",), "complexity", gap)
    document = archive.json(run, "results.json")
    figures = [
        figure(
            archive,
            run,
            "figures/time",
            alt=_time_seen(document),
            caption="Time of one layer on one sequence, on logarithmic axes.",
            label="time",
        ),
        figure(
            archive,
            run,
            "figures/operations-memory",
            caption="Operations and peak memory.",
            alt=_memory_seen(document),
            folded=True,
        ),
    ]
    said = (
        f"{refer('time')} shows both layers timed on this machine, {refer('crossings')} where attention "
        "becomes slower than the LSTM. Counts and clock differ because operations are not equally fast: "
        "the LSTM works through N small products, each with its overhead, and attention is a few large "
        "ones."
    )
    tables = [_crossings(document), _depths(document), _counts(document), _slopes(document)]
    return Part("Measured", [said], tables, figures, makings=[making(run)])


def _depths(document: dict[str, Any]) -> Table:
    rows = [
        [LAYERS.get(each["layer"], each["layer"]), str(each["length"]), str(each["depth"])]
        for each in document["sequential_depth"]
    ]
    return Table(
        "Sequential products, counted in the graph of the running layer",
        ["layer", "N", "steps"],
        rows,
        folded=True,
    )


def _counts(document: dict[str, Any]) -> Table:
    rows = []
    for layer, name in LAYERS.items():
        counts = [each for each in document["counts"] if each["layer"] == layer]
        if counts:
            largest, same = (
                max(counts, key=lambda each: each["counted"]),
                sum(each["equal"] for each in counts),
            )
            sizes = [
                str(largest["length"]),
                str(largest["width"]),
                f"{largest['counted']:,}",
                f"{largest['formula']:,}",
            ]
            rows.append([name, *sizes, f"{same} of {len(counts)} sizes"])
    headings = ["layer", "N", "d", "counted", "by the formula", "equal at"]
    return Table("Operations of one forward pass, counted on the running layer", headings, rows, folded=True)


def _crossings(document: dict[str, Any]) -> Table:
    rows = []
    for each in document["crossover"]:
        measured = each["measured"]
        told = ["none in this sweep", ""]
        if measured is not None:
            told = [f"{measured['size']:.0f}" + (" (extrapolated)" if measured["extrapolated"] else "")]
            told.append(f"{measured['low']:.0f} … {measured['high']:.0f}")
        rows.append([WAYS.get(each["direction"], each["direction"]), str(each["predicted"]), *told])
    width = document["settings"]["width"]
    headings = ["direction", "predicted N = 4d", "measured N", "95 % interval"]
    return Table(
        f"Where attention becomes slower than the LSTM, d = {width}", headings, rows, label="crossings"
    )


def _slopes(document: dict[str, Any]) -> Table:
    rows = [
        [
            LAYERS.get(each["layer"], each["layer"]),
            WAYS.get(each["direction"], each["direction"]),
            "N" if each["against"] == "length" else "d",
            f"{each['tail'][0]} … {each['tail'][-1]}",
            f"{each['measured']:.2f}",
            f"{each['low']:.2f} … {each['high']:.2f}",
            f"{each['law']:.2f}",
            "agrees" if each["agrees"] else "disagrees",
        ]
        for each in document["slopes"]
    ]
    headings = ["layer", "direction", "against", "over", "measured", "95 % interval", "by count", ""]
    return Table("Slopes of time on log-log axes", headings, rows, folded=True)


def _time_seen(document: dict[str, Any]) -> str:
    slopes = {
        (each["layer"], each["direction"]): each for each in document["slopes"] if each["against"] == "length"
    }
    told = [
        f"the {LAYERS[layer]}'s time grows like N to the {slopes[layer, 'forward']['measured']:.2f}"
        for layer in LAYERS
        if (layer, "forward") in slopes
    ]
    return (
        f"Four log-log panels of time against length N and width d. Forward, {listed(told)}; the lines of "
        "the first two cross."
    )


def _memory_seen(document: dict[str, Any]) -> str:
    longest = max((each["length"] for each in document["memory"]), default=0)
    peaks = [
        each for each in document["memory"] if each["length"] == longest and each["direction"] == "training"
    ]
    told = [f"{each['layer']} {each['bytes'] / 1e6:.1f} MB" for each in peaks]
    return (
        f"Log-log panels of operations and of peak memory against length N; at N = {longest}, while "
        f"training: {listed(told)}."
    )
