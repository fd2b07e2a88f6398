# Liên Thông. `make` shows what there is; `make run` and `make test` do all the set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO ?= cargo
ARGS ?=
ONLY ?=
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)

.PHONY: help tools run test lint fmt sim soak bench bench-peers mutants

help: ## show this page
	@echo 'Liên Thông: chuyển hồ sơ giữa các bộ phận một cửa, có bằng chứng cho từng lần bàn giao'
	@echo
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  make run ARGS=--exit     play the morning and stop'
	@echo '  cargo nextest run -p lienthong-core     the rules alone, in seconds'

tools: ## fetch the pinned nats-server into .tools/ (no root)
	@sh deploy/fetch-nats.sh

run: tools ## play a morning of Cù Lao Dung over a real nats-server, and stay up
	$(CARGO) run -p lienthong -- dev --link nats $(ARGS)

test: tools ## all tests: unit, scenario, property, layering, golden, end to end, crash
	@sh deploy/fetch-tools.sh || { [ -z "$$CI" ] && echo 'SKIP: the parts of the foreign clients cannot be fetched; their tests will be skipped' >&2; }
	$(CARGO) build -p lienthong
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --workspace --no-fail-fast
else
	$(CARGO) test --workspace --no-fail-fast
endif
	$(CARGO) test --workspace --doc -q
	tests/deploy-check/run.sh

lint: ## rustfmt and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

fmt: ## format
	$(CARGO) fmt --all

sim: ## the simulator: make sim SEED=7 STEPS=4000, or ARGS='--seeds 0..500'
	$(CARGO) run --release -p lienthong-sim -- $(if $(SEED),--seed $(SEED)) $(if $(STEPS),--steps $(STEPS)) $(ARGS)

soak: tools ## the long runs, an hour and more, and a table of their verdicts; some of them: make soak ONLY="flood scale"
	@CARGO='$(CARGO)' ONLY='$(ONLY)' sh tests/soak.sh

bench: tools ## ledger against raw appends, the opening of envelopes, and hand-offs end to end, in one run
	$(CARGO) bench -p lienthong-tests --bench ledger
	$(CARGO) bench -p lienthong-wire --bench opening
	$(CARGO) run --release -p lienthong -- bench $(ARGS)

# Three turns for the core: most mutants die quickly by the scripts; what is left meets the random schedules, and then the
# simulator, which is no test of its package and so cannot be tried without a mutant first.
MUTANTS := CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) mutants -j1 --colors never --no-shuffle
RULES := $(patsubst services/core/tests/%.rs,--test %,$(filter-out %/properties.rs,$(wildcard services/core/tests/*.rs)))
SIMULATED := --iterate --baseline skip --test-package lienthong-sim

mutants: ## rules changed on purpose, one at a time, and those no test notices (cargo install cargo-mutants; hours)
	@mkdir -p target/mutants
	-$(MUTANTS) -p lienthong-core -o target/mutants/core --timeout 60 -- --lib $(RULES)
	-PROPTEST_CASES=400 $(MUTANTS) -p lienthong-core -o target/mutants/core --timeout 300 --iterate -- --test properties
	-$(MUTANTS) -p lienthong-core -o target/mutants/core --timeout 300 $(SIMULATED) -- --test seeds -- seeds_1 an_agency
	-$(MUTANTS) -p lienthong-wire -o target/mutants/wire --timeout 120
	@echo 'Nobody noticed these; CONTRIBUTING.md has those that are known, and why:'
	@cat target/mutants/{core,wire}/mutants.out/missed.txt

bench-peers: tools ## the same work on JetStream, RabbitMQ, PostgreSQL, Redis and here (installs Debian's packages; ARGS=--help)
	@tests/peers/install.sh
	$(CARGO) build --release -p lienthong
	$(CARGO) run --release --manifest-path tests/peers/Cargo.toml --target-dir target -- $(ARGS)
