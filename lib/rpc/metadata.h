/* A key and its value, as they travel with a call. */
#pragma once
#include "base/str.h"

struct rpc_metadata {
    struct str key, value; /* lower-case key; `-bin` keys take raw bytes */
};
