.PHONY: run test long check bench help
.DEFAULT_GOAL := help

run:    ## the bot on replayed recorded history, dashboard on http://127.0.0.1:8000
	./evil2root demo

test:   ## the whole test suite; ARGS="-k name" for a part
	./evil2root test $(ARGS)

long:   ## the long proofs that the suite leaves out
	./evil2root test -m long $(ARGS)

check:  ## format, lint, types, import contracts, house rules
	./evil2root check

bench:  ## the benchmarks, one table each
	./evil2root bench

help:   ## this list
	@grep -E '^[a-z]+: +##' Makefile | sed -E 's/: +##/\t/' | expand -t 10
