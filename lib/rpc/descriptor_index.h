/* FileDescriptorSets by file name, by symbol and by extension, as reflection asks for them. */
#pragma once
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct descriptor_index;

struct descriptor_index *descriptor_index_new(void);
void descriptor_index_free(struct descriptor_index *index);

/*
 * Adds the files of an encoded FileDescriptorSet that are not there yet; the bytes must outlive the
 * index. False when they are no such set: what came before the damage is in.
 */
bool descriptor_index_add(struct descriptor_index *index, struct str set);

/* After the last addition and before the first question. */
void descriptor_index_seal(struct descriptor_index *index);

enum { DESCRIPTOR_NOT_FOUND = -1 };

/* The number of a file, or DESCRIPTOR_NOT_FOUND. */
int descriptor_file_by_name(const struct descriptor_index *index, struct str name);

/* By fully-qualified name: message, enum, value, field, oneof, extension, service, method. */
int descriptor_file_by_symbol(const struct descriptor_index *index, struct str symbol);
int descriptor_file_by_extension(const struct descriptor_index *index, struct str type,
                                 int32_t number);

/* Up to `max` extension numbers of the type; how many there are. */
size_t descriptor_extensions(const struct descriptor_index *index, struct str type,
                             int32_t *numbers, size_t max);

size_t descriptor_file_count(const struct descriptor_index *index);

/* The encoded FileDescriptorProto, exactly as it came. */
struct str descriptor_file_bytes(const struct descriptor_index *index, int file);

/* The i-th import's number; DESCRIPTOR_NOT_FOUND for one that is in no set. False: no more. */
bool descriptor_file_import(const struct descriptor_index *index, int file, size_t i, int *import);
