"""`python -m reports.build`: every table, figure and page from paper.toml and the result files; trains nothing.

Where there are no results of yours for a paper's corpus, those of the run that comes with the suite stand in, and say
so. `--run` first runs what is missing of all papers in the quick profile. The report is written into a folder beside
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
from common.running import cli
from common.running.parallel import parallel

COMMITTED = Path(__file__).parent / "results"
RESULTS = "results"
RUN_OPTIONS = {"wang2017": ("--seeds", "0")}  # of five; the reference locks this one


def main(arguments: Sequence[str] | None = None) -> int:
    options = _make_parser().parse_args(arguments)
    from common.evidence.reading import load_papers  # numpy and matplotlib load in seconds, --help should not

    suite = load_papers()
    out = Path(options.out)
    asked = options.check or options.accept or options.results != RESULTS
    if asked and not options.run and not Path(options.results).is_dir():
        raise InputError(f"{options.results}: no such folder of results; run a paper first, or all with --run")
    _refuse(out)
    if options.run and (code := run_papers([paper.id for paper in suite], options.results)):
        return code
    evaluated = [add_audit(*entry) for entry in evaluate_all(suite, Path(options.results), COMMITTED)]
    try:
        write(evaluated, out)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; a report in {out} is as it was") from None
    print(f"report: {out / 'index.html'}")
    for paper, files, cells, *_ in evaluated:
        print(
            format_scorecard(paper, cells)
            if files
            else f"{format_scorecard(paper, cells)}; no result files in {options.results}"
        )
    if not (options.accept or options.check):
        return 0
    own = evaluate_all(suite, Path(options.results))  # what is locked must be there
    if options.accept:
        _accept(own)
    return _check(own) if options.check else 0


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
    add("--run", action="store_true", help="first run what is missing of all papers: simulated corpora, quick profile")
    add("--check", action="store_true", help="exit 1 when a number of the simulated quick run has moved or is gone")
    add("--accept", action="store_true", help="lock the present numbers of the simulated quick run as the reference")
    return parser


def run_papers(papers: Sequence[str], results_folder: str) -> int:
    """Run the quick profile of each paper, one after the other; the exit code of the first that fails, or 0.

    What is done is not done again. The rooms show how far they are; before each stands which it is.
    """
    took = []  # minutes of each paper
    for number, paper in enumerate(papers, 1):
        print(f"[{number}/{len(papers)}] {paper}: {_describe_progress(took, len(papers) - len(took))}", file=sys.stderr)
        start = time.monotonic()
        command = [sys.executable, "-m", f"replications.{paper}.run", *RUN_OPTIONS.get(paper, ())]
        room = subprocess.Popen([*command, "--results", results_folder], stdout=subprocess.DEVNULL)
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


def evaluate_all(suite: Sequence, *folders: Path) -> list[tuple]:
    """What `evaluate` returns for each paper; on all cores, in the processes that draw afterwards."""
    from joblib import delayed

    from common.running.options import count_cores

    return list(parallel((delayed(evaluate)(paper, *folders) for paper in suite), min(count_cores(), len(suite))))


def evaluate(paper, results_folder: Path, committed: Path | None = None) -> tuple:
    """(paper, result files, cells of the printed tables and of ours, what became of the claims).

    Results in the folder `committed` join for those corpora that `results_folder` has none of. Raises InputError for
    a damaged result file.
    """
    from common import results
    from common.evidence.cells import fill_cells, fill_own_cells
    from common.evidence.claims import judge_claims
    from common.evidence.runs import check_files
    from reports.audit.statements import evaluate_statements

    files = check_files(results.find(results_folder, paper.id))
    if committed:
        there = {record["corpus"] for _, record in files}
        others = check_files(results.find(committed, paper.id))
        files += [(path, record | {"committed": True}) for path, record in others if record["corpus"] not in there]
    cells = fill_cells(paper, files) + fill_own_cells(paper, files)
    return paper, files, cells, judge_claims(paper, files) + evaluate_statements(paper, files)


def add_audit(paper, files, cells: Sequence, checked: Sequence) -> tuple:
    """What `evaluate` returns, with the findings of the audit; numbers that these prove wrong are errata."""
    from reports.audit.papers import audit_paper, correct_cells
    from reports.audit.statements import Statement

    findings = audit_paper(paper, [entry for entry in checked if isinstance(entry, Statement)])
    return paper, files, correct_cells(cells, findings), checked, findings


def format_scorecard(paper, cells: Sequence) -> str:
    """One line: the paper, its printed numbers, and how many have which verdict."""
    from reports import page, tables

    score = page.score_paper(paper, cells)
    counts = ", ".join(f"{count} {tables.WORDS[verdict]}" for verdict, count in score.verdicts.items())
    evidence = ", ".join(f"{count} {word}" for word, count in score.evidence.items())
    return f"{paper.id}: {score.total} printed numbers: {counts} (evidence: {evidence})"


def write(evaluated: Sequence[tuple], out: Path) -> None:
    """Build the whole report and swap it in for `out`.

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
        for name, content in list_contents(evaluated, out):
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


