"""Traces and bars, from invented results."""

import dataclasses

import pytest

from common import results
from common.evidence.reading import load_papers
from reports.figures import recordings
from tests.reports.fabricate import draw, fabricate_frames

WANG = next(paper for paper in load_papers() if paper.id == "wang2017")


class TestSeriesOfRecordings:
    """The figures of wang2017: traces and bars of one target out of two."""

    @pytest.fixture(scope="class")
    def files(self, tmp_path_factory):
        root = tmp_path_factory.mktemp("wang")
        fabricate_frames(root, WANG, "ast-net")
        return list(results.find(root, WANG.id))

    def drawn(self, files, number):
        paper = dataclasses.replace(WANG, figures=(WANG.figures[number - 1],))
        return [d for d in draw(paper, files) if d.section == "paper"]

    def test_traces_behind_a_median_filter(self, files):
        (drawing,) = self.drawn(files, 5)
        assert drawing.id == "wang2017-figure5" and "median filter" in drawing.caption
        assert "post-processed" not in drawing.caption and "gold standard" in drawing.caption

    def test_missing_recordings_give_way_to_others(self):
        there = ["devel_001", "devel_002", "devel_003"]
        assert recordings._replace_missing(["devel_001", "devel_022", "devel_003"], there) == [
            "devel_001",
            "devel_002",
            "devel_003",
        ]
        assert recordings._replace_missing(["devel_022", "devel_023"], ["devel_001"]) == ["devel_001", "devel_023"]

    def test_bars(self, files):
        (drawing,) = self.drawn(files, 6)
        assert drawing.id == "wang2017-figure6" and "valence" in drawing.caption

    def test_nothing_without_results(self):
        assert [d for number in (2, 6) for d in self.drawn([], number)] == []
