/* A table in an AWS that is really there: OMNI_TEST_AWS, the address (make interop). */
#pragma once
#include "tests/support/unit.h"

#include "aws/dynamodb_table.h"
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

struct far_table {
    struct aws *aws; /* NULL: there is none */
    struct aws_client *client;
    char name[64];
    struct arena arena;
};

static inline bool far_table_wanted(void)
{
    return getenv("OMNI_TEST_AWS") != NULL;
}

/* A table of the name that `directory` has below /tmp or /dev/shm; made at the first call. */
static inline enum code far_table_open(struct far_table *far, const char *directory,
                                       struct error *err)
{
    struct aws_location location;
    char text[256];
    bool created;
    if (far->aws)
        return CODE_OK;
    snprintf(far->name, sizeof far->name, "%s", strrchr(directory, '/') + 1);
    snprintf(text, sizeof text, "dynamodb://%s?endpoint=%s", far->name, getenv("OMNI_TEST_AWS"));
    if (aws_open(&(struct aws_options){0}, &far->aws, err) != CODE_OK ||
        aws_location_read(str_of(text), "dynamodb", getenv, NULL, 0, &far->arena, &location, err) !=
            CODE_OK)
        return err->code;
    far->client = aws_client_new(&(struct aws_client_options){
        .aws = far->aws, .service = &DYNAMODB_SERVICE, .location = &location});
    return dynamodb_table_create(far->client, str_of(far->name), 60000, &created, err);
}

static inline void far_table_close(struct far_table *far)
{
    const struct json_value *answer;
    struct error err;
    char body[128];
    snprintf(body, sizeof body, "{\"TableName\":\"%s\"}", far->name);
    assert_int_equal(dynamodb_call(far->client, STR("DeleteTable"), str_of(body), 60000,
                                   &far->arena, &answer, NULL, &err),
                     CODE_OK);
    aws_client_free(far->client);
    aws_free(far->aws);
    arena_clear(&far->arena);
}
