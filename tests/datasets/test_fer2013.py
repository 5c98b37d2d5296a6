"""The reader of FER2013: layout, what is refused, the check; and the simulated faces."""

import numpy as np
import pytest

from common.errors import InputError
from datasets import fer2013, openface
from datasets.simulated import emotions
from datasets.simulated import fer2013 as simulated
from datasets.simulated.face.camera import Camera
from datasets.simulated.face.expression import measure_action_units
from datasets.simulated.face.people import draw_identity
from datasets.simulated.script import stream

PIXELS = " ".join(str(i % 256) for i in range(48 * 48))


def write(folder, rows, header="emotion,pixels,Usage"):
    (folder / "fer2013.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "fer2013.csv"


def row(label=3, pixels=PIXELS, usage="Training", quote=""):
    return f"{label},{quote}{pixels}{quote},{usage}"


@pytest.mark.parametrize("quote", ["", '"'])
def test_reads(tmp_path, quote):
    rows = [row(0, quote=quote), row(6, " ".join(["255"] * 2304), "PublicTest", quote), row(3, usage="PrivateTest")]
    path = write(tmp_path, rows)
    for where in (path, tmp_path):
        faces = fer2013.read(where)
        assert faces.images.shape == (3, 48, 48) and faces.images.dtype == np.uint8
        assert faces.images[0, 1, 0] == 48 and faces.images[0, 0, 1] == 1  # row by row
        assert (faces.images[1] == 255).all()
        assert faces.labels.tolist() == [0, 6, 3] and fer2013.CLASSES[faces.labels[2]] == "Happy"
        assert faces.usage.tolist() == ["Training", "PublicTest", "PrivateTest"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row(pixels=PIXELS[: PIXELS.rindex(" ")]), "line 3 has 2303 pixels, expected 2304"),
        (row(pixels=PIXELS + " 7"), "line 3 has 2305 pixels"),
        (row(pixels=""), "line 3 has 0 pixels"),
        (row(7), "line 3: emotion '7' is none of 0 to 6"),
        (row("Happy"), "line 3: emotion 'Happy'"),
        (row(pixels="256" + PIXELS[1:]), "line 3: a pixel lies outside 0 to 255"),
        (row(pixels="-1" + PIXELS[1:]), "line 3: a pixel lies outside 0 to 255"),
        (row(pixels="x" + PIXELS[1:]), "line 3: the pixels are not whole numbers"),
        (row(pixels="0.5" + PIXELS[1:]), "line 3: the pixels are not whole numbers"),
        (row(usage="Test"), "line 3: usage 'Test' is none of Training, PublicTest, PrivateTest"),
        (PIXELS, "line 3 has 1 fields"),
    ],
)
def test_a_bad_row_is_named(tmp_path, bad, message):
    with pytest.raises(InputError, match=f"fer2013.csv: {message}"):
        fer2013.read(write(tmp_path, [row(), bad]))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"fer2013.csv: no such file; .*Kaggle"):
        fer2013.read(tmp_path)
    with pytest.raises(InputError, match="line 1 is not emotion,pixels,Usage"):
        fer2013.read(write(tmp_path, [row()], "emotion, Usage, pixels"))
    with pytest.raises(InputError, match="is empty below its header"):
        fer2013.read(write(tmp_path, []))
    (tmp_path / "fer2013.csv").write_bytes(b"")
    with pytest.raises(InputError, match="line 1 is not"):
        fer2013.read(tmp_path)
    (tmp_path / "fer2013.csv").write_bytes(b"\x89PNG\xff\xfe\x00" * 10)
    with pytest.raises(InputError, match="is no table of text"):
        fer2013.read(tmp_path)


def test_check_compares_with_the_published_counts(tmp_path):
    problems = fer2013.check(write(tmp_path, [row(1)]))
    assert f"{tmp_path / 'fer2013.csv'}: 1 of Training, expected 28709" in problems
    assert f"{tmp_path / 'fer2013.csv'}: 1 of Disgust, expected 547" in problems
    assert len(problems) == 10
    assert fer2013.count(tmp_path) == {"Training": 1, "PublicTest": 0, "PrivateTest": 0}
    assert fer2013.read_simulation(tmp_path) is None


def test_published_counts_agree():
    assert sum(fer2013.COUNTS) == sum(fer2013.USAGES.values()) == 35887


