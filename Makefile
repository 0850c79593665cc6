# OmniData's one Makefile. Sources are found by wildcard: a new file needs no edit here.
#   V=release|asan|tsan|clang|fuzz   the variant that is built (each has its own folder under B)
#   B=build                     where everything goes that is not source
V ?= release
B ?= build
PYTHON ?= /usr/bin/python3
# How many jobs a target uses that builds things itself (make test), unless make was given -j.
JOBS ?= $(shell nproc)
submake = $(MAKE) $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))
export B

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := help

GEN := $(B)/gen
OUT := $(B)/$(V)
BIN := $(OUT)/bin

CC_release := gcc
CC_asan := gcc
CC_tsan := gcc
CC_clang := clang
CC_fuzz := clang
override CC := $(CC_$(V))
FLAGS_release := -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
FLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
FLAGS_clang := -O1 -g -Wthread-safety
FLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
CFLAGS_ALL := -std=gnu17 -D_GNU_SOURCE -pthread -MMD -MP $(FLAGS_$(V)) \
	-Ilib -Iservices -I. -isystem $(GEN)/c -isystem $(GEN)/nano
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Wstrict-prototypes -Wvla -Werror
LIBS := -lcurl -lgrpc -lgpr -lprotobuf-c -lprotobuf-nanopb -lsqlite3 -lnghttp2 -lssl -lcrypto -lzstd -lz -lutf8proc -lm
LDFLAGS_ALL := -pthread $(FLAGS_$(V)) -Wl,--as-needed
LDFLAGS_release := -pie -Wl,-z,relro,-z,now

# --- generated code ------------------------------------------------------------------------------
PROTOS := $(patsubst proto/%,%,$(shell find proto -name '*.proto' | LC_ALL=C sort))
WELL_KNOWN := $(addprefix google/protobuf/,any descriptor duration empty field_mask struct timestamp wrappers)
GRPC_PROTOS := grpc/health/v1/health grpc/reflection/v1/reflection grpc/reflection/v1alpha/reflection
GRPC_PROTO_DIR := /usr/share/grpc-proto
PBC := $(PROTOS:.proto=) $(WELL_KNOWN) $(GRPC_PROTOS)
GEN_C := $(PBC:%=$(GEN)/c/%.pb-c.c) \
	$(GEN)/nano/omnidata/event/v1/event.pb.c $(GEN)/nano/google/protobuf/timestamp.pb.c
GEN_STAMP := $(GEN)/.stamp

$(GEN)/c/google/protobuf/%.pb-c.c: /usr/include/google/protobuf/%.proto
	@mkdir -p $(GEN)/c
	protoc -I/usr/include --c_out=$(GEN)/c $<
$(GEN)/c/grpc/%.pb-c.c: $(GRPC_PROTO_DIR)/grpc/%.proto
	@mkdir -p $(GEN)/c
	protoc -I$(GRPC_PROTO_DIR) --c_out=$(GEN)/c $<
$(GEN)/c/%.pb-c.c: proto/%.proto
	@mkdir -p $(GEN)/c
	protoc -Iproto --c_out=$(GEN)/c $<
$(GEN)/nano/google/protobuf/%.pb.c: /usr/include/google/protobuf/%.proto
	@mkdir -p $(GEN)/nano
	protoc -I/usr/include --nanopb_out=-q:$(GEN)/nano $<
$(GEN)/nano/%.pb.c: proto/%.proto proto/%.options
	@mkdir -p $(GEN)/nano
	protoc -Iproto --nanopb_out=-q,-Iproto:$(GEN)/nano $<
$(GEN)/omnidata.binpb: $(PROTOS:%=proto/%)
	@mkdir -p $(GEN)
	protoc -Iproto --include_imports --include_source_info --descriptor_set_out=$@ $(PROTOS)
# The checksum tells a compiler cache that the included bytes have changed.
$(GEN)/descriptor_set.s: $(GEN)/omnidata.binpb
	printf '# %s\n.section .note.GNU-stack,"",%%progbits\n.section .rodata\n.global pb_builtin_set, pb_builtin_set_end\n.balign 16\npb_builtin_set: .incbin "%s"\npb_builtin_set_end: .byte 0\n' "$$(cksum < $<)" $< > $@
$(GEN_STAMP): $(GEN_C)
	@touch $@

# Python's view of the contracts, for tests.
$(GEN)/py/.stamp: $(PROTOS:%=proto/%)
	@mkdir -p $(GEN)/py
	protoc -Iproto --python_out=$(GEN)/py --grpc_python_out=$(GEN)/py \
		--plugin=protoc-gen-grpc_python=$$(command -v grpc_python_plugin) \
		$(filter omnidata/%,$(PROTOS)) google/api/http.proto google/api/annotations.proto \
		google/rpc/status.proto google/rpc/error_details.proto
	protoc -I$(GRPC_PROTO_DIR) --python_out=$(GEN)/py --grpc_python_out=$(GEN)/py \
		--plugin=protoc-gen-grpc_python=$$(command -v grpc_python_plugin) $(GRPC_PROTOS:%=%.proto)
	@touch $@

