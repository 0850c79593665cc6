/* The state of deflate is large (64 KiB at least): threads that answer keep theirs. */
#include "gateway/compress.h"

#include "base/alloc.h"

#include <pthread.h>
#include <zlib.h>

enum { GZIP_WINDOW = 15 + 16, FAST_WINDOW = 13 + 16, FAST_MEMORY = 7, BEST_MEMORY = 9 };

/* All of it at once into no more than nine tenths of its size. */
static bool run(z_stream *z, struct buf *to, struct str plain)
{
    size_t room = plain.len / 10 * 9;
    char *out = buf_reserve(to, room);
    if (!out)
        return false;
    z->next_in = (Bytef *)(uintptr_t)plain.ptr;
    z->avail_in = (uInt)plain.len;
    z->next_out = (Bytef *)out;
    z->avail_out = (uInt)room;
    if (deflate(z, Z_FINISH) != Z_STREAM_END)
        return false;
    to->len += room - z->avail_out;
    return true;
}

bool compress_best(struct buf *to, struct str plain)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, BEST_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    bool smaller = run(&z, to, plain);
    deflateEnd(&z);
    return smaller;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static void drop(void *state)
{
    deflateEnd(state);
    xfree(state);
}

static void make_key(void)
{
    if (pthread_key_create(&key, drop) != 0)
        alloc_failed("a thread's compression");
}

static z_stream *fast_state(void)
{
    pthread_once(&once, make_key);
    z_stream *z = pthread_getspecific(key);
    if (z)
        return deflateReset(z) == Z_OK ? z : NULL;
    z = xcalloc(1, sizeof *z);
    if (deflateInit2(z, Z_BEST_SPEED, Z_DEFLATED, FAST_WINDOW, FAST_MEMORY, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        xfree(z);
        return NULL;
    }
    pthread_setspecific(key, z);
    return z;
}

bool compress_fast(struct buf *to, struct str plain)
{
    z_stream *z = fast_state();
    return z && run(z, to, plain);
}
