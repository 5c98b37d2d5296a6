"""paper.toml: what it holds for the papers of the suite, and what is refused."""

import re
from pathlib import Path

import pytest

from common.errors import InputError
from common.evidence.paper import collect_numbers, count_decimals, format_ledger, list_shrunk, resolve_number
from common.evidence.reading import load_paper, load_papers
from common.evidence.settings import resolve_settings

PAPERS = {paper.id: paper for paper in load_papers()}

MINIMAL = """
[paper]
id = "p"
title = "T"
authors = "A"
venue = "V"
year = 2000
doi = "10.1/2"
corpus = "c"
[protocol]
target = "valence"
fold = "devel"
postprocess = "devel"
pooling = "per_recording"
[tolerance]
CCC = 0.03
[[tables]]
id = "table1"
title = "T"
columns = [{ label = "CCC", metric = "CCC" }]
rows = [{ label = "a", variant = "v", published = { CCC = "0.500" } }]
[[figures]]
id = "figure1"
title = "F"
kind = "architecture"
variant = "v"
[[claims]]
where = "Section 1"
text = "better"
better = "v"
worse = "v"
metric = "CCC"
[settings.size]
value = 96
quick = 48
source = "assumed"
where = "not stated (ledger 1)"
[settings.mode]
value = "a"
choices = ["a", "b"]
source = "stated"
where = "Section 2"
[[ledger]]
number = 1
point = "Size"
text = "nothing"
options = "64 or 96"
choice = "96"
why = "habit"
sure = "low"
switch = "--set size=64"
"""


CLASSES = (Path(__file__).parents[2] / "reports/classes.toml").read_text()  # an invented paper on classes


@pytest.fixture
def toml(tmp_path):
    def write(old="", new="", text=MINIMAL):
        assert old in text
        path = tmp_path / "paper.toml"
        path.write_text(text.replace(old, new, 1))
        return path

    return write


class TestSuite:
    def test_ids_are_the_folders(self):
        assert PAPERS and all(paper.path.parent.name == name for name, paper in PAPERS.items())

    def test_lee2018_prints_32_numbers(self):
        rows = [row for table in PAPERS["lee2018"].tables for row in table.rows]
        assert [sum(len(row.published) for row in table.rows) for table in PAPERS["lee2018"].tables] == [6, 9, 17]
        assert sum(bool(row.quoted) for row in rows) == 2
        assert [list(row.published.values()) for row in rows if row.variant == "fused"] == [["0.091", "0.664", "0.641"]]

    def test_lee2018_prints_a_variant_alike_everywhere(self):
        printed = {}
        for table in PAPERS["lee2018"].tables:
            for row in table.rows:
                if row.variant:
                    assert printed.setdefault(row.variant, row.published) == row.published

    def test_quick_profile_is_smaller(self):
        changed = {setting.name for setting in list_shrunk(PAPERS["lee2018"])}
        assert {"crop_size", "epochs_video"} <= changed and "clip_frames" not in changed

    @pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
    def test_readme_holds_the_ledger(self, paper):
        readme = paper.path.with_name("README.md")
        held = re.search(r"<!-- ledger -->\n(.*)<!-- /ledger -->", readme.read_text(), re.DOTALL)
        assert held and held[1].strip() == format_ledger(paper).strip()


