/*
 * The client's thread: takes requests from a line, drives libcurl's multi handle, ends what is past
 * its deadline. The deadline is ours and not libcurl's because libcurl does not look at those of
 * requests that still wait for a connection.
 */
#include "http/client.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "http/client_transfer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PAUSE_MAX_MS = 1000 };

struct http_client {
    struct http_client_options options; /* the texts are ours */
    CURLM *multi;
    pthread_t thread;
    struct transfer *active; /* of the thread alone */

    pthread_mutex_t lock; /* for all below */
    struct transfer *first_waiting, *last_waiting;
    int64_t count; /* under way or waiting */
    bool stop;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_libcurl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort(); /* a broken installation */
}

/* --- the thread --- */

static void unlink_active(struct http_client *client, struct transfer *transfer)
{
    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else
        client->active = transfer->next;
    if (transfer->next)
        transfer->next->previous = transfer->previous;
    curl_multi_remove_handle(client->multi, transfer->easy);
}

/* `done` may start the next request: the place is free by then. */
static void leave(struct http_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->count--;
    pthread_mutex_unlock(&client->lock);
}

static void begin(struct http_client *client, struct transfer *transfer)
{
    transfer_prepare(transfer, &client->options);
    transfer->previous = NULL;
    transfer->next = client->active;
    if (client->active)
        client->active->previous = transfer;
    client->active = transfer;
    curl_multi_add_handle(client->multi, transfer->easy);
}

/* False when it is time to stop. */
static bool take_waiting(struct http_client *client)
{
    pthread_mutex_lock(&client->lock);
    struct transfer *waiting = client->first_waiting;
    client->first_waiting = client->last_waiting = NULL;
    bool stop = client->stop;
    pthread_mutex_unlock(&client->lock);
    while (waiting) {
        struct transfer *next = waiting->next;
        begin(client, waiting);
        waiting = next;
    }
    return !stop;
}

static void take_results(struct http_client *client)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        struct transfer *transfer = NULL;
        CURLcode result = message->data.result; /* removing the handle frees the message */
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        unlink_active(client, transfer);
        leave(client);
        transfer_finish(transfer, result);
        transfer_free(transfer);
    }
}

/* Ends what is late; how long until the next one will be. */
static int end_late(struct http_client *client)
{
    int64_t now = clock_mono_ms(clock_real()), nearest = now + PAUSE_MAX_MS;
    for (struct transfer *transfer = client->active, *next; transfer; transfer = next) {
        next = transfer->next;
        if (transfer->deadline_at_ms > now) {
            nearest = transfer->deadline_at_ms < nearest ? transfer->deadline_at_ms : nearest;
            continue;
        }
        unlink_active(client, transfer);
        leave(client);
        transfer_fail(transfer, CODE_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED",
                      "the answer was not complete in time");
        transfer_free(transfer);
    }
    return (int)(nearest - now);
}

static void *run(void *argument)
{
    struct http_client *client = argument;
    while (take_waiting(client)) {
        int running;
        curl_multi_perform(client->multi, &running);
        take_results(client);
        curl_multi_poll(client->multi, NULL, 0, end_late(client), NULL);
    }
    while (client->active) {
        struct transfer *transfer = client->active;
        unlink_active(client, transfer);
        leave(client);
        transfer_fail(transfer, CODE_CANCELLED, "CANCELLED", "the client is being stopped");
        transfer_free(transfer);
    }
    return NULL;
}

/* --- from outside --- */

static void fill_in(struct http_client_options *options)
{
    options->user_agent = options->user_agent ? xstrdup(options->user_agent) : NULL;
    options->ca_file = options->ca_file ? xstrdup(options->ca_file) : NULL;
    options->connections = options->connections ? options->connections : 8;
    options->connections_kept = options->connections_kept ? options->connections_kept : 16;
    options->requests = options->requests ? options->requests : 1024;
    options->connect_ms = options->connect_ms ? options->connect_ms : 3000;
    options->idle_ms = options->idle_ms ? options->idle_ms : 30000;
}

struct http_client *http_client_new(const struct http_client_options *options)
{
    struct http_client *client = xcalloc(1, sizeof *client);
    pthread_once(&once, init_libcurl);
    client->options = *options;
    fill_in(&client->options);
    pthread_mutex_init(&client->lock, NULL);
    client->multi = curl_multi_init();
    curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                      (long)client->options.connections);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)client->options.connections_kept);
    if (!client->multi || pthread_create(&client->thread, NULL, run, client) != 0)
        abort(); /* no thread is as bad as no memory */
    const char *name = options->thread_name;
    pthread_setname_np(client->thread, name ? name : "http-client");
    return client;
}

