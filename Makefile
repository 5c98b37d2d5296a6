# make replicate   sets up .venv, runs the quick replications on simulated corpora, builds the report
# make study       sets up .venv, runs the study of every paper: hours; goes on where it stopped
# make report      sets up .venv, builds the report of what is there; before anything is run, of what comes with the suite
# make check       after make replicate: runs the cheapest task of a study again, exit code 2 when a number has moved
# make test        sets up .venv, runs the tests
# make bench       measures the recurrent layer, training on features that do not fit in memory, folds in parallel, fc6 in real time
# The installation and make replicate go on where they stopped when called again. PYTHON=... names another Python 3.11 or 3.12.

PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
RESULTS ?= results
REPORT ?= report
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: replicate study report test check bench clean

replicate: .venv/installed
	.venv/bin/python -m reports.build --run --results $(RESULTS) --out $(REPORT)

study: .venv/installed
	.venv/bin/python -m reports.build --run study --results $(RESULTS) --out $(REPORT)

report: .venv/installed
	.venv/bin/python -m reports.build --results $(RESULTS) --out $(REPORT)

test: .venv/installed
	.venv/bin/python -m pytest -n auto --dist loadfile

check: .venv/installed
	.venv/bin/python -m replications.raju2021.run --profile study --variants lstm --seeds 0 --results $(RESULTS)
	.venv/bin/python -m reports.build --results $(RESULTS) --out $(REPORT) --check

.venv/installed: requirements.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or 3.12 is needed; install one, or name it: make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x .venv/bin/pip || $(PYTHON) -m venv --clear .venv || { echo "error: $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 2; }
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

bench: .venv/installed
	.venv/bin/python -m benchmarks.recurrent
	.venv/bin/python -m benchmarks.streaming
	.venv/bin/python -m benchmarks.folds
	.venv/bin/python -m benchmarks.realtime

clean:
	rm -rf .venv $(RESULTS) $(REPORT)
