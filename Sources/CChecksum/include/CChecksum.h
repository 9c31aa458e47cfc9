#ifndef TIDINGS_CCHECKSUM_H
#define TIDINGS_CCHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli) of `count` bytes, continued from `seed` (0 to begin).
uint32_t tidings_crc32c(uint32_t seed, const void *bytes, size_t count);

#endif
