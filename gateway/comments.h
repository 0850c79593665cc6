/* The comments of the protos, out of a descriptor set that was made with --include_source_info. */
#pragma once
#include "base/str.h"

struct comments;

/* Reads the comments in front of messages, fields, enums, values, services and methods; a set
 * without them gives none. Bytes that are no descriptor set give none either. */
struct comments *comments_new(struct str descriptor_set);
void comments_free(struct comments *comments);

/* By full name: "pkg.Message", "pkg.Message.field", "pkg.Enum.VALUE", "pkg.Service.Method". Empty
 * when there is none. Lines are as they were, without the space that follows the slashes. */
struct str comments_find(const struct comments *comments, struct str full_name);
