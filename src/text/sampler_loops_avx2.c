/* The loops of sampler_loops.h with AVX2. */
#define LOOP(name) name##_avx2
#include "text/sampler_loops.h"
