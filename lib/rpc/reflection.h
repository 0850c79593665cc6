/*
 * Server reflection, grpc.reflection.v1 and v1alpha (the same messages under two names): what
 * grpcurl and other tools ask to learn a server's services and types.
 */
#pragma once
#include "rpc/server.h"

struct reflection;

/*
 * `set` is an encoded FileDescriptorSet and must outlive the result; `services` are the names that
 * list_services answers, health and reflection themselves are added. The files of those two need
 * not be in the set.
 */
struct reflection *reflection_new(struct str set, const struct rpc_service *services,
                                  size_t service_count);
void reflection_free(struct reflection *reflection);

/* The two services to serve. */
const struct rpc_service *reflection_services(const struct reflection *reflection);
enum { REFLECTION_SERVICES = 2 };
