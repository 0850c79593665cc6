/* Signs what it is told, a JSON object per line on standard input, and prints the Authorization
 * header of each: for tests that compare with other implementations. */
#include "aws/sigv4.h"
#include "json/json_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS_MAX = 20, TEXT_MAX = 1 << 20 };

static struct str text_of(const struct json_value *object, const char *key)
{
    const struct json_value *value = json_get(object, str_of(key));
    if (!value || (value->kind != JSON_STRING && value->kind != JSON_NUMBER)) {
        fprintf(stderr, "no %s\n", key);
        exit(2);
    }
    return value->text;
}

/* query: [[name, value]…], raw; encoded here as the client does it. */
static struct str query_of(const struct json_value *request, struct arena *arena)
{
    struct buf query;
    buf_init_arena(&query, arena, TEXT_MAX);
    for (const struct json_value *pair = json_get(request, STR("query"))->first; pair;
         pair = pair->next)
        aws_encode_query(&query, pair->first->text, pair->first->next->text);
    return buf_str(&query);
}

static void sign(struct arena *arena, const struct json_value *request)
{
    struct http_header headers[HEADERS_MAX];
    struct sigv4_scope scope = {.region = text_of(request, "region"),
                                .service = text_of(request, "service")};
    const struct sigv4_key key = {text_of(request, "id"), text_of(request, "secret")};
    struct buf path;
    size_t count = 0;
    for (const struct json_value *pair = json_get(request, STR("headers"))->first;
         pair && count < HEADERS_MAX; pair = pair->next)
        headers[count++] = (struct http_header){pair->first->text, pair->first->next->text};
    buf_init_arena(&path, arena, TEXT_MAX);
    aws_encode_path(&path, text_of(request, "path"));
    scope.path_once = str_eq(scope.service, STR("s3"));
    if (!str_to_i64(text_of(request, "now"), &scope.now_s))
        exit(2);
    const struct sigv4_request plain = {
        text_of(request, "method"),      buf_str(&path), query_of(request, arena), headers, count,
        text_of(request, "payload_hash")};
    struct str value = sigv4_authorization(&plain, &scope, &key, NULL, arena);
    printf("%.*s\n", STR_ARG(value));
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, stdin)) > 0) {
        struct arena arena = {0};
        struct error err = {0};
        const struct json_value *request;
        struct str text = str_trim((struct str){line, (size_t)length - 1});
        if (json_read(&arena, text, json_limits_default(), &request, &err) != CODE_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 2;
        }
        sign(&arena, request);
        arena_clear(&arena);
    }
    free(line);
    return 0;
}
