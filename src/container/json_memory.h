/* json_memory.h: did jansson fail because memory ran out? In some places it says so, in others it says nothing at all. */
#ifndef WICK_CONTAINER_JSON_MEMORY_H
#define WICK_CONTAINER_JSON_MEMORY_H

#include <jansson.h>
#include <stdbool.h>

static inline bool wick_json_no_memory(const json_error_t *e) { return !e->text[0] || json_error_code(e) == json_error_out_of_memory; }

#endif
