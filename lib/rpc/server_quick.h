/*
 * The line of quick calls, and the few threads that run it. Whatever waits when a thread comes by
 * runs as one job, inside its service's bracket; a call that takes long (a page that has to come
 * from the disk) holds up nobody: another thread goes on with those behind it.
 */
#pragma once
#include "rpc/server_call.h"

/* `waiting_max` calls may wait beside those that run. */
struct quick_line *quick_line_new(int threads, int waiting_max);

/*
 * Takes a chain of calls by next_in_line, the last one's NULL, oldest first. Returns the rest of it
 * that had no room, or NULL. Any thread.
 */
struct rpc_call *quick_line_add(struct quick_line *line, struct rpc_call *calls);

/* To be called now and then while calls may wait: sees to those behind one that takes long. */
void quick_line_tick(struct quick_line *line);

/* Runs what is left, joins, frees. NULL is allowed. */
void quick_line_free(struct quick_line *line);
