"""RMSE, CC and CCC: which standard deviations of the labels they allow."""

import math
from fractions import Fraction

from common.evidence import arithmetic
from common.evidence.arithmetic import Value
from common.evidence.paper import (
    Paper,
)
from reports.audit.findings import (
    Finding,
    name_table,
)


def bound_deviation(rmse: Value, cc: Value, ccc: Value) -> tuple[float, float] | None:
    """Standard deviations that labels can have whose predictions score so; None if there are none.

    With the deviations s of the labels and t of the predictions, MSE = s^2 + t^2 + bias^2 - 2 CC s t, and CCC is
    2 CC s t divided by s^2 + t^2 + bias^2 = S. So S = MSE / (1 - CCC), s t = CCC S / (2 CC), and from bias^2 >= 0,
    s^2 + t^2 <= S: s^2 lies between the roots of x^2 - S x + (s t)^2. The bounds are those over all values that round
    to the printed ones; in between CCC is tried at 101 values, for they are not monotonic in it.
    """
    low, high = math.inf, -math.inf
    for k in range(101):
        c = float(ccc.low + (ccc.high - ccc.low) * Fraction(k, 100))
        for r in (float(cc.low), float(cc.high)):
            root = 1 - (c / r) ** 2 if r else -1.0
            if root < 0 or c >= 1 or c * r <= 0:
                continue  # |CCC| <= |CC|, and they have one sign
            small, large = (math.sqrt((1 + sign * math.sqrt(root)) / 2 / (1 - c)) for sign in (-1, 1))
            low, high = min(low, float(rmse.low) * small), max(high, float(rmse.high) * large)
    return (low, high) if low <= high else None


def audit_deviations(paper: Paper) -> list[Finding]:
    """The deviation of the labels by each row that prints RMSE, CC and CCC, and by all of them together."""
    places: dict[tuple[str, ...], str] = {}  # scores -> where they stand first
    for table in paper.tables:
        metric = {column.metric: column.label for column in table.columns}
        if not table.printed or not {"RMSE", "CC", "CCC"} <= metric.keys():
            continue
        for row in table.rows:
            if all(metric[name] in row.published for name in ("RMSE", "CC", "CCC")):
                scores = [row.published[metric[name]] for name in ("RMSE", "CC", "CCC")]
                places.setdefault(tuple(scores), f"{name_table(table)}, {row.label}")
    how = "RMSE, CC and CCC of one series: s^2 + t^2 <= MSE / (1 - CCC), s t = CCC MSE / (2 CC (1 - CCC))"
    bounds = {scores: bound_deviation(*map(arithmetic.parse_number, scores)) for scores in places}
    found = [
        Finding(paper.id, places[scores], ", ".join(scores), "no series has these three scores", how, "error")
        for scores, bound in bounds.items()
        if bound is None
    ]
    possible = [bound for bound in bounds.values() if bound]
    if len(possible) > 1:
        low, high = max(b[0] for b in possible), min(b[1] for b in possible)
        fits = low <= high
        text = (
            f"labels of one standard deviation, from {low:.3f} to {high:.3f}"
            if fits
            else "no one deviation of the labels"
        )
        printed = f"{len(possible)} different rows of RMSE, CC and CCC"
        found.append(Finding(paper.id, "tables", printed, text, how, "none" if fits else "unclear"))
    return found