void http_client_stop(struct http_client *client)
{
    pthread_mutex_lock(&client->lock);
    bool stopped = client->stop;
    client->stop = true;
    pthread_mutex_unlock(&client->lock);
    if (stopped)
        return;
    curl_multi_wakeup(client->multi);
    pthread_join(client->thread, NULL);
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    http_client_stop(client);
    curl_multi_cleanup(client->multi);
    pthread_mutex_destroy(&client->lock);
    xfree((char *)client->options.user_agent);
    xfree((char *)client->options.ca_file);
    xfree(client);
}

static enum code join_line(struct http_client *client, struct transfer *transfer, struct error *err)
{
    enum code code = CODE_OK;
    pthread_mutex_lock(&client->lock);
    if (client->stop) {
        code = error_set(err, CODE_CANCELLED, "CANCELLED", "the client is being stopped");
    } else if (client->count >= client->options.requests) {
        code =
            error_set(err, CODE_RESOURCE_EXHAUSTED, "TOO_MANY_REQUESTS",
                      "%lld requests are under way already", (long long)client->options.requests);
    } else {
        client->count++;
        transfer->next = NULL;
        if (client->last_waiting)
            client->last_waiting->next = transfer;
        else
            client->first_waiting = transfer;
        client->last_waiting = transfer;
    }
    pthread_mutex_unlock(&client->lock);
    return code;
}

enum code http_client_start(struct http_client *client, const struct http_client_request *request,
                            http_client_done_fn done, void *argument, struct error *err)
{
    if (transfer_check(request, err) != CODE_OK)
        return err->code;
    struct transfer *transfer = transfer_new(request, done, argument);
    transfer->deadline_at_ms =
        clock_mono_ms(clock_real()) + (request->deadline_ms > 0 ? request->deadline_ms : 1);
    if (join_line(client, transfer, err) != CODE_OK) {
        transfer_free(transfer);
        return err->code;
    }
    curl_multi_wakeup(client->multi);
    return CODE_OK;
}

/* --- waiting for the answer --- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool is_ready;
    struct arena *arena; /* the waiting thread's: it does not touch it meanwhile */
    struct http_client_response *response;
    struct error *err;
    enum code code;
};

static void copy_response(struct arena *arena, const struct http_client_response *from,
                          struct http_client_response *to)
{
    struct http_header *headers = arena_alloc(arena, from->header_count * sizeof *headers);
    for (size_t i = 0; i < from->header_count; i++)
        headers[i] = (struct http_header){arena_str(arena, from->headers[i].name),
                                          arena_str(arena, from->headers[i].value)};
    *to = (struct http_client_response){from->status, headers, from->header_count,
                                        arena_str(arena, from->body)};
}

static void on_answer(void *argument, const struct http_client_response *response,
                      const struct error *err)
{
    struct waiter *waiter = argument;
    if (response)
        copy_response(waiter->arena, response, waiter->response);
    else
        *waiter->err = *err;
    pthread_mutex_lock(&waiter->lock);
    waiter->code = err ? err->code : CODE_OK;
    waiter->is_ready = true;
    pthread_cond_signal(&waiter->ready);
    pthread_mutex_unlock(&waiter->lock);
}

enum code http_client_fetch(struct http_client *client, const struct http_client_request *request,
                            struct arena *arena, struct http_client_response *response,
                            struct error *err)
{
    struct waiter waiter = {.arena = arena, .response = response, .err = err};
    pthread_mutex_init(&waiter.lock, NULL);
    pthread_cond_init(&waiter.ready, NULL);
    enum code code = http_client_start(client, request, on_answer, &waiter, err);
    if (code == CODE_OK) {
        pthread_mutex_lock(&waiter.lock);
        while (!waiter.is_ready)
            pthread_cond_wait(&waiter.ready, &waiter.lock);
        code = waiter.code;
        pthread_mutex_unlock(&waiter.lock);
    }
    pthread_cond_destroy(&waiter.ready);
    pthread_mutex_destroy(&waiter.lock);
    return code;
}

struct str http_client_header(const struct http_client_response *response, struct str name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (str_eq_case(response->headers[i].name, name))
            return response->headers[i].value;
    return (struct str){0};
}
