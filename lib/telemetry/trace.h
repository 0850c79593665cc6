/* Trace context (W3C Trace Context, level 1): which request a piece of work belongs to. */
#pragma once
#include "base/str.h"

#include <stdbool.h>

enum { TRACE_ID_CHARS = 32, TRACE_SPAN_CHARS = 16, TRACE_PARENT_CHARS = 55 };

struct trace {
    char id[TRACE_ID_CHARS + 1];     /* lower-case hex, "" for none */
    char span[TRACE_SPAN_CHARS + 1]; /* the sender's span */
    bool sampled;
};

/*
 * Reads a traceparent header: version 00 exactly, a later version by its first four fields;
 * all-zero ids are refused. False leaves *trace empty.
 */
bool trace_parse(struct str traceparent, struct trace *trace);

/* A new trace, sampled. */
void trace_new(struct trace *trace);

/* The same trace with a new span: for the next hop. */
void trace_child(const struct trace *parent, struct trace *child);

/* "00-<id>-<span>-01", of a trace that is not empty. */
void trace_format(const struct trace *trace, char text[TRACE_PARENT_CHARS + 1]);
