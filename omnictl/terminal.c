/* ANSI sequences (ECMA-48) and termios. Ctrl-C stays a signal; Ctrl-Z is off while drawing. */
#include "omnictl/terminal.h"

#include "base/buf.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { COLUMNS_DEFAULT = 80, ROWS_DEFAULT = 24, SCREEN_BYTES_MAX = 1024 * 1024 };

static struct termios before;
static bool taken;

static void write_text(struct str text)
{
    while (text.len) {
        ssize_t wrote = write(STDOUT_FILENO, text.ptr, text.len);
        if (wrote <= 0)
            return; /* the terminal is gone, or does not want it now: the next drawing is whole */
        text = str_from(text, (size_t)wrote);
    }
}

bool terminal_open(void)
{
    static bool registered;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0)
        return false;
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
        return false;
    taken = true;
    if (!registered)
        atexit(terminal_close);
    registered = true;
    write_text(STR("\x1b[?1049h\x1b[?25l\x1b[2J"));
    return true;
}

void terminal_close(void)
{
    if (!taken)
        return;
    taken = false;
    write_text(STR("\x1b[?25h\x1b[?1049l"));
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void terminal_size(size_t *columns, size_t *rows)
{
    struct winsize size = {0};
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row;
    *columns = known ? size.ws_col : COLUMNS_DEFAULT;
    *rows = known ? size.ws_row : ROWS_DEFAULT;
}

void terminal_draw(struct str text)
{
    struct buf screen;
    size_t columns, rows, row = 0;
    struct str line;
    terminal_size(&columns, &rows);
    buf_init(&screen, SCREEN_BYTES_MAX);
    buf_add(&screen, STR("\x1b[H"));
    while (row < rows && text.len && str_next(&text, '\n', &line)) {
        if (row++)
            buf_add(&screen, STR("\r\n"));
        buf_add(&screen, STR("\x1b[K")); /* before the text: behind a full line it takes a column */
        buf_add(&screen, line);
    }
    buf_add(&screen, STR("\x1b[J"));
    write_text(buf_str(&screen));
    buf_clear(&screen);
}

int terminal_key(void)
{
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    unsigned char key;
    if (!taken || poll(&ready, 1, 0) <= 0)
        return -1;
    ssize_t got = read(STDIN_FILENO, &key, 1);
    return got == 1 ? key : got == 0 && ready.revents & POLLHUP ? 'q' : -1;
}
