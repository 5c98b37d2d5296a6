"""Result files: written whole or not at all, arrays that belong to their record, damage that is noticed."""

import errno
import json
import os
import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import results, storage
from common.errors import InputError, WriteError

RECORD = {"paper": "lee2018", "scores": {"CCC": 0.5, "CC": None}, "words": ["ü"]}
ARRAYS = {
    "gold/Devel_01": np.linspace(0, 1, 5, dtype=np.float32),
    "count": np.array(3),
    "flags": np.array([True, False]),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def full_disk(file):
    file.write(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# basics


def test_record_and_arrays_round_trip(tmp_path):
    path = tmp_path / "lee2018" / "deep" / "seed0.json"
    results.write(path, RECORD, ARRAYS)
    record = results.read(path)
    assert {name: record[name] for name in RECORD} == RECORD and record["schema"] == results.SCHEMA
    found = results.read_arrays(path, record)
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert {file.name for file in path.parent.iterdir()} == {"seed0.json", "seed0.npz"}


def test_arrays_are_as_numpy_reads_them_and_not_to_be_written_to(tmp_path):
    odd = {
        "empty": np.zeros((0, 3)), "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "words": np.array(["ü", "ab"]),
        "other order": np.arange(3, dtype=">i2"), "face": np.full((2, 2, 3), 7, np.uint8), "nan": np.array([np.nan, -np.inf]),
    }  # fmt: skip
    path = tmp_path / "seed0.json"
    results.write(path, RECORD, odd | ARRAYS)
    found = results.read_arrays(path, results.read(path))
    with np.load(path.with_suffix(".npz")) as expected:
        assert list(found) == list(expected)
        for key, array in expected.items():
            np.testing.assert_array_equal(found[key], array, strict=True)
            assert found[key].flags.f_contiguous == array.flags.f_contiguous and not found[key].flags.writeable


def test_arrays_of_objects_are_not_unpacked(tmp_path):
    path = tmp_path / "seed0.json"
    results.write(path, RECORD, {"gold": np.array([{}, None])})
    with pytest.raises(ValueError, match="(?i)object"):
        results.read_arrays(path, results.read(path))


def test_a_record_without_arrays_has_none(tmp_path):
    path = tmp_path / "seed0.json"
    results.write(path, RECORD)
    assert results.read_arrays(path, results.read(path)) == {}
    assert [file.name for file in tmp_path.iterdir()] == ["seed0.json"]


def test_same_content_gives_same_bytes(tmp_path):
    for name in ("one", "two"):
        results.write(tmp_path / name / "seed0.json", RECORD, ARRAYS)
    for file in ("seed0.json", "seed0.npz"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_files_are_as_public_as_others(tmp_path):
    storage.write_json(tmp_path / "made.json", {})
    (tmp_path / "other.json").touch()
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("made.json", "other.json")}
    assert len(modes) == 1


def test_find_goes_through_one_paper_in_order_of_paths(tmp_path):
    for name in ("b/seed1", "b/seed0", "a/seed10", "c/seed0"):
        results.write(tmp_path / "lee2018" / f"{name}.json", {"paper": "lee2018"}, ARRAYS)
    results.write(tmp_path / "chao2016" / "a.json", {"paper": "chao2016"})
    results.write(tmp_path / "lee2018" / "b" / "stray.json", {"paper": "chao2016"})
    found = [str(path.relative_to(tmp_path / "lee2018")) for path, _ in results.find(tmp_path, "lee2018")]
    assert found == ["a/seed10.json", "b/seed0.json", "b/seed1.json", "c/seed0.json"]
    assert list(results.find(tmp_path / "nothing", "lee2018")) == []


# digests


def test_digest_knows_values_and_no_order_of_keys():
    assert storage.digest({"a": 1, "b": {"c": 2, "d": 3}}) == storage.digest({"b": {"d": 3, "c": 2}, "a": 1})
    assert storage.digest([1, 2]) != storage.digest([2, 1])
    assert storage.digest({"a": 1}) != storage.digest({"a": "1"})


@given(JSON, JSON)
def test_digests_are_equal_when_the_json_is(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (storage.digest(one) == storage.digest(other)) == same


@given(st.dictionaries(st.text(), st.integers(), min_size=2, max_size=6))
def test_digest_of_a_dictionary_written_backwards(values):
    assert storage.digest(values) == storage.digest(dict(reversed(values.items())))


def test_digest_of_a_file_follows_its_content(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"one")
    first = storage.digest_file(file)
    assert first == storage.digest_bytes(b"one") == storage.digest_file(file)
    file.write_bytes(b"other")
    assert storage.digest_file(file) == storage.digest_bytes(b"other") != first


# failed writes


def test_full_disk_leaves_nothing_and_is_said_in_one_line(tmp_path):
    path = tmp_path / "results" / "seed0.json"
    with pytest.raises(WriteError) as caught:
        storage.write_atomically(path, full_disk)
    assert (
        str(caught.value).startswith(f"{path}: ")
        and "No space left" in str(caught.value)
        and "\n" not in str(caught.value)
    )
    assert list(path.parent.iterdir()) == []


def test_failed_rewrite_keeps_the_old_file(tmp_path):
    path = tmp_path / "seed0.json"
    storage.write_json(path, {"old": 1})
    before = path.read_bytes()
    with pytest.raises(WriteError):
        storage.write_atomically(path, full_disk)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_failing_rename_leaves_nothing(tmp_path, monkeypatch):
    def refuse(source, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(WriteError, match="Permission denied"):
        results.write(tmp_path / "seed0.json", RECORD, ARRAYS)
    assert list(tmp_path.iterdir()) == []


def test_an_error_without_a_system_message_is_still_told(tmp_path):
    def fail(file):
        raise OSError("the quota of the group is used up")

    with pytest.raises(WriteError, match="the quota of the group is used up"):
        storage.write_atomically(tmp_path / "seed0.json", fail)


def test_a_bug_in_the_writer_is_no_write_error_and_leaves_nothing(tmp_path):
    def fail(file):
        file.write(b"half")
        raise KeyError("bug")

    with pytest.raises(KeyError):
        storage.write_atomically(tmp_path / "seed0.json", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "results").write_text("mine")
    with pytest.raises(WriteError, match=str(tmp_path / "results")):
        storage.write_json(tmp_path / "results" / "lee2018" / "seed0.json", {})
    assert (tmp_path / "results").read_text() == "mine"


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_nan_is_refused_before_anything_is_written(tmp_path, score):
    path = tmp_path / "seed0.json"
    with pytest.raises(ValueError):
        results.write(path, {"scores": {"CCC": score}}, ARRAYS)
    assert list(tmp_path.iterdir()) == []


def test_refused_rewrite_keeps_record_and_arrays(tmp_path):
    path = tmp_path / "seed0.json"
    results.write(path, RECORD, ARRAYS)
    with pytest.raises(ValueError):
        results.write(path, {"CCC": float("nan")}, {"gold/Devel_01": np.zeros(9)})
    np.testing.assert_array_equal(
        results.read_arrays(path, results.read(path))["gold/Devel_01"], ARRAYS["gold/Devel_01"]
    )


# damaged files


@pytest.mark.parametrize(
    "content",
    [b"", b'{"schema": 1, "paper": "le', b"\xff\xfe\x00", b"[]", b'"text"', b'{"schema": 0}', b'{"paper": "lee2018"}'],
    ids=["empty", "truncated", "binary", "list", "string", "other schema", "no schema"],
)
def test_what_is_no_record_is_refused_by_name(tmp_path, content):
    path = tmp_path / "seed0.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="delete it and run again") as caught:
        results.read(path)
    assert str(path) in str(caught.value)


def test_missing_record(tmp_path):
    with pytest.raises(InputError, match="nowhere.json"):
        results.read(tmp_path / "nowhere.json")


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "seed0.json"
    results.write(path, RECORD, ARRAYS)
    return path


def test_tampered_arrays(written):
    file = written.with_suffix(".npz")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError, match="does not belong to seed0.json"):
        results.read_arrays(written, results.read(written))


def test_arrays_of_another_result(written):
    np.savez(written.with_suffix(".npz"), count=np.array(4))
    with pytest.raises(InputError, match="does not belong"):
        results.read_arrays(written, results.read(written))


def test_missing_arrays(written):
    written.with_suffix(".npz").unlink()
    with pytest.raises(InputError, match="missing beside seed0.json"):
        results.read_arrays(written, results.read(written))


@pytest.mark.parametrize("arrays", [{}, None, "seed0.npz", {"sha256": 5}])
def test_record_that_says_nothing_usable_of_its_arrays(written, arrays):
    record = {**results.read(written), "arrays": arrays}
    with pytest.raises(InputError, match="does not belong"):
        results.read_arrays(written, record)


def test_a_record_cannot_point_to_another_file(written, tmp_path):
    np.savez(tmp_path / "other.npz", count=np.array(4))
    record = results.read(written)
    record["arrays"]["file"] = "other.npz"
    assert results.read_arrays(written, record)["count"] == 3
