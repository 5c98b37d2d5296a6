"""Values of settings: profiles, what is accepted for one, and what is refused."""

import pytest

from common.errors import InputError
from common.evidence.paper import Setting
from common.evidence.settings import resolve_settings
from tests.common.evidence.invented import LEE


def test_profiles():
    assert resolve_settings(LEE, "paper")["crop_size"] == 96
    assert resolve_settings(LEE, "study")["crop_size"] == LEE.settings["crop_size"].study < 96
    assert resolve_settings(LEE, "quick")["crop_size"] <= resolve_settings(LEE, "study")["crop_size"]
    assert resolve_settings(LEE, "quick")["clip_frames"] == resolve_settings(LEE, "study")["clip_frames"] == 16
    with pytest.raises(InputError, match="quick, study, paper"):
        resolve_settings(LEE, "fast")


def test_a_profile_without_a_value_has_that_of_the_next_larger_one():
    def values(**given):
        setting = Setting("size", 96, "assumed", "", **given)
        return [setting.find_value(profile) for profile in ("quick", "study", "paper")]

    assert values() == [96, 96, 96] and values(study=48) == [48, 48, 96]
    assert values(quick=8) == [8, 96, 96] and values(study=48, quick=8) == [8, 48, 96]
    assert values(study=0) == [0, 0, 96]  # a value, too


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
    assert resolve_settings(LEE, "quick")["crop_size"] == LEE.settings["crop_size"].find_value("quick")
