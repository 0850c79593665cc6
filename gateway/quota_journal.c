/* One page of header, then the slots. The file's lock is the process's: it ends with it. */
#include "gateway/quota_journal.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HEADER_BYTES = 4096, BOOT_BYTES = 40 };

static const char MAGIC[8] = "OMNILSE1";

struct header {
    char magic[8];
    char boot_id[BOOT_BYTES];
    char gateway_id[ID_TEXT_BYTES + 1];
};

struct journal {
    int fd; /* -1: plain memory */
    struct header *header;
    struct journal_slot *slots;
    size_t next;
};

static const size_t FILE_BYTES = HEADER_BYTES + JOURNAL_SLOTS * sizeof(struct journal_slot);

static void read_boot_id(char boot_id[BOOT_BYTES])
{
    memset(boot_id, 0, BOOT_BYTES);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, boot_id, BOOT_BYTES - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0) /* not to be known: never the same as before */
        id_format(id_new(clock_real()), boot_id);
}

static enum code open_file(const char *state_dir, int *fd, struct error *err)
{
    struct buf path;
    buf_init(&path, strlen(state_dir) + 16);
    buf_addf(&path, "%s/leases", state_dir);
    *fd = open(buf_cstr(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int failed = errno;
    buf_clear(&path);
    if (*fd < 0)
        return error_errno(err, CODE_FAILED_PRECONDITION, failed, "--state-dir: %s/leases",
                           state_dir);
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(err, CODE_FAILED_PRECONDITION, "INVALID_SETTING",
                         "--state-dir: another gateway uses %s", state_dir);
    failed = posix_fallocate(*fd, 0, (off_t)FILE_BYTES);
    if (failed)
        return error_errno(err, CODE_FAILED_PRECONDITION, failed, "--state-dir: room in %s",
                           state_dir);
    return CODE_OK;
}

/* Lengths as they can be: the file may be anything. */
static bool is_sound(const struct journal_slot *slot)
{
    struct id id;
    struct str lease = {slot->lease_id, strnlen(slot->lease_id, sizeof slot->lease_id)};
    uint32_t state = atomic_load(&slot->state);
    return (state == JOURNAL_ASKED || state == JOURNAL_GRANTED) && id_parse(lease, &id) &&
           slot->key_bytes > 0 && slot->key_bytes <= JOURNAL_KEY_BYTES &&
           slot->subject_bytes <= JOURNAL_SUBJECT_BYTES &&
           atomic_load(&slot->spent) <= atomic_load(&slot->granted);
}

static void begin(struct journal *journal)
{
    char boot_id[BOOT_BYTES];
    struct id id;
    struct header *header = journal->header;
    size_t lost = 0;
    read_boot_id(boot_id);
    bool known = memcmp(header->magic, MAGIC, sizeof MAGIC) == 0;
    bool believed = known && memcmp(header->boot_id, boot_id, BOOT_BYTES) == 0;
    for (size_t i = 0; i < JOURNAL_SLOTS; i++) {
        struct journal_slot *slot = &journal->slots[i];
        bool used = atomic_load(&slot->state) != JOURNAL_FREE;
        if (used && (!believed || !is_sound(slot))) {
            lost++;
            atomic_store(&slot->state, JOURNAL_FREE);
        }
    }
    if (lost)
        log_warn("leases_not_believed", LOG_I("leases", lost),
                 LOG_C("meaning", "from before a restart of the machine: they count as spent"));
    header->gateway_id[ID_TEXT_BYTES] = '\0';
    if (!known || !id_parse(str_of(header->gateway_id), &id))
        id_format(id_new(clock_real()), header->gateway_id);
    memcpy(header->boot_id, boot_id, BOOT_BYTES);
    memcpy(header->magic, MAGIC, sizeof MAGIC);
}

enum code journal_open(const char *state_dir, struct journal **journal, struct error *err)
{
    int fd = -1;
    *journal = NULL;
    if (state_dir[0] && open_file(state_dir, &fd, err) != CODE_OK) {
        if (fd >= 0)
            close(fd);
        return err->code;
    }
    void *memory = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE,
                        fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
    if (memory == MAP_FAILED) {
        error_errno(err, CODE_FAILED_PRECONDITION, errno, "--state-dir: map %s/leases", state_dir);
        if (fd >= 0)
            close(fd);
        return err->code;
    }
    *journal = xcalloc(1, sizeof **journal);
    (*journal)->fd = fd;
    (*journal)->header = memory;
    (*journal)->slots = (void *)((char *)memory + HEADER_BYTES);
    begin(*journal);
    return CODE_OK;
}

struct str journal_gateway_id(const struct journal *journal)
{
    return str_of(journal->header->gateway_id);
}

struct journal_slot *journal_claim(struct journal *journal, struct str key_id, struct str subject,
                                   const char *lease_id, uint64_t want)
{
    if (key_id.len > JOURNAL_KEY_BYTES || subject.len > JOURNAL_SUBJECT_BYTES)
        return NULL;
    for (size_t i = 0; i < JOURNAL_SLOTS; i++) {
        struct journal_slot *slot = &journal->slots[journal->next++ % JOURNAL_SLOTS];
        if (atomic_load(&slot->state) != JOURNAL_FREE)
            continue;
        slot->key_bytes = (uint32_t)key_id.len;
        slot->subject_bytes = (uint32_t)subject.len;
        memcpy(slot->key_id, key_id.ptr, key_id.len);
        if (subject.len)
            memcpy(slot->subject, subject.ptr, subject.len);
        snprintf(slot->lease_id, sizeof slot->lease_id, "%s", lease_id);
        slot->want = want;
        atomic_store(&slot->granted, 0);
        atomic_store(&slot->spent, 0);
        atomic_store(&slot->state, JOURNAL_ASKED);
        return slot;
    }
    return NULL;
}

void journal_free_slot(struct journal *journal, struct journal_slot *slot)
{
    (void)journal;
    atomic_store(&slot->state, JOURNAL_FREE);
}

struct journal_slot *journal_next_left(struct journal *journal, struct journal_slot *after)
{
    for (struct journal_slot *slot = after ? after + 1 : journal->slots;
         slot < journal->slots + JOURNAL_SLOTS; slot++)
        if (atomic_load(&slot->state) != JOURNAL_FREE)
            return slot;
    return NULL;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    munmap(journal->header, FILE_BYTES);
    if (journal->fd >= 0)
        close(journal->fd);
    xfree(journal);
}
