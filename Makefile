# Anteroom. `make help` lists the targets.

GO        ?= go
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# Goroutines start with 2 KiB of stack, not with the average of all: an idle socket's two need no more.
STACKS    := -X runtime.godebugDefault=adaptivestackstart=0
LDFLAGS   := -s -w -X main.version=$(VERSION) $(STACKS)
WASM_EXEC  = $(shell $(GO) env GOROOT)/lib/wasm/go_js_wasm_exec
# The packages that hold no goroutine, clock, file or socket (server/imports_test.go keeps them so).
PURE      := ./store ./store/chat ./store/access ./store/protocol
NODE_DIR  := web/node_modules

.DEFAULT_GOAL := help
# Tools of make lint, pinned; they are run, never linked.
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
# How long the long forms take.
FUZZTIME  ?= 30s
SEEDS     ?= 20000
WORLDTIME ?= 3h
# Runs of each variant in make bench-web, and where its figures go.
RUNS      ?= 5
BENCH_WEB := out/bench-web
# More arguments of make bench-load (its programs go to BENCH_LOAD), and the peer
# it starts, pinned. It is never linked.
LOAD      ?=
BENCH_LOAD := out/bench-load
CENTRIFUGO := github.com/centrifugal/centrifugo/v6@v6.9.1

.PHONY: help build run test vet test-native test-wasm test-browser test-plain lint reproducible fuzz bench bench-load bench-web soak clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

build: ## build the WebAssembly modules and bin/anteroom, one self-contained binary
	$(GO) run ./web/build
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/anteroom ./server

run: build ## build, then serve the demo: chat on http://localhost:8080, shop on http://127.0.0.1:8081
	bin/anteroom serve --demo

test: vet test-native test-wasm test-browser test-plain ## everything a change must pass: vet, unit, property, conformance and browser tests

vet: ## go vet, natively and for js/wasm
	$(GO) build ./...
	$(GO) vet ./...
	GOOS=js GOARCH=wasm $(GO) vet ./...

test-native: ## native tests with the race detector (needs a C compiler), all but the browser tests
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -timeout 10m $$($(GO) list ./... | grep -v /e2e$$)
	@# The access model needs no race detector to find what it looks for, and is several times faster without.
	$(GO) test -count=1 -timeout 10m ./server/internal/model -run '^Test(Access|Bounded)'
	$(GO) test -run '^TestWorlds$$' ./store/storetest

test-wasm: ## the tests of the pure packages and of their runtime under js/wasm (needs node)
	@# An empty environment: wasm_exec.js refuses a long one.
	GOOS=js GOARCH=wasm $(GO) test -timeout 5m -exec "env -i PATH=$$PATH HOME=$$HOME $(WASM_EXEC)" $(PURE) ./store/client

test-browser: build $(NODE_DIR)/axe-core/package.json ## the browser tests against the real binary (needs chromium)
	@command -v chromium chromium-browser google-chrome >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core; } \
		|| { echo "the browser tests need Chromium: sudo apt-get install chromium"; exit 1; }
	ANTEROOM_E2E=1 $(GO) test -count=1 -timeout 15m ./server/internal/e2e

test-plain: ## story 1 on modules without shims: what fails here is not the shims' fault
	SLIM=0 FAST=1 DIST=bin/plain $(GO) run ./web/build
	ANTEROOM_E2E=1 ANTEROOM_E2E_DIST=bin/plain $(GO) test -count=1 -timeout 5m -run '^(TestGuestBrowsing|TestModuleAsLoaded)$$' ./server/internal/e2e

$(NODE_DIR)/axe-core/package.json: web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

lint: ## formatting (gofumpt), staticcheck for the server and for the browser, and govulncheck
	@out=$$($(GO) run $(GOFUMPT) -l .); [ -z "$$out" ] || { echo "not gofumpt-clean:"; echo "$$out"; exit 1; }
	@# nhooyr.io/websocket is deprecated in favour of its fork; the owner chose it by name.
	@tool=$$(mktemp -d); trap 'rm -rf "$$tool"' EXIT; GOBIN=$$tool $(GO) install $(STATICCHECK) && \
		for target in "" "GOOS=js GOARCH=wasm"; do \
			out=$$(env $$target $$tool/staticcheck ./... | grep -v 'nhooyr\.io/websocket.* is deprecated'); \
			[ -z "$$out" ] || { echo "$$out"; exit 1; }; done
	@out=$$($(GO) run $(GOVULNCHECK) ./... 2>&1); code=$$?; case "$$out" in \
		*"fetching vulnerabilities"*) echo "govulncheck: its database can't be reached, so nothing was checked";; \
		*) echo "$$out"; exit $$code;; esac

