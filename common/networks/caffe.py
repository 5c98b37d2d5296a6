"""Weights from a Caffe model (.caffemodel) by layer name, in the axes of Keras.

OpenCV's Caffe importer reads the file. It looks up a layer's weights by its name alone, so the network that it is
asked to build has nothing but those names; it reads files of Caffe's first format (`layers`) too.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from common.errors import InputError


def read(path: Path, names: Iterable[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Layer name -> (kernel, bias), float32, of the layers `names`.

    Kernels are (height, width, in, out) for a convolution, where `in` counts the channels of one group, and (in, out)
    for an inner product; where that takes a feature map, `put_channels_last` brings its rows into Keras' order.
    Raises InputError for a file that is missing, is no .caffemodel or has no weights under one of the names.
    """
    import cv2

    path, names = Path(path), list(names)
    if not path.is_file():
        raise InputError(f"{path}: no such file; name a .caffemodel")
    prototxt = 'input: "x"\n' + "\n".join(
        f'layer {{ name: "{name}" type: "Dropout" bottom: "x" top: "{name}" }}' for name in names
    )
    try:
        net = cv2.dnn.readNetFromCaffe(np.frombuffer(prototxt.encode(), np.uint8), np.fromfile(path, np.uint8))
    except cv2.error as error:
        raise InputError(f"{path}: cannot be read as a .caffemodel ({error.err}); fetch it again") from error
    found = {}
    for name in names:
        blobs = net.getLayer(name).blobs
        if len(blobs) != 2 or blobs[1].size != _count_outputs(blobs[0]):
            shapes = ", ".join(str(blob.shape) for blob in blobs) or "none"
            raise InputError(
                f"{path}: weights of layer {name}: {shapes}, expected kernel and bias; it is another network"
            )
        found[name] = _transpose_kernel(blobs[0]), blobs[1].ravel()
    return found


def _is_product(blob: np.ndarray) -> bool:
    """Inner products are (out, in), in Caffe's first format (1, 1, out, in)."""
    return blob.ndim == 2 or blob.shape[:2] == (1, 1)


def _count_outputs(blob: np.ndarray) -> int:
    return blob.shape[-2] if _is_product(blob) else blob.shape[0]


def _transpose_kernel(blob: np.ndarray) -> np.ndarray:
    return blob.reshape(blob.shape[-2:]).T if _is_product(blob) else blob.transpose(2, 3, 1, 0)


def put_channels_last(kernel: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """The rows of an inner product's kernel (in, out) in the order in which Keras flattens a map of `shape` (h, w, c).

    Caffe has flattened it channels first. ValueError if the shape has another number of elements.
    """
    height, width, channels = shape
    rows = kernel.reshape(channels, height, width, -1).transpose(1, 2, 0, 3)
    return rows.reshape(kernel.shape)
