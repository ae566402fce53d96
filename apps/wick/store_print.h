/* store_print.h: stored models as JSON, for `wick list` and `wick pull`. */
#ifndef WICK_APP_STORE_PRINT_H
#define WICK_APP_STORE_PRINT_H

#include "store.h"

#include "base/strbuf.h"

void store_put_json(wick_json *j, const store_model *m);
/* One object on a line of stdout. */
void store_print_json(const store_model *m);

#endif
