"""The exercise's answer in plain words, with the numbers of this run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ex3cli.complexity.analysis import Analysis

WAY = {"forward": "forward", "training": "forward and backward"}


def explain(analysis: "Analysis") -> list[str]:
    """Paragraphs for a person."""
    return [_answer(), _crossover(analysis), *_slopes(analysis), _depth(analysis), *_memory(analysis)]


def _answer() -> str:
    return (
        "In short: an LSTM layer costs 16Nd² operations, O(N·d²), in N steps that must wait for one another. A Transformer "
        "layer costs 24Nd² + 4N²d: O(N²·d) for attention, where each of N positions looks at each other, and O(N·d²) for "
        "projections and feed-forward; its N positions are worked on at once. While sequences are short against the width "
        "the d² terms decide, for long ones the N² of attention."
    )


def _crossover(analysis: "Analysis") -> str:
    width, predicted = analysis.config.width, analysis.predicted
    said = (
        f"By operations, attention's 4N²d reaches the LSTM's 16Nd² at N = 4d, here N = {predicted} for d = {width}. "
        "(The whole Transformer layer has more operations than the LSTM at every N.)"
    )
    for direction, crossing in analysis.crossings.items():
        if crossing is None:
            said += f" By the clock, {WAY[direction]}, they do not cross in this sweep."
            continue
        where = "would cross, by extrapolation," if crossing.extrapolated else "cross"
        said += (
            f" By the clock, {WAY[direction]}, they {where} at N ≈ {crossing.size:.0f} "
            f"({crossing.low:.0f} to {crossing.high:.0f}), {_times(crossing.size / predicted)} the prediction."
        )
    return said + (
        " Counts and clock differ because operations are not equally fast: the LSTM works through N small products, one after "
        "the other, each with its overhead, while attention is a few large ones."
    )


def _slopes(analysis: "Analysis") -> list[str]:
    wrong = [each for each in analysis.fits if not each.slope.agrees]
    if not wrong:
        return []
    named = "; ".join(
        f"{each.layer}, {WAY[each.direction]}, against {'N' if each.against == 'length' else 'd'}: "
        f"{each.slope.slope:.2f} measured, {each.slope.law:.2f} by count"
        for each in wrong
    )
    return [
        f"Where the clock disagrees with the count: {named}. A slope below its law means that fixed costs (a kernel's start, "
        "memory traffic, small products that do not fill the processor) still weigh at these sizes; one above it, that data no "
        "longer fit the caches."
    ]


def _depth(analysis: "Analysis") -> str:
    lstm, transformer = analysis.depths["lstm"], analysis.depths["transformer"]
    lengths, steps, levels = (
        _listed(each) for each in ([n for n, _ in lstm], [d for _, d in lstm], [d for _, d in transformer])
    )
    return (
        f"Sequential depth, counted in autograd's graph for N = {lengths}: {steps} products that wait for one another in the "
        f"LSTM, {levels} in the Transformer, whatever N is. This, more than the count, is why Transformers train fast on "
        "parallel hardware."
    )


def _memory(analysis: "Analysis") -> list[str]:
    longest = max((peak.length for peak in analysis.peaks), default=0)
    peaks = {(peak.layer, peak.direction): peak for peak in analysis.peaks if peak.length == longest}
    if not peaks:
        return []
    matrix, fused = peaks["attention, N² matrix", "training"], peaks["attention, fused", "training"]
    return [
        f"Memory at N = {longest}, {WAY['training']}: {matrix.bytes / 1e6:.1f} MB where attention forms its N² matrix "
        f"({matrix.matrices:.2f} such matrices), {fused.bytes / 1e6:.1f} MB fused. The fused kernel does the same "
        "N² operations, but holds only a block of the matrix at a time."
    ]


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times" if ratio >= 1 else f"{ratio:.2f} of"


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
