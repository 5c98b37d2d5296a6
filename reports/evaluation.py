"""What the result files of a paper say: numbers beside the printed ones, what the networks learnt, claims, the audit.

Results of yours come first. Those that come with the suite, of its study and of public data, stand for every corpus and
profile of which you have not as many.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common import results
from common.evidence.cells import Cell, fill_cells, fill_own_cells
from common.evidence.claims import Direction, judge_claims
from common.evidence.paper import Paper
from common.evidence.runs import File, check_files, find_place
from common.evidence.skill import Skill, judge_skills
from common.running.parallel import parallel
from reports import check
from reports.audit.findings import Finding
from reports.audit.papers import audit_paper, correct_cells
from reports.audit.statements import Statement, evaluate_statements

COMMITTED = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Evaluation:
    """All that a report says of one paper's results."""

    paper: Paper
    files: Sequence[File]
    cells: Sequence[Cell]  # of the printed tables and of ours
    skills: Sequence[Skill]
    checked: Sequence[Direction | Statement]  # what became of the claims
    findings: Sequence[Finding] = ()  # of the audit
    here: check.Comparison | None = None  # of this machine's quick run with the reference; None without such a run


def evaluate_all(suite: Sequence[Paper], *folders: Path) -> list[Evaluation]:
    """What `evaluate` returns for each paper; on all cores, in the processes that draw afterwards."""
    from joblib import delayed

    from common.running.options import count_cores

    return list(parallel((delayed(evaluate)(paper, *folders) for paper in suite), min(count_cores(), len(suite))))


def evaluate(paper: Paper, results_folder: Path, committed: Path | None = None) -> Evaluation:
    """The results in `results_folder`, and those in the folder `committed` where there are not as many.

    Raises InputError for a damaged result file.
    """
    mine = check_files(results.find(results_folder, paper.id))
    files = join_committed(mine, check_files(results.find(committed, paper.id))) if committed else mine
    cells = fill_cells(paper, files) + fill_own_cells(paper, files)
    checked = judge_claims(paper, files) + evaluate_statements(paper, files)
    here = check.compare_numbers(paper, mine) if check.gather_numbers(mine) else None
    return Evaluation(paper, files, cells, judge_skills(paper, files), checked, here=here)


def join_committed(mine: Sequence[File], theirs: Sequence[File]) -> list[File]:
    """Both without mixing them: of a corpus and profile yours once you have all that came with the suite, else theirs.

    What theirs has nothing of, such as another network or target, stands in any case.
    """
    found = []
    for place in sorted({find_place(record) for _, record in [*mine, *theirs]}):
        ours, other = ([file for file in files if find_place(file[1]) == place] for files in (mine, theirs))
        if set(map(name_result, other)) <= set(map(name_result, ours)):
            found += ours
            continue
        networks = {name_result(file)[:-1] for file in other}
        found += [file for file in ours if name_result(file)[:-1] not in networks]
        found += [(path, record | {"committed": True}) for path, record in other]
    return found


def name_result(file: File) -> tuple:
    """What a result file is of, in whatever folder; its seed stands last."""
    return tuple(file[1][key] for key in ("corpus", "target", "variant", "fold", "seed"))


def add_audit(evaluation: Evaluation) -> Evaluation:
    """With the findings of the audit; numbers that these prove wrong are errata."""
    stated = [entry for entry in evaluation.checked if isinstance(entry, Statement)]
    findings = audit_paper(evaluation.paper, stated)
    return replace(evaluation, cells=correct_cells(evaluation.cells, findings), findings=findings)
