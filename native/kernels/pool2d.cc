// Pooling over windows of images. Few channels don't fill a vector, and the compiler doesn't know their number. So
// pixels are processed in fixed-size groups of channels, which may overlap and, with few channels, extend into the next
// pixel.
#include "geometry.h"
#include "kernels.h"
#include "vector.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::larger;
using math::smaller;

// The pixels of a window that lie inside the image.
struct Window {
  int64_t top, bottom, left, right;

  BLASNET_INLINE bool empty() const { return top >= bottom || left >= right; }
  BLASNET_INLINE int64_t count() const { return (bottom - top) * (right - left); }
};

// Calls visit(image, pixel, window) for the output pixels of the images [begin, end), numbered through all images.
template <typename Visit>
BLASNET_INLINE void forEachWindow(const Geometry& g, int64_t begin, int64_t end, Visit visit) {
  int64_t pixel = begin * g.outPixels();
  for (int64_t image = begin; image < end; image++) {
    for (int64_t oy = 0; oy < g.outHeight; oy++) {
      const int64_t y = oy * g.strideHeight - g.padTop;
      for (int64_t ox = 0; ox < g.outWidth; ox++, pixel++) {
        const int64_t x = ox * g.strideWidth - g.padLeft;
        visit(image, pixel,
              Window{larger(0, y), smaller(g.height, y + g.windowHeight), larger(0, x),
                     smaller(g.width, x + g.windowWidth)});
      }
    }
  }
}

// y, winner: a group of channels of an output pixel; image: that group in the image's first pixel; `channel`: its first
// one.
template <int lanes>
BLASNET_INLINE void takeLargest(float* y, int32_t* winner, const float* image, int64_t channel, const Geometry& g,
                                const Window& window) {
  int32_t numbers[lanes];
  for (int lane = 0; lane < lanes; lane++) numbers[lane] = static_cast<int32_t>(channel) + lane;
  IntegerVector<lanes> channels;
  __builtin_memcpy(&channels, numbers, sizeof channels);
  const auto positions = [&](int64_t iy, int64_t ix) {
    return channels + static_cast<int32_t>((iy * g.width + ix) * g.channels);
  };
  Vector<lanes> best = Vector<lanes>{} - (window.empty() ? 0.0f : math::infinity);
  IntegerVector<lanes> position = window.empty() ? IntegerVector<lanes>{} - 1 : positions(window.top, window.left);
  for (int64_t iy = window.top; iy < window.bottom; iy++) {
    for (int64_t ix = window.left; ix < window.right; ix++) {
      const Vector<lanes> value = load<lanes>(image + (iy * g.width + ix) * g.channels);
      // A NaN replaces any number and is never replaced.
      const auto wins = ~(value <= best) & (best == best);
      best = wins ? value : best;
      position = wins ? positions(iy, ix) : position;
    }
  }
  store<lanes>(y, best);
  __builtin_memcpy(winner, &position, sizeof position);
}

// y: a group of channels of an output pixel; image: that group in the image's first pixel. Sums run by rows of the
// window, so that large windows lose no precision.
template <int lanes>
BLASNET_INLINE void takeMean(float* y, const float* image, const Geometry& g, const Window& window) {
  Vector<lanes> total = {};
  for (int64_t iy = window.top; iy < window.bottom; iy++) {
    Vector<lanes> partial = {};
    for (int64_t ix = window.left; ix < window.right; ix++)
      partial += load<lanes>(image + (iy * g.width + ix) * g.channels);
    total += partial;
  }
  store<lanes>(y, window.empty() ? total : total / static_cast<float>(window.count()));
}

template <int lanes>
struct Group {};

