/* The loops of sampler_loops.h with AVX-512, at the level whose name the build knows. */
#define LOOP(name) name##_avx512vnni
#include "text/sampler_loops.h"
