# The targets below are all there is to know; `make` prints them.

GO     ?= go
GOTEST ?= $(GO) test
TOOL   := $(GO) tool -modfile=tools/go.mod
ARGS   ?=
# Time for each fuzz target.
FUZZTIME ?= 50000x
# What the benchmark measures: see bench/README.md.
INFLIGHT ?= 1,8,64,256,1024,4096
RATES    ?= 50,200,1000
ROUNDS   ?= 5
PARTS    ?= closed,open,compensating,cost,size,replicas,watch

# Worlds of the simulation: how many, and the first.
SEEDS ?= 1000
SEED  ?= 1

.DEFAULT_GOAL := help

.PHONY: help
help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## start everything on this machine: Postgres, a broker, the engine, the participants, the dashboard
	$(GO) run ./cmd/skald dev $(ARGS)

.PHONY: build
build: ## build bin/skald, static
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/skald ./cmd/skald

.PHONY: test
test: ## run every test on an embedded Postgres and broker (ARGS="-run X" and the like)
	$(GOTEST) $(ARGS) ./...

.PHONY: test-short
test-short: ## run the tests that need no server
	$(GOTEST) -short $(ARGS) ./...

.PHONY: race
race: ## run every test under the race detector
	$(GOTEST) -race -p 2 -timeout 25m $(ARGS) ./...

.PHONY: check
check: ## run the gate, as CI does: also a real Kafka and the installed Postgres
	.ci/run

.PHONY: lint
lint: ## vet, staticcheck, gofumpt
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	@unformatted=$$($(TOOL) gofumpt -l .); \
	if [ -n "$$unformatted" ]; then printf 'not formatted (make fmt):\n%s\n' "$$unformatted"; exit 1; fi

.PHONY: fmt
fmt: ## format the code
	$(TOOL) gofumpt -w .

.PHONY: generate
generate: ## write generated code and docs anew
	$(TOOL) templ generate
	$(GO) generate ./...

.PHONY: verify
verify: ## fail where a generated file is not what its source says, or a module not what go.sum says
	@$(GO) mod verify
	@before=$$(git status --porcelain; git diff); $(MAKE) --no-print-directory generate >/dev/null; \
	after=$$(git status --porcelain; git diff); \
	if [ "$$before" != "$$after" ]; then echo 'generated files were out of date; see git diff'; exit 1; fi

.PHONY: bench
bench: ## measure the engine beside the floor (INFLIGHT=64,1024 ROUNDS=5 PARTS=closed,cost; ARGS are further flags)
	$(GO) run ./bench -parts $(PARTS) -inflight $(INFLIGHT) -rates $(RATES) -rounds $(ROUNDS) $(ARGS)

.PHONY: sim
sim: ## run the simulated world (SEEDS=100000 SEED=1, ARGS are further flags; MUTANT=name: look for that planted bug, MUTANT=all: for each)
ifdef MUTANT
	$(GO) run ./orchestrator/sim/mutants $(ARGS) $(MUTANT)
else
	$(GO) run ./orchestrator/sim/cmd -seeds $(SEEDS) -seed $(SEED) $(ARGS)
endif

.PHONY: mutants
mutants: ## prove that the simulation finds every planted bug (ARGS=-adapters: also the suites of Postgres and Kafka)
	$(GO) run ./orchestrator/sim/mutants $(ARGS) all

.PHONY: explore
explore: ## walk through every state of the small worlds, some minutes (ARGS="-world chain", "-rows" and the like)
	$(GOTEST) -count=1 -timeout 60m -v -run 'TestExplore$$' ./orchestrator/sim/explore -full $(ARGS)

.PHONY: chaos
chaos: ## run the chaos suite on real processes (ARGS as for go test)
	$(GOTEST) -count=1 -timeout 60m $(ARGS) ./test/chaos/...

.PHONY: bulk
bulk: ## retry 10,000 stuck sagas in one operation while a replica is killed (the ordinary tests do it with 500)
	SKALD_TEST_OPERATION_SAGAS=10000 $(GOTEST) -count=1 -v -timeout 20m $(ARGS) -run 'TestBulkRetry|TestPostgres_OperationWhoseReplicaDies' ./test/chaos ./orchestrator

.PHONY: outage
outage: ## let a participant fail for a minute under load: the breaker holds it, and no saga is compensated (the ordinary tests take 12 s)
	SKALD_TEST_OUTAGE=60s $(GOTEST) -count=1 -v -timeout 20m $(ARGS) -run 'TestBreaker$$' ./test/guarantees

.PHONY: fuzz
# By a number of inputs, for a time that ends while one is looked at can fail a target with "context deadline exceeded" (Go 1.26).
fuzz: ## run every fuzz target on FUZZTIME inputs each, such as 50000x, one target on each core
	@$(GO) list ./... | while read -r pkg; do \
		$(GO) test -list '^Fuzz' "$$pkg" </dev/null | sed -n "s|^Fuzz|$$pkg Fuzz|p"; \
	done | xargs -n 2 -P "$$(getconf _NPROCESSORS_ONLN)" sh -c \
		'$(GO) test -run "^$$" -fuzz "^$$1$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x -parallel 1 "$$0" || { echo "$$0 $$1 failed"; exit 255; }'

.PHONY: image
image: ## build the container image skald
	docker build -t skald .

.PHONY: clean
clean: ## stop the Postgres that tests share, and remove what was built
	$(GO) run ./cmd/skald/embedded/testserver stop
	rm -rf bin dist
