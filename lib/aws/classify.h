/* What an answer of AWS's means: finds the error's name and looks it up. Pure. */
#pragma once
#include "aws/client.h"

struct aws_failure {
    struct str name;    /* without namespace; empty when the answer names none */
    struct str message; /* AWS's text, or empty */
    enum code code;
    enum aws_action action;
};

/* The error that an answer other than a 2xx holds; `header` is x-amzn-errortype's value, or empty.
 * Texts are in `arena` or in the body. Whatever the body is, the result is usable. */
struct aws_failure aws_classify(const struct aws_service *service, int status, struct str header,
                                struct str body, struct arena *arena);

/* True when a body of a 200 is an error all the same (S3: CompleteMultipartUpload). */
bool aws_is_error_body(struct str body, struct arena *arena);
