"""The published weights of VGG-Face (Parkhi, Vedaldi, Zisserman 2015), a VGG-16, from any of the three files of them.

| file                          | made with  | layout                                                                      |
|-------------------------------|------------|-----------------------------------------------------------------------------|
| VGG_FACE.caffemodel           | Caffe      | see common.networks.caffe; channels of the image BGR                                 |
| vgg_face.mat, vgg-face.mat    | MatConvNet | cells `layers` (in `net` or alone) with name and weights; fully connected   |
|                               |            | layers are convolutions; channels of the image RGB                          |
| rcmalli_vggface_tf_vgg16.h5   | Keras 2    | as Keras writes it; converted from Caffe, channels of the image BGR         |

The layouts are those that programs which load the three files rely on; the files themselves, of 500 MB and more and
for research only, were not at hand. The order of the channels is that of the demonstrations beside the models:
MatConvNet's feeds an RGB image, the other two turn it round first.
"""

from pathlib import Path

import numpy as np

from common.errors import InputError
from common.networks import caffe

MEAN_RGB = (129.1863, 104.7624, 93.5940)  # of the training images, 0 to 255
CONVOLUTIONS = tuple(f"conv{block}_{i}" for block, count in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, count + 1))
LAYERS = (*CONVOLUTIONS, "fc6", "fc7")
PEOPLE = 2622  # that fc8 tells apart; by their names and sizes the other layers could be ImageNet's

Weights = dict[str, tuple[np.ndarray, np.ndarray]]


def read(path: Path) -> Weights:
    """Layer name -> (kernel, bias), float32, of LAYERS in the axes of Keras, for images in the order BGR.

    Kernels are (3, 3, in, out), those of fc6 and fc7 (in, out), with the rows of fc6 in the order height, width,
    channel. Their sizes are the file's. Raises InputError for a file that is missing, is none of the three kinds, or
    lacks a layer.
    """
    path = Path(path)
    readers = {".caffemodel": _read_caffe, ".mat": _read_matconvnet, ".h5": _read_keras}
    if path.suffix not in readers:
        raise InputError(f"{path}: VGG-Face weights are a file {', '.join(readers)}; name one of these")
    if not path.is_file():
        raise InputError(f"{path}: no such file; name VGG_FACE.caffemodel, vgg_face.mat or rcmalli_vggface_tf_vgg16.h5")
    try:
        found = readers[path.suffix](path, (*LAYERS, "fc8"))
    except InputError:
        raise
    except Exception as error:  # SciPy and HDF5 have a dozen kinds for a damaged file
        raise InputError(f"{path}: cannot be read as weights of VGG-Face ({error}); fetch it again") from error
    outputs = found.pop("fc8")[1].size
    if outputs != PEOPLE:
        raise InputError(f"{path}: tells {outputs} classes apart, VGG-Face {PEOPLE} people; it is another VGG-16")
    return found


def _read_caffe(path: Path, names: tuple[str, ...]) -> Weights:
    found = caffe.read(path, names)
    kernel, bias = found["fc6"]
    channels = found["conv5_3"][0].shape[-1]
    side = round((len(kernel) / channels) ** 0.5)
    return found | {"fc6": (caffe.put_channels_last(kernel, (side, side, channels)), bias)}


def _read_matconvnet(path: Path, names: tuple[str, ...]) -> Weights:
    from scipy.io import loadmat

    content = loadmat(path, struct_as_record=False)
    content = vars(content["net"][0, 0]) if "net" in content else content
    layers = {layer.name.item(): layer for layer in (cell.item() for cell in content["layers"].ravel())}
    found = {}
    for name in names:
        kernel, bias = _read_cell(layers[name])
        found[name] = kernel.reshape(-1, kernel.shape[-1]) if name.startswith("fc") else kernel, bias.ravel()
    kernel, bias = found["conv1_1"]
    return found | {"conv1_1": (kernel[:, :, ::-1], bias)}  # RGB to BGR


def _read_cell(layer) -> tuple[np.ndarray, np.ndarray]:
    """Early models of MatConvNet have two fields for what is one in later ones."""
    return tuple(layer.weights.ravel()) if hasattr(layer, "weights") else (layer.filters, layer.biases)


def _read_keras(path: Path, names: tuple[str, ...]) -> Weights:
    import h5py

    with h5py.File(path) as file:
        keys = {layer: file[layer].attrs["weight_names"].astype(str) for layer in names}  # kernel, bias
        return {layer: tuple(file[layer][key][()] for key in keys[layer]) for layer in names}
