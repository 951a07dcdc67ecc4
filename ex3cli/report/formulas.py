"""Formulas, written once in a small part of LaTeX, as MathML for the page and as Typst for the PDF."""

import re
from xml.etree import ElementTree

SYMBOLS = {
    "alpha": "alpha",
    "gamma": "gamma",
    "theta": "theta",
    "lambda": "lambda",
    "mu": "mu",
    "sigma": "sigma",
    "Pi": "Pi",
    "nabla": "nabla",
    "partial": "partial",
    "infty": "infinity",
    "int": "integral",
    "sum": "sum",
    "log": "log",
    "exp": "exp",
    "sup": "sup",
    "inf": "inf",
    "min": "min",
    "max": "max",
    "le": "<=",
    "ge": ">=",
    "ne": "!=",
    "approx": "approx",
    "cdot": "dot.op",
    "times": "times",
    "to": "->",
    "in": "in",
    "mid": "|",
    "sim": "tilde.op",
    "Vert": "bar.v.double",
    "lVert": "norm(",
    "rVert": ")",
    "lvert": "abs(",
    "rvert": ")",
    "ldots": "dots.h",
    "Longleftrightarrow": "<==>",
    "quad": "quad",
    ",": "thin",
    ";": "med",
    "{": "brace.l",
    "}": "brace.r",
    "left": "",
    "right": "",
    "sqrt": "sqrt",
    "hat": "hat",
    "tilde": "tilde",
    "ell": "ell",
}
"""Commands of LaTeX whose Typst is one word; those with arguments are in `_Typst.command`."""
TOKENS = re.compile(r"\\([a-zA-Z]+|.)|([{}^_&])|(\d+(?:\.\d+)?)|(\s+)|(.)", re.DOTALL)


LIMITS = frozenset({"inf", "sup", "min", "max"})
"""Functions whose subscript stands below them."""
BARS = frozenset("|‖")
"""Operators that come in pairs, an opening and a closing one of the same form."""
CLOSING = frozenset(")|‖")
SCRIPTS = frozenset({"msub", "msup", "msubsup", "munder"})
THIN = {"width": "0.1667em"}


def to_mathml(latex: str) -> str:
    """The formula as a MathML element, displayed on a line of its own."""
    from latex2mathml.converter import convert

    text = str(convert(latex, display="block")).replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    root = ElementTree.fromstring(text)  # noqa: S314 - of our own formulas
    _space(root)
    root.set("tabindex", "0")  # on a narrow screen it scrolls, by the keyboard too
    return ElementTree.tostring(root, encoding="unicode")


def _space(element: ElementTree.Element) -> None:
    """Set function names and bars as TeX does; browsers space them as if they were binary operators."""
    for child in element:
        _space(child)
        if child.tag == "mo" and _is_name(child):
            child.tag = "mi"
    is_open = False
    before: ElementTree.Element | None = None
    for child in element:
        base = child[0] if child.tag in SCRIPTS else child
        if base.tag == "mo" and base.text in BARS and base.get("fence") != "false":
            is_open = not is_open
            form = "prefix" if is_open else "postfix"
            base.attrib |= {"form": form, "lspace": "0", "rspace": "0", "stretchy": "false"}
        if base.text == "−" and (before is None or (before.tag == "mo" and before.text not in CLOSING)):
            base.set("form", "prefix")
        if child.tag == "msub" and base.text in LIMITS:
            child.tag = "munder"
        before = child
    if element.tag not in ("math", "mrow", "mtd"):
        return
    spaced: list[ElementTree.Element] = []
    for child in element:
        before = spaced[-1] if spaced else None
        name = child[0] if child.tag in SCRIPTS else child
        if before is not None and _is_name(name) and before.tag not in ("mo", "mspace"):
            spaced.append(ElementTree.Element("mspace", THIN))
        if before is not None and child.tag != "mspace" and not _opens(child) and _ends_with_name(before):
            spaced.append(ElementTree.Element("mspace", THIN))
        spaced.append(child)
    element[:] = spaced


def _is_name(element: ElementTree.Element) -> bool:
    """Whether an element is the name of a function, such as log."""
    return element.tag in ("mi", "mo") and len(element.text or "") > 1 and (element.text or "").isalpha()


def _ends_with_name(element: ElementTree.Element) -> bool:
    return _is_name(element[0] if element.tag in SCRIPTS else element)


def _opens(element: ElementTree.Element) -> bool:
    """Whether nothing separates a function from this element: a bracket or an operator."""
    return element.tag == "mo" and element.get("form") != "prefix"


def to_typst(latex: str) -> str:
    """The formula as the inside of a Typst equation.

    Raises
    ------
    ValueError : it holds a command that this converter does not know, or an open brace.
    """
    return _Typst(latex).convert()


class _Typst:
    def __init__(self, latex: str) -> None:
        self._latex = latex
        self._tokens = [found for found in TOKENS.finditer(latex) if not found[4]]
        self._place = 0

    def convert(self) -> str:
        words = self._sequence()
        if self._place < len(self._tokens):
            raise ValueError("a } without {")
        return words

    def _sequence(self) -> str:
        """Everything up to the end, or up to the brace that closes this group."""
        words = []
        while self._place < len(self._tokens) and self._tokens[self._place][0] != "}":
            words.append(self._next())
        return re.sub(r" ([_^])\(", r"\1(", " ".join(filter(None, words)))

    def _next(self) -> str:
        if self._place == len(self._tokens):
            raise ValueError("the formula ends where an argument is expected")
        token = self._tokens[self._place]
        self._place += 1
        name, structure, number, _, other = token.groups()
        if name is not None:
            return self._command(name)
        if structure == "{":
            inside = self._sequence()
            if self._place == len(self._tokens):
                raise ValueError("a { without }")
            self._place += 1
            return inside
        if structure in ("^", "_"):
            return f"{structure}({self._next()})"
        if structure == "&":
            return "&"
        return number or {"/": "\\/", "#": "\\#", "$": "\\$", '"': '\\"'}.get(other, other)

    def _command(self, name: str) -> str:
        if name in ("frac", "tfrac"):
            return f"frac({self._next()}, {self._next()})"
        if name == "sqrt":
            return f"sqrt({self._next()})"
        if name in ("hat", "tilde"):
            return f"{name}({self._next()})"
        if name in ("mathrm", "operatorname", "text", "mathbb"):
            return self._upright(name)
        if name == "begin":
            return self._cases()
        if name == "|":
            return SYMBOLS["Vert"]
        if name == "end":
            return ""
        if name not in SYMBOLS:
            raise ValueError(f"no Typst is known for \\{name}")
        return SYMBOLS[name]

    def _cases(self) -> str:
        """The rows of a `cases` environment."""
        start = self._latex.index("{cases}", self._tokens[self._place].start()) + len("{cases}")
        end = self._latex.index(r"\end{cases}", start)
        while self._tokens[self._place].start() < end:
            self._place += 1
        self._next()
        self._next()
        rows = [to_typst(row) for row in self._latex[start:end].split(r"\\")]
        return f"cases({', '.join(rows)})"

    def _upright(self, name: str) -> str:
        """A word as it is written, or a symbol such as the expectation's double E."""
        start = self._place
        self._next()
        word = self._latex[self._tokens[start].end() : self._tokens[self._place - 1].start()]
        if name == "mathbb":
            return word * 2
        if len(word) == 1:
            return f"upright({word})"
        return f'op("{word}")' if name == "operatorname" else f'upright("{word}")'
