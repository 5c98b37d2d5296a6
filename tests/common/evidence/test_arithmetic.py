"""Arithmetic on printed numbers: what they stand for, what is accepted, what follows and what does not."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.evidence.arithmetic import (
    LONGEST,
    Refused,
    Value,
    can_be_equal,
    evaluate_statement,
    evaluate_values,
    format_fraction,
    mentions_name,
    parse_number,
)

TABLES = {
    "table1": {("a", "CC"): "0.50", ("a", "n"): "12", ("b", "CC"): "0.75", ("b", "n"): "30"},
    "square": {("x", "x"): "70.0", ("x", "y"): "30.0", ("y", "x"): "20.5", ("y", "y"): "79.5"},
}


def result(text):
    return evaluate_statement(text, TABLES).result


def test_a_number_stands_for_what_rounds_to_it_and_a_count_for_itself():
    assert parse_number("0.621") == Value(Fraction("0.6205"), Fraction("0.621"), Fraction("0.6215"))
    assert parse_number("34") == Value(Fraction(34), Fraction(34), Fraction(34)) and parse_number("34").exact
    assert parse_number("-0.1").low == Fraction("-0.15") and parse_number("44.90").high == Fraction("44.905")


@pytest.mark.parametrize(
    ("text", "face"),
    [
        ("2 + 3 * 4 == 1", 14),
        ("(2 + 3) * 4 == 1", 20),
        ("8 / 4 / 2 == 1", 1),
        ("2 - 3 - 4 == 1", -5),
        ("-(2 - 3) == 1", 1),
        ("655 * 30 / 1000 == 1", Fraction("19.65")),
        ("table1['b', 'n'] - table1['a', 'n'] == 1", 18),
        ("sum(table1[:, 'n']) == 1", 42),
        ("mean(table1[:, 'n']) == 1", 21),
        ("max(table1['a', 'n'], 13, 7) == 1", 13),
        ("min([5, 4, 6]) == 1", 4),
        ("count(table1[:, :]) == 1", 4),
        ("sum(diagonal(square)) == 1", Fraction("149.5")),
        ("sum(square['x', :]) == 1", 100),
    ],
)
def test_face_values(text, face):
    assert evaluate_statement(text, TABLES).ours.face == face


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("table1['b', 'CC'] - table1['a', 'CC'] == 0.25", "follows"),
        ("table1['b', 'CC'] - table1['a', 'CC'] == 0.26", "follows"),  # 0.7549 - 0.4951 is 0.2598
        ("table1['b', 'CC'] - table1['a', 'CC'] == 0.27", "contradicted"),
        ("table1['b', 'CC'] > table1['a', 'CC']", "follows"),
        ("table1['a', 'CC'] > table1['b', 'CC']", "contradicted"),
        ("table1['a', 'CC'] > 0.5", "undecided"),
        ("table1['a', 'CC'] < 0.499", "undecided"),
        ("table1['a', 'CC'] >= 1 / 2", "undecided"),
        ("12 < 12", "contradicted"),
        ("12 <= 12", "follows"),
        ("table1['a', 'n'] == 12", "follows"),
        ("12 == 13", "contradicted"),
        ("19.65 == near(20, 0.5)", "follows"),
        ("19.44 == near(20, 0.5)", "contradicted"),
        ("1 / 8 == 0.12", "follows"),  # a half, rounded to even
        ("1 / 8 == 0.13", "follows"),
        ("mean(0.5442, 0.5362) == 0.5402", "follows"),
        ("mean(0.5442, 0.5362) == 0.5403", "contradicted"),  # the bounds touch, and no rounding joins them
    ],
)
def test_results(text, expected):
    assert result(text) == expected


def test_the_stated_number_as_printed():
    assert evaluate_statement("1 + 1 == 2.00", TABLES).literal == "2.00"
    assert evaluate_statement("1 - 3 == -2", TABLES).literal == "-2"
    assert (
        evaluate_statement("1 == near(2, 1)", TABLES).literal == "2"
        and evaluate_statement("2 == 1 + 1", TABLES).literal == ""
    )


def test_names():
    assert evaluate_statement("frames == near(38000, 500)", {}, {"frames": 40032}).result == "contradicted"
    assert mentions_name("frames > 1", "frames") and not mentions_name("1 > 'frames'", "frames")
    with pytest.raises(Refused, match="`frames` is not accepted"):
        evaluate_statement("frames > 1", {})


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true') == 1",
        "table1.__class__ == 1",
        "(lambda: 1)() == 1",
        "[x for x in [1]] == 1",
        "f'{1}' == 1",
        "'a' == 'a'",
        "True == 1",
        "1_0 == 10",
        "0x10 == 16",
        "1e3 == 1000",
        "2 ** 9 == 512",
        "7 // 2 == 3",
        "1 if 1 else 2 == 1",
        "max(*[1, 2]) == 2",
        "max([1, 2], key=min) == 2",
        "max([]) == 0",
        "max() == 0",
        "max(3) == 3",
        "eval('1') == 1",
        "x == 1",
        "1 == 1 == 1",
        "1 != 2",
        "1 in [1]",
        "1",
        "",
        "1 ==",
        "1 ==\n1",
        "\0",
        "1 / 0 == 1",
        "1 / (0.1 - 0.1) == 1",
        "[1, 2] == 1",
        "[1, 2] + 1 == 1",
        "table1 == 1",
        "table1['a'] == 1",
        "table1['a', 0] == 1",
        "table1['a', 'CC':] == 1",
        "table1['z', 'CC'] == 1",
        "table2['a', 'CC'] == 1",
        "sum(diagonal(table1)) + sum(diagonal(nothing)) == 1",
        "(" * 250 + "1" + ")" * 250 + " == 1",
        "1" * LONGEST + " == 1",
    ],
)
def test_refused_in_one_line(text):
    with pytest.raises(Refused) as caught:
        evaluate_statement(text, TABLES)
    assert str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["-" * (LONGEST - 10) + "1 == 1", "1+" * (LONGEST // 2 - 10) + "1 == 1"])
def test_deep_expressions_end_well(text):
    def below(depth):
        return below(depth - 1) if depth else evaluate_statement(text, {})

    for depth in (0, 500, 800):
        try:
            assert below(depth).ours.exact
        except Refused as error:
            assert "too deeply" in str(error) or "cannot be read" in str(error)


def test_a_diagonal_needs_a_square():
    with pytest.raises(Refused, match="square"):
        evaluate_values("diagonal(oblong)", {"oblong": {("a", "x"): "1", ("a", "y"): "2"}})
    assert [v.face for v in evaluate_values("table1[:, 'n']", TABLES)] == [12, 30]


decimal = st.decimals(-1000, 1000, places=3)


@given(decimal, decimal, st.integers(0, 2))
def test_what_was_true_before_rounding_is_never_contradicted(a, b, places):
    """Numbers rounded before they are printed, their sum, difference, product and order rounded from the true ones."""
    a, b = Fraction(a), Fraction(b)

    def text(number):  # 1 decimal at least: whole numbers are counts
        return f"{float(round(number, places + 1)):.{places + 1}f}"

    for operation, truth in (("+", a + b), ("-", a - b), ("*", a * b)):
        assert result(f"({text(a)}) {operation} ({text(b)}) == {text(truth)}") == "follows"
    relation = "<=" if a <= b else ">"
    assert result(f"{text(a)} {relation} {text(b)}") != "contradicted"


@given(decimal, decimal, decimal)
def test_bounds_hold_the_face_value(a, b, c):
    x, y, z = (parse_number(str(number)) for number in (a, b, c))
    for value in (x + y - z, x * y, -(x * z), *([x / y] if abs(b) > 1 else [])):
        assert value.low <= value.face <= value.high
    assert can_be_equal(x, x) and can_be_equal(x, y) == can_be_equal(y, x)


def test_shown():
    assert [format_fraction(Fraction(n)) for n in ("0.125", "7", "-0.153", "36.77853", "-0.00001")] == [
        "0.125", "7", "-0.153", "36.7785", "0",
    ]  # fmt: skip
