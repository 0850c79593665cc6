/* The document, its compressed form and its tag; and the stage that answers with it. */
#include "gateway/document.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "crypto/crypto.h"
#include "gateway/compress.h"
#include "gateway/conditional.h"
#include "gateway/request.h"

#include <stdio.h>

enum { DOCUMENT_BYTES_MAX = 16 << 20, TAG_BYTES = 16 };

struct document {
    struct buf plain, gzip;
    char etag[2 * TAG_BYTES + 3], gzip_etag[2 * TAG_BYTES + 6]; /* other bytes, another tag */
};

enum code document_new(const struct openapi_options *options, struct document **made,
                       struct error *err)
{
    struct document *document = xcalloc(1, sizeof *document);
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct buf hex;
    *made = NULL;
    buf_init(&document->plain, DOCUMENT_BYTES_MAX);
    buf_init(&document->gzip, DOCUMENT_BYTES_MAX);
    if (openapi_write(options, &document->plain, err) != CODE_OK) {
        document_free(document);
        return err->code;
    }
    (void)compress_best(&document->gzip, buf_str(&document->plain));
    crypto_sha256(buf_str(&document->plain), digest);
    buf_init(&hex, 2 * TAG_BYTES);
    encode_hex(&hex, (struct str){(const char *)digest, TAG_BYTES});
    snprintf(document->etag, sizeof document->etag, "\"%s\"", buf_cstr(&hex));
    snprintf(document->gzip_etag, sizeof document->gzip_etag, "\"%s-gz\"", buf_cstr(&hex));
    buf_clear(&hex);
    *made = document;
    return CODE_OK;
}

void document_free(struct document *document)
{
    if (!document)
        return;
    buf_clear(&document->plain);
    buf_clear(&document->gzip);
    xfree(document);
}

static enum stage_result answer(struct request *request, const struct document *document)
{
    const struct http_request *http = request->http;
    struct str wanted = http_header_list(http, STR("If-None-Match"), request->arena);
    struct str codings = http_header_list(http, STR("Accept-Encoding"), request->arena);
    bool packed = document->gzip.len && conditional_accepts(codings, STR("gzip"));
    struct str etag = str_of(packed ? document->gzip_etag : document->etag);
    request_header(request, STR("ETag"), etag);
    request_header(request, STR("Cache-Control"), STR("no-cache"));
    request_header(request, STR("Vary"), STR("Accept-Encoding"));
    if (wanted.ptr && conditional_matches(wanted, etag)) {
        request_answer(request, 304, STR(""), STR(""));
        return STAGE_ANSWERED;
    }
    if (packed)
        request_header(request, STR("Content-Encoding"), STR("gzip"));
    request_answer(request, 200, STR("application/json"),
                   buf_str(packed ? &document->gzip : &document->plain));
    return STAGE_ANSWERED;
}

enum stage_result stage_document(struct request *request)
{
    struct error err = {0};
    if (!str_eq(request->http->path, STR("/openapi.json")))
        return STAGE_GO;
    request->label = STR("/openapi.json");
    if (str_eq(request->http->method, STR("GET")) || request->is_head)
        return answer(request, request->gateway->document);
    error_set(&err, CODE_UNIMPLEMENTED, "METHOD_NOT_ALLOWED", "Only GET and HEAD are answered.");
    request_header(request, STR("Allow"), STR("GET, HEAD"));
    return request_fail_own(request, 405, &err);
}