// Calls visit(group, out, in, channel, window) for groups of channels that cover the output of the images [begin, end):
// `out` is where the group starts in y, `in` where it starts in the first pixel of its image. With at least `lanes`
// channels, groups may overlap. With fewer, a group extends into the next pixels of x and y: those of y are written
// later, and near the end of the images groups are single channels.
template <int lanes, typename Visit>
BLASNET_INLINE void forEachGroup(const Geometry& g, int64_t begin, int64_t end, Visit visit) {
  const int64_t channels = g.channels, beyond = larger(0, lanes - channels);
  const int64_t inEnd = end * g.imageSize() - beyond, outEnd = end * g.outPixels() * channels - beyond;
  forEachWindow(g, begin, end, [&](int64_t image, int64_t pixel, const Window& window) {
    const int64_t in = image * g.imageSize(), out = pixel * channels;
    if (in + ((window.bottom - 1) * g.width + window.right) * channels > inEnd || out + channels > outEnd) {
      for (int64_t c = 0; c < channels; c++) visit(Group<1>(), out + c, in + c, c, window);
      return;
    }
    for (int64_t c = 0; c + lanes < channels; c += lanes) visit(Group<lanes>(), out + c, in + c, c, window);
    const int64_t last = larger(0, channels - lanes);
    visit(Group<lanes>(), out + last, in + last, last, window);
  });
}

template <int lanes = 1, typename Visit>
BLASNET_INLINE void forAllGroups(const Geometry& g, int64_t begin, int64_t end, Visit visit) {
  if constexpr (lanes < vectorLanes) {
    if (g.channels > lanes) return forAllGroups<2 * lanes>(g, begin, end, visit);
  }
  forEachGroup<lanes>(g, begin, end, visit);
}

}  // namespace

// y, winner: rows x outHeight x outWidth x channels; x: rows x height x width x channels.
void maxPool2dForward(float* y, int32_t* winner, const float* x, int64_t, Geometry g, int64_t begin,
                      int64_t end) noexcept {
  if (g.channels == 0) return;
  forAllGroups(g, begin, end,
               [=, &g]<int lanes>(Group<lanes>, int64_t out, int64_t in, int64_t channel, const Window& window) {
                 takeLargest<lanes>(y + out, winner + out, x + in, channel, g, window);
               });
}

// dx: rows x height x width x channels; dy, winner: rows x outHeight x outWidth x channels.
void maxPool2dBackward(float* dx, const float* dy, const int32_t* winner, int64_t, Geometry g, int64_t begin,
                       int64_t end) noexcept {
  const int64_t size = g.imageSize(), outSize = g.outPixels() * g.channels;
  clear(dx + begin * size, (end - begin) * size);
  for (int64_t image = begin; image < end; image++) {
    float* out = dx + image * size;
    for (int64_t i = image * outSize; i < (image + 1) * outSize; i++) {
      const int32_t position = winner[i];
      if (position >= 0 && position < size) out[position] += dy[i];
    }
  }
}

// y: rows x outHeight x outWidth x channels; x: rows x height x width x channels.
void avgPool2dForward(float* y, const float* x, int64_t, Geometry g, int64_t begin, int64_t end) noexcept {
  if (g.channels == 0) return;
  forAllGroups(g, begin, end, [=, &g]<int lanes>(Group<lanes>, int64_t out, int64_t in, int64_t, const Window& window) {
    takeMean<lanes>(y + out, x + in, g, window);
  });
}

// dx: rows x height x width x channels; dy: rows x outHeight x outWidth x channels.
void avgPool2dBackward(float* dx, const float* dy, int64_t, Geometry g, int64_t begin, int64_t end) noexcept {
  clear(dx + begin * g.imageSize(), (end - begin) * g.imageSize());
  forEachWindow(g, begin, end, [&](int64_t image, int64_t pixel, const Window& window) {
    if (window.empty()) return;
    const float* gradient = dy + pixel * g.channels;
    const float share = 1.0f / static_cast<float>(window.count());
    for (int64_t iy = window.top; iy < window.bottom; iy++) {
      for (int64_t ix = window.left; ix < window.right; ix++) {
        float* out = dx + image * g.imageSize() + (iy * g.width + ix) * g.channels;
#pragma omp simd
        for (int64_t c = 0; c < g.channels; c++) out[c] += gradient[c] * share;
      }
    }
  });
}

}  // namespace blasnet::BLASNET_SIMD
