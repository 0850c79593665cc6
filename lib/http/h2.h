/*
 * HTTP/2 (RFC 9113) by nghttp2: a session per connection, an exchange per stream. h2.c reads
 * requests, h2_write.c sends answers; both run in the connection's loop and are called where
 * HTTP/1.1 is read and written.
 *
 * Bounds: limits.streams at once, limits.header_bytes and HTTP_HEADERS_MAX headers (431), bodies as
 * in HTTP/1.1. A stream whose client takes nothing of what is there for limits.write_ms is reset;
 * frames that do no work (PING, SETTINGS, RST_STREAM, empty DATA, …) are paid for out of a budget
 * that grows with time, and whoever overdraws it is told ENHANCE_YOUR_CALM. A WINDOW_UPDATE is paid
 * for by what was sent before it, twice for every 4 KiB and every frame.
 */
#pragma once
#include "http/conn.h"

enum { H2_PREFACE_BYTES = 24 };
#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* The connection speaks HTTP/2 from now on. */
void h2_open(struct http_conn *conn);

/* Bytes from the client. */
void h2_feed(struct http_conn *conn, const char *data, size_t len);

/* The client will send nothing more: requests that are complete are still answered. */
void h2_end_of_input(struct http_conn *conn);

/* Nothing waits to be read: closes the connection when it is over, or sets the idle deadline. */
void h2_settle(struct http_conn *conn);

/* Parts from all exchanges, says GOAWAY unless `reset`, frees. */
void h2_close(struct http_conn *conn, bool reset);

/* Why a stream is reset instead of written on. */
enum h2_reset { H2_NO_RESET, H2_READER_TOO_SLOW, H2_ANSWER_FAILED };

/* An answer, or more of one, is there, or it is given up. */
void h2_take(struct http_exchange *exchange, enum h2_reset reset);

/* Sends what there is and the socket takes. */
void h2_write(struct http_conn *conn);

/* The client of an answered request that is still sending has seen the answer, or never will. */
void h2_linger_late(struct http_exchange *exchange);

/* The deadline for the body, or for the client to take some of the answer, has passed. */
void h2_body_late(struct http_exchange *exchange);
void h2_write_late(struct http_exchange *exchange);
