# The commands of this repository. `make run` and `make test` need no set-up.
.PHONY: run test build lint fuzz bench

# How long each fuzz target runs.
FUZZTIME ?= 10s

# Tells the whole story on a fresh data folder, then stays up with the console.
run:
	go run ./cmd/satellite demo

# Installs what the tests need (Debian, root) or says what is missing; then format, vet, lint, race tests.
test:
	.ci/test.sh

# The three programs in bin/.
build:
	go build -o bin/ ./cmd/...

lint:
	.ci/lint.sh

fuzz:
	.ci/fuzz.sh $(FUZZTIME)

bench:
	go test -run '^$$' -bench . -benchmem ./...
