"""The replication from its command line: raw files in, tables and result files out; the public part on real data."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from common import results
from common.evidence.cells import fill_cells, fill_own_cells
from common.evidence.reading import load_papers
from common.evidence.runs import check_files
from common.evidence.settings import resolve_settings
from datasets import avec2019, avec2019_public, sewa
from datasets.sewa import LABEL_HOP, TARGETS, Labels
from datasets.simulated import avec2019 as simulated
from replications.raju2021 import experiment, fusion, public, run  # noqa: F401 `called` runs it

PAPER = next(paper for paper in load_papers() if paper.id == "raju2021")
TINY = [
    *("--set", "epochs=1", "--set", "encoder_units=4", "--set", "decoder_units=4", "--set", "attention_units=4"),
    *("--set", "bag_size=20"),
]
REAL = {  # the scores of each published file, in thousandths: arousal, valence, liking of DE+HU, DE, HU
    "deepspectrum": (312, 380, 156, 233, 317, 84, 142, 164, 121),
    "egemaps-func_STD": (371, 396, 305, 286, 405, 73, 159, 136, 192),
    "egemaps-xbow": (398, 434, 291, 352, 455, 135, 138, 3, 253),
    "mfcc-func_STD": (326, 389, 236, 187, 344, 17, 144, 159, 115),
    "mfcc-xbow": (298, 323, 237, 134, 190, 42, 74, 140, -27),
    "visual-func": (531, 606, 425, 565, 639, 463, 83, 56, 104),
    "visual-xbow": (467, 556, 321, 523, 594, 421, 57, 73, 41),
    "visual-resnet": (473, 475, 460, 487, 552, 373, 40, 57, 28),
    "visual-vgg": (493, 561, 367, 505, 595, 363, 37, 48, 28),
}


@pytest.fixture(scope="module")
def chats(tmp_path_factory):
    """A simulated AVEC 2019 corpus of 2 + 2 recordings of about 6 s in each culture. To be read only."""
    root = tmp_path_factory.mktemp("raju") / "corpus"
    simulated.write(root, train=2, devel=2, seconds=6.0)
    return root


@pytest.fixture(scope="module")
def features_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("raju-cache")


def words(root, cache, folder, *more):
    common = ["--corpus", root, "--cache", cache, "--results", folder, "--jobs", 1, "--threads", 1]
    return [*common, *TINY, *more]


def read_all(folder):
    return {path.parent.name + "/" + path.stem: (path, record) for path, record in results.find(folder, "raju2021")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Where the first test leaves its results for the others."""
    return tmp_path_factory.mktemp("raju-results")


@pytest.mark.usefixtures("step_by_step")
def test_from_raw_files_to_the_table(chats, features_cache, finished, called):
    code, out, err = called(*words(chats, features_cache, finished, "--variants", "aed"))
    assert code == 0, err
    assert "4 of 4 results computed" in out and "arousal: German" in out and "SIMULATED" not in err
    found = read_all(finished)
    folds = ("devel-seed0", "heldout-seed0")
    assert sorted(found) == [f"{variant}/{fold}" for variant in ("aed", "ceiling-sequence") for fold in folds]
    path, record = found["aed/devel-seed0"]
    assert (record["corpus"], record["evidence"], record["target"]) == ("simulated", "simulated", "all")
    assert set(record["scores"]) == set(record["training_scores"]) == set(TARGETS) and len(record["recordings"]) == 8
    assert record["mechanism"]["alignment"]["planted"] > 1 and len(set(record["chats"].values())) == 2
    arrays = results.read_arrays(path, record)
    assert len(arrays["raw/liking/Devel_HU_02"]) == len(arrays["gold/liking/Devel_HU_02"])
    steps = len(arrays["example_alignment"])
    assert np.allclose(arrays["example_alignment"].sum(axis=1), 1, atol=1e-4) and steps == len(
        arrays["time/Devel_DE_01"]
    )
    code, out, _ = called(*words(chats, features_cache, finished, "--variants", "aed"))
    assert code == 0 and "0 of 4 results computed, 4 were there" in out


@pytest.mark.usefixtures("step_by_step")
def test_same_seed_same_numbers(chats, features_cache, finished, tmp_path, called, monkeypatch):
    """Also after another network in the same process."""
    monkeypatch.setattr(run, "FOLDS", ("devel",))
    for folder in (finished, tmp_path):  # what is done is not done again
        code, _, err = called(*words(chats, features_cache, folder, "--variants", "aed"))
        assert code == 0, err
    one, two = (read_all(folder)["aed/devel-seed0"] for folder in (finished, tmp_path))
    assert one[1]["scores"] == two[1]["scores"] and one[1]["history"] == two[1]["history"]
    assert one[1]["arrays"]["sha256"] == two[1]["arrays"]["sha256"]


