/* The bounds of struct error keep what is sent far below the usual 8 KiB for all of a reply's
 * metadata: at most 4 KiB before base64. */
#include "rpc/status_details.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "pb/proto.h"

#include <stdio.h>

#define TYPE_PREFIX "type.googleapis.com/"

enum { DETAILS_MAX = 3 };

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text; /* protobuf-c's strings are not const; encoding only reads */
}

static void add_detail(struct arena *arena, Google__Rpc__Status *status, const char *type,
                       const ProtobufCMessage *message)
{
    Google__Protobuf__Any *any = arena_alloc(arena, sizeof *any);
    google__protobuf__any__init(any);
    struct str bytes = proto_encode_arena(arena, message);
    any->type_url = text_of(type);
    any->value = (ProtobufCBinaryData){bytes.len, (uint8_t *)(uintptr_t)bytes.ptr};
    status->details[status->n_details++] = any;
}

static void add_fields(struct arena *arena, Google__Rpc__Status *status, const struct error *err)
{
    Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
    bad.field_violations = arena_alloc(arena, err->field_count * sizeof(void *));
    for (uint32_t i = 0; i < err->field_count; i++) {
        Google__Rpc__BadRequest__FieldViolation *one = arena_alloc(arena, sizeof *one);
        google__rpc__bad_request__field_violation__init(one);
        one->field = text_of(err->fields[i].path);
        one->description = text_of(err->fields[i].text);
        bad.field_violations[bad.n_field_violations++] = one;
    }
    add_detail(arena, status, TYPE_PREFIX "google.rpc.BadRequest", &bad.base);
}

static void add_retry(struct arena *arena, Google__Rpc__Status *status, uint32_t retry_after_ms)
{
    Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    delay.seconds = retry_after_ms / 1000;
    delay.nanos = (int32_t)(retry_after_ms % 1000) * 1000000;
    retry.retry_delay = &delay;
    add_detail(arena, status, TYPE_PREFIX "google.rpc.RetryInfo", &retry.base);
}

struct str status_details_encode(struct arena *arena, const struct error *err)
{
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    Google__Protobuf__Any *details[DETAILS_MAX];
    if (!err->reason[0] && !err->field_count && !err->retry_after_ms)
        return (struct str){0};
    status.code = (int32_t)err->code;
    status.message = text_of(err->text);
    status.details = details;
    if (err->reason[0]) {
        Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
        info.reason = text_of(err->reason);
        info.domain = text_of("omnidata");
        add_detail(arena, &status, TYPE_PREFIX "google.rpc.ErrorInfo", &info.base);
    }
    if (err->field_count)
        add_fields(arena, &status, err);
    if (err->retry_after_ms)
        add_retry(arena, &status, err->retry_after_ms);
    return proto_encode_arena(arena, &status.base);
}

static void take_fields(const Google__Rpc__BadRequest *bad, struct error *err)
{
    for (size_t i = 0; i < bad->n_field_violations && err->field_count < ERROR_FIELDS_MAX; i++) {
        struct error_field *field = &err->fields[err->field_count++];
        struct str path =
            str_utf8_cut(str_of(bad->field_violations[i]->field), sizeof field->path - 1);
        struct str text =
            str_utf8_cut(str_of(bad->field_violations[i]->description), sizeof field->text - 1);
        snprintf(field->path, sizeof field->path, "%.*s", STR_ARG(path));
        snprintf(field->text, sizeof field->text, "%.*s", STR_ARG(text));
    }
}

static void take_retry(const Google__Rpc__RetryInfo *retry, struct error *err)
{
    const Google__Protobuf__Duration *delay = retry->retry_delay;
    if (!delay || delay->seconds < 0 || delay->nanos < 0 || delay->nanos > 999999999)
        return;
    if (delay->seconds >= UINT32_MAX / 1000)
        err->retry_after_ms = UINT32_MAX;
    else
        err->retry_after_ms = (uint32_t)delay->seconds * 1000 + (uint32_t)delay->nanos / 1000000;
}

static void take_detail(struct arena *arena, const Google__Protobuf__Any *any, struct error *err)
{
    struct str type = str_of(any->type_url);
    struct str bytes = {(const char *)any->value.data, any->value.len};
    void *message;
    if (str_ends(type, STR("/google.rpc.ErrorInfo"))) {
        if ((message = proto_decode(arena, &google__rpc__error_info__descriptor, bytes)))
            snprintf(err->reason, sizeof err->reason, "%s",
                     ((Google__Rpc__ErrorInfo *)message)->reason);
    } else if (str_ends(type, STR("/google.rpc.BadRequest"))) {
        if ((message = proto_decode(arena, &google__rpc__bad_request__descriptor, bytes)))
            take_fields(message, err);
    } else if (str_ends(type, STR("/google.rpc.RetryInfo"))) {
        if ((message = proto_decode(arena, &google__rpc__retry_info__descriptor, bytes)))
            take_retry(message, err);
    }
}

void status_details_decode(struct str bytes, struct error *err)
{
    struct arena arena;
    arena_init(&arena);
    Google__Rpc__Status *status = proto_decode(&arena, &google__rpc__status__descriptor, bytes);
    for (size_t i = 0; status && i < status->n_details; i++)
        take_detail(&arena, status->details[i], err);
    arena_clear(&arena);
}
