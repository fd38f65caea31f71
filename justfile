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

# Move the schema: up, down, version, force
migrate *arguments="version":
    {{ platformctl }} migrate {{ arguments }}

# Read tables from the log: list, rebuild, --verify, --as-of, rollback, parked
replay *arguments="list":
    {{ platformctl }} replay {{ arguments }}

# Check this installation
doctor:
    {{ platformctl }} doctor

# Play a scenario against a running platform and show its events
demo:
    {{ platformctl }} demo

# Write the code and documents that are made from manifests and code
generate:
    {{ platformctl }} modules generate && {{ platformctl }} docs generate

# Read the documentation of all crates
doc:
    cargo doc --workspace --no-deps --document-private-items --open
