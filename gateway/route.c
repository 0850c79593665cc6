/*
 * The trie. Matching visits each node at most once per way of reading the last segment (with a verb
 * or without), so its cost is bounded by the number of templates, whatever the path.
 */
#include "gateway/route.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "gateway/route_template.h"

#include <string.h>

enum { METHODS_MAX = 32 };

struct leaf {
    struct leaf *next;
    struct str verb;
    int method; /* index into the table's methods */
    const struct route *route;
};

struct node {
    struct str literal; /* that leads here, when it is among `literals` */
    struct node *next;  /* the next one among `literals` */
    struct node *literals, *star, *rest;
    struct leaf *leaves;
};

struct route_table {
    struct arena arena;
    struct node root;
    struct str methods[METHODS_MAX];
    int method_count;
};

/* The path that is looked up, in one reading of its last segment. */
struct walk {
    const struct route_table *table;
    struct str raw[ROUTE_SEGMENTS_MAX], decoded[ROUTE_SEGMENTS_MAX];
    size_t count;
    struct str verb;
    int method;     /* wanted; -1: none of the table's */
    int any_method; /* "*", or -1 */
    uint32_t seen;  /* methods met at places that fit */
};

struct route_table *route_table_new(void)
{
    return xcalloc(1, sizeof(struct route_table));
}

void route_table_free(struct route_table *table)
{
    if (table)
        arena_clear(&table->arena);
    xfree(table);
}

/* --- making --- */

static int method_index(const struct route_table *table, struct str name)
{
    for (int i = 0; i < table->method_count; i++)
        if (str_eq(table->methods[i], name))
            return i;
    return -1;
}

static int intern_method(struct route_table *table, struct str name)
{
    int index = method_index(table, name);
    if (index < 0 && table->method_count < METHODS_MAX) {
        index = table->method_count++;
        table->methods[index] = name;
    }
    return index;
}

static struct node *child(struct route_table *table, struct node *node,
                          const struct template_segment *segment)
{
    struct node **link = segment->kind == TEMPLATE_STAR   ? &node->star
                         : segment->kind == TEMPLATE_REST ? &node->rest
                                                          : &node->literals;
    if (segment->kind == TEMPLATE_LITERAL)
        while (*link && !str_eq((*link)->literal, segment->literal))
            link = &(*link)->next;
    if (!*link) {
        *link = arena_alloc0(&table->arena, sizeof **link);
        (*link)->literal = segment->literal;
    }
    return *link;
}

static enum code fail(const struct schema_method *method, struct error *err, const char *what,
                      struct str name)
{
    return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_TEMPLATE", "%.*s: %s '%.*s'",
                     STR_ARG(method->full_path), what, STR_ARG(name));
}

/* Variables stand for one value: a primitive, or a well-known message whose JSON is a string. */
static bool fits_variable(const struct schema_field *field)
{
    if (field->repeated)
        return false;
    if (!field->message)
        return true;
    enum schema_well_known kind = field->message->well_known;
    return kind == SCHEMA_WRAPPER || kind == SCHEMA_TIMESTAMP || kind == SCHEMA_DURATION ||
           kind == SCHEMA_FIELD_MASK;
}

/* A field that would be lost, or written in another way than its readers expect. */
static enum code check_types(const struct schema_method *method, struct error *err)
{
    struct str why = method->input->refused.ptr ? method->input->refused : method->output->refused;
    if (!why.ptr)
        return CODE_OK;
    return error_set(err, CODE_INVALID_ARGUMENT, "UNSUPPORTED_TYPE", "%.*s: %.*s",
                     STR_ARG(method->full_path), STR_ARG(why));
}

static enum code resolve(struct route *route, struct error *err)
{
    const struct schema_method *method = route->method;
    const struct schema_binding *binding = route->binding;
    if (check_types(method, err) != CODE_OK)
        return err->code;
    for (size_t i = 0; i < route->variable_count; i++) {
        struct route_variable *variable = &route->variables[i];
        if (!schema_path_of(method->input, variable->dotted, &variable->path) ||
            !fits_variable(variable->path.fields[variable->path.count - 1]))
            return fail(method, err, "no single-valued field for the variable", variable->dotted);
        for (size_t k = 0; k < i; k++)
            if (str_eq(route->variables[k].dotted, variable->dotted))
                return fail(method, err, "two variables are called", variable->dotted);
    }
    route->body_all = str_eq(binding->body, STR("*"));
    if (binding->body.len && !route->body_all &&
        !(route->body_field = schema_field_of(method->input, binding->body)))
        return fail(method, err, "no field for the body", binding->body);
    if (binding->response_body.len &&
        !(route->response_field = schema_field_of(method->output, binding->response_body)))
        return fail(method, err, "no field for the response body", binding->response_body);
    if (method->client_streams)
        return fail(method, err, "a client stream cannot be reached by", binding->template);
    return CODE_OK;
}

