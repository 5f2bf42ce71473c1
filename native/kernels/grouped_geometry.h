// A batch of images with groups of channels, and a window that may have gaps and sees one group.
#pragma once

#include "geometry.h"

namespace blasnet::BLASNET_SIMD {

// Sizes as in the kernel table: `channels` and `filters` are those of one group.
struct GroupedGeometry {
  int64_t height, width, groups, channels, outHeight, outWidth, windowHeight, windowWidth, strideHeight, strideWidth,
      dilationHeight, dilationWidth, padTop, padLeft, filters;

  BLASNET_INLINE int64_t inputs() const { return groups * channels; }  // elements of a pixel of x
  BLASNET_INLINE int64_t outputs() const { return groups * filters; }  // and of y
  BLASNET_INLINE int64_t imageSize() const { return height * width * inputs(); }
  BLASNET_INLINE int64_t outPixels() const { return outHeight * outWidth; }
  BLASNET_INLINE int64_t window() const { return windowHeight * windowWidth; }
  BLASNET_INLINE int64_t patch() const { return window() * channels; }
  // Whether a window or an image has no elements. Then the other sizes are not bounded by the buffers, and their
  // products may overflow.
  BLASNET_INLINE bool hasNoProducts() const {
    return height == 0 || width == 0 || groups == 0 || channels == 0 || outHeight == 0 || outWidth == 0 ||
           windowHeight == 0 || windowWidth == 0 || filters == 0;
  }
};

}  // namespace blasnet::BLASNET_SIMD
