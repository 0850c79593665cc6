/* Heap memory that never fails: running out of it ends the process, in one place. */
#pragma once
#include <stddef.h>

/* Like malloc/calloc/realloc; abort the process with a message when there is no memory. */
void *xmalloc(size_t size_bytes);
void *xcalloc(size_t count, size_t size_bytes);
void *xrealloc(void *ptr, size_t size_bytes);
char *xstrdup(const char *text);

/* Ends the process as these do: for libraries that allocate by themselves. */
_Noreturn void alloc_failed(const char *what);

/* Frees; NULL is allowed. */
void xfree(void *ptr);
