# The descriptors of health and reflection, which every gRPC server of lib/rpc can describe.
$(GEN)/rpc_builtin.binpb: $(GRPC_PROTOS:%=$(GRPC_PROTO_DIR)/%.proto)
	@mkdir -p $(@D)
	protoc -I$(GRPC_PROTO_DIR) --include_imports --descriptor_set_out=$@ $(GRPC_PROTOS:%=%.proto)
$(GEN)/rpc_builtin.s: $(GEN)/rpc_builtin.binpb
	printf '.section .note.GNU-stack,"",%%progbits\n.section .rodata\n.global rpc_builtin_set, rpc_builtin_set_end\n.balign 16\nrpc_builtin_set: .incbin "%s"\nrpc_builtin_set_end: .byte 0\n' $< > $@
$(OUT)/obj/gen/rpc_builtin.o: $(GEN)/rpc_builtin.s
	@mkdir -p $(@D)
	$(CC) -c $< -o $@
$(OUT)/libomni.a: $(OUT)/obj/gen/rpc_builtin.o
