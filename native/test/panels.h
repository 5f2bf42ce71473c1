// Panels of packed operands, read element by element.
#pragma once

#include "../kernels/products/bfloat16_tiles.h"

namespace blasnet::test {

// A part of element (unit, l) in a panel of `units`, by the layout that bfloat16_tiles.h describes.
inline float partOf(const uint32_t* panel, Side side, int64_t units, int64_t unit, int64_t l, int parts = 1,
                    int part = 0) {
  const int64_t tile = l / tileDepth * tilesOf(units) + unit / tileUnits, row = unit % tileUnits,
                pair = l % tileDepth / 2;
  const uint32_t* words = panel + (tile * parts + part) * tileWords;
  const uint32_t word = words[side == Side::left ? row * tileUnits + pair : pair * tileUnits + row];
  return __builtin_bit_cast(float, l % 2 == 0 ? word << 16 : word & 0xffff0000u);
}

}  // namespace blasnet::test
