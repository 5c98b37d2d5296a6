"""A paper as data: what is printed in it, what we set and why, as the `paper.toml` of its subpackage holds it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PERCENT = ("accuracy", "UAR", "share")  # of classes; in percent, as papers print them
METRICS = ("RMSE", "CC", "CCC", "CC_max", "CC_min", "FPS", *PERCENT)  # _max, _min: the best and the worst recording
PROFILES = ("quick", "study", "paper")  # from small to large
SOURCES = ("stated", "inferred", "assumed")


@dataclass(frozen=True)
class Protocol:
    """Which of our scores stands beside the printed ones, and from how many seeds on it counts as complete."""

    target: str
    fold: str
    postprocess: str  # the set on which the post-processing was fitted, or "none"
    pooling: str  # "per_recording" or "concatenated"
    seeds: int = 1
    study_seeds: int = 5  # of every network in the study
    study_minutes: int = 0  # what all of the study took, on two cores; 0 where nobody knows
    classes: tuple[str, ...] = ()  # in the order of the labels' numbers, where classes are predicted


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a row, a column or a claim says of its numbers; what it leaves open, another part or the protocol says.

    The metric "share" is one entry of a confusion matrix: of the recordings of the class `truth`, those that were
    predicted as `predicted`, in percent.
    """

    label: str = ""
    variant: str = ""  # the network of ours that replicates them
    quoted: str = ""  # the earlier work from which the authors copied them; with a variant where we can score it anew
    metric: str = ""
    target: str = ""  # arousal+valence is the mean of both scores
    corpus: str = ""
    fold: str = ""
    recordings: str = ""  # a pattern of names, such as Devel_DE_*; all without one
    tolerance: float | None = None  # instead of the metric's
    truth: str = ""
    predicted: str = ""


@dataclass(frozen=True, kw_only=True)
class Row(Part):
    """One row; `published` holds the numbers as printed, by the label of their column."""

    published: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A printed table, or one of ours (`printed` is false) that holds what the paper could have said."""

    id: str
    title: str
    columns: tuple[Part, ...]
    rows: tuple[Row, ...]
    printed: bool = True
    note: str = ""

    @property
    def confusion(self) -> bool:
        """Whether it is a confusion matrix: a row for each true class, a column for each predicted one."""
        return bool(self.columns) and all(column.metric == "share" for column in self.columns)


@dataclass(frozen=True)
class Erratum:
    """A printed number that is another system's: an explanation to be computed, not to be believed."""

    table: str
    row: str
    column: str
    variant: str  # whose score the printed number is


@dataclass(frozen=True)
class Figure:
    """A printed figure.

    Of one variant: its `architecture`; `maps`, grey images over time of up to eight recordings, from the arrays
    PREFIX/NAME of its results, of shape (rows, steps); the `projection` to two dimensions of the arrays
    embeddings/before and embeddings/after, of shape (rows, size); the `confusion` matrix beside the printed one; the
    `speech` and the `faces` of one clip, from the arrays example/NAME.
    Of several: an `overview` of the networks, `traces` of recordings, or `bars`, the score of each recording.
    """

    id: str
    title: str
    kind: str
    variant: str = ""
    recordings: tuple[str, ...] = ()
    variants: dict[str, str] = field(default_factory=dict)  # panel title -> variant
    target: str = ""
    median: int = 0  # traces are shown behind a median filter of this length, in samples, too
    prefix: str = ""
    rows: tuple[str, ...] = ()  # what the rows of maps and embeddings are
    bottom_up: bool = False  # the first row of a map is the bottom one
    table: str = ""  # the printed confusion matrix


@dataclass(frozen=True, kw_only=True)
class Claim(Part):
    """Something that the text claims: that variant `better` beats variant `worse` in `metric`, or that numbers agree.

    `holds` is a comparison for `common.evidence.arithmetic`. In it `frames` is the number of labelled frames in those
    `recordings` of the paper's corpus that a run has read.
    """

    where: str
    text: str
    better: str = ""
    worse: str = ""
    holds: str = ""
    margin: float | None = None  # a smaller difference counts as none; by default a third of the printed one
    loose: bool = False  # the words or the facts leave room: what contradicts `holds` need not be an error
    note: str = ""


@dataclass(frozen=True)
class Audit:
    """What printed percentages are percentages of: a confusion `matrix`, or `shares` of the same things.

    `quoted` is the accuracy that the paper gives for the matrix; `total` is how many things there are, by the paper or
    by the corpus. `quoted` and `shares` are expressions for `common.evidence.arithmetic`.
    """

    where: str
    matrix: str = ""
    quoted: str = ""
    shares: str = ""
    total: int = 0


@dataclass(frozen=True)
class Setting:
    """A value of ours, where it comes from, its values in smaller profiles and what else it may be.

    A profile for which there is no value has that of the next larger one.
    """

    name: str
    value: Any
    source: str
    where: str
    study: Any = None
    quick: Any = None
    choices: tuple[Any, ...] = ()
    about_files: bool = False  # says how the user's files are, nothing of the method: any value is comparable

    def find_value(self, profile: str) -> Any:
        """The value in `profile`."""
        larger = [getattr(self, name) for name in PROFILES[PROFILES.index(profile) : -1]]
        return next((value for value in larger if value is not None), self.value)


@dataclass(frozen=True)
class Choice:
    """An entry of the ledger: a point that the paper leaves open, and what we chose."""

    number: int
    point: str
    text: str  # what the paper says, with the section
    options: str
    choice: str
    why: str
    sure: str
    switch: str = ""  # how to select another option on the command line


