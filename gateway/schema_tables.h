/* The inside of struct schema, for the files that make and read it. */
#pragma once
#include "base/arena.h"
#include "gateway/schema_method.h"

struct schema_slot {
    struct str name; /* ptr NULL: free */
    struct schema_message *message;
    struct schema_enum *enumeration;
};

struct schema {
    struct arena arena;
    struct schema_slot *slots; /* types by full name, open addressing */
    uint32_t slot_count;       /* a power of two, or 0 */
    struct schema_method *methods;
    size_t method_count;
};

uint32_t schema_hash(struct str name);

/* By length, then by bytes. */
int schema_name_order(struct str a, struct str b);
