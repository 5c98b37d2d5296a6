"""How labels move: the statistics themselves, those of real gold standards, and that simulated ones have them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from datasets import avec2012, describe, recola
from datasets.describe import REAL, STATISTICS, TERMS
from datasets.simulated import script
from datasets.simulated.cultures import DE
from datasets.simulated.recola import RECOLA, write_gold
from replications.wang2017 import layers

ROOT = Path(__file__).parents[2]


def test_statistics_of_a_sine():
    """Deviation a / sqrt 2, range 2 a; a sixth of the period until the correlation is a half; the mean of |slope|."""
    time = np.arange(0, 240, 0.1)
    found = describe.describe([0.3 * np.sin(2 * np.pi * time / 12), 0.1 * np.sin(2 * np.pi * time / 12)], 10.0)
    assert found["within"] == pytest.approx(0.2 / np.sqrt(2), rel=0.01)
    assert found["deviation"] == pytest.approx(np.sqrt((0.09 + 0.01) / 4), rel=0.01)
    assert found["range"] == pytest.approx(0.4, rel=0.01)
    assert found["half_life"] == pytest.approx(2.0, abs=0.15)
    assert found["step"] == pytest.approx(0.1 * 4 / 12 * np.sqrt(2), rel=0.02)
    assert tuple(found) == tuple(STATISTICS)[:5]


def test_terms_are_those_of_the_loss_of_wang2017_for_zeros():
    gold = np.cumsum(np.random.default_rng(0).normal(0, 0.01, 600))
    clips = [gold[first : first + 501] for first in (0, 51)]
    earlier, later = (np.array([clip[shift : shift + 500 : 10] for clip in clips], np.float32) for shift in (0, 1))
    zero = np.zeros_like(earlier)
    terms = (
        layers.label_loss(earlier, zero),
        10 * layers.trend_loss(earlier, zero),
        10 * layers.local_loss(earlier, zero, 5),
        10 * layers.global_loss(earlier, zero),
        1000 * layers.siamese_loss(earlier, later, zero, zero),
    )
    found = describe.describe([gold], 25.0, terms=True)
    assert [found[name] for name in TERMS] == pytest.approx([float(np.mean(term)) for term in terms], rel=1e-4)


def test_what_never_moves_or_is_too_short_has_no_statistics():
    found = describe.describe([np.zeros(50)], 10.0, terms=True)
    assert found["deviation"] == found["within"] == 0
    assert np.isnan([found[name] for name in ("range", "half_life", "step", *TERMS)]).all()


def test_figures_of_sewa_are_those_of_the_public_labels(real_data):
    corpus, rate, gold = describe.read_gold_standards(real_data / "avec2019")
    assert corpus == "SEWA" and {len(series) for series in gold.values()} == {28}
    for target, series in gold.items():
        assert list(describe.describe(series, rate).values()) == pytest.approx(REAL["SEWA"][target], rel=0.02)


def rate_many(seed: int, ratings: script.Ratings, rate: float, seconds: float, count: int) -> list[np.ndarray]:
    """Labels (n, 3) of the people of one corpus, by its raters."""
    raters, times = script.draw_raters(seed), np.arange(round(seconds * rate)) / rate
    plans = [script.write_script(seed, f"Train_{n}", seconds, ratings=ratings) for n in range(count)]
    return [script.rate(plan, raters, times, ratings) for plan in plans]


@pytest.mark.parametrize(
    ("corpus", "ratings", "rate", "seconds", "count", "seeds"),
    [("SEWA", script.SEWA, 10.0, 140.0, 28, 6), ("RECOLA", script.RECOLA, 25.0, 300.0, 18, 6)],
)
def test_simulated_labels_move_as_real_ones_do(corpus, ratings, rate, seconds, count, seeds):
    """Corpora of as many recordings, as long as the real ones: on average each within a fifth of the real figure."""
    corpora = [rate_many(seed, ratings, rate, seconds, count) for seed in range(seeds)]
    for column, target in enumerate(("arousal", "valence")):
        found = [describe.describe([one[:, column] for one in some], rate, corpus == "RECOLA") for some in corpora]
        real = dict(zip(STATISTICS, REAL[corpus][target]))
        ratios = {name: np.mean([one[name] for one in found]) / real[name] for name in real}
        assert all(0.8 < ratio < 1.2 for ratio in ratios.values()), ratios


def test_corpora_have_the_ratings_of_the_real_ones():
    assert DE.ratings == script.SEWA and RECOLA.ratings == script.RECOLA


def described(*words) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "datasets.simulate", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_the_command_prints_a_corpus_beside_a_real_one(corpus):
    done = described("--describe", corpus)
    assert done.returncode == 0, done.stderr
    head, columns, *rows = done.stdout.splitlines()
    assert "simulated, 3 recordings of" in head and head.endswith("SEWA")
    assert columns.split() == ["arousal", "real", "valence", "real", "liking", "real"]
    assert [row.split("  ")[0] for row in rows] == list(STATISTICS.values())[:5]
    assert rows[0].split()[-5:-4] == ["0.1340"] and " - " in rows[2]  # no stretch of 20 s in recordings of 6 s


@pytest.mark.parametrize("reader", [avec2012, recola])
def test_corpora_with_a_file_for_each_dimension(reader, tmp_path):
    """In their own layout, real or simulated: nothing but label files is needed."""
    wave = np.round(0.5 * np.sin(np.arange(7501) / 100), 6)
    for target, values in (("arousal", wave), ("valence", wave / 2)):
        if reader is recola:
            path = tmp_path / "ratings_gold_standard" / target / "train_1.arff"
            path.parent.mkdir(parents=True)
            write_gold(path, 0.04 * np.arange(7501), values)
            continue
        path = tmp_path / "audio" / "train" / "labels" / f"labels_continuous_train001_{target}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, values, fmt="%.6f")
    corpus, rate, gold = describe.read_gold_standards(tmp_path)
    assert corpus == "RECOLA" and rate == pytest.approx(25 if reader is recola else 49.979)
    np.testing.assert_allclose(gold["arousal"][0], wave)
    np.testing.assert_allclose(gold["valence"][0], wave / 2, atol=1e-6)
    rows = {row[:48].strip(): row[48:].split() for row in describe.write_table(tmp_path).splitlines()[2:]}
    assert list(rows) == list(STATISTICS.values())
    assert rows["deviation, all recordings"][1::2] == ["0.1910", "0.1290"]
    expected = ["0.0076", "0.0032"] if reader is recola else ["-", "-"]  # at another rate it is another statistic
    assert rows["1000 Siamese"][1::2] == expected


@pytest.mark.parametrize("folders", [("labels", "audio"), ("ratings_gold_standard",)])
def test_a_corpus_without_labels_is_refused(folders, tmp_path):
    for folder in folders:
        (tmp_path / folder).mkdir()
    with pytest.raises(InputError, match="has no labels"):
        describe.write_table(tmp_path)


def test_a_folder_that_is_no_such_corpus_is_refused_in_one_line(tmp_path):
    done = described("--describe", tmp_path)
    assert done.returncode == 3 and done.stderr.count("\n") == 1 and str(tmp_path) in done.stderr


@pytest.mark.parametrize(
    "words", [[], ["avec2017"], ["avec2017", "x", "--describe", "y"], ["--describe", "y", "--seed", 1]]
)
def test_wrong_words_are_refused(words):
    done = described(*words)
    assert done.returncode == 2 and "error:" in done.stderr
