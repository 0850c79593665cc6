/*
 * Reads the XML that AWS answers with into a tree in an arena: elements and their text. Strict and
 * small: UTF-8, no document type, no processing instructions but the declaration, the five
 * predefined entities and character references; attributes are checked and forgotten, comments
 * and CDATA are refused, prefixes stay part of the name. Pure.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

struct xml_node {
    struct str name;
    struct str text;              /* of an element without elements in it, decoded */
    const struct xml_node *first; /* the elements within, in order */
    const struct xml_node *next;  /* beside it */
};

/* Exactly one element. INTERNAL (INVALID_XML) with the byte at which it was wrong; at most 32
 * elements deep. */
enum code xml_read(struct arena *arena, struct str text, const struct xml_node **root,
                   struct error *err) MUST_CHECK;

/* The first element within with this name, or NULL; also when `node` is NULL. */
const struct xml_node *xml_get(const struct xml_node *node, struct str name);

/* Follows names that '/' separates; the text of the last, or an empty str with ptr NULL. */
struct str xml_text(const struct xml_node *node, const char *path);
