/* Jansson, doing the least of what the transcoder does. */
#pragma once
#include "base/str.h"

#include <stdbool.h>

/* A user as an object out of texts, and its text; without protobuf. */
bool jansson_peer_encode(void);

/* The text to a tree, and no further. */
bool jansson_peer_decode(struct str text);
