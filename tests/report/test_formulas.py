"""Formulas come out right in both languages."""

import pytest

from ex3cli.report.formulas import to_mathml, to_typst


@pytest.mark.parametrize(
    ("latex", "typst"),
    [
        (r"\frac{1}{2}\log 2", "frac(1, 2) log 2"),
        (r"\int_0^1 p\,\mathrm{d}y", "integral_(0)^(1) p thin upright(d) y"),
        (r"\operatorname{KL}(P\|Q) \le \infty", 'op("KL") ( P bar.v.double Q ) <= infinity'),
        (r"\lVert u-v\rVert^2 = \lvert\theta\rvert", "norm( u - v )^(2) = abs( theta )"),
        (r"\mathbb{E}_{u\sim P} f", "EE_(u tilde.op P) f"),
        (r"\text{so } W", 'upright("so ") W'),
        (r"\begin{cases} 0 & a \\ \frac{1}{2} & b \end{cases}, c", "cases(0 & a, frac(1, 2) & b)  , c"),
        (r"1/2 # $x", r"1 \/ 2 \# \$ x"),
        (r"\hat{x}_{2d}", "hat(x)_(2 d)"),
    ],
)
def test_latex_becomes_typst(latex: str, typst: str) -> None:
    assert to_typst(latex).split() == typst.split()


@pytest.mark.parametrize("latex", [r"\unknown", "{a", "a}", r"\frac{1}"])
def test_what_cannot_be_converted_is_refused(latex: str) -> None:
    with pytest.raises(ValueError, match=r"no Typst|without|argument"):
        to_typst(latex)


def test_mathml_needs_no_namespace_and_holds_the_symbols() -> None:
    text = to_mathml(r"\frac{\theta}{2}")
    assert text.startswith('<math display="block" tabindex="0">')
    assert "<mfrac>" in text
    assert "http" not in text


@pytest.mark.parametrize(
    ("latex", "inside"),
    [
        (r"\inf_{x} f", "<munder><mi>inf</mi>"),
        (
            r"p\log 2",
            '<mi>p</mi><mspace width="0.1667em" /><mi>log</mi><mspace width="0.1667em" /><mn>2</mn>',
        ),
        (r"\operatorname{KL}(P)", "<mi>KL</mi><mo"),
        (r"x = -1", '<mo form="prefix">−</mo>'),
    ],
)
def test_functions_and_signs_are_spaced_as_tex_does(latex: str, inside: str) -> None:
    assert inside in to_mathml(latex)


def test_bars_open_and_close_and_keep_their_size() -> None:
    bars = to_mathml(r"\lVert u\rVert^2 + \lvert v\rvert").split("<mo ")
    forms = [part.split('form="')[1].split('"')[0] for part in bars if "form=" in part]
    assert forms == ["prefix", "postfix", "prefix", "postfix"]
    assert all('stretchy="false"' in part for part in bars if "form=" in part)
