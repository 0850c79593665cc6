/* The line is built for the terminal's width and written in one piece. */
#include "omnictl/progress.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    TERMINAL_EVERY_MS = 100,
    PLAIN_EVERY_MS = 5000,
    COLUMNS_DEFAULT = 80,
    BAR_MOST = 40,
    LINE_BYTES_MAX = 1024,
};

void progress_add_number(struct buf *out, uint64_t number)
{
    char digits[32];
    int count = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    for (int i = 0; i < count; i++) {
        if (i && (count - i) % 3 == 0)
            buf_add_char(out, ',');
        buf_add_char(out, digits[i]);
    }
}

static void add_facts(struct buf *out, const struct progress_state *state, uint64_t count_before,
                      int64_t elapsed_ms)
{
    uint64_t fresh = state->count > count_before ? state->count - count_before : 0;
    progress_add_number(out, state->count);
    buf_add_cstr(out, " users");
    if (elapsed_ms > 0) {
        buf_add_cstr(out, "  ");
        progress_add_number(out, fresh * 1000 / (uint64_t)elapsed_ms);
        buf_add_cstr(out, "/s");
    }
    if (state->size && state->done && state->done < state->size && elapsed_ms > 1000) {
        double left_s =
            (double)elapsed_ms / 1000 * (double)(state->size - state->done) / (double)state->done;
        int64_t seconds = (int64_t)(left_s + 0.5);
        buf_addf(out, "  %lld:%02lld left", (long long)(seconds / 60), (long long)(seconds % 60));
    }
    if (state->failed) {
        buf_add_cstr(out, "  ");
        progress_add_number(out, state->failed);
        buf_add_cstr(out, " failed");
    }
}

void progress_render(struct buf *out, const char *what, const struct progress_state *state,
                     uint64_t count_before, int64_t elapsed_ms, size_t columns)
{
    struct buf facts;
    size_t percent = state->size ? (size_t)(state->done * 100 / state->size) : 0;
    buf_init(&facts, LINE_BYTES_MAX);
    add_facts(&facts, state, count_before, elapsed_ms);
    buf_add_cstr(out, what);
    size_t used = out->len + facts.len + 12; /* spaces, percentage, brackets */
    if (state->size)
        buf_addf(out, " %3zu%% ", percent);
    if (state->size && used + 8 < columns) {
        size_t bar = columns - used < BAR_MOST ? columns - used : BAR_MOST;
        size_t full = bar * percent / 100;
        buf_add_char(out, '[');
        for (size_t i = 0; i < bar; i++)
            buf_add_char(out, i < full ? '=' : i == full ? '>' : ' ');
        buf_add_cstr(out, "] ");
    } else if (!state->size) {
        buf_add_cstr(out, ": ");
    }
    buf_add(out, buf_str(&facts));
    if (columns && out->len >= columns)
        out->len = str_utf8_cut(buf_str(out), columns - 1).len;
    buf_clear(&facts);
}

void progress_begin(struct progress *progress, const char *what, uint64_t count_before)
{
    int64_t now = clock_mono_ms(clock_real());
    *progress = (struct progress){.terminal = isatty(STDERR_FILENO) == 1,
                                  .what = what,
                                  .begun_ms = now,
                                  .last_ms = now,
                                  .count_before = count_before};
}

static size_t columns_now(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return COLUMNS_DEFAULT;
    return size.ws_col;
}

void progress_tick(struct progress *progress, const struct progress_state *state)
{
    int64_t now = clock_mono_ms(clock_real());
    if (now - progress->last_ms < (progress->terminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS))
        return;
    progress->last_ms = now;
    struct buf line;
    buf_init(&line, LINE_BYTES_MAX);
    progress_render(&line, progress->what, state, progress->count_before, now - progress->begun_ms,
                    progress->terminal ? columns_now() : 0);
    fprintf(stderr, progress->terminal ? "\r%s\x1b[K" : "%s\n", buf_cstr(&line));
    fflush(stderr);
    progress->shown = progress->terminal;
    buf_clear(&line);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\x1b[K", stderr);
    progress->shown = false;
}

void progress_say(struct progress *progress, const char *format, ...)
{
    va_list arguments;
    progress_end(progress);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
