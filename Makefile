# Everyday commands; `make help` lists them. Generators and Node are needed by generate, lint, examples and check only: `make run` and
# `make test` need Go alone.

SHELL := /bin/bash
.DEFAULT_GOAL := help

TOOL := go tool -modfile=internal/tools/go.mod
NODE_BIN := internal/tools/node_modules/.bin
# Filled by npm ci; newer than the lockfile means up to date.
NODE_TOOLS := internal/tools/node_modules/.package-lock.json
REDOCLY := REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(NODE_BIN)/redocly
# Asked for here and not by the Go tool, which fails where git refuses to answer, as in a tree that another user has checked out.
COMMIT := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
CONCURRENT := ./internal/store/... ./internal/engine/... ./internal/clicks/... ./internal/worker/... ./internal/server/...

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##
.PHONY: build run test check bench
build: ## Build the server to bin/grapevine
	go build -buildvcs=false -ldflags '-X main.commit=$(COMMIT)' -o bin/grapevine ./cmd/grapevine

run: build ## Build and start the server with something to try; without DATABASE_URL it brings its own PostgreSQL, data in .data/
	@exec bin/grapevine serve -demo

test: ## Run every test against a throw-away PostgreSQL
	go test ./...
	go -C gen/client test ./...

check: ## Everything that must be green before a change goes in (what .ci/run runs)
	@internal/tools/check.sh

bench: ## Measure the hot paths beside their limits
	go run ./internal/bench

.PHONY: soak
soak: ## Ten thousand random lifecycles from 32 clients, compared with a model to the cent
	GRAPEVINE_LIFECYCLES=10000 go test -count=1 -v -timeout 30m -run TestRandomLifecycles ./internal/scenario

.PHONY: generate format vet lint
generate: $(NODE_TOOLS) ## Make all of gen/ from openapi/ and sql/
	@internal/tools/generate.sh

format: ## Format the Go code
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

vet: ## go vet, the Go client included
	go vet ./...
	go -C gen/client vet ./...

lint: lint-go lint-contract ## Lint the Go code and the contract

# The parts of `make check`, each runnable alone.
.PHONY: check-format check-modules lint-go lint-contract check-breaking check-generated sqlc-vet sdk test-race examples
check-format:
	@bad=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$bad" ]; then printf 'not formatted:\n%s\n' "$$bad"; exit 1; fi

check-modules:
	go mod tidy -diff
	go -C gen/client mod tidy -diff

lint-go:
	$(TOOL) staticcheck ./...

lint-contract: $(NODE_TOOLS)
	$(REDOCLY) lint openapi/openapi.yaml --config openapi/redocly.yaml
	node --test --test-reporter=spec openapi/lint/

check-breaking: ## Compare the contract with the last released one
	$(TOOL) oasdiff breaking --fail-on ERR openapi/released/openapi.yaml gen/openapi.yaml

.PHONY: release-contract catalogue scalar
release-contract: ## Record the present contract as the released one (part of a release)
	cp gen/openapi.yaml openapi/released/openapi.yaml

check-generated: generate
	@git diff --exit-code --stat -- gen
	@new=$$(git ls-files --others --exclude-standard -- gen); \
	if [ -n "$$new" ]; then printf 'generated, but not in git:\n%s\n' "$$new"; exit 1; fi

sqlc-vet: ## Prepare every query on a throw-away, migrated PostgreSQL
	go run ./internal/dbtest/withdb env CGO_ENABLED=0 $(TOOL) sqlc vet

sdk: $(NODE_TOOLS) ## Build and test the TypeScript client
	$(NODE_BIN)/tsc -p gen/typescript
	node --test --test-reporter=spec openapi/sdk/typescript/test/

test-race: ## The concurrent packages under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -p 1 $(CONCURRENT)

examples: sdk build ## Run every example against a live server
	@internal/tools/examples.sh

catalogue: ## Record what the migrations make, for `grapevine validate` (after every change of the schema)
	go run ./cmd/grapevine validate -write internal/validate/schema.txt

scalar: ## Fetch the viewer of /docs anew and check it (SCALAR=version for another one)
	@internal/tools/scalar.sh $(SCALAR)

$(NODE_TOOLS): internal/tools/package.json internal/tools/package-lock.json internal/tools/.npmrc
	npm ci --prefix internal/tools --ignore-scripts --loglevel=error
	@touch $@
