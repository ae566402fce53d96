/* fuzz.h: the contract of a fuzzer: feed the bytes to one parser and use what it gives as its callers would. It must not
 * print, must free what it got, and may call abort() when a promise of the parser does not hold. */
#ifndef WICK_FUZZ_H
#define WICK_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
