// Convolution of single channels. A vector holds neighbouring channels of one pixel.
#pragma once

#include "geometry.h"

namespace blasnet::BLASNET_SIMD {

// Whether groups are single channels and the rows that a window sees fit the local arrays. Nothing may be empty.
bool isDepthwise(const GroupedGeometry& g) noexcept;

// The images [begin, end) of y and dx, overwritten.
void depthwiseForward(float* y, const float* x, const float* w, const float* b, const GroupedGeometry& g,
                      int32_t activation, float slope, int64_t begin, int64_t end) noexcept;
void depthwiseBackwardInput(float* dx, const float* dy, const float* w, const GroupedGeometry& g, int64_t begin,
                            int64_t end) noexcept;

// dw over the images [begin, end), overwritten.
void depthwiseBackwardWeight(float* dw, const float* x, const float* dy, const GroupedGeometry& g, int64_t begin,
                             int64_t end) noexcept;

}  // namespace blasnet::BLASNET_SIMD
