# Tests beyond `make unit`. Each target installs what it needs and builds the variant it wants.
PYTEST_ENV = OMNI_OUT=$(abspath $(OUT)) OMNI_GEN=$(abspath $(GEN)) OMNI_PAGE=$(abspath $(B)/frontend) \
	OMNI_INTEROP=$(abspath $(B)/interop) OMNI_OPENAPI=$(abspath $(B)/openapi)
TSAN_AREAS := base rpc http aws queue user analytics gateway omnictl
FUZZ_SECONDS := $(or $(T),60)
FUZZ := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_PROGRAMS := $(FUZZ:%.c=$(OUT)/%)

$(FUZZ_PROGRAMS): $(OUT)/%: $(OUT)/obj/%.o $(OUT)/libgateway.a $(OUT)/libuser.a \
		$(OUT)/libanalytics.a $(OUT)/libomnictl.a $(OUT)/libomni.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer $^ $(LIBS) -o $@

.PHONY: test test-now tsan tsan-now fuzz fuzz-now torture soak browser interop
test: ## set up, build with sanitizers and run every test; the last line counts them
	@scripts/setup build test frontend
	@echo "building with sanitizers under $(B)/asan"
	+@$(submake) -s V=asan programs unit-programs peers generated frontend
	+@$(MAKE) -s V=asan test-now

test-now:
	@$(PYTEST_ENV) scripts/run-tests $(TEST_PROGRAMS)

tsan: ## the threaded parts and one run of the whole system under ThreadSanitizer
	@scripts/setup build test frontend
	+@$(submake) -s V=tsan T="$(TSAN_AREAS)" tsan-programs frontend
	+@$(MAKE) -s V=tsan T="$(TSAN_AREAS)" tsan-now

.PHONY: tsan-programs
tsan-programs: $(UNITS) programs peers generated
tsan-now:
	@$(PYTEST_ENV) scripts/run-tests $(UNITS) -- tests/e2e/test_smoke.py tests/gateway/test_limits.py tests/gateway/test_api_keys.py

fuzz: ## fuzz every target for T seconds (make fuzz T=60)
	@scripts/setup build fuzz
	+@$(submake) -s V=fuzz fuzz-programs
	+@$(MAKE) -s V=fuzz T=$(FUZZ_SECONDS) fuzz-now

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_PROGRAMS)
fuzz-now:
	@scripts/run-fuzz $(FUZZ_SECONDS) $(FUZZ_PROGRAMS)

torture: ## kill, pause and starve the programs again and again (OMNI_FAULT_ROUNDS=20)
	@scripts/setup build test frontend
	+@$(submake) -s V=asan programs peers generated frontend
	@OMNI_FAULT_ROUNDS=$${OMNI_FAULT_ROUNDS:-20} \
		$(MAKE) -s V=asan PYTEST_FILES=tests/fault pytest-now

soak: ## minutes of load, looking for hangs and leaks
	@scripts/setup build test frontend
	+@$(submake) -s V=asan programs peers generated frontend
	+@$(MAKE) -s V=asan PYTEST_FILES="-m soak" pytest-now

browser: ## the page in a real browser against the real programs
	@scripts/setup build test browser frontend
	+@$(submake) -s V=release programs generated frontend
	+@$(MAKE) -s V=release PYTEST_FILES="-m browser tests/browser" pytest-now

interop: ## everything on AWS's APIs: strict counterparts behind a proxy that checks and harms
	@scripts/setup build test frontend interop
	@tests/interop/install $(B)/interop
	+@$(submake) -s V=asan programs unit-programs peers generated frontend
	+@$(MAKE) -s V=asan PYTEST_FILES=tests/interop pytest-now

openapi: ## /openapi.json before a validator and property-based requests (schemathesis)
	@scripts/setup build test frontend openapi
	@scripts/python-env $(B)/openapi tests/openapi/requirements.txt
	+@$(submake) -s V=asan programs generated frontend
	+@$(MAKE) -s V=asan PYTEST_FILES=tests/openapi pytest-now

.PHONY: pytest-now openapi
pytest-now:
	@$(PYTEST_ENV) scripts/run-tests -- $(PYTEST_FILES)
