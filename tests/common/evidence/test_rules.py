"""What a paper.toml must fulfil beyond its types, one line for each."""

import re
from pathlib import Path

import pytest

from common.errors import InputError
from common.evidence.paper import collect_numbers
from common.evidence.reading import load_paper
from tests.common.evidence.invented import MINIMAL, expect_refusal

TEXT = (Path(__file__).parents[2] / "reports/classes.toml").read_text()  # an invented paper on classes
STATEMENT = '[[claims]]\nwhere = "w"\ntext = "t"\nholds = "table1[\'a\', \'CCC\'] == 0.5"\n'
AUDIT = '[[audit]]\nwhere = "w"\nshares = "table1[:, \'CCC\']"\ntotal = 9\n'


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
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
        ("CCC = 0.03", "RMSE = 0.03", "`CCC` is missing"),
        ('variant = "v", published', "published", "needs `variant` or `quoted`"),
        ('CCC = "0.500"', 'CCC = "0,500"', "'0,500'"),
        ('CCC = "0.500"', 'CCC = "nan"', "'nan'"),
        ('CCC = "0.500"', 'CC = "0.5"', "no column"),
        ("rows = [", 'rows = [{ label = "a", quoted = "q", published = { CCC = "1" } }, ', "same `label`"),
        ('kind = "architecture"', 'kind = "photo"', "'photo'"),
        ('kind = "architecture"', 'kind = "traces"', "figure1"),
        ('better = "v"', 'better = "w"', "'w'"),
        ('metric = "CCC"', 'metric = "AUC"', "`metric`"),
        ('better = "v"\n', "", "claims 1: needs `better` and `worse`, or `holds`"),
        ('better = "v"', 'better = "v"\nnote = "n"', "`loose` and `note` go with `holds`"),
        ('better = "v"', 'better = "v"\nloose = true', "`loose` and `note` go with `holds`"),
        ('better = "v"', 'better = "v"\nholds = "1 == 1"', "`better` does not go with `holds`"),
        ('source = "assumed"', 'source = "guessed"', "settings.size"),
        ("quick = 48", 'quick = "48"', "`quick`"),
        ('value = "a"', 'value = "c"', "settings.mode"),
        ("(ledger 1)", "(ledger 1, 2)", "ledger 2"),
        ("number = 1", "number = 2", "1, 2, 3"),
        ("size=64", "size=big", "ledger 1"),
        ("size=64", "sise=64", "ledger 1"),
    ],
)
def test_refused_in_one_line(toml, old, new, named):
    expect_refusal(toml(old, new), named)


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
def test_classes(toml, old, new, named):
    expect_refusal(toml(old, new, TEXT), named)


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
def test_statements_and_audit(toml, old, new, named):
    both = STATEMENT + AUDIT + "[settings.size]"
    text = MINIMAL.replace("[settings.size]", both)
    paper = load_paper(toml(text=text))
    assert paper.claims[1].holds == "table1['a', 'CCC'] == 0.5" and paper.audit[0].total == 9
    assert collect_numbers(paper) == {"table1": {("a", "CCC"): "0.500"}}
    expect_refusal(toml(both, both.replace(old, new, 1), text), named)


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ('matrix = "table1"', "`matrix` is 'table1'"),
        ('matrix = "figure5"\nquoted = "table1[:, \'Val\']"', "`quoted` is several numbers"),
        ('matrix = "figure5"\nquoted = "table9"', "`quoted`: `table9` is not accepted"),
    ],
)
def test_audit_of_a_matrix(toml, entry, named):
    with pytest.raises(InputError, match=re.escape(named)):
        load_paper(toml("[settings.size]", f'[[audit]]\nwhere = "w"\n{entry}\n[settings.size]', TEXT))
