# Each recipe is one line over cargo or a script, so that nobody needs `just` to work here.

# What the platform is called when a recipe runs it.
platformctl := "cargo run --quiet --package api --bin platformctl --"

# List the recipes
default:
    @just --list

# Install what is missing, or say what to install
setup:
    scripts/setup

# Build and run the platform on a database of its own
run *arguments:
    scripts/run {{ arguments }}

# Check everything, as continuous integration does
test:
    scripts/test

# Lints, with warnings as errors
lint:
    cargo clippy --workspace --all-targets -- --deny warnings

# Format the code
fmt:
    cargo fmt --all

# The tests that need no database: rules, events, invariants
unit:
    cargo test --package domain

# The tests through HTTP and the command line, on a real database
e2e *filter:
    cargo test --package api --test it {{ filter }}

# Try the promises under faults: --trial NAME|all, --seed N, --minutes M. The server it runs can be
# ended at chosen places, so it is built aside, where nobody takes it for a release.
soak *arguments:
    cargo build --release --quiet --target-dir target/soak --package api --features failpoints
    cargo run --release --quiet --target-dir target/soak --package faults --bin soak -- {{ arguments }}

# Send and store altered tokens, requests, events and settings: so many seconds for each kind
fuzz seconds="60":
    COMMONHOLD_FUZZ_SECONDS={{ seconds }} cargo test --package api --test it fuzz

# Hold a running server against its own description: seconds for each of two clients
api-fuzz *seconds:
    scripts/api-fuzz {{ seconds }}

# What operators rely on: alerts and dashboard on a real Prometheus, the restore walk
ops:
    cargo test --package api --test it operations

# Move the schema: up, down, version, force
migrate *arguments="version":
    {{ platformctl }} migrate {{ arguments }}

# Read tables from the log: list, rebuild, --verify, --as-of, rollback, drop, parked
replay *arguments="list":
    {{ platformctl }} replay {{ arguments }}

# Check this installation
doctor:
    {{ platformctl }} doctor

# Play a scenario against a running platform and show its events
demo:
    {{ platformctl }} demo

# Measure the event store and the read model; see bench/README.md
bench *arguments="--help":
    cargo run --quiet --release --manifest-path bench/Cargo.toml -- {{ arguments }}

# Write the code and documents that are made from manifests and code
generate:
    {{ platformctl }} modules generate && {{ platformctl }} docs generate

# Read the documentation of all crates
doc:
    cargo doc --workspace --no-deps --document-private-items --open
