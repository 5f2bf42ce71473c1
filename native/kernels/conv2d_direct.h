// Convolution without BLAS, for few filters and short patches, where laying out the patches costs more than multiplying
// them and BLAS is far from its peak.
#pragma once

#include "geometry.h"

namespace blasnet::BLASNET_SIMD {

// Whether the functions below support this convolution and are faster for it.
bool isDirect(const Geometry& g, int64_t filters) noexcept;

// The images [begin, end) of y.
void directForward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
                   int32_t activation, float slope, int64_t begin, int64_t end) noexcept;

// Rows [begin, end) of dw, over all images.
void directBackwardWeight(float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows, int64_t filters,
                          int64_t begin, int64_t end) noexcept;

}  // namespace blasnet::BLASNET_SIMD
