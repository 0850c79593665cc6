/* Items in the order in which they came, a list for all: there are few at any time. */
#include "base/alloc.h"
#include "base/json_out.h"
#include "bench/aws/stub.h"

#include <pthread.h>
#include <string.h>

enum { ATTRIBUTES_MAX = 12 };

struct attribute {
    char *name, *type, *text;
};

struct item {
    struct item *next;
    struct attribute attributes[ATTRIBUTES_MAX];
    size_t count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct item *first;

static char *copy(struct str text)
{
    char *made = xmalloc(text.len + 1);
    memcpy(made, text.ptr, text.len);
    made[text.len] = '\0';
    return made;
}

static void free_attribute(const struct attribute *attribute)
{
    xfree(attribute->name);
    xfree(attribute->type);
    xfree(attribute->text);
}

static void free_item(struct item *item)
{
    for (size_t i = 0; i < item->count; i++)
        free_attribute(&item->attributes[i]);
    xfree(item);
}

/* {"S":"text"}; false for a kind of value that has no text of its own. */
static bool set(struct item *item, struct str name, const struct json_value *value)
{
    size_t place = 0;
    if (!value || !value->first || value->first->kind != JSON_STRING)
        return false;
    while (place < item->count && !str_eq(str_of(item->attributes[place].name), name))
        place++;
    if (place == ATTRIBUTES_MAX)
        return false;
    if (place < item->count)
        free_attribute(&item->attributes[place]);
    else
        item->count++;
    item->attributes[place] =
        (struct attribute){copy(name), copy(value->first->key), copy(value->first->text)};
    return true;
}

static struct str text_of(const struct item *item, const char *name)
{
    for (size_t i = 0; i < item->count; i++)
        if (strcmp(item->attributes[i].name, name) == 0)
            return str_of(item->attributes[i].text);
    return STR("");
}

static struct str key_text(const struct json_value *key, const char *name)
{
    return stub_text(json_get(key, str_of(name)), "S");
}

static bool is_kept(struct str pk)
{
    return str_starts(pk, STR("L/i/")) || str_starts(pk, STR("L/d/"));
}

/* Where the item is linked, or the list's end. */
static struct item **find(const struct json_value *key)
{
    struct str pk = key_text(key, "pk"), sk = key_text(key, "sk");
    struct item **place = &first;
    while (*place && !(str_eq(text_of(*place, "sk"), sk) && str_eq(text_of(*place, "pk"), pk)))
        place = &(*place)->next;
    return place;
}

static void take_out(struct item **place)
{
    struct item *item = *place;
    if (!item)
        return;
    *place = item->next;
    free_item(item);
}

static void write_item(const struct item *item, struct buf *out)
{
    struct json_out json = json_out_to(out);
    json_object_begin(&json);
    for (size_t i = 0; i < item->count; i++) {
        json_key(&json, str_of(item->attributes[i].name));
        json_object_begin(&json);
        json_key(&json, str_of(item->attributes[i].type));
        json_string(&json, str_of(item->attributes[i].text));
        json_object_end(&json);
    }
    json_object_end(&json);
}

void stub_items_put(const struct json_value *item)
{
    if (!is_kept(key_text(item, "pk")))
        return;
    struct item *made = xcalloc(1, sizeof *made);
    for (const struct json_value *value = item->first; value; value = value->next)
        (void)set(made, value->key, value);
    pthread_mutex_lock(&lock);
    take_out(find(item));
    made->next = first;
    first = made;
    pthread_mutex_unlock(&lock);
}

void stub_items_delete(const struct json_value *key)
{
    pthread_mutex_lock(&lock);
    take_out(find(key));
    pthread_mutex_unlock(&lock);
}

/* One "name = :value". */
static void assign(struct item *item, struct str assignment, const struct json_value *values)
{
    ptrdiff_t middle = str_find(assignment, '=');
    if (middle < 2 || assignment.ptr[0] == '#') /* the only such name is of no use here */
        return;
    (void)set(item, (struct str){assignment.ptr, (size_t)middle - 1},
              json_get(values, str_from(assignment, (size_t)middle + 2)));
}

void stub_items_update(const struct json_value *request)
{
    struct str rest = stub_text(request, "UpdateExpression");
    const struct json_value *values = json_get(request, STR("ExpressionAttributeValues"));
    if (!str_starts(rest, STR("SET ")))
        return;
    rest = str_from(rest, 4);
    pthread_mutex_lock(&lock);
    struct item *item = *find(json_get(request, STR("Key")));
    while (item && rest.len) {
        ptrdiff_t comma = str_find(rest, ',');
        size_t length = comma < 0 ? rest.len : (size_t)comma;
        assign(item, (struct str){rest.ptr, length}, values);
        rest = str_from(rest, length + 2 < rest.len ? length + 2 : rest.len);
    }
    pthread_mutex_unlock(&lock);
}

void stub_items_get(const struct json_value *key, struct buf *out)
{
    pthread_mutex_lock(&lock);
    const struct item *item = *find(key);
    buf_add_cstr(out, item ? "{\"Item\":" : "{");
    if (item)
        write_item(item, out);
    buf_add_char(out, '}');
    pthread_mutex_unlock(&lock);
}

void stub_items_query(struct str pk, size_t limit, struct buf *out)
{
    size_t count = 0;
    pthread_mutex_lock(&lock);
    buf_add_cstr(out, "{\"Items\":[");
    for (const struct item *item = first; item && count < limit; item = item->next) {
        if (!str_eq(text_of(item, "pk"), pk))
            continue;
        buf_add_cstr(out, count++ ? "," : "");
        write_item(item, out);
    }
    buf_addf(out, "],\"Count\":%zu,\"ScannedCount\":%zu}", count, count);
    pthread_mutex_unlock(&lock);
}

void stub_items_end(void)
{
    while (first)
        take_out(&first);
}
