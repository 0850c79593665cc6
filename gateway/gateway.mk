# What the gateway's tests need beside the ordinary rules: a descriptor set made to be nasty, in the
# test programs and as a file, and two programs that are linked with the gateway's archive.
NASTY := $(GEN)/nasty.binpb
$(NASTY): tests/gateway/nasty.proto $(PROTOS:%=proto/%)
	@mkdir -p $(GEN)
	protoc -Iproto -Itests/gateway --include_imports --descriptor_set_out=$@ nasty.proto
$(GEN)/nasty_set.s: $(NASTY)
	printf '# %s\n.section .note.GNU-stack,"",%%progbits\n.section .rodata\n.global nasty_set, nasty_set_end\n.balign 16\nnasty_set: .incbin "%s"\nnasty_set_end: .byte 0\n' "$$(cksum < $<)" $< > $@
$(OUT)/obj/gen/nasty_set.o: $(GEN)/nasty_set.s
	@mkdir -p $(@D)
	$(CC) -c $< -o $@

$(addprefix $(OUT)/tests/unit/gateway/,schema_test route_test transcode_in_test transcode_out_test overlay_test): \
	$(OUT)/obj/gen/nasty_set.o

GATEWAY_PEERS := $(patsubst %.c,$(OUT)/%,$(wildcard tests/gateway/programs/*.c))
$(GATEWAY_PEERS): $(OUT)/tests/gateway/programs/%: $(OUT)/obj/tests/gateway/programs/%.o \
	$(OUT)/obj/gen/nasty_set.o $(TEST_SUPPORT) $(OUT)/libgateway.a $(OUT)/libomni.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@
peers: $(GATEWAY_PEERS)
generated: $(NASTY)
$(addprefix $(OUT)/tests/fuzz/,query_fuzz route_fuzz transcode_request_fuzz transcode_response_fuzz): \
	$(OUT)/obj/gen/nasty_set.o