class TestRefused:
    def test_minimal_is_accepted(self, toml):
        paper = load_paper(toml())
        assert paper.tables[0].rows[0].published == {"CCC": "0.500"} and paper.settings["size"].quick == 48

    @pytest.mark.parametrize(
        ("old", "new", "named"),
        [
            ('doi = "10.1/2"', 'doi = "10.1/2"\ncolour = 1', "`colour`"),
            ('id = "p"', "", "`id` is missing"),
            ("year = 2000", 'year = "2000"', "year"),
            ("year = 2000", "year = true", "year"),
            ("[protocol]", "[protocols]", "`protocols`"),
            ('pooling = "per_recording"', 'pooling = "mean"', "`pooling`"),
            ('pooling = "per_recording"', 'pooling = "per_recording"\nseeds = 0', "`seeds`"),
            ("CCC = 0.03", "CCC = -1.0", "tolerance"),
            ("CCC = 0.03", "CCC = inf", "tolerance"),
            (
                "[tolerance]",
                '[recordings.d]\n"*" = 9\n[tolerance]',
                "recordings: no number of the paper is about '*' of 'd'",
            ),
            ("[tolerance]", '[recordings.c]\n"Dev*" = 9\n[tolerance]', "is about 'Dev*' of 'c'"),
            ("[tolerance]", '[recordings.c]\n"*" = 0.5\n[tolerance]', "recordings.c"),
            ("CCC = 0.03", "RMSE = 0.03", "`CCC` is missing"),
            ('variant = "v", published', "published", "needs `variant` or `quoted`"),
            ('CCC = "0.500"', 'CCC = "0,500"', "'0,500'"),
            ('CCC = "0.500"', 'CCC = "nan"', "'nan'"),
            ('CCC = "0.500"', "CCC = 0.5", "tables 1: rows 1: published.CCC"),
            ('CCC = "0.500"', 'CC = "0.5"', "no column"),
            ("rows = [", 'rows = [{ label = "a", quoted = "q", published = { CCC = "1" } }, ', "same `label`"),
            ('label = "a"', 'label = "a", lable = "b"', "`lable`"),
            ('kind = "architecture"', 'kind = "photo"', "'photo'"),
            ('kind = "architecture"', 'kind = "traces"', "figure1"),
            ('better = "v"', 'better = "w"', "'w'"),
            ('metric = "CCC"', 'metric = "AUC"', "`metric`"),
            ('better = "v"\n', "", "claims 1: needs `better` and `worse`, or `holds`"),
            ('better = "v"', 'better = "v"\nnote = "n"', "`loose` and `note` go with `holds`"),
            ('better = "v"', 'better = "v"\nloose = true', "`loose` and `note` go with `holds`"),
            ('better = "v"', 'better = "v"\nholds = "1 == 1"', "`better` does not go with `holds`"),
            ('source = "assumed"', 'source = "guessed"', "settings.size"),
            ('source = "assumed"\n', "", "settings"),
            ("quick = 48", 'quick = "48"', "`quick`"),
            ('value = "a"', 'value = "c"', "settings.mode"),
            ("(ledger 1)", "(ledger 1, 2)", "ledger 2"),
            ("number = 1", "number = 2", "1, 2, 3"),
            ("size=64", "size=big", "ledger 1"),
            ("size=64", "sise=64", "ledger 1"),
        ],
    )
    def test_one_line_names_file_and_key(self, toml, old, new, named):
        with pytest.raises(InputError) as caught:
            load_paper(toml(old, new))
        message = str(caught.value)
        assert "paper.toml: " in message and named in message and "\n" not in message

    @pytest.mark.parametrize(
        ("old", "new", "named"),
        [
            ('classes = ["Angry", "Happy", "Sad"]', "", "`classes` is missing"),
            ('"Happy", "Sad"]', '"Happy", "Happy"]', "twice"),
            ('"Happy", "Sad"]', '"Happy", 3]', "classes 3"),
            ('pooling = "concatenated"', 'pooling = "per_recording"', "`pooling`"),
            ('postprocess = "none"', 'postprocess = "devel"', "`postprocess`"),
            ('truth = "Sad", ', "", "`truth` is ''"),
            ('truth = "Sad"', 'truth = "sad"', "`truth` is 'sad'"),
            (', predicted = "Sad"', "", "`predicted` is ''"),
            ('metric = "UAR"', 'metric = "UAR", predicted = "Sad"', "`predicted` goes with the metric share"),
            ('worse = "average"', 'worse = "average"\ntruth = "Sad"', "claims 1: `truth` goes with"),
            ("share = 5.0", "", "`share` is missing"),
            ('prefix = "alignment"', "", "figure2: `prefix` is missing"),
            ('kind = "projection"\nvariant = "proposed"', 'kind = "projection"', "figure4: `variant` is missing"),
            ('rows = ["Angry", "Happy", "Sad"]', "", "figure4: `rows` is missing"),
            ('table = "figure5"', "", "figure5: `table` is missing"),
            ('table = "figure5"', 'table = "table1"', "no confusion matrix"),
        ],
    )
    def test_classes(self, toml, old, new, named):
        with pytest.raises(InputError) as caught:
            load_paper(toml(old, new, CLASSES))
        message = str(caught.value)
        assert "paper.toml: " in message and named in message and "\n" not in message

    STATEMENT = '[[claims]]\nwhere = "w"\ntext = "t"\nholds = "table1[\'a\', \'CCC\'] == 0.5"\n'
    AUDIT = '[[audit]]\nwhere = "w"\nshares = "table1[:, \'CCC\']"\ntotal = 9\n'

    @pytest.mark.parametrize(
        ("old", "new", "named"),
        [
            ("== 0.5", "", "`holds`: is not one comparison"),
            ("== 0.5", "== ", "`holds`: cannot be read"),
            ("== 0.5", "== open('x')", "`holds`: `open('x')` is not accepted"),
            ("'a', 'CCC'", "'b', 'CCC'", "`holds`: `table1` prints no number 'b' / 'CCC'"),
            ("table1", "table2", "`table2['a', 'CCC']` is not accepted"),
            ('text = "t"', 'text = "t"\nmetric = "CCC"', "claims 2: `metric` does not go with `holds`"),
            ('text = "t"', 'text = "t"\ntolerance = 0.1', "claims 2: `tolerance` does not go with `holds`"),
            ('text = "t"', 'text = "t"\nrecordings = "*"', "`recordings` and `frames` go together"),
            ("== 0.5", "< frames", "`recordings` and `frames` go together"),
            ('text = "t"', 'text = "t"\nhold = "1"', "`hold`"),
            ("total = 9", "total = 0", "audit 1: `total`"),
            ("total = 9", 'total = 9\nmatrix = "table1"', "audit 1: needs `matrix` or `shares`"),
            ("total = 9", "total = 9\nquoted = \"table1['a', 'CCC']\"", "audit 1: `quoted` goes with `matrix`"),
            ("table1[:, 'CCC']", "table1[:, 'CC']", "audit 1: `shares`: `table1` prints no number"),
            ('shares = "table1', 'matrix = "table1', "audit 1: `matrix`"),
            ("total = 9", "totl = 9", "`totl`"),
        ],
    )
    def test_statements_and_audit(self, toml, old, new, named):
        both = self.STATEMENT + self.AUDIT + "[settings.size]"
        text = MINIMAL.replace("[settings.size]", both)
        paper = load_paper(toml(text=text))
        assert paper.claims[1].holds == "table1['a', 'CCC'] == 0.5" and paper.audit[0].total == 9
        assert collect_numbers(paper) == {"table1": {("a", "CCC"): "0.500"}}
        with pytest.raises(InputError) as caught:
            load_paper(toml(both, both.replace(old, new, 1), text))
        message = str(caught.value)
        assert "paper.toml: " in message and named in message and "\n" not in message

    @pytest.mark.parametrize(
        ("entry", "named"),
        [
            ('matrix = "table1"', "`matrix` is 'table1'"),
            ('matrix = "figure5"\nquoted = "table1[:, \'Val\']"', "`quoted` is several numbers"),
            ('matrix = "figure5"\nquoted = "table9"', "`quoted`: `table9` is not accepted"),
        ],
    )
    def test_audit_of_a_matrix(self, toml, entry, named):
        with pytest.raises(InputError, match=re.escape(named)):
            load_paper(toml("[settings.size]", f'[[audit]]\nwhere = "w"\n{entry}\n[settings.size]', CLASSES))

    def test_no_toml(self, toml, tmp_path):
        with pytest.raises(InputError, match="paper.toml: not a readable TOML"):
            load_paper(toml("[paper]", "[paper"))
        with pytest.raises(InputError, match="nowhere.toml"):
            load_paper(tmp_path / "nowhere.toml")


