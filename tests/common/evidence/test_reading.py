"""Reading a paper.toml: what is unknown, missing or mistyped is refused."""

import pytest

from common.errors import InputError
from common.evidence.reading import load_paper
from tests.common.evidence.invented import expect_refusal


def test_minimal_is_accepted(toml):
    paper = load_paper(toml())
    assert paper.tables[0].rows[0].published == {"CCC": "0.500"} and paper.settings["size"].quick == 48


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('doi = "10.1/2"', 'doi = "10.1/2"\ncolour = 1', "`colour`"),
        ('id = "p"', "", "`id` is missing"),
        ("year = 2000", 'year = "2000"', "year"),
        ("year = 2000", "year = true", "year"),
        ("[protocol]", "[protocols]", "`protocols`"),
        ("[tolerance]", '[recordings.c]\n"*" = 0.5\n[tolerance]', "recordings.c"),
        ('CCC = "0.500"', "CCC = 0.5", "tables 1: rows 1: published.CCC"),
        ('label = "a"', 'label = "a", lable = "b"', "`lable`"),
        ('source = "assumed"\n', "", "settings"),
    ],
)
def test_refused_in_one_line(toml, old, new, named):
    expect_refusal(toml(old, new), named)


def test_no_toml(toml, tmp_path):
    with pytest.raises(InputError, match="paper.toml: not a readable TOML"):
        load_paper(toml("[paper]", "[paper"))
    with pytest.raises(InputError, match="nowhere.toml"):
        load_paper(tmp_path / "nowhere.toml")
