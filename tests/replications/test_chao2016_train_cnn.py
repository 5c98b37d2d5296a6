"""The command line that trains AlexNet: faces in folders, weights, interruptions, what it refuses."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from common.errors import InputError
from replications.chao2016 import caffenet, solver
from replications.chao2016 import train_cnn as run
from tests.replications.test_chao2016_caffenet import SMALL, arrays, drawn
from tests.replications.test_chao2016_solver import people


@pytest.fixture
def folders(tmp_path):
    """A folder of images for each of three people, and what else lies about."""
    faces, labels = people()
    root = tmp_path / "faces"
    for index, (face, label) in enumerate(zip(faces, labels, strict=True)):
        path = root / ("Ann Lee", "Bo", "Cai")[label] / f"{index}{('.png', '.JPG')[index % 2]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), face[..., ::-1])
    (root / "Bo" / "urls.txt").write_text("of no use")
    (root / "nobody").mkdir()
    return root


@pytest.fixture
def settled(monkeypatch):
    """The settings of this file, changed by `changed`, for those of the paper."""

    def settle(**changed):
        monkeypatch.setattr(run, "load_paper", lambda path: None)
        monkeypatch.setattr(run, "resolve_settings", lambda *_: SMALL | changed)

    settle()
    return settle


def test_faces_are_found_and_read(folders):
    found = run.find(folders)
    assert found.people == 3 and len(found) == 12 and found.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert {path.parent.name for path in found.paths[4:8]} == {"Bo"}
    face = found[list(found.paths).index(folders / "Ann Lee" / "0.png")]
    np.testing.assert_array_equal(face, people()[0][0])
    digest = found.digest
    assert run.find(folders).digest == digest
    (folders / "Bo" / "4.png").rename(folders / "Ann Lee" / "4.png")
    assert run.find(folders).digest != digest


def test_weights_are_written_and_can_be_loaded(called, folders, tmp_path, settled):
    code, out, err = called(folders, tmp_path / "new" / "cnn.npz", "--threads", 2)
    assert code == 0 and "12 faces of 3 people, 3 epochs, loss " in out and "note" not in err
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["cnn.npz"]
    model = drawn(outputs=3)
    first = arrays(model)
    caffenet.load(model, tmp_path / "new" / "cnn.npz")
    assert not any(np.array_equal(one, other) for one, other in zip(arrays(model), first, strict=True))
    code, _, err = called(folders, tmp_path / "new" / "cnn.npz")
    assert code == 3 and "cnn.npz: is there already" in err


def test_an_interruption_keeps_the_checkpoint(called, folders, tmp_path, settled, monkeypatch):
    asked = []

    def train(settings, faces, labels, seed, checkpoint, progress, digest):
        asked.append((checkpoint, digest))
        checkpoint.touch()
        progress(0.5)
        if len(asked) == 1:
            raise KeyboardInterrupt
        return drawn(outputs=3), {"loss": [2.0, 1.0]}

    monkeypatch.setattr(solver, "train", train)
    code, _, err = called(folders, tmp_path / "cnn.npz")
    assert code == 130 and "goes on from there" in err and asked[0][0].exists()
    assert called(folders, tmp_path / "cnn.npz")[0] == 0
    assert asked[0] == asked[1] and not asked[0][0].exists() and (tmp_path / "cnn.npz").exists()


@pytest.fixture
def trained(monkeypatch):
    """The settings and the faces with which a network would be trained."""
    asked = []

    def train(settings, faces, weights, threads):
        asked.append((settings, faces))
        return {"loss": [2.0, 1.0]}

    monkeypatch.setattr(run, "train", train)
    return asked


def test_other_people_than_the_paper_s_are_noted(called, folders, tmp_path, settled, trained):
    settled(cnn_identities=1032)
    code, _, err = called(folders, tmp_path / "cnn.npz")
    assert code == 0 and "note: 3 people, where cnn_identities is 1032" in err
    assert trained[0][0] == SMALL


def test_images_that_are_none(called, folders, tmp_path, settled, trained):
    (folders / "Bo" / "4.png").write_text("<html>404</html>")
    (folders / "Cai" / "empty.jpg").write_bytes(b"")
    code, _, err = called(folders, tmp_path / "cnn.npz")
    assert code == 3 and err.count("unusable: ") == 2 and not trained
    assert "4.png: 2 of 13 images cannot be read (named above); fetch them again, or" in err.splitlines()[-1]
    code, out, _ = called(folders, tmp_path / "cnn.npz", "--skip-unusable")
    assert code == 0 and "11 faces of 3 people" in out and len(trained[0][1]) == 11


def test_people_without_a_readable_image_are_left_out(folders):
    for path in (folders / "Bo").iterdir():
        path.write_bytes(b"")
    arguments = SimpleNamespace(threads=1, skip_unusable=True, faces=folders)
    found = run.keep_usable(run.find(folders), arguments)
    assert found.labels.tolist() == [0] * 4 + [1] * 4
    for path in (folders / "Cai").iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match="faces: images of 1 people, 2 or more are needed"):
        run.keep_usable(run.find(folders), arguments)


def test_what_the_command_line_refuses(called, folders, tmp_path, settled):
    (tmp_path / "file").write_text("")
    weights = tmp_path / "cnn.npz"
    for words, code, message in [
        ((tmp_path / "absent", weights), 3, "absent: no such folder; name the one that has a folder of images"),
        ((folders / "Bo", weights), 3, "Bo: images of 0 people, 2 or more are needed"),
        ((folders, tmp_path / "file" / "cnn.npz"), 4, "is no folder"),
        ((folders, tmp_path / "cnn.h5"), 2, "WEIGHTS is a file .npz"),
        ((folders, weights, "--threads", 0), 2, "--threads is 1 or more"),
    ]:
        found, _, err = called(*words)
        assert found == code and message in err.splitlines()[-1]
    for changed in ({"cnn_order": "resnet"}, {"cnn_batch": 0}, {"cnn_dropout": 1.0}, {"cnn_momentum": 1.5}):
        settled(**changed)
        found, _, err = called(folders, weights)
        assert found == 3 and f"setting {next(iter(changed))}: " in err
    assert not weights.exists()
