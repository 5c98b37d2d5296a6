import pytest

from tests.common.evidence.invented import MINIMAL


@pytest.fixture
def toml(tmp_path):
    """Writes a small paper.toml in which `old` has become `new`; returns its path."""

    def write(old="", new="", text=MINIMAL):
        assert old in text
        path = tmp_path / "paper.toml"
        path.write_text(text.replace(old, new, 1))
        return path

    return write
