"""VGG19 against keras.applications: numbers, preprocessing, files of weights; and what is refused."""

import h5py
import keras
import numpy as np
import pytest

from common.errors import InputError
from replications.priyasad2019 import vgg19

SMALL = {"vgg_size": 32, "vgg_width": 4, "vgg_fc": 16, "weights": "random"}
PAPER = {"vgg_size": 224, "vgg_width": 64, "vgg_fc": 4096, "weights": "random"}


def arrays(model):
    return {variable.path: np.array(variable) for variable in model.weights}


def images(count=3, size=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def write(path, layers, name="{0}_W_1:0 {0}_b_1:0"):
    """A file of weights as keras.applications distributes them: a group for each layer, with the names of its arrays."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"1.2.0"
        for layer, values in layers.items():
            group = file.create_group(layer)
            names = name.format(layer).split()[: len(values)]
            group.attrs["weight_names"] = [key.encode() for key in names]
            for key, value in zip(names, values):
                group[key] = value
    return path


def drawn(model, seed=1):
    """He's normal distribution and some biases for all layers, which may be without weights."""
    rng, found = np.random.default_rng(seed), {}
    for layer in model.layers:
        values = [rng.standard_normal(variable.shape, np.float32) for variable in layer.weights]
        found[layer.name] = [v * (np.sqrt(2 / np.prod(v.shape[:-1])) if v.ndim > 1 else 0.1) for v in values]
    return {name: [value.astype(np.float32) for value in values] for name, values in found.items()}


# against keras.applications


def test_numbers_are_those_of_keras_applications(tmp_path):
    """All channels and units of VGG19, on small images; both read the same file."""
    theirs = keras.applications.VGG19(weights=None, input_shape=(32, 32, 3), classes=5)
    path = write(tmp_path / vgg19.FILE, drawn(theirs))
    theirs.load_weights(path)
    ours = vgg19.build_network(PAPER | {"vgg_size": 32, "weights": str(path)})
    batch = images(size=32)
    expected = keras.Model(theirs.input, [theirs.get_layer(name).output for name in ("fc1", "fc2")])(
        keras.applications.vgg19.preprocess_input(batch.astype(np.float32))
    )
    found = ours(vgg19.preprocess(batch, 32))
    for name, values in zip(("fc6", "fc7"), expected):
        assert np.asarray(values).std() > 1
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-3)


def test_the_paper_s_network_is_vgg19():
    """16 convolutions of 20,024,384 parameters, 7 x 7 x 512 values into fc6, as published."""
    with keras.StatelessScope(initialize_variables=False):  # sizes without the half gigabyte
        image = keras.Input((224, 224, 3))
        theirs = keras.applications.VGG19(weights=None, input_tensor=image)
    expected = {layer.name: layer.output.shape for layer in theirs.layers[1:-1]}
    assert theirs.count_params() - theirs.layers[-1].count_params() == 139_570_240
    for size in (224, 227):
        with keras.StatelessScope(initialize_variables=False), pytest.MonkeyPatch.context() as patch:
            patch.setattr(vgg19, "randomise", lambda model, seed, first: None)
            ours = vgg19.build_network(PAPER | {"vgg_size": size})
        assert list(expected) == [layer.name for layer in ours.layers[1:]]
        assert ours.count_params() == 139_570_240
        assert expected["flatten"] == ours.get_layer("flatten").output.shape
    assert {name: output.shape for name, output in ours.output.items()} == {"fc6": (None, 4096), "fc7": (None, 4096)}


@pytest.mark.slow
def test_a_whole_file_at_full_size(tmp_path):
    theirs = keras.applications.VGG19(weights=None)
    path = write(tmp_path / vgg19.FILE, drawn(theirs))
    theirs.load_weights(path)
    batch = images(2, 224)
    fc7 = keras.Model(theirs.input, theirs.get_layer("fc2").output)
    expected = np.asarray(fc7(keras.applications.vgg19.preprocess_input(batch.astype(np.float32))))
    found = vgg19.build_network(PAPER | {"weights": path})(vgg19.preprocess(batch, 224))["fc7"]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2 * expected.std())


# its input


def test_pixels_become_bgr_less_the_mean():
    found = np.asarray(vgg19.preprocess(np.broadcast_to(np.array([10, 20, 30], np.uint8), (1, 32, 32, 3)), 32))
    np.testing.assert_allclose(found[0, 4, 7], [30 - 103.939, 20 - 116.779, 10 - 123.68], rtol=1e-6)
    assert found.dtype == np.float32


def test_size_is_changed_bilinearly():
    """As OpenCV does it, but for its rounding to whole numbers."""
    import cv2

    for size in (24, 64):
        expected = np.stack([cv2.resize(image.astype(np.float32), (size, size)) for image in images()])
        found = np.asarray(vgg19.preprocess(images(), size)) + np.array(vgg19.MEAN_BGR, np.float32)
        np.testing.assert_allclose(found[..., ::-1], expected, atol=1e-3)


