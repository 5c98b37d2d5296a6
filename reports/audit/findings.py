"""What the audit finds, and the words it is told in."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from common.evidence.arithmetic import Value
from common.evidence.paper import Table, count_decimals

SEVERITIES = ("none", "slip", "unclear", "error")  # agrees, last digit, cannot be settled, cannot be right


@dataclass(frozen=True)
class Finding:
    """What is printed, what follows from other printed numbers, how that was computed, how serious it is."""

    paper: str
    place: str
    printed: str
    follows: str
    how: str
    severity: str
    cell: tuple[str, str, str] | None = None  # table, row and column of the one number that is wrong, where it is known
    correct: str = ""  # what is right there


def name_table(table: Table) -> str:
    """Table 1 for table1."""
    return re.sub(r"^(table|figure)(?=\d)", lambda found: found[0].capitalize() + " ", table.id)


def format_face(value: Value) -> str:
    """A printed number as it is printed."""
    width = value.high - value.low
    return f"{float(value.face):.{round(-math.log10(width)) if width else 0}f}"


def format_like(value: Fraction, printed: str) -> str:
    return f"{float(value):.{count_decimals(printed)}f}"


def format_percent(share: Fraction) -> str:
    return f"{float(share):.2f} %"


def join_numbers(values: Iterable[int]) -> str:
    return " ".join(map(str, values))


def join_first(values: Sequence[int]) -> str:
    return ", ".join(map(str, values[:4])) + (f" and {len(values) - 4} more" if len(values) > 4 else "")
