# Every target that needs Python makes .venv when there is none, and installs
# the project in it again whenever pyproject.toml has changed.

PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/installed

.DEFAULT_GOAL := help
.PHONY: help run test slow prove wheel prove-stations certificates mutants glue-mutants sweep campaign faults coverage soak noisy-day bench load long-day attack virtual-pi aarch64 lint

help:
	@echo "make run           a simulated station lives through a day; Ctrl-C ends it"
	@echo "make test          every test but the long ones, in a few minutes"
	@echo "make prove         the proof suite; every obligation has its expected verdict"
	@echo "make wheel         the wheel, with the proof record of the reference station"
	@echo "make prove-stations  the same on other stations: ring, half, unequal modules, feeders"
	@echo "make certificates  the finite core again, with proofs that a few lines check (cadical)"
	@echo "make mutants       breaks the kernel on purpose; the proofs must notice (10 minutes)"
	@echo "make glue-mutants  the same with the drivers and what carries decisions; the tests must notice (an hour)"
	@echo "make slow          the tests that take ten seconds or more each"
	@echo "make sweep         the long campaigns: random changes (an hour)"
	@echo "make campaign      faults at every transaction, and double ones at random (BUDGET=60min)"
	@echo "make faults        how a station takes each fault: played, measured, into docs/faults.md"
	@echo "make coverage      every single fault of every part, by what it is seen: docs/coverage.csv"
	@echo "make soak          30 simulated days, disturbed every few minutes (half an hour)"
	@echo "make noisy-day     24 hours of demands and limits that wobble, under every policy (10 minutes)"
	@echo "make bench         the benchmarks; each one asserts its ratio"
	@echo "make load          the scan's lateness while the service is under load (mosquitto)"
	@echo "make long-day      24 simulated hours at 100 times the speed: memory, descriptors (15 minutes)"
	@echo "make attack        attacks on the service over loopback, and what comes of them (a minute)"
	@echo "make virtual-pi    the program on a real kernel: a Raspberry Pi in QEMU (12 minutes, root)"
	@echo "make aarch64       the wheel on an emulated aarch64 (root)"
	@echo "make lint          ruff and mypy --strict"

run: $(INSTALLED)
	$(VENV)/bin/verified-alloc run

test: $(INSTALLED)
	$(VENV)/bin/pytest -n 2 --dist loadgroup -m "not slow and not sweep and not virtual_pi and not aarch64" --ignore=tests/bench

slow: $(INSTALLED)
	$(VENV)/bin/pytest -n 2 --dist loadgroup -m slow --ignore=tests/bench

RECORD := verified_alloc/station/reference.proof.json
prove: $(INSTALLED)
	$(VENV)/bin/verified-alloc prove --attest $(RECORD)

wheel: prove
	$(VENV)/bin/python -m build --wheel --no-isolation --outdir $(VENV)/wheel

prove-stations: $(INSTALLED)
	for station in tests/proofs/stations/*.toml; do \
		$(VENV)/bin/verified-alloc prove --station $$station || exit 1; \
	done

certificates: $(INSTALLED)
	$(VENV)/bin/python -m proofs.certificates .venv/certificates

mutants: $(INSTALLED)
	$(VENV)/bin/python -m proofs.suite.mutation

glue-mutants: $(INSTALLED)
	PYTHONPATH=tests $(VENV)/bin/python -m glue_mutants $(FILES)

sweep: $(INSTALLED)
	$(VENV)/bin/pytest -n 2 --dist loadgroup -m sweep --ignore=tests/bench

BUDGET ?= 60min
campaign: $(INSTALLED)
	PYTHONPATH=tests $(VENV)/bin/python -m campaign --budget $(BUDGET)

faults: $(INSTALLED)
	PYTHONPATH=tests $(VENV)/bin/python -m campaign.behaviour

coverage: $(INSTALLED)
	PYTHONPATH=tests $(VENV)/bin/python -m campaign.coverage

soak: $(INSTALLED)
	PYTHONPATH=tests $(VENV)/bin/python -m campaign.soak

noisy-day: $(INSTALLED)
	PYTHONPATH=tests $(VENV)/bin/python -m noisy_day

bench: $(INSTALLED)
	$(VENV)/bin/pytest tests/bench --benchmark-columns=median,min,max,rounds \
		--junitxml=.benchmarks/bench.xml -o junit_logging=system-out

load: $(INSTALLED)
	PYTHONPATH=tests $(VENV)/bin/python -m service.load

long-day: $(INSTALLED)
	PYTHONPATH=tests $(VENV)/bin/python -m service.long_day

attack: $(INSTALLED)
	PYTHONPATH=tests $(VENV)/bin/python -m attack

virtual-pi: $(INSTALLED)
	$(VENV)/bin/pytest tests/virtual_pi -m virtual_pi -v --durations=0
	@tail -n 2 $(VENV)/virtual-pi/log.txt

aarch64: $(INSTALLED)
	$(VENV)/bin/pytest tests/virtual_pi -m aarch64 -v

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --strict

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "$(PYTHON) must be Python 3.11 or newer; name another: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@
