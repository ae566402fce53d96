/* The loops of sampler_loops.h for every machine. */
#define LOOP(name) name##_any
#include "text/sampler_loops.h"
