"""The networks: one function for each row of Tables 1 to 3.

Inputs are named: `audio` (T, 88) standardised eGeMAPS, `video` (T, S, S, 3) uint8 frames. Every network ends in
one linear unit, `prediction`, the score of the last frame (Section 2.3). Weights start from Xavier's uniform
distribution, which is Keras' default for all layers used here; recurrent kernels too (Section 3.1).
"""

import keras
from keras import layers, ops

from common.media.audio import EGEMAPS_FUNCTIONALS
from replications.lee2018.layers import (
    EachFrame,
    PeepholeConvLSTM2D,
    PreviousStep,
    SpatialSoftmax,
    StandardiseFrames,
    TemporalSoftmax,
)


def lstm(settings: dict) -> keras.Model:
    """Table 1, LSTM-RNN: eGeMAPS -> four LSTM layers -> valence."""
    audio = make_audio_input(settings)
    return build_network(audio, recognise_speech(audio, settings))


def lstm_ta(settings: dict) -> keras.Model:
    """Table 1 and 3, LSTM-RNN + TA (Figure 2)."""
    audio = make_audio_input(settings)
    return build_network(audio, recognise_speech(attend_in_time(audio, settings), settings))


def cnn2d(settings: dict) -> keras.Model:
    """Table 2, 2D-CNN: the spatial encoder on the last frame, with fully connected layers."""
    video = make_video_input(settings)
    frame = layers.Lambda(take_last_frame, name="last_frame")(standardise_frames(video, settings))
    features = build_encoder(settings, name="encoder")(frame)
    return build_network(video, apply_visual_head(features, settings))


def cnn3d(settings: dict) -> keras.Model:
    """Table 2, 3D-CNN: four 3D convolutions (Section 2.3) without attention."""
    video = make_video_input(settings)
    return build_network(video, recognise_video(standardise_frames(video, settings), None, settings))


def cnn3d_sta(settings: dict) -> keras.Model:
    """Table 2 and 3, 3D-CNN + STA (Figure 3)."""
    video = make_video_input(settings)
    clip = standardise_frames(video, settings)
    return build_network(video, recognise_video(clip, attend_in_space(clip, settings), settings))


def fused(settings: dict) -> keras.Model:
    """Table 3, last row (Figure 1): Z = cat(Z^S, Z^I), fully connected layer, valence (Eq. 6)."""
    audio, video = make_audio_input(settings), make_video_input(settings)
    clip = standardise_frames(video, settings)
    acoustic = recognise_speech(attend_in_time(audio, settings), settings)
    visual = recognise_video(clip, attend_in_space(clip, settings), settings)
    joined = layers.Concatenate(name="fusion")([acoustic, visual])
    joined = layers.Dense(settings["fusion_units"], activation="relu", name="fusion_fc")(joined)
    joined = layers.Dropout(settings["dropout"], name="fusion_dropout")(joined)
    return build_network([audio, video], joined)


def khorrami_cnn(settings: dict) -> keras.Model:
    """Table 3, CNN [15] (Khorrami et al. 2016): three 5x5 convolutions, quadrant pooling, on the last frame."""
    video = make_video_input(settings)
    frame = layers.Lambda(take_last_frame, name="last_frame")(standardise_frames(video, settings))
    return build_network(video, build_khorrami_encoder(settings)(frame))


def khorrami_rnn(settings: dict) -> keras.Model:
    """Table 3, CNN + RNN [15]: that CNN on each frame, a recurrent layer over about 4 s."""
    video = make_video_input(settings)
    features = EachFrame(build_khorrami_encoder(settings), name="encoder")(standardise_frames(video, settings))
    recurrent = layers.SimpleRNN(
        settings["khorrami_rnn_units"], activation="relu", recurrent_initializer="glorot_uniform", name="rnn"
    )
    return build_network(video, recurrent(features))


VARIANTS = {
    "lstm": lstm,
    "lstm-ta": lstm_ta,
    "cnn2d": cnn2d,
    "cnn3d": cnn3d,
    "cnn3d-sta": cnn3d_sta,
    "khorrami-cnn": khorrami_cnn,
    "khorrami-rnn": khorrami_rnn,
    "fused": fused,
}


# -------------------------------------------------------------------------------------------------- inputs


def make_audio_input(settings: dict):
    return keras.Input((settings["clip_frames"], EGEMAPS_FUNCTIONALS), name="audio")


def make_video_input(settings: dict):
    size = settings["crop_size"]
    return keras.Input((settings["clip_frames"], size, size, 3), dtype="uint8", name="video")


def standardise_frames(video, settings: dict):
    """The clip as the networks see it: standardised, in colour or grey (the mean of the channels)."""
    clip = StandardiseFrames(settings["frame_normalisation"], name="frames")(video)
    if settings["colour"] == "grey":
        clip = layers.Lambda(grey, name="grey")(clip)
    return clip


@keras.saving.register_keras_serializable("avemotion.lee2018")
def grey(clip):
    return ops.mean(clip, axis=-1, keepdims=True)


@keras.saving.register_keras_serializable("avemotion.lee2018", "last_frame")
def take_last_frame(clip):
    return clip[:, -1]


# --------------------------------------------------------------------------------- Section 2.1, acoustic network


def attend_in_time(audio, settings: dict):
    """Section 2.1.2: a DNN scores each step, a temporal softmax (Eq. 1) weighs it: Y^S = A^S o S (Eq. 4)."""
    hidden = layers.Dense(settings["attention_units"], activation="tanh", name="attention_dnn")(audio)
    scores = layers.Dense(1, name="attention_score")(hidden)
    attention = TemporalSoftmax(settings["temporal_attention_scale"], name="temporal_attention")(scores)
    return layers.Multiply(name="attended_audio")([attention, audio])


