"""From the plan to the result files."""

from pathlib import Path
from types import SimpleNamespace

from common.running import experiment, tasks
from common.running.corpora import Corpus, Unusable

RECORDING = SimpleNamespace(digest="r")
CORPORA = [
    Corpus("simulated", Path("one"), [RECORDING]),
    Corpus("simulated-uniform", Path("two"), [RECORDING], [Unusable("bad", "bad.wav", "is empty")]),
]


def plan(variants=("slow", "fast"), seeds=(0, 3), version=1, settings=(), ceilings=(), **more):
    arguments = SimpleNamespace(results=Path("results"), profile="quick", variants=["fast", "slow"], seeds=seeds)
    words = (
        "lee2018",
        version,
        CORPORA,
        dict(settings),
        arguments,
        "valence",
        variants,
        ["devel", "heldout"],
        ceilings,
    )
    return experiment.plan_tasks(*words, **more)


def test_every_variant_corpus_seed_and_fold_the_longest_first():
    planned = plan()
    assert len(planned) == 2 * 2 * 2 * 2 and [task.variant for task in planned] == ["slow"] * 8 + ["fast"] * 8
    assert [(task.seed, task.fold) for task in planned][:4] == [(s, f) for s in (0, 3) for f in ("devel", "heldout")]
    for task, corpus in planned.items():
        folder = Path("results/lee2018") / corpus.name / "quick/valence" / task.variant
        assert task.path == folder / f"{task.fold}-seed{task.seed}.json"
    assert [corpus.name for corpus in planned.values()] == (["simulated"] * 4 + ["simulated-uniform"] * 4) * 2


def test_variants_that_nobody_asked_for_or_the_corpus_has_not():
    assert {task.variant for task in plan(variants=("other", "fast"))} == {"fast"}
    planned = plan(skip=lambda corpus, variant: (corpus.name, variant) == ("simulated-uniform", "slow"))
    assert [corpus.name for corpus in planned.values()].count("simulated-uniform") == 4 and len(planned) == 12


def test_what_a_result_hangs_on_is_in_the_digest_of_its_task():
    def digests(**changes) -> set[str]:
        return {task.digest for task in plan(**changes)}

    assert len(digests()) == 2  # for each corpus one
    assert digests() == digests(seeds=(1,)) == digests(variants=("fast",))
    assert not digests() & digests(version=2) and not digests() & digests(settings={"epochs": 2})


def test_complete_counts_and_reads_all(monkeypatch, tmp_path, capsys):
    todo = [tasks.Task("lstm", "devel", seed, tmp_path / f"seed{seed}.json", "d") for seed in range(3)]
    asked = []
    monkeypatch.setattr("common.running.dispatch.run", lambda *words: asked.append(words) or 1)
    monkeypatch.setattr(experiment.results, "read", lambda path: {"from": path.name})
    arguments = SimpleNamespace(jobs=2, threads=1, scheduler="there", results=tmp_path)
    files = experiment.complete_tasks(dict.fromkeys(todo), max, arguments, "paper")
    assert asked == [(todo, max, 2, 1, "there")]
    assert files == [(task.path, {"from": task.path.name}) for task in todo]
    assert capsys.readouterr().out == f"1 of 3 results computed, 2 were there; in {tmp_path / 'paper'}\n"


def test_where_the_truth_is_known_a_plain_learner_is_given_what_a_network_sees(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one/truth").mkdir()
    known, unknown = (Corpus(f"simulated-{name}", tmp_path / name, [RECORDING]) for name in ("one", "two"))
    real = Corpus("sewa", tmp_path / "one", [RECORDING])  # a folder may be called so; no truth of people lies in it
    corpora = known, unknown, real
    chosen = [(variant, corpus, [0, 1, 2]) for variant in ("lstm", "lstm-ta", "cnn") for corpus in corpora]
    found = experiment.list_ceilings(chosen, {"lstm": "voice", "lstm-ta": "voice"})
    assert found == [("ceiling-voice", known, [0])]  # once, with one seed, and only there


def test_ceilings_are_tasks_after_those_of_the_networks(tmp_path, monkeypatch):
    (tmp_path / "truth").mkdir()
    monkeypatch.setattr(f"{__name__}.CORPORA", [Corpus("simulated", tmp_path, [RECORDING])])
    planned = plan(ceilings={"slow": "face", "fast": "voice", "other": "both"})
    assert list(dict.fromkeys(task.variant for task in planned)) == ["slow", "fast", "ceiling-face", "ceiling-voice"]
    assert [task.seed for task in planned if task.variant == "ceiling-face"] == [0, 0]  # a fold each
