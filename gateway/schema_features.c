/*
 * Features are read from the encoded options: protobuf-c may have been made from a descriptor.proto
 * that does not have them yet, and keeps them as unknown fields, or from one that does.
 */
#include "gateway/schema_features.h"

#include "gateway/wire.h"
#include "pb/proto.h"

enum { FILE_EDITION = 14, EDITION_2023 = 1000, EDITION_2024 = 1001 };
enum { FIELD_PRESENCE = 1, REPEATED_FIELD_ENCODING = 3, MESSAGE_ENCODING = 5 };
enum { EXPLICIT = 1, IMPLICIT, LEGACY_REQUIRED };
enum { PACKED = 1, EXPANDED };
enum { LENGTH_PREFIXED = 1, DELIMITED };

/* One feature; those that change neither bytes nor presence are let pass. */
static void take(struct schema_features *features, uint32_t number, uint64_t value)
{
    if (number == FIELD_PRESENCE) {
        features->implicit = value == IMPLICIT;
        features->unknown |= value < EXPLICIT || value > LEGACY_REQUIRED;
    } else if (number == REPEATED_FIELD_ENCODING) {
        features->packed = value == PACKED;
        features->unknown |= value != PACKED && value != EXPANDED;
    } else if (number == MESSAGE_ENCODING) {
        features->delimited = value == DELIMITED;
        features->unknown |= value != LENGTH_PREFIXED && value != DELIMITED;
    }
}

void schema_features_refine(struct schema_features *features, struct arena *scratch,
                            const ProtobufCMessage *options, uint32_t where)
{
    struct wire_record set, feature;
    if (!features->editions || !options)
        return;
    struct str wire = proto_encode_arena(scratch, options);
    while (wire_next(&wire, &set) == WIRE_RECORD) {
        if (set.number != where || set.type != WIRE_BYTES)
            continue;
        enum wire_result result;
        while ((result = wire_next(&set.bytes, &feature)) == WIRE_RECORD)
            if (feature.type == WIRE_VARINT)
                take(features, feature.number, feature.value);
        features->unknown |= result == WIRE_MALFORMED;
    }
}

static bool is_known_edition(struct arena *scratch,
                             const Google__Protobuf__FileDescriptorProto *file)
{
    struct wire_record record;
    struct str wire = proto_encode_arena(scratch, &file->base);
    uint64_t edition = 0;
    while (wire_next(&wire, &record) == WIRE_RECORD)
        if (record.number == FILE_EDITION && record.type == WIRE_VARINT)
            edition = record.value;
    return edition == EDITION_2023 || edition == EDITION_2024;
}

struct schema_features schema_features_of(struct arena *scratch,
                                          const Google__Protobuf__FileDescriptorProto *file)
{
    struct str syntax = str_of(file->syntax);
    struct schema_features features = {0};
    if (str_eq(syntax, STR("proto3"))) {
        features.implicit = features.packed = true;
    } else if (str_eq(syntax, STR("editions"))) {
        features.editions = features.packed = true;
        features.unknown = !is_known_edition(scratch, file);
        schema_features_refine(&features, scratch, file->options ? &file->options->base : NULL,
                               FEATURES_OF_FILE);
    } else {
        features.unknown = syntax.len && !str_eq(syntax, STR("proto2"));
    }
    return features;
}
