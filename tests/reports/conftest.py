"""Reports of invented results have those alone, not the ones that come with the suite; here one process draws them."""

import pytest

from reports import evaluation


@pytest.fixture(autouse=True)
def nothing_committed(monkeypatch, tmp_path):
    monkeypatch.setattr(evaluation, "COMMITTED", tmp_path / "nothing-committed")
    monkeypatch.setattr("common.running.options.count_cores", lambda: 1)