reproducible: ## build the same commit in two places with nothing cached, and compare the bytes
	@dir=$$(mktemp -d); trap 'chmod -R u+w "$$dir"; rm -rf "$$dir"' EXIT; for n in one another/place; do \
		git clone -q . "$$dir/$$n" && GOCACHE="$$dir/cache/$$n" $(MAKE) -s -C "$$dir/$$n" build VERSION=$(VERSION) >&2 || exit 1; \
		sha256sum < "$$dir/$$n/bin/anteroom"; done | tee "$$dir/sums" && [ $$(sort -u "$$dir/sums" | wc -l) = 1 ] \
		&& [ $$(wc -l < "$$dir/sums") = 2 ] && echo "the same bytes"

fuzz: ## each fuzz target for FUZZTIME (30s)
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for f in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | sed 's/^func //'); do \
			echo "$$dir $$f"; $(GO) test $$dir -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) || exit 1; done; done

bench: bench-load ## benchmarks, in the form benchstat reads
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m $$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -n1 dirname | sort -u)

bench-load: ## the server under load beside Centrifugo, in about 4 minutes; LOAD='-size full' has 15,000 and 19,000 clients and takes most of an hour
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BENCH_LOAD)/anteroom ./server
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BENCH_LOAD)/load ./server/internal/load
	@[ -x $(BENCH_LOAD)/centrifugo ] || GOBIN=$(CURDIR)/$(BENCH_LOAD) $(GO) install $(CENTRIFUGO) || echo "# $(CENTRIFUGO) can't be built here"
	$(BENCH_LOAD)/load -server $(BENCH_LOAD)/anteroom -centrifugo "$$(ls $(BENCH_LOAD)/centrifugo 2>/dev/null)" $(LOAD)

bench-web: $(BENCH_WEB)/node_modules/lighthouse/package.json ## what the chat costs a page, measured in Chromium (needs chromium and node): about 12 minutes with RUNS=5
	SLIM=0 $(GO) run ./web/build && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BENCH_WEB)/plain ./server
	SLIM=1 $(GO) run ./web/build && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BENCH_WEB)/slim ./server
	$(GO) run ./server/internal/webbench -runs $(RUNS) -out $(BENCH_WEB) -bin slim=$(BENCH_WEB)/slim -bin plain=$(BENCH_WEB)/plain

$(BENCH_WEB)/node_modules/lighthouse/package.json: server/internal/webbench/lighthouse/package.json server/internal/webbench/lighthouse/package-lock.json
	mkdir -p $(BENCH_WEB) && cp server/internal/webbench/lighthouse/package*.json $(BENCH_WEB)
	cd $(BENCH_WEB) && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

soak: build ## the long forms: the simulated world for SEEDS (20000) seeds or WORLDTIME (3h), the access model for 20,000 traces and every seeded bug, the races, all faults in full counts, 50 visitors who type: hours
	$(GO) test -count=1 ./store/storetest -run '^TestWorlds$$' -seeds $(SEEDS) -for $(WORLDTIME) -on -timeout 0 -v
	$(GO) test -count=1 ./store/storetest -run '^TestBugs$$' -soak -timeout 1h -v
	$(GO) test -count=1 -timeout 6h ./server/internal/model -soak
	CGO_ENABLED=1 $(GO) test -race -count=1 -timeout 2h ./server/rooms -run 'TestRevocationRace|TestLinkRace' -rounds 500 -links 1000
	CGO_ENABLED=1 $(GO) test -race -count=1 -timeout 2h ./server/gateway -run TestLossRace -rounds 500
	$(GO) test -count=1 -timeout 3h ./server/internal/chaos -soak -v
	@# Five forms of typing through the take-over, ten times each.
	ANTEROOM_E2E=1 $(GO) test -count=10 -timeout 1h -run '^TestTypingThroughTheTakeover$$' ./server/internal/e2e

clean: ## remove what was built
	rm -rf bin out web/dist/* $(NODE_DIR)
