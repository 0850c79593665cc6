/* Addresses to listen on: what the core does not tell, namely why one cannot be had. */
#pragma once
#include "base/error.h"

/*
 * FAILED_PRECONDITION for what the core would not refuse: an address without a port (it would take
 * 443), a port above 65535 (it would take what is left of it), and a unix socket on which a server
 * answers (it would take the path away from under it, as it does, rightly, with one that a dead
 * server left behind).
 */
enum code listen_check(const char *address, struct error *err) MUST_CHECK;

/* The core could not listen on the address: says why, naming it. Always FAILED_PRECONDITION. */
enum code listen_explain(const char *address, struct error *err);