# simulated


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small corpus, its pictures blank: how faces are drawn is tested by themselves."""
    root = tmp_path_factory.mktemp("simulated") / "fer2013"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulated, "make_picture", lambda seed, number, label: np.full((48, 48), number % 256, np.uint8))
        simulated.write(root, images=700)
    return root


def test_simulated_corpus_has_the_shares_of_the_real_one(made):
    faces = fer2013.read(made)
    counts = np.bincount(faces.labels, minlength=7)
    assert np.abs(counts - 700 * np.array(fer2013.COUNTS) / 35887).max() <= 1
    found = fer2013.count(made)
    assert found["Training"] + found["PublicTest"] + found["PrivateTest"] == 700
    assert abs(found["Training"] - 560) <= 7 and abs(found["PublicTest"] - 70) <= 7
    for usage in fer2013.USAGES:
        assert set(faces.labels[faces.usage == usage]) == set(range(7))
    assert np.mean(np.diff(faces.labels) == 0) < 0.5  # classes are mixed


def test_check_of_a_simulated_corpus(made, tmp_path):
    assert fer2013.check(made) == [] and fer2013.read_simulation(made)["images"] == 700
    lines = (made / "fer2013.csv").read_text().splitlines()
    write(tmp_path, lines[1:-1])
    (tmp_path / "simulated.json").write_bytes((made / "simulated.json").read_bytes())
    assert fer2013.check(tmp_path) == [f"{tmp_path / 'fer2013.csv'}: 699 of images, expected 700"]
    (tmp_path / "simulated.json").write_text("{}")
    with pytest.raises(InputError, match="simulated.json: cannot be read"):
        fer2013.check(tmp_path)


def test_check_from_the_command_line(made, monkeypatch, capsys):
    from datasets import check

    monkeypatch.setattr("sys.argv", ["check", "fer2013", str(made)])
    assert check.main() == 0
    counts = ", ".join(f"{number} {usage}" for usage, number in fer2013.count(made).items())
    assert capsys.readouterr().out == f"{made}: simulated fer2013: {counts}\ncomplete\n"


def test_written_from_the_command_line(tmp_path, monkeypatch, capsys):
    from datasets import simulate

    monkeypatch.setattr(simulated, "make_picture", lambda seed, number, label: np.zeros((48, 48), np.uint8))
    monkeypatch.setattr("sys.argv", ["simulate", "fer2013", str(tmp_path / "fer"), "--images", "700", "--seed", "3"])
    assert simulate.main() == 0
    assert fer2013.read_simulation(tmp_path / "fer") == {"layout": "fer2013", "seed": 3, "images": 700, "version": 1}
    assert "written" in capsys.readouterr().out


def test_a_corpus_stays_as_it_is(made):
    before = (made / "fer2013.csv").stat().st_mtime_ns
    simulated.write(made, images=700)
    assert (made / "fer2013.csv").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="other parameters"):
        simulated.write(made, images=701)
    with pytest.raises(InputError, match="at least 700"):
        simulated.write(made, images=699)


def test_pictures_depend_on_seed_and_number():
    one = simulated.make_picture(0, 5, 3)
    assert one.shape == (48, 48) and one.dtype == np.uint8 and np.ptp(one) > 60
    np.testing.assert_array_equal(simulated.make_picture(0, 5, 3), one)
    for other in (simulated.make_picture(1, 5, 3), simulated.make_picture(0, 6, 3)):
        assert np.abs(other.astype(int) - one).mean() > 5


@pytest.mark.parametrize("name", fer2013.CLASSES)
def test_expressions_show_the_action_units_of_their_class(name):
    """By the renderer's own account; the jaw cannot drop (AU26) without parting the lips (AU25)."""
    units = set(emotions.ACTION_UNITS[name])
    for seed in range(5):
        shown = measure_action_units(simulated.draw_expression(stream(seed, "test"), name))
        present = {int(unit[2:4]) for unit, strength in zip(openface.ACTION_UNITS, shown) if strength > 1}
        assert present == units | ({25} if 26 in units else set())


def test_the_same_person_looks_different_with_each_expression():
    shots = {}
    for label in range(7):
        rng = stream(0, "person")
        who = draw_identity(rng)
        camera, state = Camera(rng, who), simulated.draw_state(rng)
        shots[label] = camera.shoot(simulated.draw_expression(rng, fer2013.CLASSES[label]), state, 0)[0].astype(int)
    differences = [np.abs(shots[a] - shots[b]).max() for a in shots for b in range(a)]
    assert min(differences) > 40
