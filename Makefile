# The commands of the house. Each gets what it needs beside Rust by itself (.ci/prepare), and says so. PgBouncer is left to
# you: Debian's package starts it as a service, on the port that is Partywall's own default.

ONCE ?=
FUZZ_MINUTES ?= 2
FUZZ_SEED ?= $(shell date +%s)

.PHONY: help demo build test lint bench fuzz

help:
	@echo 'make demo          a throw-away PostgreSQL, two tenants, Partywall in front, and a guided tour'
	@echo 'make demo ONCE=1   the same, without staying: ends with status 0 and cleans up'
	@echo 'make build         the release binary, target/release/partywall'
	@echo 'make test          every test; ends with the line "N passed, N failed"'
	@echo 'make lint          format, lints, house rules, the core without its shell, dependencies'
	@echo 'make fuzz          mutants of the corpora, FUZZ_MINUTES (2) of them from FUZZ_SEED; a find is kept in tests/fuzz/finds'
	@echo 'make bench         what a decision and a COPY cost, and what the proxy costs under pgbench (needs PgBouncer)'

demo:
	@.ci/prepare demo
	@echo "==> building the release binary (some minutes the first time)" >&2
	@cargo build --release
	@target/release/partywall demo $(if $(ONCE),--once)

build:
	@.ci/prepare build
	cargo build --release

test:
	@.ci/prepare test
	@.ci/test

lint:
	@.ci/prepare test
	@.ci/lint

bench:
	@.ci/prepare demo
	cargo bench --bench decide
	cargo bench --bench copy
	@if [ -x benches/pgbench.sh ]; then benches/pgbench.sh; fi

fuzz:
	@.ci/prepare build
	FUZZ_MINUTES=$(FUZZ_MINUTES) FUZZ_SEED=$(FUZZ_SEED) \
		cargo test --test fuzz -- --test-threads 1 --nocapture
