// Convolution of single-channel images with few filters, which would leave most lanes of a vector empty. Here the lanes
// are neighbouring pixels.
#pragma once

#include "geometry.h"

namespace blasnet::BLASNET_SIMD {

// Whether the functions below support this convolution and are faster for it.
bool isPlanar(const Geometry& g, int64_t filters) noexcept;

// The images [begin, end) of y.
void planesForward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
                   int32_t activation, float slope, int64_t begin, int64_t end) noexcept;

// Rows [begin, end) of dw, over all images.
void planesBackwardWeight(float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows, int64_t filters,
                          int64_t begin, int64_t end) noexcept;

}  // namespace blasnet::BLASNET_SIMD
