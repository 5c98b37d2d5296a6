"""Recordings to arrays: composition, functionals, the label grid, codebooks from training only, cache, bad files."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from common.errors import InputError
from common.media import audio
from datasets import avec2019, openface
from replications.raju2021 import bags, deep, features, low_level

SETTINGS = {
    "features": "low-level",
    "audio_rate": 16_000,
    "resample": False,
    "lld_to_grid": "mean",
    "summary_window": 4.0,
    "bag_size": 100,
    "codebook_seed": 10,
    "video_composition": "17+36+100",
}
NAMES = ("Train_DE_01", "Train_HU_01", "Devel_DE_01")
ROWS = 46  # labels at 0, 0.1, ... 4.5 s
WIDTHS = {"egemaps": 23, "mfcc": 39, "aus": 18}
FOLDERS = {kind: folders[0] for kind, folders in avec2019.FEATURES.items()}
COMPUTED = ((audio, "extract_lld"), (audio, "read"), (openface, "read"), (bags, "fit"), (bags, "make_bags"))


def with_(**changes) -> dict:
    return {**SETTINGS, **changes}


def write_recording(root, name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    for folder in ("audio", "labels", "openface"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    at = np.arange(int(4.7 * 16_000)) / 16_000
    voice = sum(np.sin(2 * np.pi * k * (110 + 20 * seed) * at) / k for k in range(1, 20))
    noise = random.normal(0, 0.02, len(at))
    soundfile.write(root / "audio" / f"{name}.wav", 0.1 * voice * (1 + np.sin(6 * at)) + noise, 16_000)
    rows = [f"'{name}';{i / 10:.6f};{0.01 * i:.6f};{-0.01 * i:.6f};0.000000" for i in range(ROWS)]
    (root / "labels" / f"{name}.csv").write_text("\n".join(["name;timestamp;arousal;valence;liking", *rows]))
    frames = np.column_stack([np.arange(1, 119), np.arange(118) * 0.04, random.random(118), np.ones(118)])
    frames = np.column_stack([frames, random.uniform(0, 5, (118, 17)).round(2)])
    frames[40:45, 2:] = 0  # no face
    columns = ["frame", "timestamp", "confidence", "success", *openface.ACTION_UNITS]
    np.savetxt(root / "openface" / f"{name}.csv", frames, "%.3f", ", ", header=", ".join(columns), comments="")


def recording(root, name: str) -> avec2019.Recording:
    """As `avec2019.recordings` has it, with the files that are there now."""
    partition, culture, _ = name.split("_")
    there = {kind: root / folder / f"{name}.csv" for kind, folder in FOLDERS.items()}
    return avec2019.Recording(
        name,
        partition,
        culture,
        root / "audio" / f"{name}.wav",
        root / "video" / f"{name}.avi",
        root / "labels" / f"{name}.csv",
        {kind: path for kind, path in there.items() if path.exists()},
    )


def all_of(root) -> list[avec2019.Recording]:
    return [recording(root, name) for name in NAMES]


def write_table(path, values: np.ndarray, hop: float) -> None:
    path.parent.mkdir(exist_ok=True)
    lines = [";".join([f"'{path.stem}'", f"{i * hop:.2f}", *map(repr, row)]) for i, row in enumerate(values.tolist())]
    path.write_text("\n".join(lines))


def distribute(root, rows: int = ROWS) -> None:
    """All that the challenge provides, in numbers that no computation would give."""
    for k, (stream, width) in enumerate(WIDTHS.items()):
        for name in NAMES:
            random = np.random.default_rng([k, *name.encode()])
            levels = {"": width, "_functionals": 2 * width, "_bags": 100}
            for level, columns in levels.items():
                hop, count = (0.1, rows) if level else (0.04, 116) if stream == "aus" else (0.01, 460)
                write_table(
                    root / FOLDERS[stream + level] / f"{name}.csv", random.normal(size=(count, columns)).round(3), hop
                )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus of media and OpenFace's files only. To be read only."""
    root = tmp_path_factory.mktemp("media")
    for seed, name in enumerate(NAMES):
        write_recording(root, name, seed)
    return root


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def extracted(made, store) -> list[features.Features]:
    found, unusable = features.extract(all_of(made), SETTINGS, store, jobs=1, threads=1)
    assert not unusable
    return found


