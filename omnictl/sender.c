/*
 * A slot per record. Its states:
 *
 *   FREE -> CALLING -> ANSWERED -> FREE
 *              ^          |
 *              +- RESTING <   (failed with what may pass)
 *
 * The completion thread moves a slot from CALLING to ANSWERED, by putting it on a list under the
 * lock; everything else belongs to the caller's thread.
 */
#include "omnictl/sender.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "omnictl/api.h"
#include "omnictl/random.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    REQUEST_BYTES_MAX = 4 * 1024 * 1024,
    IDLE_MS = 1000,
    SHRINK_EVERY_MS = 100, /* one burst of refusals narrows the window once */
};

enum slot_state { SLOT_FREE, SLOT_CALLING, SLOT_RESTING };

struct slot {
    struct sender *sender;
    struct slot *next; /* in the list of the free or of the answered */
    enum slot_state state;
    uint64_t record, line;
    struct buf request;
    uint32_t attempts;
    int64_t first_ms, due_ms;
    uint64_t answers_before; /* the sender's count when the call began */
    enum code code;
    struct error err;
};

struct sender {
    struct sender_options options;
    struct rpc_client *client;
    sender_done_fn done;
    void *argument;
    struct slot *slots, *free;
    size_t unfinished, calling;
    size_t window; /* calls under way at once, for the moment */
    size_t since_growth;
    int64_t shrunk_ms;
    uint64_t answers;   /* records that have ended */
    int64_t failing_ms; /* since when nothing has; 0: nothing fails */
    struct error last_err;
    bool stopped;
    struct random random;
    int fd;
    pthread_mutex_t lock; /* guards `answered` */
    struct slot *answered;
};

static int64_t now_ms(void)
{
    return clock_mono_ms(clock_real()) + 1; /* never 0 */
}

struct sender *sender_new(const struct sender_options *options, sender_done_fn done, void *argument)
{
    struct sender *sender = xcalloc(1, sizeof *sender);
    sender->options = *options;
    sender->client = api_connect_users(options->globals);
    sender->done = done;
    sender->argument = argument;
    sender->window = options->parallel;
    sender->random = random_of((uint64_t)clock_wall_us(clock_real()), (uint64_t)getpid());
    sender->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&sender->lock, NULL);
    sender->slots = xcalloc(options->parallel, sizeof *sender->slots);
    for (size_t i = 0; i < options->parallel; i++) {
        struct slot *slot = &sender->slots[i];
        slot->sender = sender;
        slot->next = sender->free;
        sender->free = slot;
        buf_init(&slot->request, REQUEST_BYTES_MAX);
    }
    return sender;
}

void sender_free(struct sender *sender)
{
    if (!sender)
        return;
    rpc_client_free(sender->client); /* afterwards no callback runs */
    for (size_t i = 0; i < sender->options.parallel; i++)
        buf_clear(&sender->slots[i].request);
    xfree(sender->slots);
    pthread_mutex_destroy(&sender->lock);
    close(sender->fd);
    xfree(sender);
}

bool sender_has_room(const struct sender *sender)
{
    return sender->free && sender->unfinished < sender->window && !sender->stopped;
}

size_t sender_unfinished(const struct sender *sender)
{
    return sender->unfinished;
}

int sender_fd(const struct sender *sender)
{
    return sender->fd;
}

void sender_stop(struct sender *sender)
{
    sender->stopped = true;
}

/* In the completion thread. */
static void take_answer(void *argument, const struct rpc_result *result)
{
    struct slot *slot = argument;
    struct sender *sender = slot->sender;
    slot->code = result->code;
    if (result->code != CODE_OK)
        rpc_result_error(result, &slot->err);
    pthread_mutex_lock(&sender->lock);
    bool first = !sender->answered;
    slot->next = sender->answered;
    sender->answered = slot;
    pthread_mutex_unlock(&sender->lock);
    const uint64_t one = 1;
    if (first && write(sender->fd, &one, sizeof one) < 0)
        return; /* the counter is full: it is readable then as well */
}

