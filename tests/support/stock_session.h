/* stock_session.h: programs of the stock exporter (stock_file) opened, and sessions on models. Both fail the test if they cannot. */
#ifndef WICK_TESTS_STOCK_SESSION_H
#define WICK_TESTS_STOCK_SESSION_H

#include "wick.h"

/* cpu: highest level, NULL for the best. Packed by one thread. */
wick_model *stock_model(const char *name, const char *cpu, wick_plan plan);

/* chunk, context: 0 is the library's choice. */
wick_session *open_session(wick_model *model, int threads, int64_t chunk, int64_t context);

#endif
