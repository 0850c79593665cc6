/* For handlers that have to wait for something before they can go on (see http/server.h). */
#pragma once
#include "http/server.h"

/*
 * Has `request` called once more, in the loop's thread. Between a call of `request` and the answer,
 * from any thread; until `request` runs the exchange is nobody's. It runs also when the client has
 * gone. When the loop has ended meanwhile, the exchange ends with it, without `finished`.
 */
void http_resume(struct http_exchange *exchange);
