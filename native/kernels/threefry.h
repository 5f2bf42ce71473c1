// Threefry-2x32 with 20 rounds (Salmon et al. 2011), for several counters at once.
#pragma once

#include "math.h"

namespace blasnet::BLASNET_SIMD {
namespace {

constexpr int threefryLanes = 16;

BLASNET_INLINE uint32_t rotate(uint32_t x, int bits) { return (x << bits) | (x >> (32 - bits)); }

// first[i], second[i]: the two words for the counter (counter + i, high) with the key (key0, key1).
BLASNET_INLINE void threefry(uint32_t* first, uint32_t* second, uint32_t counter, uint32_t high, uint32_t key0,
                             uint32_t key1) {
  constexpr int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  const uint32_t keys[3] = {key0, key1, 0x1bd11bdau ^ key0 ^ key1};
#pragma omp simd
  for (int lane = 0; lane < threefryLanes; lane++) {
    uint32_t a = counter + static_cast<uint32_t>(lane) + keys[0];
    uint32_t b = high + keys[1];
#pragma GCC unroll 5
    for (uint32_t group = 0; group < 5; group++) {
#pragma GCC unroll 4
      for (uint32_t round = 0; round < 4; round++) {
        a += b;
        b = rotate(b, rotations[(group % 2) * 4 + round]) ^ a;
      }
      a += keys[(group + 1) % 3];
      b += keys[(group + 2) % 3] + group + 1;
    }
    first[lane] = a;
    second[lane] = b;
  }
}

}  // namespace
}  // namespace blasnet::BLASNET_SIMD