@pytest.mark.slow
def test_a_cluster_gives_the_numbers_of_one_job(chats, features_cache, tmp_path, called):
    pytest.importorskip("distributed")
    from tests.common.running import test_cluster as dask

    with dask.scheduler(tmp_path) as (_, address), dask.worker(address, "--nthreads", "1", "--nworkers", "2"):
        dask.wait_for_workers(address, 2)
        for name, words_of_engine in (("one", []), ("dask", ["--engine", "dask", "--scheduler", address])):
            found = words(chats, features_cache, tmp_path / name, "--variants", "lstm", *words_of_engine)
            code, out, err = called(*found)
            assert code == 0 and "4 of 4 results computed" in out, err
    one, other = read_all(tmp_path / "one"), read_all(tmp_path / "dask")
    assert list(one) == list(other) and len(one) == 4
    for name, (_, record) in one.items():
        expected, record = record, other[name][1]
        assert {key for key in expected if expected[key] != record[key]} <= {"seconds", "provenance"}


class TestRefused:
    def one_line(self, answer, code, *named):
        assert answer[0] == code and answer[2].startswith("error: ") and answer[2].count("\n") == 1, answer[2]
        assert all(name in answer[2] for name in named), answer[2]

    def test_no_such_corpus(self, called, tmp_path):
        self.one_line(called(*words(tmp_path / "nowhere", tmp_path, tmp_path)), 3, "nowhere: no such folder")

    def test_public_part_that_is_not_there(self, called, tmp_path, monkeypatch):
        monkeypatch.delenv("AVEMOTION_DATA", raising=False)
        answer = called("--corpus", public.CORPUS, "--cache", tmp_path, "--results", tmp_path)
        self.one_line(answer, 3, "python -m datasets.fetch avec2019")

    @pytest.mark.parametrize(
        ("setting", "wanted"),
        [("hop=0.25", "multiple of 0.1"), ("baseline_delay=1.5", "multiple of 1.0"), ("eaf_units=[4]", "two"), ("dropout=1.0", "below 1"), ("epochs=0", "above 0"),
         ("heldout_share=1.5", "less than 1"), ("attention_over=time", "features, modalities")],
    )  # fmt: skip
    def test_settings(self, called, tmp_path, setting, wanted):
        answer = called("--set", setting, "--results", tmp_path / "r", "--cache", tmp_path)
        self.one_line(answer, 3, setting.partition("=")[0], wanted)

    def test_deep_features_without_weights(self, chats, tmp_path, called):
        code, _, err = called(*words(chats, tmp_path, tmp_path, "--set", "features=deep"))
        assert code == 3 and "--weights" in err and "Traceback" not in err

    def test_a_recording_without_its_audio(self, chats, features_cache, tmp_path, called):
        root = shutil.copytree(chats, tmp_path / "corpus")
        (root / "audio" / "Train_HU_02.wav").unlink()
        code, _, err = called(*words(root, features_cache, tmp_path / "r", "--variants", "lstm"))
        assert code == 3 and "Train_HU_02.wav" in err and "--skip-unusable" in err


