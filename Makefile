# Two commands do all the set-up: `make reproduce` and `make test`.
PRESET ?= mini
PYTHON ?= python3
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
BIN := .venv/bin
READY := .venv/ready
BENCH ?= runs/bench.json
DEVICE ?= cpu
TRDG := .venv-trdg/ready
# Handwriting faces of npm's packages; Nanum's Pen and Brush are in fonts-nanum-extra.
FACES := gaegu@0.4.1 gamja-flower@0.4.1 poor-story@0.2.3 single-day@0.4.1 east-sea-dokdo@0.2.0
SERIF := gowun-batang@0.4.1 song-myung@0.4.2
USER_FONTS ?= $(if $(filter Darwin,$(shell uname)),$(HOME)/Library/Fonts,$(or $(XDG_DATA_HOME),$(HOME)/.local/share)/fonts)

.PHONY: help env reproduce test lint coverage lab notebooks korean site bench speed performance fonts handwriting promote clean

help:
	@echo "make reproduce           generate, train the 24 mini models, print the tables (an hour of one core)"
	@echo "make reproduce PRESET=smoke   the same road in minutes: proves it runs, claims nothing"
	@echo "make test                every test"
	@echo "make lint                style, formatting and types"
	@echo "make coverage            every test, and which lines none of them runs"
	@echo "make lab                 JupyterLab on the notebooks"
	@echo "make notebooks           run every notebook again and save it with its outputs"
	@echo "make korean              build the Korean pages from their text"
	@echo "make site                both editions as web pages: build/site/html/index.html"
	@echo "make bench               how fast it is beside today's tools (minutes; on an idle machine)"
	@echo "make speed               the line reader beside Tesseract: errors, time, size (minutes)"
	@echo "make performance         all 24 models beside plain fp32 and the machine's ceilings (twenty minutes)"
	@echo "make fonts               more Korean fonts from the system's packages (Debian, Ubuntu), and:"
	@echo "make handwriting         handwriting faces from npm's packages, into the user's fonts"
	@echo "make promote             for keepers: make runs/PRESET the committed reference run"

env: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

reproduce: env
	$(BIN)/ocrkit sweep --preset $(PRESET) --workers $(WORKERS)
	$(BIN)/ocrkit report --preset $(PRESET)

# Style and types are checked beside the tests: most of that is a minute of one processor.
test: env
	@nice $(MAKE) --no-print-directory lint > .venv/lint.txt 2>&1 & lint=$$!; \
	  $(BIN)/pytest -n $(WORKERS) --dist loadgroup; tests=$$?; \
	  wait $$lint; lint=$$?; cat .venv/lint.txt; exit $$((tests || lint))

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python

coverage: env
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --cov --cov-report=term-missing:skip-covered

lab: env
	$(BIN)/jupyter lab --notebook-dir notebooks $(if $(filter 0,$(shell id -u)),--allow-root)

notebooks: env
	$(BIN)/python notebooks/run.py

korean: env
	$(BIN)/python notebooks/korean.py build

site: env
	$(BIN)/python docs/site/build.py

bench: env $(TRDG)
	$(BIN)/python tests/benchmarks/bench.py $(BENCH)

speed: env
	$(BIN)/python tests/benchmarks/reader_speed.py

performance: env
	$(BIN)/python tests/benchmarks/performance.py $(DEVICE)

# TRDG wants older libraries than ours, so it gets a folder of its own. Where it cannot be
# installed, the bench says so and measures our side alone.
$(TRDG): tests/benchmarks/trdg.txt
	-$(PYTHON) -m venv .venv-trdg \
	  && .venv-trdg/bin/pip install --quiet --requirement $< \
	  && .venv-trdg/bin/pip install --quiet --no-deps trdg==1.8.0 \
	  && touch $@

fonts:
	$(if $(filter 0,$(shell id -u)),,sudo) apt-get install --yes fonts-nanum fonts-nanum-extra \
	  fonts-unfonts-core fonts-unfonts-extra fonts-baekmuk fonts-alee fonts-woowa-bm fonts-noto-cjk
	$(MAKE) handwriting FACES="$(FACES) $(SERIF)"

# Their licence, the SIL Open Font License 1.1, stands in each file. Nothing of them is committed.
handwriting:
	@command -v npm > /dev/null || { echo "npm is missing, which brings the handwriting faces:" \
	  "install it (Debian: apt install npm), then make handwriting"; exit 1; }
	mkdir -p "$(USER_FONTS)/ocrkit"
	into="$$(mktemp -d)" && cd "$$into" \
	  && npm pack --silent $(addprefix @expo-google-fonts/,$(FACES)) \
	  && for packed in *.tgz; do tar -xzf "$$packed" || exit 1; done \
	  && find package -name '*_400Regular.ttf' -exec cp {} "$(USER_FONTS)/ocrkit" ';' \
	  && rm -r "$$into"

promote: env
	$(BIN)/python data/results/promote.py $(PRESET)

clean:
	rm -rf .venv .venv-trdg data/generated