def list_contents(evaluated: Sequence[tuple], former_report: Path) -> Iterator[tuple[str, str | bytes]]:
    """The files of the report as (name, text or bytes)."""
    from reports import former, page, tables
    from reports.audit.statements import Statement, make_text_cells

    everything, text, names, scores = [], [], [], []
    of_papers = draw_figures(evaluated, former_report)
    yield former.INDEX, former.format_index(of_papers)
    for paper, files, cells, checked, findings in evaluated:
        _, drawings = of_papers[paper.id]
        stated = [entry for entry in checked if isinstance(entry, Statement)]
        exhibits = tables.format_exhibits(paper, cells, checked, findings)
        written = {f"tables/{name}": text for name, text in exhibits.items()}
        written |= {f"figures/{d.id}.{kind}": getattr(d, kind) for d in drawings for kind in ("svg", "png")}
        written[f"{paper.id}.html"] = page.render_paper(paper, cells, checked, files, drawings, findings)
        yield from written.items()
        text += (of_text := make_text_cells(paper, stated))
        everything += [cell for cell in cells if cell.published] + of_text
        names += [name for name in written if "/" in name]
        scores.append(page.score_paper(paper, cells, findings))
    yield "cells.csv", tables.format_cells_csv(everything)
    yield "index.html", page.render_index(scores, names, text)


def draw_figures(evaluated: Sequence[tuple], report: Path) -> dict[str, tuple[str, list]]:
    """For each paper the key of its figures and the figures: those in `report`, or drawn on all cores.

    Raises InputError for a damaged result file.
    """
    from joblib import delayed
    from tqdm import tqdm

    from common.running.options import count_cores
    from reports import former
    from reports.figures import makers

    found = {}
    for paper, files, *_ in evaluated:
        key = former.compute_key(paper, files)
        found[paper.id] = key, former.read_figures(report, paper.id, key)
    missing = [entry for entry in evaluated if found[entry[0].id][1] is None]
    to_make = [(paper.id, make, files) for paper, files, *_ in missing for make in makers.list_makers(paper)]
    calls = (delayed(makers.run_maker)(make, files) for _, make, files in to_make)
    made = parallel(calls, min(count_cores(), len(to_make) or 1))
    made = list(tqdm(made, total=len(to_make), desc="figures", unit="", leave=False, delay=2))
    for paper, *_ in missing:
        of_paper = [d for (name, *_), drawings in zip(to_make, made) if name == paper.id for d in drawings]
        found[paper.id] = found[paper.id][0], of_paper
    return found


def _check(evaluated: Sequence[tuple]) -> int:
    from reports import check

    findings, count = [], 0
    for paper, files, cells, _ in evaluated:
        found, compared = check.check(paper, files, cells)
        findings, count = findings + found, count + compared
    for finding in findings:
        print(f"check: {finding}")
    if findings:
        print(f"{len(findings)} finding(s) in {count} numbers checked. {check.ACCEPT if count else ''}".rstrip())
        return EXIT_DIFFERS
    print(f"{count} numbers checked against the reference, none moved beyond its tolerance; all others are there")
    return 0


def _accept(evaluated: Sequence[tuple]) -> None:
    from reports import check

    for paper, files, cells, _ in evaluated:
        print(f"{paper.id}: {check.accept(paper, files, cells)} numbers locked in {check.REFERENCE / paper.id}.json")


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
