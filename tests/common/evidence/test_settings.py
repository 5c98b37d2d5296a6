"""Values of settings: profiles, what is accepted for one, and what is refused."""

import pytest

from common.errors import InputError
from common.evidence.settings import resolve_settings
from tests.common.evidence.invented import LEE


def test_profiles():
    assert resolve_settings(LEE, "paper")["crop_size"] == 96
    assert resolve_settings(LEE, "quick")["crop_size"] == LEE.settings["crop_size"].quick
    assert resolve_settings(LEE, "quick")["clip_frames"] == 16
    with pytest.raises(InputError, match="paper, quick"):
        resolve_settings(LEE, "fast")


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("crop_size=64", 64),
        ("colour=grey", "grey"),
        ('colour="grey"', "grey"),
        ("learning_rate=0.01", 0.01),
        ("label_delay=2", 2.0),
        ("resample=true", True),
        ("lstm_units=[8, 8]", [8, 8]),
        ("first_pool=[1,2,2]", [1, 2, 2]),
        (' postprocess_steps = ["smooth"]', ["smooth"]),
    ],
)
def test_override(override, value):
    found = resolve_settings(LEE, "quick", [override])[override.partition("=")[0].strip()]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("override", "accepted"),
    [
        ("crop_size=6.5", "a whole number"),
        ("crop_size=true", "a whole number"),
        ("crop_size=1\ncolour='grey'", "a whole number"),
        ("learning_rate=nan", "a number"),
        ("resample=1", "true or false"),
        ("lstm_units=[]", "a list"),
        ("lstm_units=[1, 2.5]", "a list"),
        ("colour=blue", "rgb, grey"),
        ("first_pool=[3, 3, 3]", r"\[1, 2, 2\]"),
        ("crop_siz=64", "did you mean crop_size"),
        ("zzz=1", "there are: clip_frames"),
        ("crop_size", "name=value"),
    ],
)
def test_override_refused(override, accepted):
    with pytest.raises(InputError, match=f"(?s)^setting .*{accepted}"):
        resolve_settings(LEE, "quick", [override])


def test_overrides_leave_the_paper_alone():
    resolve_settings(LEE, "quick", ["crop_size=64"])
    assert resolve_settings(LEE, "quick")["crop_size"] == LEE.settings["crop_size"].quick
