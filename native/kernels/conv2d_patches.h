// Convolution as matrix products. The patches are laid out as rows of a matrix (im2col), in blocks that fit the cache,
// and each block is multiplied by the weights, in either precision. The input gradient works the other way round.
#pragma once

#include "geometry.h"

namespace blasnet::BLASNET_SIMD {

// The images [begin, end) of y and dx, overwritten.
void patchesForward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
                    int32_t activation, float slope, int32_t precision, int64_t begin, int64_t end) noexcept;
void patchesBackwardInput(float* dx, const float* dy, const float* w, const Geometry& g, int64_t filters,
                          int32_t precision, int64_t begin, int64_t end) noexcept;

// Rows [begin, end) of dw, over all images.
void patchesBackwardWeight(float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows, int64_t filters,
                           int32_t precision, int64_t begin, int64_t end) noexcept;

}  // namespace blasnet::BLASNET_SIMD
