# Every target installs what it needs: a new machine needs python3 (3.11 or newer, with venv) and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Models are tiny: more threads slow them down and compete with worker processes.
OMP_NUM_THREADS ?= 1
export OMP_NUM_THREADS
WORKERS ?= 2

# Where `make bench` saves what it measures.
BENCH ?= build/bench
PARTS ?=

NEWS := @jupyterlab/apputils-extension:announcements

DOCS := $(VENV)/.docs

.PHONY: setup demo lab test bench lint docs slides base clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "spa-lab needs Python 3.11 or newer, \
	this is " + sys.version.split()[0] + "; try: make setup PYTHON=python3.11")'
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(shell grep '^torch==' constraints.txt) -c constraints.txt
	$(BIN)/pip install -e '.[train,dev]' -c constraints.txt
	$(BIN)/jupyter labextension disable --level=sys_prefix $(NEWS)
	touch $@

demo: $(READY)
	$(BIN)/spa-lab demo --workers $(WORKERS)

lab: $(READY)
	$(BIN)/spa-lab lab

test: lint
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# All parts, about half an hour; some with PARTS="rollouts curves". TRL is measured where it is installed.
bench: $(READY)
	$(BIN)/python -m benchmarks --out $(BENCH) $(PARTS)

# What only the site and the slides need, in the same environment.
$(DOCS): $(READY) pyproject.toml constraints.txt
	$(BIN)/pip install -e '.[docs]' -c constraints.txt
	touch $@

# build/site/html; EXECUTE=1 runs the notebooks first, those that have changed.
docs: $(DOCS)
	$(BIN)/python -m website $(if $(EXECUTE),--execute)

# build/slides/html
slides: $(DOCS)
	$(BIN)/python -m website.slides

# Pretrains the base models in data/ again.
base: $(READY)
	$(BIN)/python -m spa_lab.pretrain --env household
	$(BIN)/python -m spa_lab.pretrain --env webshop
	$(BIN)/python -m spa_lab.pretrain --env virtualhome

# Keeps runs/: it may be the only copy of results.
clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find spa_lab tests notebooks -name __pycache__ -prune -exec rm -rf {} +
