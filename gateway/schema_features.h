/*
 * What the syntax or the edition of a proto file says about its fields
 * (protobuf.dev/editions/features): as much of it as decides which bytes are written.
 */
#pragma once
#include "base/arena.h"

#include "google/protobuf/descriptor.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct schema_features {
    bool editions;  /* the file's parts may say otherwise */
    bool implicit;  /* a scalar that is not set is its default */
    bool packed;    /* lists of numbers */
    bool delimited; /* messages are written as groups */
    bool unknown;   /* something is said that is not understood: nothing may be guessed */
};

/* Where options of a kind hold their FeatureSet. */
enum { FEATURES_OF_FILE = 50, FEATURES_OF_MESSAGE = 12, FEATURES_OF_FIELD = 21 };

/* Those of a whole file. */
struct schema_features schema_features_of(struct arena *scratch,
                                          const Google__Protobuf__FileDescriptorProto *file);

/* Changes them by what a part of the file says in its options (may be NULL). */
void schema_features_refine(struct schema_features *features, struct arena *scratch,
                            const ProtobufCMessage *options, uint32_t where);