# --- objects, archives, programs -----------------------------------------------------------------
USER := $(filter-out %/main.c,$(wildcard services/user/*.c))
ANALYTICS := $(filter-out %/main.c,$(wildcard services/analytics/*.c))
GATEWAY := $(filter-out %/main.c,$(wildcard gateway/*.c))
OMNICTL := $(filter-out %/main.c,$(wildcard omnictl/*.c))
LIB := $(wildcard lib/*/*.c)
objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))

$(OUT)/obj/%.o: %.c $(GEN_STAMP)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(WARNINGS) -c $< -o $@
$(OUT)/obj/gen/%.o: $(GEN)/%.c $(GEN_STAMP)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -w -c $< -o $@
$(OUT)/obj/gen/descriptor_set.o: $(GEN)/descriptor_set.s
	@mkdir -p $(@D)
	$(CC) -c $< -o $@

define archive
$(OUT)/lib$(1).a: $(2)
	@mkdir -p $$(@D)
	@rm -f $$@
	ar rcs $$@ $$^
endef
GEN_OBJECTS := $(GEN_C:$(GEN)/%.c=$(OUT)/obj/gen/%.o) $(OUT)/obj/gen/descriptor_set.o
$(eval $(call archive,omni,$(call objects,$(LIB)) $(GEN_OBJECTS)))
$(eval $(call archive,user,$(call objects,$(USER))))
$(eval $(call archive,analytics,$(call objects,$(ANALYTICS))))
$(eval $(call archive,gateway,$(call objects,$(GATEWAY))))
$(eval $(call archive,omnictl,$(call objects,$(OMNICTL))))

define program
$(BIN)/$(1): $(OUT)/obj/$(2)/main.o $(OUT)/lib$(3).a $(OUT)/libomni.a
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS_ALL) $$(LDFLAGS_$$(V)) $$^ $$(LIBS) -o $$@
endef
$(eval $(call program,omni-user,services/user,user))
$(eval $(call program,omni-analytics,services/analytics,analytics))
$(eval $(call program,omni-gateway,gateway,gateway))
$(eval $(call program,omnictl,omnictl,omnictl))
PROGRAMS := $(BIN)/omni-user $(BIN)/omni-analytics $(BIN)/omni-gateway $(BIN)/omnictl

# A test program per file; its folder says which program's archive it is linked with.
TESTS := $(wildcard tests/unit/*/*_test.c tests/contract/*/*_test.c)
TEST_PROGRAMS := $(TESTS:%.c=$(OUT)/%)
area_archive = $(filter $(OUT)/lib$(notdir $(patsubst %/,%,$(dir $(1)))).a, \
	$(OUT)/libuser.a $(OUT)/libanalytics.a $(OUT)/libgateway.a $(OUT)/libomnictl.a)
TEST_SUPPORT := $(call objects,$(wildcard tests/support/*.c))
define test_program
$(OUT)/$(1:.c=): $(OUT)/obj/$(1:.c=.o) $(TEST_SUPPORT) $(call area_archive,$(1)) $(OUT)/libomni.a
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS_ALL) $$^ $$(LIBS) -lcmocka -o $$@
endef
$(foreach t,$(TESTS),$(eval $(call test_program,$(t))))

# Peers for the Python tests: a program per file of tests/programs, with all of lib/.
PEERS := $(patsubst %.c,$(OUT)/%,$(wildcard tests/programs/*.c))
$(PEERS): $(OUT)/tests/programs/%: $(OUT)/obj/tests/programs/%.o $(OUT)/libomni.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

# Every object that a compiler sees in this variant: `make lint` compares two compilers' warnings.
OBJECTS := $(call objects,$(LIB) $(wildcard services/*/*.c gateway/*.c omnictl/*.c) $(TESTS) \
	$(wildcard tests/support/*.c tests/programs/*.c tests/fuzz/*.c tests/conformance/*.c bench/*.c bench/*/*.c))

.PHONY: help run programs unit unit-programs peers generated objects clean
run: ## set up, build and run everything here; the page is at http://localhost:8080
	@scripts/setup build frontend
	+@$(submake) -s V=release programs frontend
	@scripts/run $(B)

programs: $(PROGRAMS) ## build the four programs (V=release|asan|tsan|clang|fuzz)
unit-programs: $(TEST_PROGRAMS)
peers: $(PEERS)
objects: $(OBJECTS)
generated: $(GEN_STAMP) $(GEN)/py/.stamp $(GEN)/omnidata.binpb

UNITS := $(filter $(if $(T),$(foreach t,$(T),$(OUT)/tests/unit/$t/% $(OUT)/tests/contract/$t/%),%),$(TEST_PROGRAMS))
unit: $(UNITS) ## run unit and contract tests (V=asan; T="base rpc" to choose areas)
	@scripts/run-units $(UNITS)

help: ## this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

clean: ## remove everything that was built (not the data)
	rm -rf $(B)

# Parts with targets of their own: tests, lint, bench, the page.
include $(wildcard */*.mk)

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)
