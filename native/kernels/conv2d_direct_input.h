// The input gradient of a convolution without BLAS, for short windows and few filters, where writing and adding up the
// product's matrix of patches costs more than computing it.
#pragma once

#include "geometry.h"

namespace blasnet::BLASNET_SIMD {

// Whether the function below supports this convolution and is faster for it.
bool isDirectInput(const Geometry& g, int64_t filters) noexcept;

// The images [begin, end) of dx.
void directBackwardInput(float* dx, const float* dy, const float* w, const Geometry& g, int64_t filters, int64_t begin,
                         int64_t end) noexcept;

}  // namespace blasnet::BLASNET_SIMD
