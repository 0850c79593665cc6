/* The paths of probes: what is asked there is answered before all limits. */
#pragma once
#include "base/str.h"

#include <stdbool.h>

bool probe_is(struct str path);
