// Convolution as matrix products. The patches are laid out as rows of a matrix (im2col), in blocks that fit the cache,
// and BLAS multiplies each block by the weights. The input gradient works the other way round.
#pragma once

#include "geometry.h"

namespace blasnet::BLASNET_SIMD {

// The images [begin, end) of y and dx, overwritten.
void patchesForward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
                    int32_t activation, float slope, int64_t begin, int64_t end) noexcept;
void patchesBackwardInput(float* dx, const float* dy, const float* w, const Geometry& g, int64_t filters, int64_t begin,
                          int64_t end) noexcept;

// Rows [begin, end) of dw, over all images.
void patchesBackwardWeight(float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows, int64_t filters,
                           int64_t begin, int64_t end) noexcept;

// The same with operands of the products rounded to bfloat16.
void bfloat16Forward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
                     int32_t activation, float slope, int64_t begin, int64_t end) noexcept;
void bfloat16BackwardInput(float* dx, const float* dy, const float* w, const Geometry& g, int64_t filters,
                           int64_t begin, int64_t end) noexcept;
void bfloat16BackwardWeight(float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows,
                            int64_t filters, int64_t begin, int64_t end) noexcept;

}  // namespace blasnet::BLASNET_SIMD
