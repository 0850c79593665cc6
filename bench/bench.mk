# Speed, beside a peer in the same run.
.PHONY: bench
bench: ## import 1,000,000 users, measure GET and search beside nginx (OMNI_BENCH_USERS=…)
	@scripts/setup build bench
	+@$(submake) -s V=release programs
	@bench/bench $(B)

TRANSCODE_BENCH := $(OUT)/bench/transcode_bench
$(TRANSCODE_BENCH): $(OUT)/obj/bench/transcode_bench.o $(OUT)/obj/bench/jansson_peer.o $(OUT)/libgateway.a $(OUT)/libomni.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -ljansson -o $@

.PHONY: bench-transcode bench-transcode-now
bench-transcode: ## ns a user record between JSON and wire, beside jansson and Python's protobuf
	@scripts/setup build test bench
	+@$(submake) -s V=release bench-transcode-now

bench-transcode-now: $(TRANSCODE_BENCH) $(GEN)/py/.stamp
	@$(TRANSCODE_BENCH)
	@$(PYTHON) bench/transcode_peer.py $(GEN)/py

# The program of bench/aws: what our programs take for AWS.
AWS_STUB := $(OUT)/bench/aws-stub
$(AWS_STUB): $(call objects,$(wildcard bench/aws/*.c)) $(OUT)/libuser.a $(OUT)/libomni.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

.PHONY: bench-aws bench-aws-now
bench-aws: ## the programs against a stub of AWS: events/s a core, GET/s at 5 ms, idle cost
	@scripts/setup build bench
	+@$(submake) -s V=release bench-aws-now

bench-aws-now: $(AWS_STUB) $(OUT)/tests/programs/rpc_bench programs
	@bench/aws/bench $(B)
