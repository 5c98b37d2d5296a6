"""The single-shot detector on networks that the tests write: what goes in, which box comes out, files that are none."""

import re

import numpy as np
import pytest

from common.errors import InputError
from common.media import ssd
from tests.common.networks.test_caffe import model

# means over four quarters of 150 x 150 pixels, so that only 300 x 300 pixels fit, and a linear map to the detections
PROTOTXT = """
input: "data" input_shape { dim: 1 dim: 3 dim: 300 dim: 300 }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool"
        pooling_param { pool: AVE kernel_size: 150 stride: 150 } }
layer { name: "out" type: "InnerProduct" bottom: "pool" top: "out" inner_product_param { num_output: %d } }
layer { name: "rows" type: "Reshape" bottom: "out" top: "rows" reshape_param { shape { dim: 1 dim: 1 dim: -1 dim: 7 } } }
"""
BLUE, GREEN, RED = range(3)
CONFIDENCE, LEFT, TOP, RIGHT, BOTTOM = range(2, 7)


def write(folder, *boxes, kernel=None):
    """Two Caffe files of a network that puts out `boxes` (confidence, left, top, right, bottom), whatever it sees."""
    bias = np.array([[0, 1, *box] for box in boxes], np.float32)
    kernel = np.zeros((bias.size, 12)) if kernel is None else kernel
    (folder / "deploy.prototxt").write_text(PROTOTXT % bias.size)
    (folder / "res10.caffemodel").write_bytes(model({"out": (kernel, bias.ravel())}))
    return folder / "deploy.prototxt", folder / "res10.caffemodel"


def found(folder, *boxes, image=None, **options):
    image = np.zeros((100, 200, 3), np.uint8) if image is None else image
    return ssd.Detector(*write(folder, *boxes), **options)(image)


# what goes in


def test_the_network_sees_bgr_less_the_means(tmp_path):
    """Each side of the box follows one channel, by a thousandth of the frame's width or height."""
    kernel = np.zeros((7, 3, 4))  # output, channel, quarter
    for side, channel in ((LEFT, BLUE), (TOP, GREEN), (RIGHT, RED)):
        kernel[side, channel] = 0.001 / 4
    files = write(tmp_path, (0.9, 0, 0, 0.5, 1), kernel=kernel.reshape(7, 12))
    image = np.broadcast_to(np.array([173, 147, 184], np.uint8), (1000, 1000, 3))  # RGB
    assert ssd.Detector(*files)(image) == (184 - 104, 147 - 117, 500 + 173 - 123, 1000)


def test_the_whole_frame_is_seen_whatever_its_shape(tmp_path):
    """The confidence follows the brightness of the lower right quarter alone."""
    kernel = np.zeros((7, 3, 4))
    kernel[CONFIDENCE, :, 3] = 1 / 600
    files = write(tmp_path, (0.4, 0, 0, 1, 1), kernel=kernel.reshape(7, 12))
    detector = ssd.Detector(*files)
    for height, width in ((240, 320), (576, 720), (50, 500)):
        dark = np.full((height, width, 3), 110, np.uint8)
        bright = dark.copy()
        bright[height // 2 :, width // 2 :] = 220
        assert detector(dark) is None and detector(bright) == (0, 0, width, height)


# what comes out


def test_parts_of_the_frame_become_pixels(tmp_path):
    assert found(tmp_path, (0.9, 0.1, 0.2, 0.3, 0.6)) == (20, 20, 60, 60)  # 200 wide, 100 high


def test_the_largest_box_above_the_threshold_counts(tmp_path):
    small, large, unsure = (0.99, 0, 0, 0.2, 0.2), (0.6, 0.5, 0.5, 0.9, 0.9), (0.4, 0, 0, 1, 1)
    assert found(tmp_path, small, large, unsure) == (100, 50, 180, 90)
    assert found(tmp_path, small, large, unsure, confidence=0.3) == (0, 0, 200, 100)
    assert found(tmp_path, small, large, unsure, confidence=0.7) == (0, 0, 40, 20)
    assert found(tmp_path, small, large, unsure, confidence=0.995) is None


def test_a_box_is_cut_at_the_edge_before_it_is_the_largest(tmp_path):
    assert found(tmp_path, (0.9, -0.5, 0.5, 0.1, 1.5)) == (0, 50, 20, 100)
    beyond, inside = (0.9, 0.9, -2, 3, 0.1), (0.9, 0.2, 0.2, 0.8, 0.8)
    assert found(tmp_path, beyond, inside) == (40, 20, 160, 80)


@pytest.mark.parametrize(
    "box",
    [(0.9, 1.1, 0, 1.5, 1), (0.9, 0.5, 0.5, 0.5, 0.9), (0.9, 0.6, 0.2, 0.4, 0.8), (0.9, 0.6, 0.8, 0.4, 0.2)]
    + [(np.nan, 0, 0, 1, 1), (0.9, np.nan, 0, 1, 1)],
    ids=["beyond the frame", "empty", "turned round", "twice turned round", "no confidence", "no number"],
)
def test_what_is_no_box_is_none(tmp_path, box):
    assert found(tmp_path, box) is None
    assert found(tmp_path, box, (0.6, 0, 0, 0.5, 0.5)) == (0, 0, 100, 50)


def test_a_detector_is_used_again(tmp_path):
    detector = ssd.Detector(*write(tmp_path, (0.9, 0, 0, 0.5, 0.5)))
    assert [detector(np.zeros((h, w, 3), np.uint8)) for h, w in ((10, 20), (40, 30), (10, 20))] == [
        (0, 0, 10, 5),
        (0, 0, 15, 20),
        (0, 0, 10, 5),
    ]


# files


@pytest.mark.parametrize("missing", [0, 1], ids=["prototxt", "caffemodel"])
def test_a_file_that_is_missing(tmp_path, missing):
    files = write(tmp_path, (0.9, 0, 0, 1, 1))
    files[missing].unlink()
    with pytest.raises(InputError, match=f"{re.escape(str(files[missing]))}: no such file; name OpenCV's .*dlib"):
        ssd.Detector(*files)


def refused(files) -> str:
    with pytest.raises(InputError) as caught:
        ssd.Detector(*files)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("which", [0, 1], ids=["prototxt", "caffemodel"])
@pytest.mark.parametrize("content", [b"", b"no network", bytes(range(256)) * 20], ids=["empty", "text", "binary"])
def test_a_file_that_is_no_network(tmp_path, which, content):
    files = write(tmp_path, (0.9, 0, 0, 1, 1))
    files[which].write_bytes(content)
    assert str(files[which]) in refused(files)


def test_files_that_were_swapped(tmp_path):
    assert "fetch both again" in refused(write(tmp_path, (0.9, 0, 0, 1, 1))[::-1])


def test_a_caffemodel_that_was_cut(tmp_path):
    files = write(tmp_path, (0.9, 0, 0, 1, 1))
    files[1].write_bytes(files[1].read_bytes()[:-30])
    assert "fetch both again" in refused(files)


def test_the_weights_of_another_network(tmp_path):
    files = write(tmp_path, (0.9, 0, 0, 1, 1))
    files[1].write_bytes(model({"fc8": (np.zeros((7, 12)), np.zeros(7))}))
    assert "does not go with" in refused(files)


def test_a_network_that_is_no_detector(tmp_path):
    files = write(tmp_path, (0.9, 0, 0, 1, 1))
    files[0].write_text(files[0].read_text().replace("dim: -1 dim: 7", "dim: 7 dim: -1"))
    assert "puts out (1, 1, 7, 1), a detector (1, 1, n, 7)" in refused(files)
