#include "wick.h"

wick_sampler_options wick_sampler_options_default(void) {
    return (wick_sampler_options){.temperature = 0.8f, .top_p = 1.0f, .repeat_penalty = 1.0f, .repeat_last_n = 64};
}
