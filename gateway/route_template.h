/* The grammar of path templates (google/api/http.proto), apart from what is done with them. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "gateway/route.h"

enum template_kind { TEMPLATE_LITERAL, TEMPLATE_STAR, TEMPLATE_REST };

struct template_segment {
    enum template_kind kind;
    struct str literal; /* decoded */
};

struct template
{
    struct template_segment segments[ROUTE_SEGMENTS_MAX];
    size_t segment_count;
    struct route_variable variables[ROUTE_VARIABLES_MAX]; /* paths not resolved yet */
    size_t variable_count;
    struct str verb; /* "" for none */
};

/*
 *   Template = "/" Segments [ ":" LITERAL ] ;  Segments = Segment { "/" Segment } ;
 *   Segment  = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}" ;
 * `**` only at the end. INVALID_ARGUMENT saying what is wrong.
 */
enum code template_parse(struct arena *arena, struct str text, struct template *parsed,
                         struct error *err) MUST_CHECK;
