#include "wick.h"

wick_generate_options wick_generate_options_default(void) {
    return (wick_generate_options){.n_bos = -1, .n_eos = -1, .sampler = wick_sampler_options_default()};
}
