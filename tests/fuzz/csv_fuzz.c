/*
 * The CSV parser: any bytes, cut anywhere, give the same records; what is written from the fields
 * reads back as they were. The first byte says how long the pieces are.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "omnictl/csv.h"
#include "omnictl/user_read.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORD_BYTES_MAX = 4096, FIELDS_MAX = 32, OUT_BYTES_MAX = 1 << 20 };

static void add_record(struct buf *out, const struct csv *csv, enum csv_result result)
{
    buf_addf(out, "%llu %d %s", (unsigned long long)csv_line(csv), (int)result, csv_problem(csv));
    for (size_t i = 0; result == CSV_RECORD && i < csv_count(csv); i++) {
        buf_addf(out, " %zu%c", csv_field(csv, i).len, csv_quoted(csv, i) ? 'q' : 'p');
        buf_add(out, csv_field(csv, i));
    }
    buf_add_char(out, '\n');
}

static void read_all(struct buf *out, struct str text, size_t piece_bytes)
{
    struct csv *csv = csv_new(RECORD_BYTES_MAX, FIELDS_MAX);
    enum csv_result result;
    while (text.len) {
        struct str piece = {text.ptr, piece_bytes < text.len ? piece_bytes : text.len};
        text = str_from(text, piece.len);
        while ((result = csv_feed(csv, &piece)) != CSV_MORE)
            add_record(out, csv, result);
    }
    while ((result = csv_end(csv)) != CSV_MORE)
        add_record(out, csv, result);
    csv_free(csv);
}

/* The first record as a header, the others under it. */
static void read_users(struct str text)
{
    struct csv *csv = csv_new(RECORD_BYTES_MAX, FIELDS_MAX);
    struct user_columns *columns = NULL;
    struct arena arena = {0};
    struct error err;
    enum csv_result result = csv_feed(csv, &text);
    if (result == CSV_RECORD && user_columns_new(csv, &columns, &err) == CODE_OK)
        while ((result = csv_feed(csv, &text)) != CSV_MORE) {
            Omnidata__User__V1__User *user;
            arena_reset(&arena);
            if (result == CSV_RECORD &&
                user_read_csv(&arena, columns, csv, &user, &err) != CODE_OK && !err.text[0])
                abort(); /* refused without a word */
        }
    user_columns_free(columns);
    arena_clear(&arena);
    csv_free(csv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole, pieces;
    if (size < 1)
        return 0;
    struct str text = {(const char *)data + 1, size - 1};
    buf_init(&whole, OUT_BYTES_MAX);
    buf_init(&pieces, OUT_BYTES_MAX);
    read_all(&whole, text, SIZE_MAX);
    read_all(&pieces, text, 1 + data[0] % 16);
    if (whole.len != pieces.len || (whole.len && memcmp(whole.ptr, pieces.ptr, whole.len) != 0))
        abort();
    read_users(text);
    buf_clear(&whole);
    buf_clear(&pieces);
    return 0;
}
