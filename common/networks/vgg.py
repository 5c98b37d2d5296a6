"""The convolutions of VGG-16 and VGG-19 (Simonyan and Zisserman 2015, configurations D and E), in any width."""

from itertools import pairwise

CHANNELS = (64, 128, 256, 512, 512)  # of the five blocks
CONVOLUTIONS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # in each block, by the number of layers that have weights


def convolve(x, depth: int, width: float, convolution: str, pool: str, **options):
    """`x` (n, h, w, 3), a Keras tensor, through the five blocks of VGG-`depth`, flattened row by row.

    Each of 3 x 3 convolutions with ReLU, then pooling, which halves the size and drops what is left over. `width` is a
    factor on CHANNELS. The layers' names are the format strings `convolution`, of block and place, and `pool`, of the
    block, counted from 1, and "flatten". `options` go to every convolution.
    """
    from keras import layers

    for block, (channels, count) in enumerate(zip(CHANNELS, CONVOLUTIONS[depth], strict=True), 1):
        filters = max(1, round(channels * width))
        for place in range(1, count + 1):
            name = convolution.format(block, place)
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=name, **options)(x)
        x = layers.MaxPooling2D(name=pool.format(block))(x)
    return layers.Flatten(name="flatten")(x)


def join_blocks(rows: list[dict]) -> list[dict]:
    """The layers of a VGG, as `architecture.describe` has them, with one row `block1` to `block5` for each block."""
    found, block = [], []
    for row in rows:
        if row["kind"] == "Conv2D":
            block.append(row)
        elif row["kind"] == "MaxPooling2D":
            kind, parameters = f"{len(block)} × Conv2D + MaxPooling2D", sum(r["parameters"] for r in block)
            found.append(row | {"name": f"block{len(found)}", "kind": kind, "parameters": parameters})
            block = []
        elif row["kind"] != "Flatten":
            found.append(row)
    return [found[0], *(row | {"inputs": [before["name"]]} for before, row in pairwise(found))]
