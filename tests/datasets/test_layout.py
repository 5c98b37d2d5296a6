"""What all readers lean on: partitions of which nothing is there, and what the simulator must have noted."""

import json

import pytest

from common.errors import InputError
from datasets import layout

GROUPS = {"train": [1, 2], "test": [3]}


def test_a_partition_is_taken_as_a_whole_or_not_at_all(tmp_path):
    def choose(there, partitions=("test", "train")):
        return layout.choose_partitions(GROUPS, partitions, there.__contains__, tmp_path, "afew", optional=("test",))

    assert choose({1, 3}) == [3, 1, 2] and choose({2}) == [1, 2]
    with pytest.raises(InputError, match=f"{tmp_path}: no recordings of the partition train; .*check afew {tmp_path}`"):
        choose({3})
    with pytest.raises(InputError, match="partition val"):
        choose({1, 2, 3}, partitions=("val",))


def test_what_the_simulator_noted_has_its_types(tmp_path):
    assert layout.read_marker(tmp_path, train=int) is None
    (tmp_path / layout.MARKER).write_text(json.dumps({"train": 2, "seconds": 5, "layout": "afew"}))
    made = layout.read_marker(tmp_path, train=int, seconds=float)
    assert made == {"train": 2, "seconds": 5.0, "layout": "afew"} and isinstance(made["seconds"], float)
    for lacking in ({"val": int}, {"layout": int}):
        with pytest.raises(InputError, match=f"{tmp_path / layout.MARKER}: cannot be read; delete the corpus"):
            layout.read_marker(tmp_path, **lacking)


def test_a_medium_may_end_a_little_before_its_labels_and_no_more(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from common.media import video

    film = tmp_path / "film.avi"
    film.touch()
    monkeypatch.setattr(video, "measure_duration", lambda path: 9.0)
    assert layout.check_media(None, film, SimpleNamespace(time=[0, 10.0])) == []
    (problem,) = layout.check_media(tmp_path / "absent.wav", film, SimpleNamespace(time=[0, 10.1]))
    assert problem.startswith(f"{film}: lasts 9.0 s, its labels 10.1 s; it looks truncated")
    assert layout.check_media(None, film, None) == []
