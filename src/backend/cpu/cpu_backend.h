/* cpu_backend.h: the functions behind wick_backend_cpu, one file each for plan, state and step. */
#ifndef WICK_BACKEND_CPU_BACKEND_H
#define WICK_BACKEND_CPU_BACKEND_H

#include "backend/backend.h"

wick_status cpu_state_new(const wick_backend_plan *plan, const wick_state_options *options, wick_pool *pool, wick_backend_state **out,
                          wick_error *err);
void cpu_state_free(wick_backend_state *s);
bool cpu_state_rewind(wick_backend_state *s, int64_t position);
uint64_t cpu_state_export_size(const wick_backend_state *s, int64_t n);
void cpu_state_export(const wick_backend_state *s, int64_t n, void *dst);
wick_status cpu_state_import(wick_backend_state *s, int64_t n, const void *src, uint64_t size, wick_error *err);
wick_status cpu_step(wick_backend_state *s, const int32_t *tokens, int64_t n, int64_t position, bool want_logits, const float **logits,
                     wick_error *err);

#endif
