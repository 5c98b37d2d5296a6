"""Result files with invented values, for tests: nothing in them was measured."""

import copy
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import numpy as np

from common import metrics, results, storage
from common.evidence.paper import Paper
from common.evidence.reading import load_paper
from common.evidence.settings import resolve_settings
from reports.figures import makers

CLASSES = load_paper(Path(__file__).with_name("classes.toml"))

METRICS = {"RMSE": metrics.rmse, "CC": metrics.cc, "CCC": metrics.ccc}
QUALITY = {  # how closely the invented prediction follows the invented gold standard
    "lstm": 0.5, "lstm-ta": 0.7, "cnn2d": 0.45, "cnn3d": 0.6, "cnn3d-sta": 0.75,
    "khorrami-cnn": 0.5, "khorrami-rnn": 0.6, "fused": 0.85,
}  # fmt: skip


def fabricate(root, paper: Paper, variant: str, corpus="simulated", profile="quick", seed=0, overrides=(), **changes):
    """Write one invented result below `root` and return its path.

    `changes` replace entries of the record; with other `scores` no predictions are stored, they would not fit.
    """
    arrays, scores, mechanism, examples = _invent(variant, corpus, seed, QUALITY[variant])
    values = resolve_settings(paper, profile, overrides)
    record = {
        "paper": paper.id, "corpus": corpus, "evidence": "simulated" if corpus.startswith("simulated") else "real",
        "profile": profile, "target": paper.protocol.target, "variant": variant, "fold": paper.protocol.fold,
        "seed": seed, "settings": values, "settings_digest": storage.digest(values), "corpus_digest": "0123456789abcdef",
        "scores": copy.deepcopy(scores), "postprocess": {"devel": _chain("devel"), "train": _chain("train")},
        "recordings": [{"name": f"Devel_{n:02}", "labels": 300, "frames_without_face": n % 3} for n in range(1, 15)],
        "unusable": [], "parameters": 12345,
        "history": {"loss": list(0.2 * np.exp(-np.arange(20) / 6) + 0.02)},
        "seconds": {"training": 12.3, "prediction": 1.2}, "mechanism": copy.deepcopy(mechanism),
        "provenance": {
            "date": "2026-01-02T03:04:05+00:00", "commit": "0" * 40, "dirty": False, "python": "3.11.7",
            "tensorflow": "2.16.2", "keras": "3.12.4", "numpy": "1.26.4", "opensmile": "2.6.0", "dlib": "20.0.1",
            "processor": "invented", "threads": 2, "onednn": True,
        },
    }  # fmt: skip
    record.update(changes)
    folder = root / paper.id / record["corpus"] / record["profile"] / record["target"] / record["variant"]
    path = folder / f"{record['fold']}-seed{record['seed']}.json"
    results.write(path, record, None if "scores" in changes else {**arrays, **examples})
    return path


@cache
def _invent(variant, corpus, seed, quality):
    """What is long to compute of a result: its series, their scores, its mechanism and what that is seen in."""
    generator = np.random.default_rng([seed, len(variant), len(corpus), *variant.encode()])
    arrays = _series(generator, quality, names=[f"Devel_{n:02}" for n in range(1, 15)])
    return arrays, _scores(arrays), *_mechanism(generator, variant, corpus)


def fabricate_all(root, paper: Paper, corpora=("simulated", "simulated-uniform")):
    return [fabricate(root, paper, variant, corpus) for corpus in corpora for variant in QUALITY]


def fabricate_targets(root, paper: Paper, variant: str, corpus="simulated", profile="quick", fold="devel", quality=0.5,
                      seed=0, **changes):  # fmt: skip
    """As `fabricate`, of a network that predicts arousal, valence and liking: 3 + 3 recordings, pairs in a chat."""
    generator = np.random.default_rng([seed, len(corpus), *variant.encode(), *fold.encode()])
    names = [f"Devel_{culture}_{n:02}" for culture in ("DE", "HU") for n in range(1, 5)]
    arrays = {}
    for target in ("arousal", "valence", "liking"):
        for name, series in _series(generator, quality, names).items():
            kind, recording = name.split("/")
            if kind != "post":
                arrays[f"{kind}/{recording}" if kind == "time" else f"{kind}/{target}/{recording}"] = series
    values = resolve_settings(paper, profile)
    record = {
        "paper": paper.id, "corpus": corpus, "evidence": "simulated" if corpus.startswith("simulated") else "real",
        "profile": profile, "target": "all", "variant": variant, "fold": fold, "seed": seed, "settings": values,
        "settings_digest": storage.digest(values), "corpus_digest": "0123456789abcdef",
        "scores": {
            target: {pattern: {"CCC": _joined(arrays, target, pattern)} for pattern in ("Devel_DE_*", "Devel_HU_*", "*")}
            for target in ("arousal", "valence", "liking")
        },
        "recordings": [], "unusable": [],
        "chats": {name: f"{name[:-2]}{(int(name[-2:]) + 1) // 2}" for name in names},
        "parameters": 12345, "history": {"loss": [0.9, 0.8]},
        "seconds": {"training": 12.3}, "mechanism": None,
    }  # fmt: skip
    if variant in ("aed", "emafn"):
        record["mechanism"] = {
            "alignment": {"offset": 1.2, "interval": [0.8, 1.6], "spread": 4.0, "planted": 2.0, "frames": 800}
        }
        steps = np.arange(60)
        shares = np.exp(-((steps[None] - steps[:, None] + 3) ** 2) / 50)
        arrays |= {"example_alignment": shares / shares.sum(axis=1, keepdims=True), "example_hop": np.array(0.4)}
    record.update(changes)
    folder = root / paper.id / record["corpus"] / record["profile"] / "all" / variant
    path = folder / f"{record['fold']}-seed{record['seed']}.json"
    results.write(path, record, arrays)
    return path


