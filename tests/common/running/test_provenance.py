"""What a result was computed with."""

from pathlib import Path

from common.running import provenance


def test_provenance():
    found = provenance.collect()
    expected = {
        "date",
        "commit",
        "dirty",
        "python",
        "tensorflow",
        "keras",
        "numpy",
        "opensmile",
        "dlib-bin",
        "processor",
        "threads",
        "onednn",
    }
    assert expected <= set(found)
    assert found["tensorflow"] == "2.16.2" and found["threads"] >= 1
    assert found["commit"] is None or len(found["commit"]) == 40
    assert not any(str(Path.home()) in str(value) for value in found.values())  # nothing private
