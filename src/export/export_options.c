#include "wick_export.h"

wick_export_options wick_export_options_default(void) {
    return (wick_export_options){.qmode = "8da4w",
                                 .group_size = 32,
                                 .embedding_quantize = "8,0",
                                 .backend = WICK_BACKEND_XNNPACK,
                                 .checkpoint_dtype = WICK_DTYPE_KEEP};
}