@dataclass(frozen=True, kw_only=True)
class Paper:
    path: Path
    id: str
    title: str
    authors: str
    venue: str
    year: int
    doi: str = ""  # where we know it
    corpus: str
    protocol: Protocol
    tolerance: dict[str, float]  # metric -> how far from the printed number is still a match
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    claims: tuple[Claim, ...]
    settings: dict[str, Setting]
    ledger: tuple[Choice, ...]
    skill: tuple[Part, ...] = ()  # by which scores, on which recordings, it is judged whether a network has learnt
    ceilings: dict[str, str] = field(default_factory=dict)  # variant -> what it sees, a name that its room knows
    errata: tuple[Erratum, ...] = ()
    audit: tuple[Audit, ...] = ()
    recordings: dict[str, dict[str, int]] = field(default_factory=dict)  # scored at least in a match: corpus, pattern

    @property
    def variants(self) -> list[str]:
        """The networks of ours that stand in the paper's tables, in their order."""
        parts = [part for table in self.tables for part in (*table.columns, *table.rows)]
        return list(dict.fromkeys(part.variant for part in parts if part.variant))

    @property
    def corpora(self) -> set[str]:
        """The corpora that the printed numbers are about."""
        parts = [part for table in self.tables for part in (*table.columns, *table.rows)]
        return {self.corpus, *(part.corpus for part in parts if part.corpus)}


def resolve_number(paper: Paper, *parts: Part) -> Part:
    """What `parts` say together of one number, and the protocol where they are silent."""

    def first(name: str, otherwise: Any) -> Any:
        for part in parts:
            if (value := getattr(part, name)) not in ("", None):
                return value
        return otherwise

    metric = first("metric", "")
    return Part(
        variant=first("variant", ""),
        quoted=first("quoted", ""),
        metric=metric,
        target=first("target", paper.protocol.target),
        corpus=first("corpus", paper.corpus),
        fold=first("fold", paper.protocol.fold),
        recordings=first("recordings", "*"),
        tolerance=first("tolerance", paper.tolerance.get(metric)),
        truth=first("truth", ""),
        predicted=first("predicted", ""),
    )


def find_gain(paper: Paper, claim: Claim) -> float | None:
    """By how much the claim's better variant beats the other one by the printed numbers; None where one is not printed."""
    number = resolve_number(paper, claim)
    printed = [_find_published(paper, variant, number) for variant in (claim.better, claim.worse)]
    if not all(printed):
        return None
    sign = -1 if claim.metric == "RMSE" else 1
    return round(sign * (float(printed[0]) - float(printed[1])), max(map(count_decimals, printed)))


def find_margin(paper: Paper, claim: Claim) -> float:
    """The difference that counts: as declared, a third of the printed one, or what is still a match of two numbers."""
    gain = find_gain(paper, claim)
    return claim.margin or (abs(gain) / 3 if gain else paper.tolerance[claim.metric])


def _find_published(paper: Paper, variant: str, asked: Part) -> str:
    """The printed number of `variant` for what a claim is about; "" where none is printed."""
    for table in paper.tables:
        for row in table.rows:
            for column in table.columns:
                if column.label not in row.published:
                    continue
                number = resolve_number(paper, row, column)
                same = all(
                    getattr(number, k) == getattr(asked, k)
                    for k in ("metric", "target", "corpus", "fold", "recordings", "truth", "predicted")
                )
                if number.variant == variant and same:
                    return row.published[column.label]
    return ""


def collect_numbers(paper: Paper) -> dict[str, dict[tuple[str, str], str]]:
    """The numbers of each printed table, by row and column: what `common.evidence.arithmetic` reads."""
    return {
        table.id: {(row.label, column): text for row in table.rows for column, text in _list_published(table, row)}
        for table in paper.tables
        if table.printed
    }


def _list_published(table: Table, row: Row) -> list[tuple[str, str]]:
    return [(c.label, row.published[c.label]) for c in table.columns if c.label in row.published]


def list_shrunk(paper: Paper) -> list[Setting]:
    """The settings that smaller profiles change."""
    return [s for s in paper.settings.values() if any(s.find_value(name) != s.value for name in PROFILES)]


def count_seeds(paper: Paper, profile: str) -> int:
    """How many seeds every network has in `profile`, where nobody says otherwise."""
    return {"quick": 1, "study": paper.protocol.study_seeds, "paper": paper.protocol.seeds}[profile]


def count_decimals(published: str) -> int:
    """How many decimals a printed number has."""
    return len(published.partition(".")[2])


def format_value(value: float | None, published: str, sign: bool = False) -> str:
    """A number of ours at the decimals of the printed one, or three; "" for None. Never "-0.000"."""
    if value is None:
        return ""
    text = f"{value:{'+' if sign else ''}.{count_decimals(published) if published else 3}f}"
    return text if float(text) else text.lstrip("+-")


def format_ledger(paper: Paper) -> str:
    """The ledger as numbered Markdown paragraphs, as the README of the subpackage holds it."""
    return "\n\n".join(_format_entry(entry) for entry in paper.ledger) + "\n"


def _format_entry(entry: Choice) -> str:
    parts = [
        f"{entry.number}. **{entry.point}**",
        f"   *The paper:* {entry.text}",
        f"   *Options:* {entry.options}",
        f"   *Choice:* {entry.choice}",
        f"   *Why:* {entry.why}",
        f"   *Sure:* {entry.sure}",
    ]
    if entry.switch:
        parts.append(f"   *Switch:* `{entry.switch}`")
    return "  \n".join(parts)  # two blanks at the end of a line break it