enum code route_table_add(struct route_table *table, const struct schema_method *method,
                          const struct schema_binding *binding, void *user, struct error *err)
{
    struct template parsed;
    if (template_parse(&table->arena, binding->template, &parsed, err) != CODE_OK)
        return error_prefix(err, method->full_path.ptr);
    struct route *route = arena_alloc0(&table->arena, sizeof *route);
    *route = (struct route){.method = method, .binding = binding, .user = user};
    route->variable_count = parsed.variable_count;
    memcpy(route->variables, parsed.variables, parsed.variable_count * sizeof *parsed.variables);
    if (resolve(route, err) != CODE_OK)
        return err->code;
    struct node *node = &table->root;
    for (size_t i = 0; i < parsed.segment_count; i++)
        node = child(table, node, &parsed.segments[i]);
    int index = binding->http_method.len ? intern_method(table, binding->http_method) : -1;
    if (index < 0)
        return fail(method, err, "the HTTP method is empty or one too many:", binding->http_method);
    for (const struct leaf *leaf = node->leaves; leaf; leaf = leaf->next)
        if (leaf->method == index && str_eq(leaf->verb, parsed.verb))
            return error_set(err, CODE_ALREADY_EXISTS, "ROUTE_CONFLICT",
                             "%.*s %.*s (%.*s) and %.*s (%.*s) would answer the same requests",
                             STR_ARG(binding->http_method), STR_ARG(binding->template),
                             STR_ARG(method->full_path), STR_ARG(leaf->route->binding->template),
                             STR_ARG(leaf->route->method->full_path));
    struct leaf *leaf = arena_alloc0(&table->arena, sizeof *leaf);
    *leaf = (struct leaf){node->leaves, parsed.verb, index, route};
    node->leaves = leaf;
    return CODE_OK;
}

/* --- matching --- */

/* The route at a node that fits in full; all methods met are noted. */
static const struct route *at_leaf(struct walk *walk, const struct node *node)
{
    const struct route *any = NULL, *exact = NULL;
    for (const struct leaf *leaf = node->leaves; leaf; leaf = leaf->next) {
        if (!str_eq(leaf->verb, walk->verb))
            continue;
        walk->seen |= 1u << leaf->method;
        if (leaf->method == walk->method)
            exact = leaf->route;
        if (leaf->method == walk->any_method)
            any = leaf->route;
    }
    return exact ? exact : any;
}

static const struct route *visit(struct walk *walk, const struct node *node, size_t at)
{
    const struct route *route = NULL;
    if (at == walk->count) {
        route = at_leaf(walk, node);
    } else {
        for (const struct node *next = node->literals; next && !route; next = next->next)
            if (str_eq(next->literal, walk->decoded[at]))
                route = visit(walk, next, at + 1);
        if (!route && node->star && walk->raw[at].len)
            route = visit(walk, node->star, at + 1);
    }
    if (!route && node->rest)
        route = at_leaf(walk, node->rest);
    return route;
}

/* False on a malformed escape; *too_many when no table can hold so long a path. */
static bool split(struct walk *walk, struct str path, struct arena *arena, bool *too_many)
{
    struct str rest = str_from(path, 1), piece;
    *too_many = false;
    while (str_next(&rest, '/', &piece)) {
        struct str decoded = piece;
        if (str_find(piece, '%') >= 0) {
            struct buf buf;
            buf_init_arena(&buf, arena, piece.len);
            if (!decode_percent(&buf, piece, false))
                return false;
            decoded = buf_str(&buf);
        }
        if (walk->count == ROUTE_SEGMENTS_MAX) {
            *too_many = true;
            continue;
        }
        walk->raw[walk->count] = piece;
        walk->decoded[walk->count++] = decoded;
    }
    return true;
}

/* Reads the last segment as `segment:verb`; false when it has no such form. */
static bool with_verb(struct walk *walk, struct arena *arena)
{
    struct str last = walk->raw[walk->count - 1];
    size_t colon = last.len;
    while (colon && last.ptr[colon - 1] != ':')
        colon--;
    if (!colon || colon == last.len)
        return false;
    struct buf verb, segment;
    buf_init_arena(&verb, arena, last.len);
    buf_init_arena(&segment, arena, last.len);
    last.len = colon - 1;
    decode_percent(&verb, str_from(walk->raw[walk->count - 1], colon), false);
    decode_percent(&segment, last, false);
    walk->verb = buf_str(&verb);
    walk->raw[walk->count - 1] = last;
    walk->decoded[walk->count - 1] = buf_str(&segment);
    return true;
}