class TestSettings:
    lee = PAPERS["lee2018"]

    def test_profiles(self):
        assert resolve_settings(self.lee, "paper")["crop_size"] == 96
        assert resolve_settings(self.lee, "quick")["crop_size"] == self.lee.settings["crop_size"].quick
        assert resolve_settings(self.lee, "quick")["clip_frames"] == 16
        with pytest.raises(InputError, match="paper, quick"):
            resolve_settings(self.lee, "fast")

    @pytest.mark.parametrize(
        ("override", "value"),
        [
            ("crop_size=64", 64),
            ("colour=grey", "grey"),
            ('colour="grey"', "grey"),
            ("learning_rate=0.01", 0.01),
            ("label_delay=2", 2.0),
            ("resample=true", True),
            ("lstm_units=[8, 8]", [8, 8]),
            ("first_pool=[1,2,2]", [1, 2, 2]),
            (' postprocess_steps = ["smooth"]', ["smooth"]),
        ],
    )
    def test_override(self, override, value):
        found = resolve_settings(self.lee, "quick", [override])[override.partition("=")[0].strip()]
        assert found == value and type(found) is type(value)

    @pytest.mark.parametrize(
        ("override", "accepted"),
        [
            ("crop_size=6.5", "a whole number"),
            ("crop_size=true", "a whole number"),
            ("crop_size=1\ncolour='grey'", "a whole number"),
            ("learning_rate=nan", "a number"),
            ("resample=1", "true or false"),
            ("lstm_units=[]", "a list"),
            ("lstm_units=[1, 2.5]", "a list"),
            ("colour=blue", "rgb, grey"),
            ("first_pool=[3, 3, 3]", r"\[1, 2, 2\]"),
            ("crop_siz=64", "did you mean crop_size"),
            ("zzz=1", "there are: clip_frames"),
            ("crop_size", "name=value"),
        ],
    )
    def test_override_refused(self, override, accepted):
        with pytest.raises(InputError, match=f"(?s)^setting .*{accepted}"):
            resolve_settings(self.lee, "quick", [override])

    def test_overrides_leave_the_paper_alone(self):
        resolve_settings(self.lee, "quick", ["crop_size=64"])
        assert resolve_settings(self.lee, "quick")["crop_size"] == self.lee.settings["crop_size"].quick


def test_an_entry_of_a_confusion_matrix_is_of_its_row_and_its_column(toml):
    paper = load_paper(toml(text=CLASSES))
    accuracy, matrix = paper.tables
    number = resolve_number(paper, matrix.rows[2], matrix.columns[1])
    assert (number.metric, number.truth, number.predicted) == ("share", "Sad", "Happy") and number.tolerance == 5.0
    assert matrix.confusion and not accuracy.confusion
    assert paper.protocol.classes == ("Angry", "Happy", "Sad")


def test_decimals():
    assert [count_decimals(text) for text in ("0.122", "44.9", "32")] == [3, 1, 0]


def test_ledger_markdown_has_every_field(toml):
    text = format_ledger(load_paper(toml()))
    assert text.startswith("1. **Size**") and "`--set size=64`" in text
    assert all(word in text for word in ("nothing", "64 or 96", "habit", "low"))
