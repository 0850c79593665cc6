/* gzip (RFC 1952), the one coding that answers are sent in. Any thread. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

/* Shorter texts are not worth the header and the work. */
enum { COMPRESS_BYTES_MIN = 1024 };

/*
 * Appends `plain` compressed. False, and nothing appended, when that saves less than a tenth or the
 * buffer has no room. `best` takes its time, for what is sent many times; `fast` is for answers
 * that are sent once, and keeps its tables in the thread.
 */
bool compress_best(struct buf *to, struct str plain);
bool compress_fast(struct buf *to, struct str plain);
