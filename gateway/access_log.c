/* Two buffers: lines go into one while the other is being written. */
#include "gateway/access_log.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json_out.h"
#include "base/time_text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WAITING_BYTES_MAX = 4 << 20, GATHER_MS = 20, OUTPUT_WAIT_MS = 1000 };

struct access_log {
    int fd;
    bool pipe;
    struct str program;
    pthread_t writer;
    bool started;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t wake;
    struct buf waiting;
    uint64_t dropped;
    bool stop;
};

/* What goes into one write: whole lines, on a pipe few enough not to be torn by other writers. */
static struct str next_piece(struct str text, bool pipe)
{
    if (!pipe || text.len <= PIPE_BUF)
        return text;
    size_t end = PIPE_BUF;
    while (end && text.ptr[end - 1] != '\n')
        end--;
    ptrdiff_t first = str_find(text, '\n');
    return (struct str){text.ptr, end ? end : first < 0 ? text.len : (size_t)first + 1};
}

/* All of it, as far as the output takes it within a bounded time. */
static void write_all(const struct access_log *log, struct str text)
{
    while (text.len) {
        struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
        struct str piece = next_piece(text, log->pipe);
        int n = poll(&ready, 1, OUTPUT_WAIT_MS);
        ssize_t wrote = n > 0 ? write(log->fd, piece.ptr, piece.len) : -1;
        if (wrote < 0 && (n == 0 || (errno != EINTR && errno != EAGAIN)))
            return;
        if (wrote > 0)
            text = str_from(text, (size_t)wrote);
    }
}

static void add_dropped(struct access_log *log, struct buf *text, uint64_t dropped)
{
    struct json_out json = json_out_to(text);
    json_object_begin(&json);
    json_key(&json, STR("level"));
    json_string(&json, STR("warn"));
    json_key(&json, STR("program"));
    json_string(&json, log->program);
    json_key(&json, STR("event"));
    json_string(&json, STR("access_log_dropped"));
    json_key(&json, STR("lines"));
    json_u64(&json, dropped);
    json_object_end(&json);
    buf_add_char(text, '\n');
}

static void *run(void *argument)
{
    struct access_log *log = argument;
    const struct timespec gather = {.tv_nsec = GATHER_MS * 1000000L};
    struct buf taken;
    bool stop;
    buf_init(&taken, WAITING_BYTES_MAX);
    do {
        pthread_mutex_lock(&log->lock);
        while (!log->waiting.len && !log->stop)
            pthread_cond_wait(&log->wake, &log->lock);
        stop = log->stop;
        pthread_mutex_unlock(&log->lock);
        if (!stop)
            nanosleep(&gather, NULL);
        pthread_mutex_lock(&log->lock);
        struct buf swap = log->waiting;
        log->waiting = taken;
        taken = swap;
        uint64_t dropped = log->dropped;
        log->dropped = 0;
        pthread_mutex_unlock(&log->lock);
        if (dropped)
            add_dropped(log, &taken, dropped);
        write_all(log, buf_str(&taken));
        buf_reset(&taken);
    } while (!stop);
    buf_clear(&taken);
    return NULL;
}

struct access_log *access_log_new(int fd, const char *program)
{
    struct access_log *log = xcalloc(1, sizeof *log);
    struct stat about;
    log->fd = fd;
    log->pipe = fstat(fd, &about) != 0 || !S_ISREG(about.st_mode);
    log->program = str_of(program);
    buf_init(&log->waiting, WAITING_BYTES_MAX);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->wake, NULL);
    log->started = pthread_create(&log->writer, NULL, run, log) == 0;
    if (log->started)
        pthread_setname_np(log->writer, "access-log");
    return log;
}

static void text_member(struct json_out *json, struct str key, struct str text)
{
    if (!text.len)
        return;
    json_key(json, key);
    json_string(json, text);
}

static void add_line(struct buf *out, struct str program, const struct access_line *line)
{
    struct json_out json = json_out_to(out);
    json_object_begin(&json);
    json_key(&json, STR("time"));
    buf_add_char(out, '"');
    time_add_rfc3339_us(out, clock_wall_us(clock_real()));
    buf_add_char(out, '"');
    json.comma = true;
    text_member(&json, STR("level"), line->status >= 500 ? STR("error") : STR("info"));
    text_member(&json, STR("program"), program);
    text_member(&json, STR("event"), STR("request"));
    text_member(&json, STR("method"), line->method);
    text_member(&json, STR("route"), line->route);
    json_key(&json, STR("status"));
    json_i64(&json, line->status);
    text_member(&json, STR("code"), line->code);
    json_key(&json, STR("bytes"));
    json_u64(&json, line->bytes);
    json_key(&json, STR("duration_us"));
    json_i64(&json, line->duration_us);
    text_member(&json, STR("request_id"), line->request_id);
    text_member(&json, STR("trace_id"), line->trace_id);
    text_member(&json, STR("peer"), line->peer);
    if (!str_eq(line->client, line->peer))
        text_member(&json, STR("client"), line->client);
    text_member(&json, STR("key_id"), line->key_id);
    text_member(&json, STR("issuer"), line->issuer);
    text_member(&json, STR("subject"), line->subject);
    text_member(&json, STR("reason"), line->reason);
    text_member(&json, STR("error"), line->error);
    if (line->aborted) {
        json_key(&json, STR("aborted"));
        json_bool(&json, true);
    }
    if (line->dropped) {
        json_key(&json, STR("dropped"));
        json_bool(&json, true);
    }
    json_object_end(&json);
    buf_add_char(out, '\n');
}

void access_log_add(struct access_log *log, const struct access_line *line)
{
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    size_t before = log->waiting.len;
    add_line(&log->waiting, log->program, line);
    if (log->waiting.overflow) {
        log->waiting.len = before;
        log->waiting.overflow = false;
        log->dropped++;
    }
    if (!before)
        pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
}

void access_log_free(struct access_log *log)
{
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    log->stop = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
    if (log->started)
        pthread_join(log->writer, NULL);
    buf_clear(&log->waiting);
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->lock);
    xfree(log);
}