# fc6 and fc7


def test_fc6_of_images_is_the_model_s_whatever_the_batch():
    model = vgg19.build_network(SMALL)
    expected = np.asarray(model(vgg19.preprocess(images(5), 32))["fc6"])
    assert expected.shape == (5, 16) and expected.std() > 0.1
    for batch in (1, 2, 5, 16):
        found = vgg19.embed(model, images(5), batch)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert vgg19.embed(model, images(5)[:0]).shape == (0, 16)


def test_images_of_other_sizes_and_types_share_the_graph():
    """Faces are uint8 of 227 pixels, audio images float of 64."""
    model = vgg19.build_network(SMALL)
    for size in (64, 227):
        expected = np.asarray(model(vgg19.preprocess(images(2, size), 32))["fc6"])
        for kind in (np.uint8, np.float32):
            np.testing.assert_allclose(vgg19.embed(model, images(2, size).astype(kind)), expected, rtol=1e-4, atol=1e-5)
    assert vgg19._trace(model) is vgg19._trace(model)


def test_another_model_is_another_graph():
    found = [vgg19.embed(vgg19.build_network(SMALL, seed), images()) for seed in (0, 1, 0)]
    assert np.array_equal(found[0], found[2]) and not np.allclose(found[0], found[1])


def test_images_are_read_in_batches(tmp_path):
    """An array on disk is never read as a whole."""

    class Recorded:
        def __init__(self, values):
            self.values, self.most = values, 0

        def __len__(self):
            return len(self.values)

        def __getitem__(self, part):
            self.most = max(self.most, len(self.values[part]))
            return self.values[part]

    recorded = Recorded(images(10))
    vgg19.embed(vgg19.build_network(SMALL), recorded, 4)
    assert recorded.most == 4


def test_fc7_is_a_relu_of_its_weights_on_fc6():
    model = vgg19.build_network(SMALL)
    model.get_layer("fc2").bias.assign(np.linspace(-1, 1, 16))
    kernel, bias = vgg19.get_fc7(model)
    assert kernel.shape == (16, 16) and bias.shape == (16,)
    found = model(vgg19.preprocess(images(), 32))
    np.testing.assert_allclose(found["fc7"], np.maximum(np.asarray(found["fc6"]) @ kernel + bias, 0), atol=1e-4)


# weights that are drawn


def test_random_weights_come_from_the_seed():
    one, same, other = (arrays(vgg19.build_network(SMALL, seed)) for seed in (0, 0, 1))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert all(np.array_equal(one[name], other[name]) == (one[name].ndim == 1) for name in one)
    assert all((value == 0).all() for value in one.values() if value.ndim == 1)


def test_random_weights_keep_the_scale():
    """He's deviation, sqrt(2 / inputs); the first layer brings pixels to about 1, and so it stays up to fc7."""
    model = vgg19.build_network({"vgg_size": 64, "vgg_width": 16, "vgg_fc": 256, "weights": "random"})
    for name, value in arrays(model).items():
        if value.ndim > 1:
            expected = np.sqrt(2 / np.prod(value.shape[:-1])) / (128 if name.startswith("block1_conv1") else 1)
            assert value.std() == pytest.approx(expected, rel=0.1)
    found = model(vgg19.preprocess(images(4, 64), 64))
    assert all(0.1 < np.asarray(found[name]).std() < 10 for name in ("fc6", "fc7"))


# weights from a file


@pytest.fixture
def published(tmp_path):
    """A file of the sizes of SMALL."""
    return write(tmp_path / vgg19.FILE, drawn(vgg19.build_network(SMALL)))


def test_a_file_is_loaded_layer_by_layer(published):
    model = vgg19.build_network(SMALL)
    expected = drawn(model)
    loaded = vgg19.build_network(SMALL | {"weights": published})
    for layer in loaded.layers:
        assert all(
            np.array_equal(a, b) for a, b in zip(map(np.array, layer.weights), expected[layer.name], strict=True)
        )


def test_names_that_other_versions_of_keras_give_the_arrays(tmp_path):
    layers = drawn(vgg19.build_network(SMALL))
    path = write(tmp_path / "vgg.h5", layers, name="{0}/kernel:0 {0}/bias:0")
    model = vgg19.build_network(SMALL | {"weights": path})
    assert np.array_equal(vgg19.get_fc7(model)[0], layers["fc2"][0])


