/* The same first and last steps for all programs, so that they fail in the same words. */
#include "base/program.h"

#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static sigset_t ending_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
}

void program_block_signals(void)
{
    sigset_t signals = ending_signals();
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int program_wait_signal(void)
{
    sigset_t signals = ending_signals();
    int which = 0;
    sigwait(&signals, &which);
    log_info("draining", LOG_C("signal", strsignal(which)));
    return which;
}

enum code program_make_directory(const char *setting, const char *path, struct error *err)
{
    char part[PROGRAM_PATH_BYTES];
    struct stat found;
    size_t length = strlen(path);
    if (length >= sizeof part)
        return error_set(err, CODE_INVALID_ARGUMENT, NULL, "--%s: the path is too long", setting);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return error_errno(err, CODE_FAILED_PRECONDITION, errno, "--%s: cannot make %s",
                               setting, part);
    }
    if (stat(path, &found) != 0 || !S_ISDIR(found.st_mode))
        return error_set(err, CODE_FAILED_PRECONDITION, NULL, "--%s: %s is no directory", setting,
                         path);
    if (access(path, W_OK | X_OK) != 0)
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "--%s: cannot write to %s",
                           setting, path);
    return CODE_OK;
}

enum code program_backend_path(const char *setting, const char *value, const char *scheme,
                               const char *folder, const char *usual, char path[PROGRAM_PATH_BYTES],
                               struct error *err)
{
    size_t length = strlen(scheme);
    if (strncmp(value, scheme, length) != 0)
        return error_set(err, CODE_INVALID_ARGUMENT, NULL, "--%s: \"%s\" is not %s or %sPATH",
                         setting, value, scheme, scheme);
    int written = value[length] ? snprintf(path, PROGRAM_PATH_BYTES, "%s", value + length)
                                : snprintf(path, PROGRAM_PATH_BYTES, "%s/%s", folder, usual);
    if (written < 0 || written >= PROGRAM_PATH_BYTES)
        return error_set(err, CODE_INVALID_ARGUMENT, NULL, "--%s: the path is too long", setting);
    return CODE_OK;
}

void program_log_listening(const char *address, int port)
{
    char text[PROGRAM_PATH_BYTES + 16];
    const char *colon = strrchr(address, ':');
    if (port && colon)
        snprintf(text, sizeof text, "%.*s:%d", (int)(colon - address), address, port);
    else
        snprintf(text, sizeof text, "%s", address);
    log_info("listening", LOG_C("address", text), LOG_I("port", port));
}
