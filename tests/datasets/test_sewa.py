"""Label files of SEWA as two challenges distribute them, with the defects that copies have; and who chatted with whom."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from datasets import avec2019_public, sewa

# as distributed: no header, `;`, quoted name, six decimals, a label every 0.1 s
LABELS = """\
'Train_01';0.000000;0.000000;0.000000;0.000000
'Train_01';0.100000;0.012300;-0.004500;0.000100
'Train_01';0.200000;0.024600;-0.009000;0.000200
'Train_01';0.300000;-1.000000;1.000000;0.000300
"""
HEADER = "name;timestamp;arousal;valence;liking\n"
VALUES = np.array([[0, 0, 0, 0], [0.1, 0.0123, -0.0045, 0.0001], [0.2, 0.0246, -0.009, 0.0002], [0.3, -1, 1, 0.0003]])


def label_file(folder: Path, content: str | bytes) -> Path:
    path = folder / "Train_01.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def columns(labels: sewa.Labels) -> np.ndarray:
    return np.stack([labels.time, labels.arousal, labels.valence, labels.liking], axis=1)


# label files


@pytest.mark.parametrize(
    "content",
    [
        LABELS,
        HEADER + LABELS,
        LABELS.replace(";", ","),
        (HEADER + LABELS).replace(";", ","),
        LABELS.replace("\n", "\r\n"),
        (HEADER + LABELS).replace("\n", "\r\n"),
        LABELS.replace("'", ""),
        LABELS.rstrip("\n"),
        LABELS + "\n\n",
        "\ufeff" + LABELS,
        "\ufeff" + HEADER + LABELS,
        HEADER.replace(";", " ; ") + LABELS.replace(";", "; "),
    ],
    ids=[
        "as distributed", "header of 2019", "commas", "commas and header", "CRLF", "CRLF and header", "no quotes",
        "no last line end", "blank lines at the end", "byte order mark", "byte order mark and header", "spaces",
    ],
)  # fmt: skip
def test_the_forms_of_a_label_file(tmp_path, content):
    np.testing.assert_array_equal(columns(sewa.read_labels(label_file(tmp_path, content))), VALUES)


@given(st.lists(st.tuples(*[st.integers(-1_000_000, 1_000_000)] * 3), min_size=1, max_size=30))
def test_labels_of_six_decimals_are_read_to_the_last(tmp_path_factory, rows):
    values = np.array(rows) / 1e6
    lines = [f"'Train_01';{0.1 * k:.6f};{a:.6f};{v:.6f};{x:.6f}" for k, (a, v, x) in enumerate(values)]
    found = sewa.read_labels(label_file(tmp_path_factory.getbasetemp(), "\n".join(lines)))
    np.testing.assert_allclose(columns(found)[:, 1:], values, atol=1e-9)
    np.testing.assert_allclose(found.time, np.arange(len(rows)) * 0.1, atol=1e-9)


def changed(line: int, old: str, new: str) -> str:
    lines = LABELS.splitlines(keepends=True)
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new)
    return "".join(lines)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LABELS.replace(";0.000100", ""), "line 2 has 4 fields separated by ';', expected name;timestamp;arousal;valence;liking"),
        (re.sub(r";[^;]*\n", "\n", LABELS), "line 1 has 4 fields"),
        (HEADER.replace(";liking", "") + re.sub(r";[^;]*\n", "\n", LABELS), "line 1"),
        (HEADER.replace("arousal;valence", "valence;arousal") + LABELS, "line 1"),
        (LABELS.replace(";", "\t"), "line 1 has 1 fields separated by ';'"),
        (LABELS.replace(".", ","), "line 1"),
        (changed(1, "0.012300", "NaN"), "line 2 holds NaN or infinity"),
        (changed(2, "-0.009000", "inf"), "line 3 holds NaN or infinity"),
        (changed(1, "0.012300", "?"), "line 2"),
        (changed(1, "0.012300", ""), "line 2"),
        (HEADER + changed(1, "0.012300", "loud"), "line 3"),
        (LABELS.replace("0.200000", "0.300000").replace("0.300000;-1", "0.400000;-1"), "after 0.1 s the next label is at 0.3 s"),
        ("".join(LABELS.splitlines(keepends=True)[2:]), "starts at 0.2 s, expected at 0"),
        (changed(1, "0.100000", "0.000000"), "after 0.0 s the next label is at 0.0 s"),
        (changed(2, "0.200000", "0.050000"), "after 0.1 s the next label is at 0.1 s"),
        (changed(3, "-1.000000", "-1.000001"), "line 4 has a label outside [-1, 1]"),
        (HEADER + changed(2, "0.024600", "24.6"), "line 4 has a label outside [-1, 1]"),
        ("", "is empty"),
        ("\n \r\n", "is empty"),
        (HEADER, "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\xff" * 10, "is no text file"),
        (LABELS.encode("utf-16"), "is no text file"),
    ],
    ids=[
        "a field missing", "a column missing", "a column missing, with header", "columns in another order", "tabs", "decimal commas",
        "NaN", "infinity", "question mark", "empty field", "word", "gap", "gap at the start", "time stands still", "time goes back",
        "below -1", "scaled by 1000", "no bytes", "blank lines", "header only", "binary", "UTF-16",
    ],
)  # fmt: skip
def test_a_defect_is_named_with_file_and_line(tmp_path, content, words):
    path = label_file(tmp_path, content)
    with pytest.raises(InputError) as caught:
        sewa.read_labels(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and words in message and "\n" not in message


def test_lines_are_counted_as_an_editor_does(tmp_path):
    with pytest.raises(InputError, match="line 4 holds NaN"):
        sewa.read_labels(label_file(tmp_path, "\n\n" + changed(1, "0.012300", "nan")))


def test_a_label_file_that_is_missing_or_a_folder(tmp_path):
    for path in (tmp_path / "Train_01.csv", tmp_path):
        with pytest.raises(InputError, match=re.escape(f"{path}: cannot be read")):
            sewa.read_labels(path)


def test_the_released_labels_of_2019(real_data):
    """The German and Hungarian development partitions, with the header that they have there."""
    folder = real_data / "avec2019" / "Baseline_systems" / "CES" / "labels_devel"
    found = [sewa.read_labels(path) for path in sorted(folder.rglob("*.csv"))]
    assert (len(found), sum(len(labels.time) for labels in found)) == (28, 40_032)
    assert {len(labels.time) for labels in found} >= {974, 1755, 1136, 1768}
    for labels in found:
        np.testing.assert_allclose(labels.time, np.arange(len(labels.time)) * sewa.LABEL_HOP, atol=1e-6)


# chats

LENGTHS = {"Devel_DE_01": 60, "Devel_DE_02": 75, "Devel_DE_03": 61, "Devel_DE_04": 75} | {
    "Devel_HU_01": 50,
    "Devel_HU_02": 68,
    "Devel_HU_03": 50,
    "Devel_HU_04": 68,
}


def pairings(names):
    """All ways to divide `names` into pairs."""
    if not names:
        yield ()
        return
    first, *rest = names
    for partner in rest:
        for others in pairings([name for name in rest if name != partner]):
            yield ({first, partner}, *others)


@settings(max_examples=300)
@given(st.lists(st.integers(10, 20), min_size=2, max_size=8).filter(lambda lengths: len(lengths) % 2 == 0))
def test_chats_are_the_only_closest_pairing(values):
    lengths = {f"Devel_DE_{number:02d}": value for number, value in enumerate(values, start=1)}
    costs = [(sum(abs(lengths[a] - lengths[b]) for a, b in pairing), pairing) for pairing in pairings(sorted(lengths))]
    least = min(cost for cost, _ in costs)
    best = [pairing for cost, pairing in costs if cost == least]
    close = any(all(abs(lengths[a] - lengths[b]) <= 1 for a, b in pairing) for pairing in best)
    if len(best) == 1 and close:
        found = sewa.pair_chats(lengths)
        assert list(found) == list(lengths)
        assert all(found[a] == found[b] for a, b in best[0])
        assert len(set(found.values())) == len(values) // 2
    else:
        with pytest.raises(ValueError):
            sewa.pair_chats(lengths)


def test_chats_of_two_cultures():
    assert sewa.pair_chats(LENGTHS) == {
        "Devel_DE_01": "DE_01-03",
        "Devel_DE_02": "DE_02-04",
        "Devel_DE_03": "DE_01-03",
        "Devel_DE_04": "DE_02-04",
        "Devel_HU_01": "HU_01-03",
        "Devel_HU_02": "HU_02-04",
        "Devel_HU_03": "HU_01-03",
        "Devel_HU_04": "HU_02-04",
    }


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"Devel_DE_05": 90}, "5 recordings do not pair up"),
        ({"Devel_DE_03": 63}, "Devel_DE_01 has no partner: the next in length, Devel_DE_03, has 3 rows more"),
        ({"Devel_HU_02": 50, "Devel_HU_04": 50}, "not unique: Devel_HU_02 and Devel_HU_03 both have 50 rows"),
    ],
)
def test_recordings_that_are_no_chats(changes, message):
    with pytest.raises(ValueError, match=message):
        sewa.pair_chats(LENGTHS | changes)


def test_chats_are_pairs_of_one_length():
    assert sewa.pair_chats({"Devel_01": 90, "Devel_02": 70, "Devel_03": 71, "Devel_04": 90}) == {
        "Devel_01": "01-04",
        "Devel_02": "02-03",
        "Devel_03": "02-03",
        "Devel_04": "01-04",
    }
    with pytest.raises(ValueError, match="not unique"):
        sewa.pair_chats({f"Devel_{number:02}": 90 for number in range(1, 5)})


def test_the_german_recordings_of_the_challenge_pair_up(real_data):
    """Those of 2019 are those of 2017."""

    labels = avec2019_public.read(real_data / "avec2019").labels
    german = {name: len(values.time) for name, values in labels.items() if "_DE_" in name}
    assert len(german) == 14 and len(set(sewa.pair_chats(german).values())) == 7
