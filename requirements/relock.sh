#!/bin/sh
# Writes every lock anew. Arguments go to uv, e.g. --upgrade or --upgrade-package fastapi.
set -eu
cd "$(dirname "$0")/.."
UV=${UV:-.venv/bin/uv}
export UV_CUSTOM_COMPILE_COMMAND="sh requirements/relock.sh"
lock() {
  out=requirements/$1.lock
  shift
  "$UV" pip compile --quiet --universal --python-version 3.11 --no-config --output-file "$out" "$@"
}
lock base --generate-hashes "$@" pyproject.toml requirements/build.in
lock dev --generate-hashes "$@" pyproject.toml requirements/build.in --group dev --constraints requirements/base.lock
lock ccxt --generate-hashes "$@" pyproject.toml --extra ccxt --constraints requirements/base.lock
lock yfinance --generate-hashes "$@" pyproject.toml --extra yfinance --constraints requirements/base.lock
lock data --generate-hashes --no-deps "$@" requirements/data.in
lock uv --generate-hashes "$@" requirements/uv.in
lock node --generate-hashes "$@" requirements/node.in
# The CUDA libraries are left out: a CPU build asks for none, a CUDA build brings its own.
cuda=$("$UV" pip compile --quiet --no-header --no-annotate --universal --python-version 3.11 --no-config \
  pyproject.toml --extra deep --constraints requirements/base.lock | sed -nE 's/^((nvidia|cuda)[a-z0-9-]*|triton).*/--no-emit-package \1/p')
# shellcheck disable=SC2086
lock deep $cuda "$@" pyproject.toml --extra deep --constraints requirements/base.lock
