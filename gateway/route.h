/*
 * Which method a path belongs to (the path templates of google/api/http.proto). Templates become an
 * immutable trie of segments: a literal beats a variable, `*` beats `**`, and two bindings that
 * would answer the same requests are refused when the table is made.
 *
 * Paths are split at '/' before anything is decoded. A variable of one segment is decoded in full;
 * one of several keeps %2F. The text behind the last ':' of the last segment is tried as a custom
 * verb first, then as part of the segment; an encoded colon (%3A) never begins a verb.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "gateway/schema_method.h"

enum { ROUTE_VARIABLES_MAX = 16, ROUTE_SEGMENTS_MAX = 64 };

struct route_variable {
    struct str dotted; /* as in the template: "user.id" */
    struct schema_path path;
    uint16_t first;    /* segment it begins at */
    uint16_t segments; /* how many; of those behind a `**` none are counted */
    bool rest;         /* ends in `**`: up to the end of the path */
};

/* One binding of one method. */
struct route {
    const struct schema_method *method;
    const struct schema_binding *binding;
    const struct schema_field *body_field; /* NULL: `body_all` says whether there is a body */
    bool body_all;
    const struct schema_field *response_field; /* of `response_body`, or NULL */
    struct route_variable variables[ROUTE_VARIABLES_MAX];
    size_t variable_count;
    void *user; /* the caller's */
};

struct route_match {
    const struct route *route;
    struct str values[ROUTE_VARIABLES_MAX]; /* decoded, in the order of the variables */
};

enum route_found {
    ROUTE_FOUND,
    ROUTE_UNKNOWN,       /* no template fits the path */
    ROUTE_OTHER_METHODS, /* some do, none with this method */
    ROUTE_MALFORMED,     /* a bad percent escape */
};

struct route_table;

struct route_table *route_table_new(void);
void route_table_free(struct route_table *table);

/*
 * Adds one binding. The schema must outlive the table. INVALID_ARGUMENT naming the method and what
 * is wrong with its template or body; ALREADY_EXISTS naming both methods when they conflict.
 */
enum code route_table_add(struct route_table *table, const struct schema_method *method,
                          const struct schema_binding *binding, void *user,
                          struct error *err) MUST_CHECK;

/*
 * Finds the most specific route of `http_method` for a path (percent-encoded, beginning with '/').
 * HEAD finds GET's when it has none of its own. Values are in `arena` or point into `path`.
 */
enum route_found route_find(const struct route_table *table, struct str http_method,
                            struct str path, struct arena *arena, struct route_match *match);

/*
 * The methods that a path has, for Allow: "GET, HEAD, POST, OPTIONS"; false when it has none.
 */
bool route_allow(const struct route_table *table, struct str path, struct arena *arena,
                 struct buf *out);