def recognise_speech(audio, settings: dict):
    """Section 2.3: four LSTM layers; the last step of the last layer is Z^S."""
    *lower, last = settings["lstm_units"]
    for number, units in enumerate(lower, 1):
        audio = _lstm(units, number, return_sequences=True)(audio)
    return _lstm(last, len(settings["lstm_units"]))(audio)


def _lstm(units: int, number: int, **kwargs):
    return layers.LSTM(units, recurrent_initializer="glorot_uniform", name=f"lstm_{number}", **kwargs)


# ----------------------------------------------------------------------------------- Section 2.2, visual attention


def attend_in_space(clip, settings: dict):
    """Section 2.2: encoder, decoder and spatial softmax; returns A^I (batch, T, S, S, 1)."""
    maps = EachFrame(build_encoder(settings, name="spatial_encoder"), name="siamese_encoder")(clip)
    for number, filters in enumerate(settings["decoder_filters"], 1):
        maps = EachFrame(
            layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu"),
            name=f"deconvolution_{number}",
        )(maps)
        maps = PeepholeConvLSTM2D(filters, 3, settings["peepholes"], name=f"convlstm_{number}")(maps)
        maps = layers.Activation("tanh", name=f"tanh_{number}")(maps)
    if settings["attention_state"] == "previous":
        maps = PreviousStep(name="previous_state")(maps)
    scores = EachFrame(layers.Conv2D(1, 1), name="attention_map")(maps)
    return SpatialSoftmax(settings["spatial_attention_scale"], name="spatial_attention")(scores)


def build_encoder(settings: dict, name: str) -> keras.Model:
    """Section 2.2.1: successive 3x3 convolutions with ReLU, each followed by 2x2 max-pooling, on one frame."""
    size, channels = settings["crop_size"], 3 if settings["colour"] == "rgb" else 1
    image = keras.Input((size, size, channels))
    maps = image
    for filters in settings["encoder_filters"]:
        maps = layers.Conv2D(filters, 3, padding="same", activation="relu")(maps)
        maps = layers.MaxPooling2D(2)(maps)
    return keras.Model(image, maps, name=name)


# ---------------------------------------------------------------------------------- Section 2.3, visual recogniser


def recognise_video(clip, attention, settings: dict):
    """Section 2.3: four 3D convolutions, three 3D max-pools, two fully connected layers; returns Z^I.

    `attention` multiplies activations at full resolution (Eq. 5): those of the first of the four convolutions, or,
    with gate "front_convolution", of one more of the same width before them.
    """
    first, *others = settings["conv3d_filters"]
    maps = clip
    if settings["gate"] == "front_convolution":
        maps = _gate(_conv3d(first, "front", settings)(maps), attention)
        maps = _conv3d(first, 1, settings)(maps)
    else:
        maps = _gate(_conv3d(first, 1, settings)(maps), attention)
    pools = [settings["first_pool"], (2, 2, 2), (2, 2, 2)]
    for number, (filters, pool) in enumerate(zip(others, pools, strict=True), 2):
        maps = layers.MaxPooling3D(tuple(pool), name=f"pool3d_{number - 1}")(maps)
        maps = _conv3d(filters, number, settings)(maps)
    return apply_visual_head(maps, settings)


def _conv3d(filters: int, number: int | str, settings: dict):
    return layers.Conv3D(filters, settings["conv3d_kernel"], padding="same", activation="relu", name=f"conv3d_{number}")


def _gate(maps, attention):
    return maps if attention is None else layers.Multiply(name="attended_video")([attention, maps])


def apply_visual_head(maps, settings: dict):
    """Two fully connected layers, each with dropout before the next one (Section 2.3, 3.1); the last is Z^I."""
    features = layers.Flatten(name="flatten")(maps)
    first, last = settings["fc_units"]
    features = layers.Dense(first, activation="relu", name="fc_1")(features)
    features = layers.Dropout(settings["dropout"], name="dropout_1")(features)
    features = layers.Dense(last, activation="relu", name="fc_2")(features)
    return layers.Dropout(settings["dropout"], name="dropout_2")(features)


# -------------------------------------------------------------------------------------- comparators of Table 3


def build_khorrami_encoder(settings: dict) -> keras.Model:
    """Khorrami et al.: 5x5 convolutions with 2x2 pools between, the last map pooled in its quadrants, a wide layer."""
    size, channels = settings["crop_size"], 3 if settings["colour"] == "rgb" else 1
    image = keras.Input((size, size, channels))
    *lower, last = settings["khorrami_filters"]
    maps = image
    for filters in lower:
        maps = layers.Conv2D(filters, 5, padding="same", activation="relu")(maps)
        maps = layers.MaxPooling2D(2)(maps)
    maps = layers.Conv2D(last, 5, padding="same", activation="relu")(maps)
    maps = layers.MaxPooling2D(maps.shape[1] // 2)(maps)
    features = layers.Dense(settings["khorrami_units"], activation="relu")(layers.Flatten()(maps))
    return keras.Model(image, layers.Dropout(settings["dropout"])(features), name="khorrami_cnn")


def build_network(inputs, features) -> keras.Model:
    """A linear unit on `features`; computed in float32 under mixed precision."""
    return keras.Model(inputs, layers.Dense(1, dtype="float32", name="prediction")(features))