def fabricate_frames(root, paper: Paper, variant: str, corpus="simulated", profile="quick", seed=0, quality=0.5,
                     targets=("arousal", "valence"), partitions=("devel", "test"), **changes):  # fmt: skip
    """As `fabricate`, scored by the CC of each recording: five of each partition."""
    generator = np.random.default_rng([seed, len(corpus), *variant.encode()])
    names = [f"{partition}_{n:03}" for partition in partitions for n in range(1, 6)]
    arrays, scores = {}, {}
    for target in targets:
        values = {}
        for name, series in _series(generator, quality, names).items():
            kind, recording = name.split("/")
            if kind != "post":
                arrays[f"{kind}/{recording}" if kind == "time" else f"{kind}/{target}/{recording}"] = series
        for name in names:
            values[name] = metrics.cc(arrays[f"gold/{target}/{name}"], arrays[f"raw/{target}/{name}"])
        for partition in partitions:
            part = [value for name, value in values.items() if name.startswith(partition)]
            found = {"CC": float(np.mean(part)), "CC_max": max(part), "CC_min": min(part)}
            scores.setdefault(target, {})[f"{partition}_*"] = found
    values = resolve_settings(paper, profile)
    record = {
        "paper": paper.id, "corpus": corpus, "evidence": "simulated" if corpus.startswith("simulated") else "real",
        "profile": profile, "target": "all", "variant": variant, "fold": "devel", "seed": seed, "settings": values,
        "settings_digest": storage.digest(values), "corpus_digest": "0123456789abcdef", "scores": scores,
        "recordings": [], "unusable": [], "parameters": 12345,
        "history": {"loss": [0.9, 0.8]}, "seconds": {"training": 12.3}, "provenance": {"processor": "invented"},
    }  # fmt: skip
    record.update(changes)
    folder = root / paper.id / record["corpus"] / record["profile"] / "all" / variant
    path = folder / f"{record['fold']}-seed{record['seed']}.json"
    results.write(path, record, None if "scores" in changes else arrays)
    return path


def fabricate_classes(root, paper: Paper, variant: str, corpus="simulated", profile="quick", seed=0, quality=0.5,
                      clips=(("Val", 40), ("Test", 60)), unlabelled=(), **changes):  # fmt: skip
    """As `fabricate`, of a network that predicts the class of clips; the partitions `unlabelled` have no gold standard.

    Share `quality` of the predictions is right, the others are drawn.
    """
    generator = np.random.default_rng([seed, len(corpus), *variant.encode()])
    classes, target = paper.protocol.classes, paper.protocol.target
    arrays, scores, recordings = {}, {}, []
    for partition, count in clips:
        truth = np.arange(count) % len(classes)
        kept = generator.random(count) < quality
        predicted = np.where(kept, truth, generator.integers(len(classes), size=count))
        for number, (label, guess) in enumerate(zip(truth, predicted)):
            name = f"{partition}/{number:09}"
            arrays[f"raw/{target}/{name}"] = np.array([guess])
            known = partition not in unlabelled
            if known:
                arrays[f"gold/{target}/{name}"] = np.array([label])
            recordings.append(
                {
                    "name": name,
                    "label": classes[label] if known else None,
                    "frames": 50,
                    "frames_without_face": number % 2,
                }
            )
        if partition not in unlabelled:
            scores[f"{partition}/*"] = class_scores(truth, predicted, classes)
    for number in range(1, 11):
        arrays[f"alignment/Test/{number:09}"] = generator.random((4, 20 + number))
    arrays["embeddings/before"], arrays["embeddings/after"] = generator.normal(size=(2, len(classes), 8))
    values = resolve_settings(paper, profile)
    record = {
        "paper": paper.id, "corpus": corpus, "evidence": "simulated" if corpus.startswith("simulated") else "real",
        "profile": profile, "target": "all", "variant": variant, "fold": paper.protocol.fold, "seed": seed,
        "settings": values, "settings_digest": storage.digest(values), "corpus_digest": "0123456789abcdef",
        "scores": {target: scores}, "recordings": recordings, "unusable": [],
        "parameters": 12345, "history": {"loss": [0.9, 0.8]}, "seconds": {"training": 12.3},
        "mechanism": {
            "perception": {"auc": 0.6, "interval": [0.55, 0.66], "chance": 0.5, "frames": 800},
            "synchrony": {"offset": 0.05, "interval": [0.0, 0.1], "planted": 0.04, "frames": 800},
            "drift": {"slope": 0.2, "interval": None, "predicted": 1.0},
        },
    }  # fmt: skip
    record.update(changes)
    folder = root / paper.id / record["corpus"] / record["profile"] / "all" / variant
    path = folder / f"{record['fold']}-seed{record['seed']}.json"
    results.write(path, record, None if "scores" in changes else arrays)
    return path


