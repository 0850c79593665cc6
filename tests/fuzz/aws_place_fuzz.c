/* Any text as a place in AWS, as an agent's address, and as what an agent answers: read, or refused
 * with words; what was read fits together. */
#include "aws/credentials_sources.h"
#include "aws/location.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

static void read_place(struct str text, const char *service)
{
    struct arena arena = {0};
    struct error err = {0};
    struct aws_location l;
    struct aws_parameter own[] = {{"shards", {0}}};
    if (aws_location_read(text, service, no_environment, own, 1, &arena, &l, &err) == CODE_OK) {
        if (!l.name.len || !l.region.len || !str_ends(l.endpoint, l.host) || !l.host.len)
            abort();
        struct aws_location beside = aws_location_beside(&l, "sts", &arena);
        if (!beside.host.len)
            abort();
    } else if (err.code != CODE_INVALID_ARGUMENT || !err.text[0]) {
        abort();
    }
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const services[] = {"dynamodb", "s3", "sqs", "sns"};
    struct str text = {(const char *)data, size};
    struct arena arena = {0};
    struct error err = {0};
    struct credentials_found found;
    for (size_t i = 0; i < 4; i++)
        read_place(text, services[i]);
    credentials_uri_allowed(text);
    if (credentials_read_json(&arena, text, &found, &err) == CODE_OK &&
        (!found.id.len || !found.secret.len))
        abort();
    arena_clear(&arena);
    return 0;
}
