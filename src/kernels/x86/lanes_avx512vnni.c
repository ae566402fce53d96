/* The kernels of lanes.h with AVX512. */
#include "kernels/x86/lanes_avx512vnni.h"

#include "kernels/lanes.h"
