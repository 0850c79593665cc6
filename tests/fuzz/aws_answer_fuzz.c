/* Any bytes as an answer of AWS's: the XML reader and the error classifier take or refuse them with
 * words, and what they make of them can be used. The first byte chooses status and protocol. */
#include "aws/classify.h"
#include "aws/dynamodb.h"
#include "aws/s3.h"
#include "aws/sqs.h"
#include "aws/xml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_nodes(const struct xml_node *node)
{
    size_t count = 0;
    for (; node; node = node->next) {
        if (!node->name.len || !node->text.ptr || (node->first && node->text.len) ||
            !str_is_utf8(node->text))
            abort();
        count += 1 + count_nodes(node->first);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct aws_service *const services[] = {&DYNAMODB_SERVICE, &S3_SERVICE,
                                                         &SQS_SERVICE};
    static const int statuses[] = {400, 403, 404, 409, 412, 500, 503, 200};
    struct arena arena = {0};
    struct error err = {0};
    const struct xml_node *root;
    if (!size)
        return 0;
    struct str body = {(const char *)data + 1, size - 1};
    if (xml_read(&arena, body, &root, &err) == CODE_OK) {
        if (!count_nodes(root) || xml_text(root, "a/b").len > body.len * 4)
            abort();
    } else if (err.code != CODE_INTERNAL || !err.text[0]) {
        abort();
    }
    struct aws_failure failure =
        aws_classify(services[data[0] % 3], statuses[data[0] / 3 % 8], body, body, &arena);
    if (failure.code == CODE_OK || failure.action > AWS_SKEWED ||
        (failure.message.len && !failure.message.ptr))
        abort();
    aws_is_error_body(body, &arena);
    arena_clear(&arena);
    return 0;
}
