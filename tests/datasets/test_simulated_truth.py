"""What is displayed, restored from the truth, is what the simulator displayed."""

import numpy as np
import pytest

from datasets.simulated import script
from datasets.simulated.avec2017 import SEWA
from datasets.simulated.cultures import HU
from datasets.simulated.truth import trace_displayed
from tests.replications.planted import plant


@pytest.mark.parametrize("control", script.CONTROLS)
@pytest.mark.parametrize("culture", [SEWA, HU])
def test_face_and_voice_display_what_the_script_says(tmp_path, culture, control):
    scene, _ = plant(tmp_path, "Train_01", 60.0, culture, control)
    times = scene.frame_time
    face, voice = trace_displayed(tmp_path, "Train_01", times)
    dimensions = 2 if culture is SEWA else 3
    speaking = script.trace_speech(scene.plan, times)[:, None]
    assert (speaking == 0).any() and (speaking == 1).any()
    np.testing.assert_allclose(voice, speaking * script.trace_voice(scene.plan, times, control, dimensions))
    visible, shown = scene.state.visible(), scene.affect
    assert not face[~visible].any() and face[visible].any()
    clearest = np.abs(shown[..., :2]).argmax(axis=1)[:, None]  # of the two regions
    regions = np.take_along_axis(shown[..., :2], clearest, axis=1)[:, 0]
    np.testing.assert_allclose(face[visible, :2], regions[visible], atol=1e-12)
    if culture is HU:
        np.testing.assert_allclose(face[visible, 2], shown[visible, culture.liking_on, 2], atol=1e-12)


def test_a_hidden_face_displays_nothing(tmp_path):
    stem = next(f"Train_{n:02}" for n in range(1, 20) if len(script.write_script(0, f"Train_{n:02}", 30.0).hidden))
    scene, _ = plant(tmp_path, stem, 30.0, SEWA, "uniform")
    face, voice = trace_displayed(tmp_path, stem, scene.frame_time)
    hidden = ~scene.state.visible()
    speaking = script.trace_speech(scene.plan, scene.frame_time) == 1
    assert hidden.any() and not face[hidden].any()
    assert (face[~hidden & speaking] == voice[~hidden & speaking]).all()
