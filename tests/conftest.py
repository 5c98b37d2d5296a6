"""Fixtures of the whole suite."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None)  # a busy machine is no defect
settings.load_profile("suite")


@pytest.fixture
def real_data() -> Path:
    """Folder with the public parts of real corpora, named by AVEMOTION_DATA; without it the test is skipped."""
    folder = os.environ.get("AVEMOTION_DATA")
    if not folder:
        pytest.skip("AVEMOTION_DATA is not set: real AVEC 2019 labels not checked")
    return Path(folder)
