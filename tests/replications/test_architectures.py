"""The networks of the figures, as data: what the rooms build is what the files say."""

import json

import keras
import numpy as np
import pytest

from common.evidence.reading import load_papers
from common.evidence.settings import resolve_settings
from replications import architectures
from replications.chao2016 import flowchart as chao2016
from replications.priyasad2019 import flowchart as priyasad2019
from replications.priyasad2019 import models as priyasad2019_models
from replications.raju2021 import flowchart as raju2021
from replications.raju2021 import models as raju2021_models
from replications.wang2017 import flowchart as wang2017

PAPERS = {paper.id: paper for paper in load_papers()}


def quick(paper, *overrides):
    return resolve_settings(PAPERS[paper], "quick", overrides)


def by_name(rows):
    return {row["name"]: row for row in rows}


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_files_are_what_is_built(paper):
    """After a change of a network: `python -m replications.architectures`."""
    text = architectures.format_text(architectures.describe(paper))
    assert architectures.locate(paper.id).read_text(encoding="utf-8") == text
    assert architectures.read(paper.id) == json.loads(text)


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_every_drawn_network_is_there_with_its_inputs_above_it(paper):
    found = architectures.read(paper.id)
    drawn = {name for f in paper.figures if f.kind in architectures.KINDS for name in (f.variant, *f.variants.values())}
    assert found.keys() == drawn - {""}
    for profiles in found.values():
        assert tuple(profiles) == architectures.PROFILES
        for rows in profiles.values():
            seen = set()
            for row in rows:
                assert set(row["inputs"]) <= seen and row["name"] not in seen
                seen.add(row["name"])
            assert all(set(row.get("before", ())) <= seen for row in rows)


def test_a_paper_without_a_file_has_none():
    assert architectures.read("nobody2000") == {}


@pytest.mark.parametrize("overrides", [(), ("feedback=none",)])
def test_an_opened_decoder_has_all_its_parameters(overrides):
    settings = quick("raju2021", *overrides)
    with keras.StatelessScope(initialize_variables=False):
        rows = [row for row in raju2021.describe("aed", settings) if row.get("within") == "attention_decoder"]
        layer = raju2021_models.aed(settings, 9, 386, 153).get_layer("decoder")
    assert sum(row["parameters"] for row in rows) == layer.count_params()
    rows = by_name(rows)
    assert ("decoder_feedback" in rows) == (not overrides)
    assert rows["decoder_attention_energies"]["shape"] == [None, None]
    assert rows["decoder_attention_query"]["before"] == ["decoder_cell"]
    assert rows["decoder_attention_context"]["inputs"] == ["decoder_attention_softmax", "encoder"]
    assert list(rows)[-1] == "decoder_output"


def test_an_opened_attention_of_features_is_multiplied_with_them():
    with keras.StatelessScope(initialize_variables=False):
        rows = by_name(raju2021.describe("eaf", quick("raju2021")))
    assert rows["audio_attention_scores"]["parameters"] == 386 * 386 + 386
    assert rows["audio_attention"]["inputs"] == ["audio_attention_softmax", "audio"]
    assert rows["features"]["inputs"] == ["audio_attention", "visual_attention"] and "mask" not in rows


def test_vgg19_of_priyasad2019_is_counted_once():
    settings = quick("priyasad2019")
    with keras.StatelessScope(initialize_variables=False):
        rows = by_name(priyasad2019.describe("proposed", settings))
        whole = priyasad2019_models.build_whole("proposed", settings, 6)
    behind = sum(row["parameters"] for name, row in rows.items() if "block" not in name and "fc6" not in name)
    assert behind == whole.count_params()
    assert rows["audio_block5"]["kind"] == "4 × Conv2D + MaxPooling2D" and rows["audio_block5"]["shape"] == [2, 2, 128]
    assert rows["visual_fc6"] == {
        "name": "visual_fc6", "kind": "Dense", "shape": [20, 128], "parameters": 0, "inputs": ["visual_block5"],
        "shared": True,
    }  # fmt: skip
    assert rows["audio_fc7"]["inputs"] == ["audio_fc6"] and rows["attention"]["inputs"] == [
        "attention_softmax",
        "tokens",
    ]


def test_vgg19_of_the_paper_has_the_published_number_of_parameters():
    (profiles,) = architectures.read("priyasad2019").values()
    rows = by_name(profiles["paper"])
    up_to_fc7 = [f"audio_{part}" for part in ("block1", "block2", "block3", "block4", "block5", "fc6", "fc7")]
    assert sum(rows[name]["parameters"] for name in up_to_fc7) == 143_667_240 - (4096 + 1) * 1000  # Keras, without fc8


def test_flowchart_of_wang2017_has_two_clips_and_one_set_of_weights():
    settings = quick("wang2017", "clip_frames=10", "lstm_units=[6, 5]", "fc_units=8")
    with keras.StatelessScope(initialize_variables=False):
        rows = by_name(wang2017.describe("ast-net", settings))
    learnt = 4 * 6 * (8 + 6 + 1) + 4 * 5 * (6 + 5 + 1) + 5 + 1
    assert sum(row["parameters"] for name, row in rows.items() if "_" in name) == 2 * 8 + learnt
    for clip in ("earlier", "later"):
        assert rows[f"{clip}_features"]["inputs"] == ["fc6"] and rows[f"{clip}_lstm_2"]["shape"] == [10, 5]
    assert rows["later_lstm_1"]["shared"] and rows["fc6"]["inputs"] == ["block5"]
    assert rows["loss"]["inputs"] == ["earlier_series", "later_series"]


def test_flowchart_of_chao2016_is_without_the_bookkeeping_of_padding():
    with keras.StatelessScope(initialize_variables=False):
        rows = chao2016.describe("proposed", quick("chao2016"))
    assert not [row["name"] for row in rows if row["name"].endswith(("steps", "valid"))]
    assert [row["name"] for row in rows if not row["inputs"]] == ["shape", "appearance", "audio"]


def test_command_writes_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(architectures, "locate", lambda paper: tmp_path / f"{paper}.json")
    monkeypatch.setattr(architectures, "describe", lambda paper: {"a": {"paper": [], "quick": [{"name": np.e}]}})
    architectures.main([])
    assert {path.stem for path in tmp_path.iterdir()} == set(PAPERS)
    assert architectures.read("lee2018") == {"a": {"paper": [], "quick": [{"name": np.e}]}}
    assert len(capsys.readouterr().out.splitlines()) == len(PAPERS)