@pytest.fixture
def copy(made, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(made, tmp_path / "corpus")


def extract(root, settings, store):
    return features.extract(all_of(root), settings, store, jobs=1, threads=1)


# composition


def test_one_row_for_each_label_386_and_153_wide(extracted):
    for found, name in zip(extracted, NAMES, strict=True):
        assert (found.name, f"{found.partition}_{found.culture}_01") == (name, name)
        assert found.audio.shape == (ROWS, 386) and found.visual.shape == (ROWS, 153)
        for values in (found.audio, found.visual):
            assert isinstance(values, np.memmap) and values.dtype == np.float32 and np.isfinite(values).all()
        np.testing.assert_allclose(found.labels.arousal, 0.01 * np.arange(ROWS))
    assert len({found.digest for found in extracted}) == 3


def test_descriptors_then_functionals_then_bags(extracted, made):
    """Each block against the definition, computed here from the raw files."""
    source, found = recording(made, "Train_HU_01"), extracted[1]
    signal, counts = audio.read(source.audio, 16_000), []
    for kind, first in (("egemaps", 0), ("mfcc", 23)):
        time, frames = audio.extract_lld(signal, 16_000, kind)
        width, at = frames.shape[1], 62 + 2 * first
        for row in (0, 7, 30, 45):
            near = frames[np.abs(time - 0.1 * row) < 0.0501].astype(float)
            window = frames[np.abs(time - 0.1 * row) < 2.0001].astype(float)
            for begin, expected in ((first, near.mean(0)), (at, window.mean(0)), (at + width, window.std(0))):
                np.testing.assert_allclose(found.audio[row, begin : begin + width], expected, rtol=1e-5, atol=1e-5)
        counts.append([(np.abs(time - 0.1 * row) < 2.0001).sum() for row in range(ROWS)])
    # a bag holds each frame of its window once; rounding may cost it the one at the lower end
    lost = np.array(counts) - (10 ** found.audio[:, 186:].reshape(ROWS, 2, 100) - 1).sum(axis=2).T
    assert lost.min() > -0.01 and lost.max() < 1.01


def test_visual_blocks_keep_frames_without_a_face(extracted, made):
    faces = openface.read(recording(made, "Devel_DE_01").features["openface"])
    frames = np.column_stack([faces.confidence, faces.intensity])
    found = extracted[2].visual
    for row in (0, 17, 45):
        near = np.abs(faces.time - 0.1 * row) < 0.0501
        np.testing.assert_allclose(found[row, :17], frames[near, 1:].mean(0), rtol=1e-5)
        window = frames[np.abs(faces.time - 0.1 * row) < 2.0001]
        np.testing.assert_allclose(found[row, 17:53], [*window.mean(0), *window.std(0)], rtol=1e-5)
    assert (found[17, :17] == 0).all()  # 1.68 and 1.72 s


@pytest.mark.parametrize(("composition", "width"), [("18+36+100", 154), ("17+34+100", 151), ("18+34+100", 152)])
def test_other_compositions_differ_by_confidence(extracted, made, store, composition, width):
    found, _ = extract(made, with_(video_composition=composition), store)
    whole, _ = extract(made, with_(video_composition="18+36+100"), store)
    dropped = ([0] if "17" in composition else []) + ([18, 36] if "34" in composition else [])
    for one, default, widest in zip(found, extracted, whole, strict=True):
        assert one.visual.shape == (ROWS, width) and one.digest != default.digest
        np.testing.assert_array_equal(one.visual, np.delete(widest.visual, dropped, axis=1))
        np.testing.assert_array_equal(default.visual, np.delete(widest.visual, 0, axis=1))
        assert one.audio.filename == default.audio.filename


def test_bags_of_another_size(made, store):
    found, _ = extract(made, with_(bag_size=20), store)
    assert found[0].audio.shape == (ROWS, 226) and found[0].visual.shape == (ROWS, 73)


def test_nearest_is_a_choice(extracted, made, store):
    found, _ = extract(made, with_(lld_to_grid="nearest"), store)
    assert not np.array_equal(found[0].audio[:, :62], extracted[0].audio[:, :62])
    np.testing.assert_array_equal(found[0].audio[:, 62:], extracted[0].audio[:, 62:])


# the challenge's files


def stored(root, kind: str, name: str) -> np.ndarray:
    return avec2019.read_features(root / FOLDERS[kind] / f"{name}.csv").values


def refuse(*_, **__):
    raise AssertionError("computed")


def test_with_the_distribution_nothing_is_computed(copy, tmp_path, monkeypatch):
    distribute(copy)
    shutil.rmtree(copy / "audio"), shutil.rmtree(copy / "openface")
    for module, name in COMPUTED:
        monkeypatch.setattr(module, name, refuse)
    found, unusable = extract(copy, SETTINGS, tmp_path / "store")
    assert not unusable and [item.name for item in found] == list(NAMES)
    for item in found:
        grids = {kind: stored(copy, kind, item.name) for kind in FOLDERS if (copy / FOLDERS[kind]).is_dir()}
        assert item.audio.shape == (ROWS, 386) and item.visual.shape == (ROWS, 153)
        expected = [grids[f"{stream}_{level}"] for level in ("functionals", "bags") for stream in ("egemaps", "mfcc")]
        np.testing.assert_array_equal(item.audio[:, 62:], np.hstack(expected))
        np.testing.assert_array_equal(item.visual[:, 17:], np.hstack([grids["aus_functionals"], grids["aus_bags"]]))
        np.testing.assert_allclose(item.audio[20, :23], grids["egemaps"][195:206].mean(0), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(item.visual[20, :17], grids["aus"][49:52, 1:].mean(0), rtol=1e-5, atol=1e-6)


def test_what_is_missing_is_computed_from_the_challenges_descriptors(copy, tmp_path, monkeypatch):
    distribute(copy)
    for kind in ("mfcc_functionals", "aus_functionals", "egemaps_bags", "aus_bags"):
        shutil.rmtree(copy / FOLDERS[kind])
    monkeypatch.setattr(audio, "extract_lld", refuse)
    found, _ = extract(copy, SETTINGS, tmp_path / "store")
    time, mfcc = 0.01 * np.arange(460), stored(copy, "mfcc", NAMES[0])
    window = mfcc[np.abs(time - 3.0) < 2.0001]
    np.testing.assert_allclose(found[0].audio[30, 108:186], [*window.mean(0), *window.std(0)], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found[0].audio[:, 286:], stored(copy, "mfcc_bags", NAMES[0]))
    book = bags.fit(np.concatenate([stored(copy, "aus", name) for name in NAMES[:2]]))
    times = avec2019.read_features(copy / FOLDERS["aus"] / f"{NAMES[2]}.csv").time
    expected = bags.make_bags(book, times, stored(copy, "aus", NAMES[2]), bags.space_centres(ROWS))
    np.testing.assert_array_equal(found[2].visual[:, 53:], expected)


@pytest.mark.parametrize(("rows", "usable"), [(60, True), (40, True), (36, True), (35, False)])
def test_rows_are_cropped_or_the_last_is_repeated_up_to_a_second(copy, tmp_path, rows, usable):
    distribute(copy)
    path = copy / FOLDERS["mfcc_functionals"] / f"{NAMES[1]}.csv"
    table = np.random.default_rng(0).normal(size=(rows, 78))
    write_table(path, table, 0.1)
    found, unusable = extract(copy, SETTINGS, tmp_path / "store")
    if not usable:
        assert [(item.recording, item.file) for item in unusable] == [(NAMES[1], str(path))]
        assert "has 35 rows for 46 labels" in unusable[0].reason
        return
    assert not unusable
    np.testing.assert_allclose(found[1].audio[:, 108:186], table[np.minimum(np.arange(ROWS), rows - 1)], rtol=1e-5)


def test_a_recording_missing_from_one_set_is_unusable_and_not_computed_otherwise(copy, tmp_path):
    distribute(copy)
    path = copy / FOLDERS["egemaps_bags"] / f"{NAMES[1]}.csv"
    path.unlink()
    found, unusable = extract(copy, SETTINGS, tmp_path / "store")
    assert [item.name for item in found] == [NAMES[0], NAMES[2]]
    assert unusable[0].recording == NAMES[1] and unusable[0].file == str(path) and "missing" in unusable[0].reason


def no_time(path):
    path.write_text("\n".join(line.split(";", 2)[2] for line in path.read_text().splitlines()))


def fewer_columns(path):
    path.write_text("\n".join(line.rsplit(";", 1)[0] for line in path.read_text().splitlines()))


def not_a_number(path):
    path.write_text("\n".join(line.rsplit(";", 1)[0] + ";nan" for line in path.read_text().splitlines()))


@pytest.mark.parametrize(
    ("kind", "damage", "words"),
    [
        ("aus", no_time, "has no time"),
        ("egemaps", fewer_columns, "has 22 columns, expected 23"),
        ("aus_functionals", fewer_columns, "has 35 columns, expected 36"),
        ("mfcc_bags", fewer_columns, "has 99 columns, expected 100"),
        ("mfcc", not_a_number, "NaN"),
        ("aus_bags", not_a_number, "NaN"),
    ],
)
def test_a_damaged_feature_file_is_named(copy, tmp_path, kind, damage, words):
    distribute(copy)
    path = copy / FOLDERS[kind] / f"{NAMES[0]}.csv"
    if damage is no_time:
        table = stored(copy, kind, NAMES[0]).tolist()
        path.write_text("\n".join(",".join(map(str, row)) for row in table))
    else:
        damage(path)
    found, unusable = extract(copy, SETTINGS, tmp_path / "store")
    assert [item.name for item in found] == list(NAMES[1:])
    assert [item.file for item in unusable] == [str(path)] and words in unusable[0].reason


# media that cannot be used


def test_unusable_recordings_are_listed_in_order_and_the_others_are_there(copy, tmp_path):
    (copy / "labels" / "Devel_DE_01.csv").write_text("")
    (copy / "openface" / "Train_DE_01.csv").unlink()
    found, unusable = extract(copy, with_(bag_size=10), tmp_path / "store")
    assert [item.name for item in found] == ["Train_HU_01"]
    assert [item.recording for item in unusable] == ["Train_DE_01", "Devel_DE_01"]
    assert unusable[0].file == str(copy / "openface" / "Train_DE_01.csv") and "OpenFace" in unusable[0].reason
    assert unusable[1].file == str(copy / "labels" / "Devel_DE_01.csv") and "empty" in unusable[1].reason


@pytest.mark.parametrize(("seconds", "words"), [(3.0, "ends at 3.0 s, its labels at 4.5 s"), (0.05, "0.06 s or more")])
def test_audio_much_shorter_than_its_labels(copy, tmp_path, seconds, words):
    path = copy / "audio" / "Train_DE_01.wav"
    signal, rate = soundfile.read(path)
    soundfile.write(path, signal[: round(seconds * rate)], rate)
    _, unusable = extract(copy, with_(bag_size=10), tmp_path / "store")
    assert [item.file for item in unusable] == [str(path)]
    assert words in unusable[0].reason


def test_no_recording_can_be_used(copy, tmp_path):
    shutil.rmtree(copy / "openface")
    found, unusable = extract(copy, SETTINGS, tmp_path / "store")
    assert not found and [item.recording for item in unusable] == list(NAMES)


def test_no_training_recording_no_codebook(made, tmp_path):
    with pytest.raises(InputError, match="no training recording"):
        features.extract([recording(made, NAMES[2])], SETTINGS, tmp_path, jobs=1, threads=1)


# codebooks and the cache


def test_codebooks_are_made_from_all_training_recordings_and_no_other(extracted, made, store, tmp_path, monkeypatch):
    fitted = []
    monkeypatch.setattr(bags, "fit", lambda *given: fitted.append(given) or bags.Codebook(np.zeros((100, 1))))
    monkeypatch.setattr(bags, "make_bags", lambda book, time, frames, centres, window: np.zeros((ROWS, 100)))
    shutil.copytree(store, tmp_path / "store")
    extract(made, with_(codebook_seed=3), tmp_path / "store")
    signals = [audio.read(made / "audio" / f"{name}.wav", 16_000) for name in NAMES[:2]]
    faces = [openface.read(made / "openface" / f"{name}.csv") for name in NAMES[:2]]
    training = [[audio.extract_lld(signal, 16_000, kind)[1] for signal in signals] for kind in ("egemaps", "mfcc")]
    training += [[np.column_stack([face.confidence, face.intensity]) for face in faces]]
    for (frames, size, seed, standardise), expected, audible in zip(fitted, training, (True, True, False), strict=True):
        assert (size, seed, standardise) == (100, 3, audible)
        np.testing.assert_allclose(frames, np.concatenate(expected), rtol=1e-6)


def test_the_second_time_nothing_is_computed(extracted, made, store, monkeypatch):
    for module, name in COMPUTED:
        monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(low_level, "summarise", refuse)
    again, _ = extract(made, SETTINGS, store)
    for one, other in zip(again, extracted, strict=True):
        assert one.digest == other.digest and one.audio.filename == other.audio.filename


def test_features_depend_on_neither_cache_nor_jobs(extracted, made, tmp_path):
    again, _ = features.extract(all_of(made), SETTINGS, tmp_path, jobs=2, threads=1)
    for one, other in zip(again, extracted, strict=True):
        assert one.digest == other.digest
        np.testing.assert_array_equal(one.audio, other.audio)
        np.testing.assert_array_equal(one.visual, other.visual)


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"resample": True}, ["audio"]),
        ({"resample": True, "audio_rate": 8000}, ["audio"]),
        ({"summary_window": 3.0}, ["audio", "visual"]),
        ({"codebook_seed": 11}, ["audio", "visual"]),
        ({"bag_size": 20}, ["audio", "visual"]),
        ({"lld_to_grid": "nearest"}, ["audio", "visual"]),
        ({"video_composition": "18+36+100"}, ["visual"]),
        ({"learning_rate": 1.0}, []),
    ],
    ids=str,
)
def test_settings_that_shape_features_are_in_the_key(extracted, made, store, changes, changed):
    found, _ = extract(made, with_(**changes), store)
    for one, other in zip(found, extracted, strict=True):
        differs = [m for m in ("audio", "visual") if getattr(one, m).filename != getattr(other, m).filename]
        assert differs == changed and (one.digest != other.digest) == bool(changed)


