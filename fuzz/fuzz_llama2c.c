/* llama2.c files: they have no magic, so the header decides what size a file must have. */
#include "fuzz_container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_container(data, size);
    return 0;
}