def refused(settings) -> str:
    with pytest.raises(InputError) as caught:
        vgg19.build_network(SMALL | settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_weights_of_other_sizes_are_refused(published):
    message = refused({"weights": published, "vgg_size": 64})
    assert message.startswith(f"{published}: fc1/kernel has shape (32, 16), (128, 16) is needed; published weights go")
    assert "block1_conv1/kernel has shape (3, 3, 3, 4)" in refused({"weights": published, "vgg_width": 8})
    assert "--weights random" in refused({"weights": published, "vgg_fc": 8})


@pytest.mark.parametrize("layer", ["fc1", "block3_conv4"], ids=["without the fully connected layers", "VGG-16"])
def test_a_file_that_lacks_a_layer(tmp_path, layer):
    layers = drawn(vgg19.build_network(SMALL))
    del layers[layer]
    path = write(tmp_path / "other.h5", layers)
    message = refused({"weights": path})
    assert (
        message.startswith(f"{path}: cannot be read as weights of VGG19") and layer in message and vgg19.FILE in message
    )


def test_a_layer_that_lacks_its_bias(tmp_path):
    layers = drawn(vgg19.build_network(SMALL))
    layers["block2_conv1"] = layers["block2_conv1"][:1]
    assert "cannot be read" in refused({"weights": write(tmp_path / "other.h5", layers)})


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.99])
def test_a_file_that_was_cut(published, kept):
    data = published.read_bytes()
    published.write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    assert refused({"weights": published}).startswith(f"{published}: ")


@pytest.mark.parametrize("content", [b"no weights", bytes(range(256)) * 40], ids=["text", "binary"])
def test_a_file_that_is_none(tmp_path, content):
    (tmp_path / "vgg.h5").write_bytes(content)
    assert "cannot be read as weights of VGG19" in refused({"weights": tmp_path / "vgg.h5"})


def test_a_file_that_is_missing(tmp_path):
    assert refused({"weights": tmp_path / "vgg.h5"}).startswith(
        f"{tmp_path / 'vgg.h5'}: no such file; name {vgg19.FILE}"
    )
    assert "no such file" in refused({"weights": tmp_path})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(tmp_path, value):
    layers = drawn(vgg19.build_network(SMALL))
    layers["block4_conv2"][1][3] = value
    path = write(tmp_path / "vgg.h5", layers)
    assert refused({"weights": path}).startswith(f"{path}: block4_conv2/bias holds NaN, infinity")


def test_images_that_five_halvings_leave_nothing_of():
    assert refused({"vgg_size": 31}) == "setting vgg_size: 31 is not accepted; give at least 32"


# ImageNet's


def test_imagenet_weights_are_fetched_as_keras_applications_does(monkeypatch, published):
    """The same address, checksum and place; what comes is loaded as any file."""
    import inspect

    calls = []
    monkeypatch.setattr(keras.utils, "get_file", lambda *args, **named: calls.append((args, named)) or str(published))
    assert vgg19.locate(PAPER | {"weights": "imagenet"}) == published
    (args, named), source = calls[0], inspect.getsource(keras.src.applications.vgg19)
    assert args == (vgg19.FILE, keras.src.applications.vgg19.WEIGHTS_PATH)
    assert named["cache_subdir"] == "models" and f'file_hash="{named["file_hash"]}"' in source


def test_without_internet_the_file_to_fetch_is_named(monkeypatch):
    def fail(*args, **named):
        raise Exception("URL fetch failure on https://...: None --\n [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    message = refused(PAPER | {"weights": "imagenet"})
    assert message.startswith(f"{vgg19.FILE}: cannot be fetched (URL fetch failure") and vgg19.ADDRESS in message
    assert "--weights random" in message


@pytest.mark.parametrize("change", [{"vgg_size": 64}, {"vgg_size": 256}, {"vgg_width": 16}, {"vgg_fc": 1024}], ids=str)
def test_imagenet_weights_need_the_published_sizes(monkeypatch, change):
    """It is said before they are fetched."""
    monkeypatch.setattr(keras.utils, "get_file", lambda *args, **named: pytest.fail("fetched"))
    message = refused(PAPER | {"weights": "imagenet"} | change)
    assert message.startswith("--weights imagenet: vgg_size, vgg_width and vgg_fc are ") and "224 or 227" in message


# what features depend on


def test_identity_tells_weights_and_sizes_apart(published, monkeypatch):
    drawn_ones = [
        vgg19.identify_weights(SMALL),
        vgg19.identify_weights(SMALL, 1),
        vgg19.identify_weights(SMALL | {"vgg_size": 64}),
    ]
    named = [vgg19.identify_weights(SMALL | {"weights": str(published)})]
    monkeypatch.setattr(keras.utils, "get_file", lambda *args, **more: str(published))
    kept = [str(found) for found in drawn_ones + named]
    assert len(set(kept)) == 4 and str(published) not in " ".join(kept)  # the file's content counts, not its place
    assert vgg19.identify_weights(PAPER | {"weights": "imagenet"})[-1] == named[0][-1]
