"""A page as text, and the first place where two differ."""

import pytest

from ex3cli.grading.page import first_difference, pieces_of, texts_of


def test_the_texts_of_a_page_are_without_tags_styles_and_pictures() -> None:
    picture = b'<img src="data:image/png;base64,9999">'
    page = b"<style>p {x: 1}</style><h1>A &amp; B</h1>" + picture + b"<td>0.5</td> <td> </td>"
    assert texts_of(page) == ["A & B", "0.5"]


def test_the_pieces_of_a_page_are_all_but_the_content_of_pictures() -> None:
    page = b"<style>p {x: 1}</style><img src='data:image/png;base64,99'>data: 0.5<br>"
    due = ["<style>", "p {x: 1}", "</style>", "<img src='data:'>", "data: 0.5", "<br>"]
    assert pieces_of(page) == due, "“data:” in a text hides nothing"


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (["a", "0.6"], "it has “0.6” where they give “0.5”"),
        (["a"], "it has “nothing” where they give “0.5”"),
        (["b", "0.6"], "it has “b” where they give “a” (in all 2 texts differ)"),
    ],
)
def test_the_first_difference_is_named(found: list[str], line: str) -> None:
    assert first_difference(found, ["a", "0.5"]) == line
