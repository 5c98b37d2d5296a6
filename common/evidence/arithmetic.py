"""Arithmetic on printed numbers, each of which stands for all values that round to it.

A statement is one comparison, in Python's notation, of what follows from printed numbers with what a paper states:

    table1['LSTM-RNN + TA', 'CC'] - table1['LSTM-RNN', 'CC'] == 0.125
    table1['proposed model', 'Val'] == max(table1[:, 'Val'])

0.621 is any value from 0.6205 to 0.6215; a whole number counts things and is exact. `near(38000, 500)` is any value
from 37500 to 38500. A number that stands in an expression twice is taken for two, so the result may be wider than it
need be: a statement is never refuted wrongly. Nothing but what is listed here is accepted, and nothing is executed.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

LONGEST = 600  # characters of an expression

Numbers = Mapping[tuple[str, str], str]  # the printed numbers of a table, by row and column


class Refused(ValueError):
    """An expression that is none, or that names a number which is not printed."""


@dataclass(frozen=True)
class Value:
    """A number at its face value and the bounds of what it may be."""

    low: Fraction
    face: Fraction
    high: Fraction

    def __add__(self, other: "Value") -> "Value":
        return Value(self.low + other.low, self.face + other.face, self.high + other.high)

    def __neg__(self) -> "Value":
        return Value(-self.high, -self.face, -self.low)

    def __sub__(self, other: "Value") -> "Value":
        return self + -other

    def __mul__(self, other: "Value") -> "Value":
        corners = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Value(min(corners), self.face * other.face, max(corners))

    def __truediv__(self, other: "Value") -> "Value":
        if other.low <= 0 <= other.high:
            raise Refused("divides by what may be 0")
        return self * Value(1 / other.high, 1 / other.face, 1 / other.low)

    @property
    def exact(self) -> bool:
        return self.low == self.high


@dataclass(frozen=True)
class Outcome:
    """What becomes of a statement.

    "follows": values that round to the printed numbers satisfy it; for an inequality, all of them. "contradicted":
    none do. "undecided": an inequality that some satisfy and some do not.
    """

    result: str
    ours: Value  # the left side: what follows
    relation: str
    stated: Value  # the right side
    literal: str  # the right side as printed, where it is a single number


def parse_number(text: str) -> Value:
    """The values that round to a number as printed; whole numbers are exact."""
    face, places = Fraction(text), len(text.partition(".")[2])
    half = Fraction(1, 2 * 10**places) if places else Fraction(0)
    return Value(face - half, face, face + half)


def evaluate_statement(text: str, tables: Mapping[str, Numbers], names: Mapping[str, int] | None = None) -> Outcome:
    """Evaluate a comparison.

    Args:
        text: left side, one of == < <= > >=, right side.
        tables: the printed numbers, by the id of their table.
        names: further exact numbers, by name.

    Raises:
        Refused: `text` is no comparison, uses what is not accepted, or names a number that is not printed.
    """
    node = _parse(text)
    if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _RELATIONS):
        raise Refused("is not one comparison by ==, <, <=, > or >=")
    reader = _Reader(text, tables, names or {})
    ours, stated = reader.read_number(node.left), reader.read_number(node.comparators[0])
    relation = _RELATIONS[type(node.ops[0])]
    literal = reader.quote(_unwrap_near(node.comparators[0]))
    return Outcome(
        _decide(ours, relation, stated), ours, relation, stated, literal if re.fullmatch(_NUMBER, literal) else ""
    )


def _unwrap_near(node: ast.expr) -> ast.expr:
    """The number of which `near` takes the surroundings; any other expression is itself."""
    near = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "near"
    return node.args[0] if near else node


def evaluate_values(text: str, tables: Mapping[str, Numbers]) -> list[Value]:
    """The values of an expression that stands for one number or for several. Raises Refused as `evaluate_statement` does."""
    found = _Reader(text, tables, {}).read(_parse(text))
    return found if isinstance(found, list) else [found]


def mentions_name(text: str, name: str) -> bool:
    """Whether an expression uses `name`."""
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(_parse(text)))


def can_be_equal(a: Value, b: Value) -> bool:
    """Whether two numbers can be the same. Bounds are rounded up: two that only touch are not, unless one is exact."""
    low, high = max(a.low, b.low), min(a.high, b.high)
    return low <= high if a.exact or b.exact else low < high


def format_fraction(value: Fraction) -> str:
    """At most four decimals, without zeros at the end."""
    text = f"{float(value):.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


# --- reading ---------------------------------------------------------------------------------------------

_NUMBER = r"-?\d+(\.\d+)?"
_RELATIONS = {ast.Eq: "==", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_OPERATIONS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def _parse(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise Refused(f"is longer than {LONGEST} characters")
    if "\n" in text:
        raise Refused("is more than one line")
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"cannot be read ({str(error).partition('(')[0].strip()})") from error


def _decide(ours: Value, relation: str, stated: Value) -> str:
    if relation == "==":
        return "follows" if can_be_equal(ours, stated) else "contradicted"
    less = relation.startswith("<")
    holds = _ORDER[relation]
    always = holds(ours.high, stated.low) if less else holds(ours.low, stated.high)
    ever = holds(ours.low, stated.high) if less else holds(ours.high, stated.low)
    return "follows" if always else "undecided" if ever else "contradicted"


class _Reader:
    """Evaluates the accepted nodes of a syntax tree."""

    def __init__(self, text: str, tables: Mapping[str, Numbers], names: Mapping[str, int]) -> None:
        self.text, self.tables, self.names = text, tables, names

    def read_number(self, node: ast.expr) -> Value:
        try:
            value = self.read(node)
        except RecursionError as error:
            raise Refused("is nested too deeply") from error
        if isinstance(value, list):
            raise Refused(f"`{self.quote(node)}` is several numbers where one is needed")
        return value

    def read_numbers(self, node: ast.expr) -> list[Value]:
        value = self.read(node)
        if not isinstance(value, list) or not value:
            raise Refused(f"`{self.quote(node)}` is not several numbers")
        return value

    def quote(self, node: ast.expr) -> str:
        return ast.get_source_segment(self.text, node) or type(node).__name__

    def read(self, node: ast.expr) -> Value | list[Value]:
        match node:
            case ast.Constant() if re.fullmatch(_NUMBER, self.quote(node)):
                return parse_number(self.quote(node))
            case ast.Name(id=name) if name in self.names:
                return parse_number(str(self.names[name]))
            case ast.List(elts=items):
                return [self.read_number(item) for item in items]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.read_number(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
                return _OPERATIONS[type(op)](self.read_number(left), self.read_number(right))
            case ast.Subscript(value=ast.Name(id=table), slice=ast.Tuple(elts=[row, column])) if table in self.tables:
                return self.read_cells(table, row, column)
            case ast.Call(func=ast.Name(id="near"), args=[middle, margin], keywords=[]):
                around, margin = self.read_number(middle), self.read_number(margin).face
                return Value(around.low - margin, around.face, around.high + margin)
            case ast.Call(func=ast.Name(id="diagonal"), args=[ast.Name(id=table)], keywords=[]) if table in self.tables:
                return _read_diagonal(self.tables[table])
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS and arguments:
                if len(arguments) == 1:
                    return _FUNCTIONS[name](self.read_numbers(arguments[0]))
                return _FUNCTIONS[name]([self.read_number(argument) for argument in arguments])
        raise Refused(f"`{self.quote(node)}` is not accepted")

    def read_cells(self, table: str, row: ast.expr, column: ast.expr) -> Value | list[Value]:
        asked = [self.read_label(row), self.read_label(column)]
        found = [
            parse_number(text)
            for place, text in self.tables[table].items()
            if all(label in (None, there) for label, there in zip(asked, place))
        ]
        if not found:
            raise Refused(f"`{table}` prints no number {' / '.join(map(repr, asked))}")
        return found if None in asked else found[0]

    def read_label(self, node: ast.expr) -> str | None:
        match node:
            case ast.Constant(value=str(label)):
                return label
            case ast.Slice(lower=None, upper=None, step=None):
                return None
        raise Refused(f"`{self.quote(node)}` is no label of a row or column")


def _read_diagonal(numbers: Numbers) -> list[Value]:
    """The numbers of a square table at the same place in their row as their row has in the table."""
    rows = list(dict.fromkeys(row for row, _ in numbers))
    columns = list(dict.fromkeys(column for _, column in numbers))
    if len(rows) != len(columns) or len(numbers) != len(rows) ** 2:
        raise Refused("`diagonal` needs a square table")
    return [parse_number(numbers[place]) for place in zip(rows, columns)]


def _make_extreme(pick: Callable) -> Callable[[Sequence[Value]], Value]:
    return lambda several: Value(*(pick(getattr(v, side) for v in several) for side in ("low", "face", "high")))


def _sum(several: Sequence[Value]) -> Value:
    return sum(several, start=parse_number("0"))


_FUNCTIONS = {
    "sum": _sum,
    "mean": lambda several: _sum(several) / parse_number(str(len(several))),
    "max": _make_extreme(max),
    "min": _make_extreme(min),
    "count": lambda several: parse_number(str(len(several))),
}