/* Several segments: everything is decoded but %2F, which would look like a separator. */
static struct str decode_several(struct str raw, struct arena *arena)
{
    struct buf out;
    buf_init_arena(&out, arena, raw.len);
    for (size_t i = 0; i < raw.len; i++) {
        struct str escape = {raw.ptr + i, 3};
        if (raw.ptr[i] != '%' || (raw.ptr[i + 1] == '2' && (raw.ptr[i + 2] | 32) == 'f')) {
            buf_add_char(&out, raw.ptr[i]);
            continue;
        }
        decode_percent(&out, escape, false);
        i += 2;
    }
    return buf_str(&out);
}

static void take_values(const struct walk *walk, struct arena *arena, struct route_match *match)
{
    for (size_t i = 0; i < match->route->variable_count; i++) {
        const struct route_variable *variable = &match->route->variables[i];
        size_t first = variable->first,
               end = variable->rest ? walk->count : first + variable->segments;
        if (first >= end) {
            match->values[i] = (struct str){"", 0};
        } else if (!variable->rest && variable->segments == 1) {
            match->values[i] = walk->decoded[first];
        } else {
            const char *from = walk->raw[first].ptr;
            const char *to = walk->raw[end - 1].ptr + walk->raw[end - 1].len;
            match->values[i] = decode_several((struct str){from, (size_t)(to - from)}, arena);
        }
    }
}

/* Both readings of the path, the one with a verb first. */
static enum route_found look_up(struct walk *walk, struct str path, struct arena *arena,
                                struct route_match *match)
{
    bool too_many;
    if (!path.len || path.ptr[0] != '/')
        return ROUTE_UNKNOWN;
    if (!split(walk, path, arena, &too_many))
        return ROUTE_MALFORMED;
    if (too_many)
        return ROUTE_UNKNOWN;
    size_t last = walk->count - 1;
    struct str raw = walk->raw[last], decoded = walk->decoded[last];
    match->route = with_verb(walk, arena) ? visit(walk, &walk->table->root, 0) : NULL;
    if (!match->route) {
        walk->raw[last] = raw;
        walk->decoded[last] = decoded;
        walk->verb = (struct str){"", 0};
        match->route = visit(walk, &walk->table->root, 0);
    }
    if (!match->route)
        return walk->seen ? ROUTE_OTHER_METHODS : ROUTE_UNKNOWN;
    take_values(walk, arena, match);
    return ROUTE_FOUND;
}

static void begin(struct walk *walk, const struct route_table *table, struct str http_method)
{
    walk->table = table;
    walk->count = walk->seen = 0;
    walk->verb = (struct str){"", 0};
    walk->method = method_index(table, http_method);
    walk->any_method = method_index(table, STR("*"));
}

enum route_found route_find(const struct route_table *table, struct str http_method,
                            struct str path, struct arena *arena, struct route_match *match)
{
    struct walk walk;
    begin(&walk, table, http_method);
    enum route_found found = look_up(&walk, path, arena, match);
    if (found == ROUTE_OTHER_METHODS && str_eq(http_method, STR("HEAD"))) {
        begin(&walk, table, STR("GET"));
        found = look_up(&walk, path, arena, match);
    }
    return found;
}

bool route_allow(const struct route_table *table, struct str path, struct arena *arena,
                 struct buf *out)
{
    struct walk walk;
    struct route_match match;
    begin(&walk, table, (struct str){"", 0});
    walk.any_method = -1;
    if (look_up(&walk, path, arena, &match) != ROUTE_OTHER_METHODS)
        return false;
    int any = method_index(table, STR("*")), get = method_index(table, STR("GET"));
    uint32_t seen = walk.seen;
    if (any >= 0 && seen >> any & 1) {
        buf_add(out, STR("GET, HEAD, POST, PUT, PATCH, DELETE, "));
        seen = 0;
    }
    for (int i = 0; i < table->method_count; i++)
        if (seen >> i & 1 && !str_eq(table->methods[i], STR("OPTIONS")))
            buf_addf(out, "%.*s, ", STR_ARG(table->methods[i]));
    int head = method_index(table, STR("HEAD"));
    if (get >= 0 && seen >> get & 1 && !(head >= 0 && seen >> head & 1))
        buf_add(out, STR("HEAD, "));
    buf_add(out, STR("OPTIONS"));
    return true;
}
