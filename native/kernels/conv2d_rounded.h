// Convolution of operands rounded to bfloat16, in tiles that are read from rounded images (rounded_images.h).
#pragma once

#include "geometry.h"
#include "products/bfloat16_tiles.h"

namespace blasnet::BLASNET_SIMD {

// Both return false, with any numbers in the result, where images don't fit or have numbers that are not finite.

// The images [begin, end) of y.
bool roundedForward(const Tiles& tiles, Scratch scratch, float* y, const float* x, const float* w, const float* b,
                    const Geometry& g, int64_t filters, int32_t activation, float slope, int64_t begin,
                    int64_t end) noexcept;

// Rows [begin, end) of dw, over all images.
bool roundedBackwardWeight(const Tiles& tiles, Scratch scratch, float* dw, const float* x, const float* dy,
                           const Geometry& g, int64_t rows, int64_t filters, int64_t begin, int64_t end) noexcept;

}  // namespace blasnet::BLASNET_SIMD
