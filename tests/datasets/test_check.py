"""`python -m datasets.check`: what is there, what is missing, where to ask for it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from common.running import cli
from datasets import avec2017, avec2019, avec2019_public, check, fetch, sewa

ROOT = Path(__file__).parents[2]


def run(root: Path, corpus: str, capsys, monkeypatch) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["check", corpus, str(root)])
    code = cli.run(check.main)
    return (code, *capsys.readouterr())


@pytest.fixture
def checked(capsys, monkeypatch):
    return lambda root, corpus="avec2017": run(root, corpus, capsys, monkeypatch)


@pytest.fixture
def real(corpus, tmp_path) -> Path:
    """A tree of 34 + 14 + 16 recordings in the real layout; media are links to simulated ones, test labels are not released."""
    for folder, suffix in avec2017.FOLDERS.items():
        (tmp_path / "avec" / folder).mkdir(parents=True)
        for partition, count in avec2017.PARTITIONS.items():
            for number in range(1, count + 1):
                if (folder, partition) != ("labels", "Test"):
                    (tmp_path / "avec" / folder / f"{partition}_{number:02d}{suffix}").symlink_to(
                        corpus / folder / f"Train_01{suffix}"
                    )
    return tmp_path / "avec"


def test_a_whole_simulated_corpus_is_complete(corpus):
    command = [sys.executable, "-m", "datasets.check", "avec2017", str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{corpus}: simulated avec2017: 2 Train, 1 Devel, 0 Test\ncomplete\n"


def test_a_whole_real_corpus_is_complete(real, checked):
    assert checked(real) == (0, f"{real}: avec2017: 34 Train, 14 Devel, 16 Test\ncomplete\n", "")
    assert checked(real.parent)[0] == 0  # the folder above it, as an archive unpacks


def test_each_missing_file_is_named_and_counted(real, checked):
    gone = [
        real / "audio" / "Train_03.wav",
        real / "video" / "Devel_14.avi",
        real / "labels" / "Train_34.csv",
        real / "audio" / "Test_16.wav",
    ]
    for path in gone:
        path.unlink()
    code, out, _ = checked(real)
    assert code == 1 and "4 problems" in out
    assert all(f"{path}: missing" in out for path in gone)
    assert "db.sewaproject.eu" in out  # where to ask


def test_missing_turns_and_test_labels_are_no_problem(real, checked):
    shutil.rmtree(real / "turns")
    assert checked(real)[0] == 0


def test_a_part_of_the_corpus_says_how_much_is_missing(tmp_path, checked):
    """Folders without a single recording: every file of all 64 is missing, and that is no reason to stop."""
    for folder in ("audio", "labels"):
        (tmp_path / folder).mkdir()
    code, out, err = checked(tmp_path)
    needed = 3 * (34 + 14) + 2 * 16
    assert (code, err) == (1, "") and f"{needed} problems" in out and "0 Train, 0 Devel, 0 Test" in out
    assert out.count(": missing") == needed


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("file", "damage", "words"),
    [
        ("labels/Train_02.csv", lambda path: path.write_text(""), "is empty"),
        ("labels/Train_02.csv", lambda path: path.write_bytes(b"\x00\xff"), "is no text file"),
        ("labels/Train_02.csv", lambda path: path.write_text(path.read_text().replace(";", "\t")), "separated by ';'"),
        ("turns/Train_02.csv", lambda path: path.write_text("1.0\n"), "expected start;end"),
        ("audio/Train_02.wav", lambda path: path.write_bytes(b""), "cannot be read as audio"),
        ("audio/Train_02.wav", lambda path: soundfile.write(path, np.zeros(0), 16_000), "holds no audio"),
        ("audio/Train_02.wav", lambda path: soundfile.write(path, np.zeros(16_000), 16_000), "lasts 1.0 s, its labels"),
        ("video/Train_02.avi", lambda path: path.write_text("text"), "cannot be read as video"),
        ("video/Train_02.avi", cut, "it looks truncated"),
        ("video/Train_02.avi", lambda path: path.unlink(), "missing"),
    ],
)
def test_each_defect_is_one_line_that_names_the_file(copied, checked, file, damage, words):
    damage(copied / file)
    code, out, err = checked(copied)
    problems = [line for line in out.splitlines() if line.startswith("  ")]
    assert (code, err, len(problems)) == (1, "", 1)
    assert problems[0].startswith(f"  {copied / file}: ") and words in problems[0]
    assert "1 problem" in out and "sewaproject" not in out  # a simulated corpus is not to be asked for


@pytest.mark.parametrize("make", [lambda root: None, lambda root: root.mkdir()], ids=["missing", "empty"])
def test_a_wrong_folder(tmp_path, checked, make):
    make(tmp_path / "root")
    code, out, err = checked(tmp_path / "root")
    assert (code, out) == (3, "") and err.count("\n") == 1 and re.search(f"error: {tmp_path / 'root'}: ", err)


def test_wrong_usage():
    for arguments in ([], ["sewa", "."], ["avec2017"]):
        done = subprocess.run(
            [sys.executable, "-m", "datasets.check", *arguments], capture_output=True, text=True, cwd=ROOT
        )
        assert done.returncode == 2 and "usage: python -m datasets.check" in done.stderr


# AVEC 2019


@pytest.fixture
def real2019(corpus, tmp_path) -> Path:
    """2 x (34 + 14) recordings and two kinds of features; all are links to one simulated recording and its features."""
    labels = sewa.read_labels(corpus / "labels" / "Train_01.csv")
    one = tmp_path / "one"
    one.mkdir()
    (one / "functionals.csv").write_text("".join(f"'Train_DE_01';{time:.2f};0.5;1.5\n" for time in labels.time))
    (one / "vgg.txt").write_text("0.25,0.5\n" * len(labels.time))
    sources = {
        "audio": corpus / "audio" / "Train_01.wav",
        "video": corpus / "video" / "Train_01.avi",
        "labels": corpus / "labels" / "Train_01.csv",
        "visual_features_functionals": one / "functionals.csv",
        "visual_features_VGG": one / "vgg.txt",
    }
    for folder, source in sources.items():
        (tmp_path / "avec" / folder).mkdir(parents=True)
        for partition, count in avec2019.PARTITIONS.items():
            for stem in (f"{partition}_{culture}_{k + 1:02d}" for culture in avec2019.CULTURES for k in range(count)):
                name = f"{stem}_vgg.txt" if source.suffix == ".txt" else f"{stem}{source.suffix}"
                (tmp_path / "avec" / folder / name).symlink_to(source)
    return tmp_path / "avec"


def rewrite(path: Path, content: str) -> None:
    path.unlink()  # the link, not what it leads to
    path.write_text(content)


def test_a_whole_corpus_of_2019_is_complete(real2019, checked):
    counts = "34 Train DE, 34 Train HU, 14 Devel DE, 14 Devel HU"
    assert checked(real2019, "avec2019")[:2] == (0, f"{real2019}: avec2019: {counts}\ncomplete\n")
    (real2019 / "audio" / "Test_CN_01.wav").touch()  # no labels: passed over
    assert checked(real2019.parent, "avec2019")[0] == 0


def test_what_a_corpus_of_2019_lacks_is_one_line_each(real2019, checked):
    functionals, audio = real2019 / "visual_features_functionals", real2019 / "audio"
    (functionals / "Devel_HU_14.csv").unlink()
    (audio / "Train_DE_02.wav").unlink()
    whole = (functionals / "Train_HU_01.csv").read_text()
    rewrite(functionals / "Train_HU_01.csv", "".join(whole.splitlines(keepends=True)[:20]))
    rewrite(functionals / "Train_HU_02.csv", whole.replace(";1.5\n", ";nan\n"))
    rewrite(real2019 / "visual_features_VGG" / "Train_HU_03_vgg.txt", "0.25,0.5\n0.25;0.5\n")
    code, out, _ = checked(real2019, "avec2019")
    problems = sorted(line.strip() for line in out.splitlines() if line.startswith("  "))
    expected = [
        f"{audio}/Train_DE_02.wav: missing",
        f"{real2019}/visual_features_VGG/Train_HU_03_vgg.txt: line 2 has 1 fields",
        f"{functionals}/Devel_HU_14.csv: missing",
        f"{functionals}/Train_HU_01.csv: covers 0.0 to 1.9 s, its labels 0.0 to",
        f"{functionals}/Train_HU_02.csv: column 4 holds NaN",
    ]
    assert code == 1 and "5 problems" in out and "db.sewaproject.eu" in out
    assert len(problems) == 5 and all(found.startswith(words) for found, words in zip(problems, expected))


def test_the_public_files_are_compared_with_their_hashes(real_data, tmp_path, checked):
    root = Path(shutil.copytree(real_data / "avec2019", tmp_path / "avec2019"))
    counts = f"{root}: avec2019-public: 28 labels, 280 predictions\n"
    assert checked(root, "avec2019-public") == (0, f"{counts}complete\n", "")
    assert checked(root / avec2019_public.PUBLIC, "avec2019-public")[0] == 0
    first, second, *_ = (root / path for path in fetch.read_manifest("avec2019"))
    first.unlink()
    second.write_text("'Devel_DE_02';0;0;0;0\n")
    code, out, _ = checked(root, "avec2019-public")
    assert code == 1 and out.endswith("2 problems\n`python -m datasets.fetch avec2019` downloads what is not there\n")
    assert f"  {first}: missing\n  {second}: is not the published file" in out