static void start_call(struct sender *sender, struct slot *slot)
{
    const struct rpc_call_options options = {.method = API_CREATE_USER,
                                             .deadline_ms = sender->options.deadline_ms};
    slot->state = SLOT_CALLING;
    slot->attempts++;
    slot->answers_before = sender->answers;
    error_clear(&slot->err);
    sender->calling++;
    rpc_client_start(sender->client, &options, buf_str(&slot->request), take_answer, slot, NULL);
}

void sender_submit(struct sender *sender, uint64_t record, uint64_t line, struct str request)
{
    struct slot *slot = sender->free;
    sender->free = slot->next;
    slot->record = record;
    slot->line = line;
    slot->attempts = 0;
    slot->first_ms = now_ms();
    buf_reset(&slot->request);
    buf_add(&slot->request, request);
    sender->unfinished++;
    start_call(sender, slot);
}

static void release(struct sender *sender, struct slot *slot)
{
    slot->state = SLOT_FREE;
    slot->next = sender->free;
    sender->free = slot;
    sender->unfinished--;
}

static void shrink_window(struct sender *sender, int64_t now)
{
    if (now - sender->shrunk_ms < SHRINK_EVERY_MS)
        return;
    sender->shrunk_ms = now;
    sender->window = sender->window > 1 ? sender->window / 2 : 1;
}

static void grow_window(struct sender *sender)
{
    if (sender->window < sender->options.parallel && ++sender->since_growth >= sender->window) {
        sender->since_growth = 0;
        sender->window++;
    }
}

static void end_record(struct sender *sender, struct slot *slot)
{
    sender->answers++;
    sender->failing_ms = 0;
    grow_window(sender);
    sender->done(sender->argument, slot->record, slot->line,
                 slot->code == CODE_OK ? NULL : &slot->err);
    release(sender, slot);
}

static void handle_answer(struct sender *sender, struct slot *slot, int64_t now)
{
    sender->calling--;
    if (!api_retryable(slot->code) && slot->code != CODE_CANCELLED) {
        end_record(sender, slot);
        return;
    }
    sender->last_err = slot->err;
    if (!sender->failing_ms)
        sender->failing_ms = now;
    if (slot->code == CODE_RESOURCE_EXHAUSTED)
        shrink_window(sender, now);
    bool others_pass = sender->answers != slot->answers_before;
    if (sender->stopped) {
        release(sender, slot);
    } else if (now - slot->first_ms > sender->options.patience_ms && others_pass) {
        end_record(sender, slot); /* it is this record that cannot be taken */
    } else {
        slot->state = SLOT_RESTING;
        slot->due_ms =
            now + api_backoff_ms(slot->attempts, &slot->err, random_next(&sender->random));
    }
}

static void repeat_due(struct sender *sender, int64_t now)
{
    for (size_t i = 0; i < sender->options.parallel; i++) {
        struct slot *slot = &sender->slots[i];
        if (slot->state != SLOT_RESTING)
            continue;
        if (sender->stopped)
            release(sender, slot);
        else if (slot->due_ms <= now && sender->calling < sender->window)
            start_call(sender, slot);
    }
}

void sender_turn(struct sender *sender)
{
    uint64_t ignored;
    int64_t now = now_ms();
    if (read(sender->fd, &ignored, sizeof ignored) < 0)
        ignored = 0; /* nothing has come */
    pthread_mutex_lock(&sender->lock);
    struct slot *slot = sender->answered;
    sender->answered = NULL;
    pthread_mutex_unlock(&sender->lock);
    while (slot) {
        struct slot *next = slot->next;
        handle_answer(sender, slot, now);
        slot = next;
    }
    if (sender->unfinished > sender->calling)
        repeat_due(sender, now);
}

int64_t sender_wait_ms(const struct sender *sender)
{
    int64_t now = now_ms(), least = IDLE_MS;
    if (sender->unfinished == sender->calling)
        return least;
    for (size_t i = 0; i < sender->options.parallel; i++) {
        const struct slot *slot = &sender->slots[i];
        if (slot->state == SLOT_RESTING && slot->due_ms - now < least)
            least = slot->due_ms - now;
    }
    return least > 0 ? least : 1;
}

bool sender_gave_up(const struct sender *sender, struct error *err)
{
    if (!sender->failing_ms || now_ms() - sender->failing_ms <= sender->options.patience_ms)
        return false;
    *err = sender->last_err;
    return true;
}
