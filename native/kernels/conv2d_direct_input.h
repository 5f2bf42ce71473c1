// The input gradient of a convolution without BLAS, for short windows and few filters: there the product's matrix of patches
// costs more to write and to add up than to compute.
#pragma once

#include "geometry.h"

namespace blasnet::BLASNET_SIMD {

// Whether the function below takes this convolution, and gains by it.
bool isDirectInput(const Geometry& g, int64_t filters) noexcept;

// The images [begin, end) of dx.
void directBackwardInput(float* dx, const float* dy, const float* w, const Geometry& g, int64_t filters, int64_t begin,
                         int64_t end) noexcept;

}  // namespace blasnet::BLASNET_SIMD
