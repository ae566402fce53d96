/* host.h: the vm as the host of fine ops: what raise left, run one instruction or delegate node at a time on the values that
 * the backend hands over (the mixed plan). State that left instructions keep (caches in arenas) stays in the vm. */
#ifndef WICK_RUN_HOST_H
#define WICK_RUN_HOST_H

#include "run/model.h"

typedef struct wick_host wick_host;

/* NULL, or why what was left of this model cannot be run on the vm piece by piece. */
const char *wick_host_refuses(const wick_model *model);
wick_status wick_host_new(const wick_model *model, wick_host **out, wick_error *err);
void wick_host_free(wick_host *host);
/* A wick_host_fn; user: the wick_host. */
wick_status wick_host_run(void *user, wick_node_id node, int64_t n_token, int64_t position, const void *const *in, void *out,
                          wick_error *err);
/* As wick_vm_engine_rewind. */
bool wick_host_rewind(wick_host *host, int64_t position);

#endif
