"""`ex3 divergence`: KL, JS and Wasserstein of two shifted lines, exact and estimated."""

from typing import TYPE_CHECKING, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result
from ex3cli.divergence.config import DivergenceConfig

if TYPE_CHECKING:
    from ex3cli.divergence.estimators import Estimate
    from ex3cli.divergence.results import Study

app = typer.Typer()

NAMES = {
    "knn": "neighbours",
    "normal_fit": "fitted normals",
    "classifier": "classifier",
    "histogram": "histogram",
    "sorted_pairing": "sorted pairing",
    "assignment": "assignment",
    "witness": "dual, f = x",
    "entropic": "entropic (POT)",
    "critic": "dual, critic",
}


@command(
    app,
    "divergence",
    config=DivergenceConfig,
    common=("artifacts", "seed"),
    examples=(
        "ex3 divergence",
        "ex3 divergence --theta 0.3 --samples 1000000",
        "ex3 divergence --theta 0.1 --theta 0.5 --sigma 0.1",
    ),
)
def divergence(context: Context) -> Result:
    """Compare KL, JS and Wasserstein distance of two parallel line segments: exact values and estimates.

    P = {x = 0, y ~ U(0,1)} and Q = {x = θ, y ~ U(0,1)}.
    """
    from ex3cli.cli.resume import recording
    from ex3cli.divergence.study import run_study

    config: DivergenceConfig = context.config
    kind = "gaussian" if config.sigma is not None else "box" if config.interval is not None else "lines"
    run = context.store.new_run(
        ("divergence",),
        label=kind,
        command="divergence",
        config=config.to_dict(),
        seed=context.seed,
        argv=context.argv,
        threads=1,
    )
    with recording(run):
        study = run_study(config, run, context.seed, context.progress)
        run.finish({"family": study.family.name, "thetas": len(study.results), "samples": config.samples})
    show = [_closed_forms(study), _estimates(study), *(f"{paragraph}\n" for paragraph in study.explanation)]
    return Result(document=study.document(), show=show, run=run)


def _closed_forms(study: "Study") -> Any:
    from rich.table import Table

    table = Table(
        title=f"Closed forms ({study.family.name}; KL and JS in nats), and slopes from trained networks"
    )
    for heading in ("θ", "KL", "JS", "W", "dKL/dθ", "dJS/dθ", "dW/dθ", "discriminator", "critic"):
        table.add_column(heading, justify="right")
    for each in study.results:
        values = (_number(quantity.exact) for quantity in (each.kl, each.js, each.w))
        slopes = (_number(quantity.gradient, "none") for quantity in (each.kl, each.js, each.w))
        learned = (_slope(each.js.estimates.get("classifier")), _slope(each.w.estimates.get("critic")))
        table.add_row(_number(each.theta), *values, *slopes, *learned)
    return table


def _slope(estimate: "Estimate | None") -> str:
    return "–" if estimate is None or estimate.gradient is None else _number(estimate.gradient, digits=3)


def _estimates(study: "Study") -> Any:
    from rich.table import Table

    table = Table(
        title="Estimates from samples, with intervals of consistent estimators for finite values, and known "
        "biases"
    )
    for heading in ("θ", "", "closed form", "estimate"):
        table.add_column(heading, justify="right")
    table.add_column("estimator")
    table.add_column("n", justify="right")
    table.add_column("95% interval of the true value")
    table.add_column("bias", justify="right")
    table.add_column("note")
    last: tuple[float, str] | None = None
    for theta, name, exact, estimator, estimate in study.rows():
        if last is not None and last[0] != theta:
            table.add_section()
        new_theta, new_name = last is None or last[0] != theta, last != (theta, name)
        table.add_row(
            _number(theta) if new_theta else "",
            name.upper() if new_name else "",
            _number(exact) if new_name else "",
            "–" if estimate.value is None else _number(estimate.value, digits=_digits(estimate)),
            NAMES[estimator],
            f"{estimate.n:,}",
            ""
            if estimate.interval is None
            else " … ".join(_number(end, digits=_digits(estimate)) for end in estimate.interval),
            "" if estimate.bias is None else _minus(f"{estimate.bias:+.2g}") if estimate.bias else "0",
            estimate.note,
        )
        last = (theta, name)
    return table


def _digits(estimate: "Estimate") -> int:
    """Significant digits that distinguish the ends of an interval in two places; at least seven."""
    import math

    if estimate.interval is None:
        return 7
    low, high = estimate.interval
    return max(7, 2 + math.ceil(math.log10(max(abs(low), abs(high)) / (high - low))))


def _number(value: float, undefined: str = "–", digits: int = 7) -> str:
    import math

    if math.isnan(value):
        return undefined
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return _minus(f"{value:.{digits}g}" if abs(value) >= 5e-5 or value == 0 else f"{value:.1e}")


def _minus(number: str) -> str:
    return number.replace("-", "−")