@pytest.fixture(scope="module")
def invented():
    """A small public part: 2 + 2 chats of 60 to 90 labels; the systems see the labels through noise."""
    rng = np.random.default_rng(0)
    labels, predictions = {}, {system: {} for system in avec2019_public.SYSTEMS}
    for culture in ("DE", "HU"):
        for number in range(1, 9):
            name, time = f"Devel_{culture}_{number:02d}", np.arange(60 + 10 * ((number - 1) // 2)) * LABEL_HOP
            labels[name] = Labels(time, *(0.3 * np.sin(time / 2 + rng.uniform(0, 6)) for _ in range(3)))
            for system in avec2019_public.SYSTEMS:
                noise = 0.2 * rng.normal(size=(len(time), 3))
                predictions[system][name] = avec2019.stack_labels(labels[name]) + noise
    return avec2019_public.Public(labels, predictions)


@pytest.mark.usefixtures("step_by_step")
class TestPublic:
    small = {
        **resolve_settings(PAPER, "paper"),
        "epochs": 1,
        "encoder_units": 3,
        "decoder_units": 3,
        "attention_units": 3,
    }

    def computed(self, invented, tmp_path, variant, fold):
        path = tmp_path / "raju2021" / public.CORPUS / "paper" / "all" / variant / f"{fold}-seed0.json"
        task = experiment.tasks.Task(variant, fold, 0, path, "digest")
        public.compute(task, lambda done: None, invented, self.small)
        return path, results.read(path)

    @pytest.mark.parametrize(("variant", "fold"), [("fusion-aed", "cultures"), ("system-mfcc-xbow", "devel")])
    def test_each_recording_is_predicted_once_in_its_own_length(self, invented, tmp_path, variant, fold):
        path, record = self.computed(invented, tmp_path, variant, fold)
        arrays = results.read_arrays(path, record)
        for name, labels in invented.labels.items():
            for target in TARGETS:
                assert len(arrays[f"raw/{target}/{name}"]) == len(labels.time)
                assert np.array_equal(arrays[f"gold/{target}/{name}"], getattr(labels, target))
        assert record["evidence"] == "real" and record["profile"] == "paper" and len(set(record["chats"].values())) == 8

    def test_no_chat_is_split(self, invented, tmp_path, monkeypatch):
        """Neither between training and scored recordings, nor between those that train and those that choose."""
        seen = []

        def fitted(task, progress, training_set, chosen_on, scored):
            seen.append([{r.name for r in part.recordings} for part in (training_set, chosen_on, scored)])
            made = {t: [np.zeros(len(index)) for index in scored.rows] for t in TARGETS}
            return experiment.training, {}, made

        monkeypatch.setattr(experiment, "fit_network", fitted)
        monkeypatch.setattr(public.training, "count_params", lambda: 0, raising=False)
        chats = public.pair_chats(invented)
        for fold in ("chats", "cultures"):
            seen.clear()
            task = experiment.tasks.Task("fusion-aed", fold, 0, tmp_path / "x.json", "")
            public.fuse_by_network(task, lambda done: None, invented, self.small)
            scored = [name for parts in seen for name in parts[2]]
            assert sorted(scored) == sorted(invented.labels)
            for parts in seen:
                groups = [{chats[name] for name in part} for part in parts]
                assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
                if fold == "cultures":
                    assert {name[6:8] for name in parts[0] | parts[1]}.isdisjoint({name[6:8] for name in parts[2]})

    def test_streams(self, invented):
        first = public.build_recordings(invented)[0]
        assert first.audio.shape[1] == 15 and first.visual.shape[1] == 12
        assert np.allclose(first.visual[:, 9:], invented.predictions["visual-vgg"][first.name], atol=1e-6)


def test_the_published_baseline_and_its_erratum(real_data, tmp_path, called, monkeypatch):
    """Table I, "Baseline [24]", and all 90 scores of the published files, through the command line."""
    monkeypatch.setenv("AVEMOTION_DATA", str(real_data))
    code, out, err = called(
        "--corpus", public.CORPUS, "--results", tmp_path, "--cache", tmp_path, "--jobs", 1,
        "--variants", "baseline-fusion", *public.SYSTEMS,
    )  # fmt: skip
    assert code == 0, err

    files = check_files(results.find(tmp_path, "raju2021"))
    column = [cell for cell in fill_cells(PAPER, files) if cell.column == "Baseline [24]"]
    verdicts = {cell.row: cell.verdict for cell in column}
    assert verdicts.pop("liking: German") == "ERRATUM" and set(verdicts.values()) == {"MATCH"} and len(verdicts) == 8
    assert {cell.evidence for cell in column} == {"real"}
    assert "0.048 is the score of `system-visual-vgg` (0.0" in next(c.note for c in column if c.verdict == "ERRATUM")
    own = {(c.row, c.column): c.ours for c in fill_own_cells(PAPER, files) if c.exhibit == "systems"}
    assert len(own) == 90
    for system, scores in REAL.items():
        rows = [f"{t}: {p}" for t in TARGETS for p in ("German + Hungarian", "German", "Hungarian")]
        assert [round(1000 * own[row, system]) for row in rows] == list(scores)


def test_seven_chats_of_each_culture(real_data):
    """Two people of a chat have equally many labels, within one."""
    public_part = avec2019_public.read(real_data / "avec2019")
    found = sewa.pair_chats({name: len(labels.time) for name, labels in public_part.labels.items()})
    assert sorted(found.values()).count("DE_01-12") == 2
    assert {culture: len({c for c in found.values() if c.startswith(culture)}) for culture in ("DE", "HU")} == {
        "DE": 7,
        "HU": 7,
    }


def test_sizes_of_the_simulated_corpus(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(run, "write_cached", lambda *words, **sizes: written.append((*words, list(sizes.items()))))
    sizes = {"train": 4, "devel": 2, "seconds": 9.0, "fps": 6}
    chosen = resolve_settings(PAPER, "quick", [f"simulated_{name}={value}" for name, value in sizes.items()])
    run.simulate(SimpleNamespace(cache=tmp_path, jobs=2), chosen)
    assert written == [("avec2019", tmp_path, 2, list(sizes.items()))]
