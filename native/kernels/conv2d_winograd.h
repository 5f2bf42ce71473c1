// Convolution with windows of 3x3 pixels in steps of one by Winograd's algorithm F(2x2, 3x3), which takes 16 products
// where the sum over the window takes 36. docs/numerics.md has the formulas.
#pragma once

#include "geometry.h"

namespace blasnet::BLASNET_SIMD {

// Whether the functions below support this convolution and are faster for it.
bool isWinograd(const Geometry& g, int64_t filters) noexcept;

// The images [begin, end) of y.
void winogradForward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
                     int32_t activation, float slope, int64_t begin, int64_t end) noexcept;

// The whole of dw, over all images.
void winogradBackwardWeight(float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows,
                            int64_t filters) noexcept;

}  // namespace blasnet::BLASNET_SIMD
