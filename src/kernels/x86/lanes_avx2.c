/* The kernels of lanes.h with AVX2. */
#include "kernels/x86/lanes_avx2.h"

#include "kernels/lanes.h"