def class_scores(truth, predicted, classes):
    """What a result file holds of one set of recordings, by the functions of `common.metrics`; None for NaN."""
    names = range(len(classes))
    shares = metrics.confusion_matrix(truth, predicted, classes=names)
    found = {f"{t} as {p}": shares[i, j] for i, t in enumerate(classes) for j, p in enumerate(classes)}
    found["accuracy"] = 100 * metrics.accuracy(truth, predicted, classes=names)
    found["UAR"] = 100 * metrics.uar(truth, predicted, classes=names)
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def _joined(arrays, target, pattern):
    names = [n for n in arrays if fnmatchcase(n, f"gold/{target}/{pattern}")]
    sides = [[arrays[n.replace("gold/", kind)] for n in names] for kind in ("gold/", "raw/")]
    return metrics.ccc(*map(np.concatenate, sides), variance="avec2018")


def _series(generator, quality, names):
    arrays, time = {}, np.arange(300) * 0.5
    for name in names:
        gold = 0.15 * np.sin(time / generator.uniform(5, 15) + generator.uniform(0, 6))
        rough = np.convolve(generator.normal(size=300), np.ones(9) / 3, "same")
        arrays[f"time/{name}"], arrays[f"gold/{name}"] = time, gold
        arrays[f"post/{name}"] = quality * gold + (1 - quality) * 0.12 * rough
        arrays[f"raw/{name}"] = 0.5 * arrays[f"post/{name}"] + 0.03 * generator.normal(size=300) + 0.05
    return arrays


def _scores(arrays):
    names = [name[5:] for name in arrays if name.startswith("gold/")]
    golds = [arrays[f"gold/{name}"] for name in names]
    return {
        fitted: {
            pooling: {
                metric: metrics.score_pooled(
                    function, golds, [arrays[f"{kind}/{name}"] for name in names], pooling=pooling
                )
                for metric, function in METRICS.items()
            }
            for pooling in ("per_recording", "concatenated")
        }
        for fitted, kind in (("none", "raw"), ("devel", "post"), ("train", "post"))
    }


def _chain(fitted_on):
    names = ("smooth", "centre", "scale")
    steps = [{"name": n, "value": 1.5, "kept": n != "scale", "ccc_before": 0.2, "ccc_after": 0.3} for n in names]
    return {"fitted_on": fitted_on, "steps": steps}


def _mechanism(generator, variant, corpus):
    salient = corpus == "simulated"
    mechanism, arrays = {}, {}
    if variant in ("lstm-ta", "fused"):
        auc = 0.64 if salient else 0.51
        mechanism["temporal"] = {
            "auc": auc,
            "interval": [auc - 0.04, auc + 0.05],
            "chance": 0.5,
            "frames": 900,
            "salient": 120,
        }
        mask = (np.arange(300) % 100) < 25
        arrays["example_time"], arrays["example_salient"] = np.arange(300) * 0.5, mask
        arrays["example_attention"] = 1 + 0.3 * mask + 0.1 * generator.normal(size=300)
    if variant in ("cnn3d-sta", "fused"):
        rate = 0.41 if salient else 0.22
        mechanism["spatial"] = {"hit_rate": rate, "interval": [rate - 0.05, rate + 0.06], "chance": 0.2, "frames": 900}
    if variant == "cnn3d-sta":
        y, x = np.mgrid[:48, :48]
        arrays["example_frames"] = np.stack([_face(k) for k in range(4)])
        maps = np.stack([np.exp(-((x - 14 - 6 * k) ** 2 + (y - 32) ** 2) / 60) for k in range(4)])
        arrays["example_attention"] = maps / maps.sum(axis=(1, 2), keepdims=True)
        arrays["example_region"] = np.array([[10, 26, 36, 40]] * 4, float)
    return mechanism or None, arrays


def _face(k):
    y, x = np.mgrid[:48, :48]
    frame = np.full((48, 48, 3), 200 + k, np.uint8)
    frame[((x - 24) / 17) ** 2 + ((y - 24) / 21) ** 2 < 1] = (214, 170, 140)
    for cx in (16, 32):
        frame[(x - cx) ** 2 + (y - 19) ** 2 < 7] = (40, 30, 30)
    frame[(abs(y - 34 - (k - 1.5) * ((x - 24) / 10) ** 2) < 1.5) & (abs(x - 24) < 9)] = (150, 50, 50)
    return frame


def draw(paper: Paper, files: list) -> list:
    """All figures of a paper, drawn here."""
    return [drawing for make in makers.list_makers(paper) for drawing in makers.run_maker(make, files)]
