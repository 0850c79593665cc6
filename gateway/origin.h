/* Origins as settings name them (RFC 6454): `scheme://host[:port]`, comma-separated. */
#pragma once
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>

/* INVALID_ARGUMENT naming `setting` unless each is an origin, or `*` where any may be meant. */
enum code origins_check(const char *setting, struct str origins, bool any,
                        struct error *err) MUST_CHECK;