def test_the_content_of_a_file_is_in_the_key_its_name_is_not(extracted, made, copy, store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(audio, "extract_lld", refuse)
        same, _ = extract(copy, SETTINGS, store)
    assert [item.digest for item in same] == [item.digest for item in extracted]
    signal, rate = soundfile.read(copy / "audio" / "Devel_DE_01.wav", dtype="int16")
    soundfile.write(copy / "audio" / "Devel_DE_01.wav", signal[::-1], rate)
    other, _ = extract(copy, SETTINGS, store)
    assert [a.digest == b.digest for a, b in zip(other, extracted, strict=True)] == [True, True, False]
    # a training recording shapes the words of all
    signal, rate = soundfile.read(copy / "audio" / "Train_HU_01.wav", dtype="int16")
    soundfile.write(copy / "audio" / "Train_HU_01.wav", signal[::-1], rate)
    other, _ = extract(copy, SETTINGS, store)
    assert not any(a.digest == b.digest for a, b in zip(other, extracted, strict=True))


def test_other_labels_are_another_digest(extracted, copy, store):
    path = copy / "labels" / "Devel_DE_01.csv"
    path.write_text(path.read_text().replace("0.450000", "0.500000"))
    other, _ = extract(copy, SETTINGS, store)
    assert other[2].digest != extracted[2].digest and other[2].audio.filename == extracted[2].audio.filename


# deep features


@pytest.fixture
def invented(monkeypatch, tmp_path):
    """Instead of deep features: 5 and 3 columns."""

    def cache_features(recording, settings, cache, kinds=None):
        if recording.name == "Train_HU_01" and settings.get("broken"):
            raise InputError(f"{recording.video}: broken; mend it")
        files = {}
        for modality, width in (("audio", 5), ("visual", 3)):
            files[modality] = tmp_path / f"{recording.name}-{modality}.npy"
            np.save(files[modality], np.full((ROWS, width), len(recording.name), np.float32))
        return files

    monkeypatch.setattr(deep, "cache_features", cache_features)


def test_deep_features_alone(invented, made, tmp_path, monkeypatch):
    monkeypatch.setattr(low_level, "cache_frames", refuse)
    found, unusable = extract(made, with_(features="deep"), tmp_path / "store")
    assert not unusable and [item.audio.shape for item in found] == [(ROWS, 5)] * 3
    assert found[0].visual.shape == (ROWS, 3)


def test_deep_features_beside_the_others(invented, extracted, made, store):
    found, _ = extract(made, with_(features="both"), store)
    for one, low in zip(found, extracted, strict=True):
        np.testing.assert_array_equal(one.audio[:, :386], low.audio)
        np.testing.assert_array_equal(one.audio[:, 386:], np.full((ROWS, 5), 11))
        assert one.visual.shape == (ROWS, 156) and isinstance(one.visual, np.memmap) and one.digest != low.digest


def test_a_recording_must_have_both(invented, made, store, copy):
    recordings = all_of(made)
    recordings[2] = replace(recordings[2], labels=copy / "labels" / "none.csv")
    found, unusable = features.extract(recordings, with_(features="both", broken=True), store, jobs=1, threads=1)
    assert [item.name for item in found] == ["Train_DE_01"]
    assert [(item.recording, item.reason.split(";")[0]) for item in unusable][0] == ("Train_HU_01", "broken")
    assert unusable[1].recording == "Devel_DE_01"
