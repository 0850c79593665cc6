# h2spec against the HTTP engine; built from the Go modules that go.mod and go.sum name.
H2SPEC := $(B)/h2spec/h2spec
$(H2SPEC): tests/h2spec/go.mod tests/h2spec/go.sum
	@mkdir -p $(@D)
	cp $^ $(@D)/
	cd $(@D) && GOFLAGS=-mod=readonly GOTOOLCHAIN=local go build -o h2spec github.com/summerwind/h2spec/cmd/h2spec

.PHONY: h2spec h2spec-now
h2spec: ## h2spec's cases of HTTP/2 against the HTTP engine
	@scripts/setup build test h2spec
	+@$(submake) -s V=asan h2spec-now

h2spec-now: $(H2SPEC) $(OUT)/tests/programs/http_peer
	@tests/h2spec/run $(abspath $(H2SPEC)) $(abspath $(OUT)/tests/programs/http_peer) $(B)/h2spec/run
