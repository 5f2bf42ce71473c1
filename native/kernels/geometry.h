// Images, channels last, and a window that slides over them. The fields are generated from lib/kernels.
#pragma once

#include "math.h"

namespace blasnet::BLASNET_SIMD {

// Sizes may be anything that the kernel table allows, including zero strides and windows: nothing here divides by them.
struct Geometry {
#define BLASNET_GEOMETRY(...) int64_t __VA_ARGS__;
#include "signatures.inc"
#undef BLASNET_GEOMETRY

  BLASNET_INLINE int64_t imageSize() const { return height * width * channels; }
  BLASNET_INLINE int64_t outPixels() const { return outHeight * outWidth; }
  BLASNET_INLINE int64_t windowRow() const { return windowWidth * channels; }
  BLASNET_INLINE int64_t patch() const { return windowHeight * windowRow(); }
  // What all windows together see of an image, including padding: its rows, and the elements of a row.
  BLASNET_INLINE int64_t seenRows() const { return (outHeight - 1) * strideHeight + windowHeight; }
  BLASNET_INLINE int64_t seenRow() const { return ((outWidth - 1) * strideWidth + windowWidth) * channels; }
};

// Images with groups of channels, and a window that may have gaps and sees one group. `channels` and `filters` are
// those of one group.
struct GroupedGeometry {
#define BLASNET_GROUPEDGEOMETRY(...) int64_t __VA_ARGS__;
#include "signatures.inc"
#undef BLASNET_GROUPEDGEOMETRY

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

namespace {

BLASNET_INLINE void clear(float* y, int64_t n) {
#pragma omp simd
  for (int64_t j = 0; j < n; j++) y[j] = 0;
}

// offsets: positions of the elements [begin, end) of a patch in a padded copy of an image with rows of seenRow()
// elements, from the first element of the window.
BLASNET_INLINE void fillOffsets(int32_t* offsets, const Geometry& g, int64_t begin, int64_t end) {
  const int64_t run = g.windowRow(), length = g.seenRow();
  for (int64_t at = begin; at < end; at++) offsets[at - begin] = static_cast<int32_t>(at / run * length + at % run);
}

}  // namespace
}  // namespace blasnet::BLASNET_SIMD
