// Batches of images with a window that slides over them, for the tests of convolution and pooling.
#pragma once

#include <tuple>

#include "test.h"

namespace blasnet::test {

// The sizes in the order of the kernel table.
struct Images {
  int64_t rows, height, width, channels, outHeight, outWidth, windowHeight, windowWidth, strideHeight, strideWidth,
      padTop, padLeft;

  int64_t inputs() const { return rows * height * width * channels; }
  int64_t outPixels() const { return rows * outHeight * outWidth; }
  int64_t patch() const { return windowHeight * windowWidth * channels; }
  std::string text() const {
    return format("%ld of %ldx%ldx%ld to %ldx%ld, window %ldx%ld, strides %ld %ld, padding %ld %ld", rows, height,
                  width, channels, outHeight, outWidth, windowHeight, windowWidth, strideHeight, strideWidth, padTop,
                  padLeft);
  }

  // Calls visit(ky, kx, position) for the pixels that the window of output pixel `pixel` sees inside its image, row by
  // row; `position` is where the pixel's first channel is in the batch.
  template <typename Visit>
  void forEachSeen(int64_t pixel, Visit visit) const {
    const int64_t image = pixel / (outHeight * outWidth), oy = pixel / outWidth % outHeight, ox = pixel % outWidth;
    for (int64_t ky = 0; ky < windowHeight; ky++) {
      for (int64_t kx = 0; kx < windowWidth; kx++) {
        const int64_t iy = oy * strideHeight + ky - padTop, ix = ox * strideWidth + kx - padLeft;
        if (iy >= 0 && iy < height && ix >= 0 && ix < width)
          visit(ky, kx, ((image * height + iy) * width + ix) * channels);
      }
    }
  }
};

// A kernel call with arguments before and after the sizes.
template <typename... Before, typename... After>
Call imagesCall(const KernelSet& set, Kernel kernel, const std::tuple<Before...>& before, const Images& s,
                const std::tuple<After...>& after = {}) {
  const std::tuple sizes(s.rows, s.height, s.width, s.channels, s.outHeight, s.outWidth, s.windowHeight, s.windowWidth,
                         s.strideHeight, s.strideWidth, s.padTop, s.padLeft);
  return std::apply([&](const auto&... arguments) { return Call(set, kernel, arguments...); },
                    std::tuple_cat(before, sizes, after));
}

// How many windows fit; one where not even one does, and sometimes one more, which sees the padding after the end.
inline int64_t outputSize(int64_t size, int64_t window, int64_t stride, int64_t padding, Random& random) {
  const int64_t room = size + 2 * padding - window;
  return (room >= 0 ? room / stride + 1 : 1) + random.word() % 4 / 3;
}

// Every window of 1 to 5, stride of 1 to 4 and padding of 0 to 3, with all the rest varied.
inline std::vector<Images> manyImages(uint64_t seed) {
  Random random(seed);
  std::vector<Images> all;
  const auto pick = [&random](std::initializer_list<int64_t> values) {
    return values.begin()[random.word() % values.size()];
  };
  for (int64_t window = 1; window <= 5; window++) {
    for (int64_t stride = 1; stride <= 4; stride++) {
      for (int64_t padding = 0; padding <= 3; padding++) {
        for (const int64_t channels : {int64_t{1}, pick({2, 3, 5, 6, 8}), pick({16, 17, 33})}) {
          const int64_t otherWindow = random.word() % 2 ? window : 1 + random.word() % 5;
          const int64_t otherStride = random.word() % 2 ? stride : 1 + random.word() % 4;
          const int64_t otherPadding = random.word() % 2 ? padding : random.word() % 4;
          const int64_t height = 1 + random.word() % 9, width = 1 + random.word() % 11;
          all.push_back({pick({1, 2, 3, 6}), height, width, channels,
                         outputSize(height, otherWindow, otherStride, otherPadding, random),
                         outputSize(width, window, stride, padding, random), otherWindow, window, otherStride, stride,
                         otherPadding, padding});
        }
      }
    }
  }
  return all;
}

}  // namespace blasnet::test
