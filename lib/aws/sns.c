/* The query protocol: a form goes out, XML comes back. */
#include "aws/sns.h"

#include "aws/sigv4.h"
#include "aws/xml.h"

enum { FORM_BYTES_MAX = 1 << 20, SUBJECT_MAX = 100, MESSAGE_MAX = 256 * 1024 };

static const struct aws_error_rule RULES[] = {
    {"NotFound", CODE_FAILED_PRECONDITION, AWS_FAIL},
    {"KMSThrottling", CODE_UNAVAILABLE, AWS_THROTTLE},
};

const struct aws_service SNS_SERVICE = {.name = "sns",
                                        .protocol = AWS_PROTOCOL_XML,
                                        .rules = RULES,
                                        .rule_count = sizeof RULES / sizeof *RULES};

static void begin(struct buf *form, const char *action, struct arena *arena)
{
    buf_init_arena(form, arena, FORM_BYTES_MAX);
    aws_encode_query(form, STR("Action"), str_of(action));
    aws_encode_query(form, STR("Version"), STR("2010-03-31"));
}

static enum code call(struct aws_client *client, const struct buf *form, int64_t deadline_ms,
                      struct arena *arena, const struct xml_node **root, struct error *err)
{
    static const struct http_header type = {
        {"Content-Type", 12}, {"application/x-www-form-urlencoded; charset=utf-8", 48}};
    const struct aws_request request = {.method = STR("POST"),
                                        .headers = &type,
                                        .header_count = 1,
                                        .body = buf_str(form),
                                        .deadline_ms = deadline_ms};
    struct aws_response response;
    if (aws_call(client, &request, arena, &response, err) != CODE_OK)
        return err->code;
    if (xml_read(arena, response.body, root, err) != CODE_OK)
        return error_prefix(err, "sns");
    return CODE_OK;
}

enum code sns_topic(struct aws_client *client, int64_t deadline_ms, struct arena *arena,
                    struct str *arn, struct error *err)
{
    struct str name = aws_client_location(client)->name;
    const struct xml_node *root;
    struct buf form;
    if (str_starts(name, STR("arn:"))) {
        *arn = name;
        return CODE_OK;
    }
    begin(&form, "CreateTopic", arena);
    aws_encode_query(&form, STR("Name"), name);
    if (call(client, &form, deadline_ms, arena, &root, err) != CODE_OK)
        return err->code;
    *arn = xml_text(root, "CreateTopicResult/TopicArn");
    if (!arn->len)
        return error_set(err, CODE_INTERNAL, NULL, "sns: a topic without ARN");
    return CODE_OK;
}

/* What SNS takes: printable ASCII without line ends, beginning with a character. */
static struct str subject_of(struct str text, struct arena *arena)
{
    struct buf subject;
    buf_init_arena(&subject, arena, SUBJECT_MAX);
    for (size_t i = 0; i < text.len && subject.len < SUBJECT_MAX; i++) {
        char byte = text.ptr[i];
        if ((byte > ' ' && byte <= '~') || (byte == ' ' && subject.len))
            buf_add_char(&subject, byte);
        else if ((byte & 0xC0) != 0x80 && subject.len) /* once a character */
            buf_add_char(&subject, '?');
    }
    return buf_str(&subject);
}

enum code sns_publish(struct aws_client *client, struct str topic_arn, struct str subject,
                      struct str message, int64_t deadline_ms, struct error *err)
{
    struct arena arena = {0};
    const struct xml_node *root;
    struct buf form;
    struct str cut = str_utf8_cut(message, MESSAGE_MAX);
    struct str title = subject_of(subject, &arena);
    begin(&form, "Publish", &arena);
    aws_encode_query(&form, STR("TopicArn"), topic_arn);
    if (title.len)
        aws_encode_query(&form, STR("Subject"), title);
    aws_encode_query(&form, STR("Message"), cut);
    enum code code = call(client, &form, deadline_ms, &arena, &root, err);
    if (code == CODE_OK && !xml_text(root, "PublishResult/MessageId").len)
        code = error_set(err, CODE_INTERNAL, NULL, "sns: published without MessageId");
    arena_clear(&arena);
    return code;
}
