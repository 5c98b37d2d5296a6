"""`python -m reports.build`: every table, figure and page from paper.toml and the result files; trains nothing.

Until you have as many results of a corpus and profile, those that come with the suite stand in, and say so. `--run` first runs what is missing of all papers, in the quick profile or the one that is named. The report is written into a folder beside
--out and put in its place when it is complete, so an interrupted build leaves the former report as it was.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from common.errors import EXIT_DIFFERS, InputError, Interrupted, WriteError
from common.evidence.paper import PROFILES
from common.running import cli
from common.running.parallel import parallel

RESULTS = "results"
SHOWN = 5  # findings of a paper in the terminal


def main(arguments: Sequence[str] | None = None) -> int:
    options = _make_parser().parse_args(arguments)
    from common.evidence.reading import load_papers  # numpy and matplotlib load in seconds, --help should not
    from reports.evaluation import COMMITTED, add_audit, evaluate_all

    suite = load_papers()
    out = Path(options.out)
    asked = options.check or options.accept or options.results != RESULTS
    if asked and not options.run and not Path(options.results).is_dir():
        raise InputError(f"{options.results}: no such folder of results; run a paper first, or all with --run")
    _refuse(out)
    if options.run and (code := run_papers([paper.id for paper in suite], options.run, options.results)):
        return code
    evaluated = [add_audit(entry) for entry in evaluate_all(suite, Path(options.results), COMMITTED)]
    try:
        write(evaluated, out, options.png)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; a report in {out} is as it was") from None
    print(f"report: {out / 'index.html'}")
    for evaluation in evaluated:
        print(format_scorecard(evaluation))
    if not (options.accept or options.check):
        return 0
    # what is locked must be there: the quick run in your folder, and the study that comes with the suite
    pairs = list(zip(evaluate_all(suite, Path(options.results)), evaluate_all(suite, COMMITTED)))
    if options.accept:
        _accept(pairs)
    return _check(pairs) if options.check else 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reports.build", description=__doc__.partition(";")[0] + ".")
    add = parser.add_argument
    add("--results", default=RESULTS, metavar="DIR", help="folder of the result files (default: %(default)s)")
    add(
        "--out",
        default="report",
        metavar="DIR",
        help="folder to write; a report there is replaced (default: %(default)s)",
    )
    add("--png", action="store_true", help="write each figure as PNG, too")
    add(
        "--run",
        nargs="?",
        const="quick",
        choices=PROFILES,
        help="first run what is missing of all papers on simulated corpora, in this profile (default: %(const)s)",
    )
    add(
        "--check",
        action="store_true",
        help="exit 1 when a number of the quick run has moved or is gone, or an answer of the study has turned",
    )
    add("--accept", action="store_true", help="lock the numbers of the quick run and the answers of the study")
    return parser


def run_papers(papers: Sequence[str], profile: str, results_folder: str) -> int:
    """Run a profile of each paper, one after the other; the exit code of the first that fails, or 0.

    What is done is not done again. The rooms show how far they are; before each stands which it is.
    """
    took = []  # minutes of each paper
    for number, paper in enumerate(papers, 1):
        print(f"[{number}/{len(papers)}] {paper}: {_describe_progress(took, len(papers) - len(took))}", file=sys.stderr)
        start = time.monotonic()
        command = [sys.executable, "-m", f"replications.{paper}.run", "--profile", profile, "--results", results_folder]
        room = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            room.wait()
        except KeyboardInterrupt:  # it has been told too, and says so
            room.wait()
        if room.returncode:
            return room.returncode
        took.append((time.monotonic() - start) / 60)
    return 0


def _describe_progress(took: Sequence[float], left: int) -> str:
    """Minutes since the start and, once a paper was run anew, about how many the `left` ones will take."""
    anew = [minutes for minutes in took if minutes > 0.5]  # less is what was done before
    estimate = f", about {left * sum(anew) / len(anew):.0f} min left" if anew else ""
    return f"{sum(took):.0f} min since the start{estimate}"


def format_scorecard(evaluation) -> str:
    """One paper in a few lines: how many printed numbers have which verdict, what was learnt, and this machine's run."""
    from common.evidence.text import summarise_skills
    from reports import page, tables

    paper = evaluation.paper
    score = page.score_paper(evaluation)
    counts = ", ".join(f"{count} {tables.WORDS[verdict]}" for verdict, count in score.verdicts.items())
    evidence = ", ".join(f"{count} {word}" for word, count in score.evidence.items())
    lines = [f"{paper.id}: {score.total} printed numbers: {counts} (evidence: {evidence})"]
    lines.append(summarise_skills(evaluation.skills))
    if here := evaluation.here:
        lines.append(f"this machine: {here.summary}")
        lines += [f"  {finding}" for finding in here.findings[:SHOWN]]
        more = len(here.findings) - SHOWN
        lines += [f"  and {more} more, on the paper's page"] if more > 0 else []
    return "\n  ".join(lines)


