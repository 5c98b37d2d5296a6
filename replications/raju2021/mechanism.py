"""Where AED's decoder looks, held against the annotation delay that the simulation planted.

A label shows what happened a delay earlier, so a decoder that aligns (Section III-B) should look back by that delay.
"""

from collections.abc import Iterator

import numpy as np

from common.evidence.bootstrap import bootstrap_ratio
from common.networks import training
from common.running.corpora import Corpus
from datasets.sewa import LABEL_HOP

EXAMPLE_STEPS = 600  # a longer recording is shown up to here


def measure_alignment(model, corpus: Corpus, sequences) -> tuple[dict | None, dict]:
    """How far back the attention lies, in seconds, and the alignment of the first recording for a figure.

    offset: the instant of the prediction minus the centre of its attention, mean over the steps of a recording, then
    over recordings, with a 95 % interval over recordings. spread: the deviation of the attention around its centre.
    planted: the mean delay of the simulated raters less that by which labels are moved, None for a real corpus. Uniform attention over a recording has an
    offset of 0, on the mean. Of the weights after the last epoch.

    Returns (None, {}) for a network without a decoder.
    """
    if "decoder" not in [layer.name for layer in model.layers]:
        return None, {}
    maps = list(compute_attention(model, sequences))
    hop = sequences.settings["hop"]
    offsets, spreads = zip(*(measure_offset(shares) for shares in maps))
    delay = read_planted(corpus, [recording.name for recording in sequences.recordings])
    if delay is not None:
        delay -= sequences.delay * LABEL_HOP  # labels that were moved to the front are that much nearer
    offset, interval = bootstrap_ratio(np.array(offsets) * hop, np.ones(len(offsets)))
    measured = {
        "offset": offset,
        "interval": interval if len(offsets) > 1 else None,
        "spread": float(np.mean(spreads) * hop),
        "planted": delay,
        "frames": int(sum(len(shares) for shares in maps)),
    }
    example = maps[0][:EXAMPLE_STEPS, :EXAMPLE_STEPS].astype(np.float32)
    return {"alignment": measured}, {"example_alignment": example, "example_hop": np.array(hop)}


def compute_attention(model, sequences) -> Iterator[np.ndarray]:
    """The attention of each sequence: (steps of the decoder, steps of the encoder), without padding; rows sum to 1."""
    import keras

    states, mask = model.get_layer("encoder").output, model.inputs[-1]
    _, shares = model.get_layer("decoder")(states, mask=mask, return_attention=True)
    view = keras.Model(model.inputs, shares)
    for index in range(len(sequences)):
        _, start, end = sequences.spans[index]
        whole = training.predict(view, lambda _, index=index: sequences(np.array([index])), 1, 1)
        yield whole[0, : end - start, : end - start]


def measure_offset(shares: np.ndarray) -> tuple[float, float]:
    """In steps: how far the centre of attention lies before the step that is predicted, and how wide it is."""
    positions = np.arange(shares.shape[1])
    centre = shares @ positions
    variance = shares @ positions**2 - centre**2
    return float(np.mean(np.arange(len(shares)) - centre)), float(np.mean(np.sqrt(np.maximum(variance, 0))))


def read_planted(corpus: Corpus, names: list[str]) -> float | None:
    """The mean delay of the raters in seconds, from the truth beside a simulated corpus."""
    delays = []
    for name in names:
        path = corpus.root / "truth" / f"{name}.npz"
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as truth:
            delays.append(truth["rater_delay"].mean())
    return float(np.mean(delays))
