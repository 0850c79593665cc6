/* A schema on its way out of descriptors, for the two files that make it. */
#pragma once
#include "base/error.h"
#include "gateway/schema_tables.h"

#include "google/protobuf/descriptor.pb-c.h"

#define DESCRIPTOR(name) Google__Protobuf__##name

struct loader {
    struct schema *schema;
    struct arena scratch; /* the decoded descriptors */
    struct error *err;
    const Google__Protobuf__FileDescriptorSet *set;
};

/* A copy that lives as long as the schema. */
struct str schema_keep(struct loader *l, const char *text);

/* `scope.name`, or `name` alone; lives as long as the schema. */
struct str schema_joined(struct loader *l, struct str scope, const char *name);

/* The methods with their bindings and policies; all types are there. False with *l->err set. */
bool schema_load_services(struct loader *l);