def write(evaluated: Sequence[tuple], out: Path, png: bool = False) -> None:
    """Build the whole report, with or without PNG, and swap it in for `out`.

    Raises:
        InputError: `out` holds something that is not a report.
        WriteError: it cannot be written.
    """
    out = Path(os.path.abspath(out))
    _refuse(out)
    temporary = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
        new, old = temporary / "new", temporary / "old"
        for name, content in list_contents(evaluated, out, png):
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        if out.exists():
            os.replace(out, old)
        os.replace(new, out)
    except OSError as error:
        remedy = "free some space or choose another --out"
        raise WriteError(f"{out}: cannot be written ({error.strerror}); {remedy}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _refuse(out: Path) -> None:
    """Raise InputError where `out` holds something that is not a report."""
    folder = out.is_dir() and not out.is_symlink()
    ours = folder and (not any(out.iterdir()) or all((out / name).is_file() for name in ("index.html", "cells.csv")))
    if out.exists() and not ours:
        raise InputError(f"{out}: exists and is no report of ours; choose another --out")


def list_contents(evaluated: Sequence[tuple], former_report: Path, png: bool) -> Iterator[tuple[str, str | bytes]]:
    """The files of the report as (name, text or bytes)."""
    from reports import former, page, tables
    from reports.audit.statements import Statement, make_text_cells

    everything, text, names, scores = [], [], [], []
    of_papers = draw_figures(evaluated, former_report, png)
    yield former.INDEX, former.format_index(of_papers)
    for evaluation in evaluated:
        paper = evaluation.paper
        _, drawings = of_papers[paper.id]
        stated = [entry for entry in evaluation.checked if isinstance(entry, Statement)]
        written = {f"tables/{name}": text for name, text in tables.format_exhibits(evaluation).items()}
        written |= {f"figures/{d.id}.{kind}": content for d in drawings for kind, content in d.files.items()}
        written[f"{paper.id}.html"] = page.render_paper(evaluation, drawings)
        yield from written.items()
        text += (of_text := make_text_cells(paper, stated))
        everything += [cell for cell in evaluation.cells if cell.published] + of_text
        names += [name for name in written if "/" in name]
        scores.append(page.score_paper(evaluation))
    yield "cells.csv", tables.format_cells_csv(everything)
    yield "index.html", page.render_index(scores, names, text)


def draw_figures(evaluated: Sequence[tuple], report: Path, png: bool) -> dict[str, tuple[str, list]]:
    """For each paper the key of its figures and the figures: those in `report`, or drawn on all cores.

    Raises InputError for a damaged result file.
    """
    from joblib import delayed
    from tqdm import tqdm

    from common.running.options import count_cores
    from reports import former
    from reports.figures import makers

    found = {}
    for entry in evaluated:
        key = former.compute_key(entry.paper, entry.files)
        found[entry.paper.id] = key, former.read_figures(report, entry.paper.id, key, png)
    missing = [entry for entry in evaluated if found[entry.paper.id][1] is None]
    to_make = [(e.paper.id, make, e.files) for e in missing for make in makers.list_makers(e.paper)]
    calls = (delayed(makers.run_maker)(make, files, png) for _, make, files in to_make)
    made = parallel(calls, min(count_cores(), len(to_make) or 1))
    made = list(tqdm(made, total=len(to_make), desc="figures", unit="", leave=False, delay=2))
    for paper in (entry.paper.id for entry in missing):
        found[paper] = found[paper][0], [d for (name, *_), ds in zip(to_make, made) if name == paper for d in ds]
    return found


def _check(pairs: Sequence[tuple]) -> int:
    from reports import check

    findings, count = [], 0
    for here, study in pairs:
        for found, compared in (check.check(here), check.check_study(here, study)):
            findings, count = findings + found, count + compared
    for finding in findings:
        print(f"check: {finding}")
    if findings:
        print(f"{len(findings)} finding(s) in {count} numbers checked. {check.ACCEPT if count else ''}".rstrip())
        return EXIT_DIFFERS
    print(f"{count} numbers and answers checked against the reference, none moved beyond its tolerance; all are there")
    return 0


def _accept(pairs: Sequence[tuple]) -> None:
    from reports import check

    for here, study in pairs:
        path = check.REFERENCE / f"{here.paper.id}.json"
        print(f"{here.paper.id}: {check.accept(here, study)} numbers and answers locked in {path}")


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
