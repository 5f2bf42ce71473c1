// A batch of images, channels last, and a window that slides over them.
#pragma once

#include "math.h"

namespace blasnet::BLASNET_SIMD {

// Sizes may be anything that the kernel table allows, including zero strides and windows: nothing here divides by them.
struct Geometry {
  int64_t height, width, channels, outHeight, outWidth, windowHeight, windowWidth, strideHeight, strideWidth, padTop,
      padLeft;

  BLASNET_INLINE int64_t imageSize() const { return height * width * channels; }
  BLASNET_INLINE int64_t outPixels() const { return outHeight * outWidth; }
  BLASNET_INLINE int64_t windowRow() const { return windowWidth * channels; }
  BLASNET_INLINE int64_t patch() const { return windowHeight * windowRow(); }
  // What all windows together see of an image, including padding: its rows, and the elements of a row.
  BLASNET_INLINE int64_t seenRows() const { return (outHeight - 1) * strideHeight + windowHeight; }
  BLASNET_INLINE int64_t seenRow() const { return ((outWidth - 1) * strideWidth + windowWidth) * channels; }
};

namespace {

BLASNET_INLINE void clear(float* y, int64_t n) {
#pragma omp simd
  for (int64_t j = 0; j < n; j++) y[j] = 0;
}

}  // namespace
}  // namespace blasnet::BLASNET_SIMD
