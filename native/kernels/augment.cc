// Random changes of a batch before the first layer. Row i draws from counter (i, step), so the draws do not depend on
// how rows are divided among threads. A row is computed in whole by one thread.
#include "copy.h"
#include "kernels.h"
#include "threefry.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::larger;
using math::smaller;

// Counter of what is drawn once for the whole batch: no row has it.
constexpr uint32_t wholeBatch = 0xffffffffu;

// Calls visit(row, first, second) with the two random words of each row.
template <typename Visit>
BLASNET_INLINE void forEachRow(int64_t begin, int64_t end, uint32_t seed, uint32_t stream, uint32_t step, Visit visit) {
  for (int64_t block = begin; block < end; block += threefryLanes) {
    uint32_t first[threefryLanes], second[threefryLanes];
    threefry(first, second, static_cast<uint32_t>(block), step, seed, stream);
    const int64_t count = smaller(threefryLanes, end - block);
    for (int64_t lane = 0; lane < count; lane++) visit(block + lane, first[lane], second[lane]);
  }
}

// The word scaled to 0 ... bound - 1; 0 if that is empty.
BLASNET_INLINE int64_t below(uint32_t word, int64_t bound) {
  return static_cast<int64_t>((static_cast<uint64_t>(word) * static_cast<uint64_t>(bound)) >> 32);
}

// The word scaled to (0, 1).
BLASNET_INLINE double unit(uint32_t word) { return (static_cast<double>(word) + 0.5) * 0x1p-32; }

BLASNET_INLINE void fillWith(float* y, int64_t n, float value) {
#pragma omp simd
  for (int64_t j = 0; j < n; j++) y[j] = value;
}

struct Image {
  int64_t height, width, channels;

  BLASNET_INLINE int64_t line() const { return width * channels; }
  BLASNET_INLINE int64_t size() const { return height * line(); }
  BLASNET_INLINE bool empty() const { return height == 0 || width == 0 || channels == 0; }
  BLASNET_INLINE bool contains(int64_t y, int64_t x) const {
    // Of a negative number the unsigned one is large.
    return static_cast<uint64_t>(y) < static_cast<uint64_t>(height) &&
           static_cast<uint64_t>(x) < static_cast<uint64_t>(width);
  }
};

// A pixel between four others: the weights of the second of each pair.
struct Between {
  float down, right;

  BLASNET_INLINE float operator()(float topLeft, float topRight, float bottomLeft, float bottomRight) const {
    const float upper = math::multiplyAdd(right, topRight, (1 - right) * topLeft);
    const float lower = math::multiplyAdd(right, bottomRight, (1 - right) * bottomLeft);
    return math::multiplyAdd(down, lower, (1 - down) * upper);
  }
};

// Limits a coordinate so that it fits into 32 bits. At either limit, both pixels next to it lie outside the image.
BLASNET_INLINE double within(double position, int64_t size) {
  const double last = static_cast<double>(size);
  const double above = position > -2 ? position : -2;
  return above < last ? above : last;
}

// The next lower integer.
BLASNET_INLINE int32_t floorOf(double position) {
  const int32_t truncated = static_cast<int32_t>(position);
  return truncated - (static_cast<double>(truncated) > position ? 1 : 0);
}

// y: one image; x: the same, turned by the angle whose cosine and sine are given.
BLASNET_INLINE void rotate(float* y, const float* x, const Image& g, double cos, double sin, float fill) {
  const double middleY = static_cast<double>(g.height - 1) / 2, middleX = static_cast<double>(g.width - 1) / 2;
  const int64_t channels = g.channels, line = g.line();
  constexpr int64_t block = 16;
  for (int64_t i = 0; i < g.height; i++) {
    const double v = static_cast<double>(i) - middleY;
    const double startY = middleY + cos * v, startX = middleX - sin * v;
    for (int64_t first = 0; first < g.width; first += block) {
      int32_t tops[block], lefts[block];
      float downs[block], rights[block];
#pragma omp simd
      for (int64_t lane = 0; lane < block; lane++) {
        const double u = static_cast<double>(first + lane) - middleX;
        const double sourceY = within(startY + sin * u, g.height), sourceX = within(startX + cos * u, g.width);
        tops[lane] = floorOf(sourceY);
        lefts[lane] = floorOf(sourceX);
        downs[lane] = static_cast<float>(sourceY - tops[lane]);
        rights[lane] = static_cast<float>(sourceX - lefts[lane]);
      }
      const int64_t count = smaller(block, g.width - first);
      for (int64_t lane = 0; lane < count; lane++, y += channels) {
        const int64_t top = tops[lane], left = lefts[lane];
        const Between between = {downs[lane], rights[lane]};
        if (g.contains(top, left) && g.contains(top + 1, left + 1)) {
          const float* corner = x + top * line + left * channels;
          if (channels == 1) {
            *y = between(corner[0], corner[1], corner[line], corner[line + 1]);
            continue;
          }
          for (int64_t c = 0; c < channels; c++) {
            y[c] = between(corner[c], corner[c + channels], corner[c + line], corner[c + line + channels]);
          }
          continue;
        }
        const auto pixel = [&](int64_t down, int64_t right, int64_t c) {
          return g.contains(top + down, left + right) ? x[(top + down) * line + (left + right) * channels + c] : fill;
        };
        for (int64_t c = 0; c < channels; c++) {
          y[c] = between(pixel(0, 0, c), pixel(0, 1, c), pixel(1, 0, c), pixel(1, 1, c));
        }
      }
    }
  }
}

// A number of the distribution Beta(alpha, alpha): Bailey's form of Student's t (1994), turned into a symmetric beta.
BLASNET_INLINE float symmetricBeta(double alpha, uint32_t first, uint32_t second) {
  const double exponent = __builtin_log(unit(first)) / alpha;
  const double power = __builtin_exp(exponent), rest = -__builtin_expm1(exponent);
  const double cos = __builtin_cos(2 * 3.14159265358979323846 * unit(second));
  return static_cast<float>(0.5 + 0.5 * cos * math::squareRoot(rest) / math::squareRoot(power + rest * cos * cos));
}

}  // namespace

// Of all image kernels: x, y: rows x height x width x channels.
void shiftImages(float* y, const float* x, int64_t, int64_t height, int64_t width, int64_t channels, int64_t vertical,
                 int64_t horizontal, float fill, uint32_t seed, uint32_t stream, uint32_t step, int64_t begin,
                 int64_t end) noexcept {
  const Image g = {height, width, channels};
  if (g.empty()) return;
  const int64_t line = g.line();
  forEachRow(begin, end, seed, stream, step, [=](int64_t row, uint32_t first, uint32_t second) {
    const int64_t down = below(first, 2 * vertical + 1) - vertical;
    const int64_t right = below(second, 2 * horizontal + 1) - horizontal;
    // The part of a line that comes from the image.
    const int64_t from = smaller(width, larger(0, right)) * channels;
    const int64_t to = larger(0, smaller(width, width + right)) * channels;
    for (int64_t i = 0; i < height; i++) {
      float* out = y + row * g.size() + i * line;
      if (i - down < 0 || i - down >= height || from >= to) {
        fillWith(out, line, fill);
        continue;
      }
      fillWith(out, from, fill);
      copy(out + from, x + row * g.size() + (i - down) * line + (from - right * channels), to - from);
      fillWith(out + to, line - to, fill);
    }
  });
}

void flipImages(float* y, const float* x, int64_t, int64_t height, int64_t width, int64_t channels, bool vertical,
                double probability, uint32_t seed, uint32_t stream, uint32_t step, int64_t begin,
                int64_t end) noexcept {
  const Image g = {height, width, channels};
  if (g.empty()) return;
  const int64_t line = g.line();
  const double threshold = probability * 0x1p32;
  forEachRow(begin, end, seed, stream, step, [=](int64_t row, uint32_t word, uint32_t) {
    float* out = y + row * g.size();
    const float* in = x + row * g.size();
    if (!(static_cast<double>(word) < threshold)) return copy(out, in, g.size());
    for (int64_t i = 0; i < height; i++) {
      if (vertical) {
        copy(out + i * line, in + (height - 1 - i) * line, line);
      } else if (channels == 1) {
        for (int64_t j = 0; j < width; j++) out[i * line + j] = in[i * line + width - 1 - j];
      } else {
        for (int64_t j = 0; j < width; j++)
          copy(out + i * line + j * channels, in + i * line + (width - 1 - j) * channels, channels);
      }
    }
  });
}

void rotateImages(float* y, const float* x, int64_t, int64_t height, int64_t width, int64_t channels, double angle,
                  float fill, uint32_t seed, uint32_t stream, uint32_t step, int64_t begin, int64_t end) noexcept {
  const Image g = {height, width, channels};
  if (g.empty()) return;
  forEachRow(begin, end, seed, stream, step, [=](int64_t row, uint32_t word, uint32_t) {
    const double theta = angle * (2 * unit(word) - 1);
    rotate(y + row * g.size(), x + row * g.size(), g, __builtin_cos(theta), __builtin_sin(theta), fill);
  });
}

// y may be x.
void cutImages(float* y, const float* x, int64_t, int64_t height, int64_t width, int64_t channels, int64_t cutHeight,
               int64_t cutWidth, float fill, uint32_t seed, uint32_t stream, uint32_t step, int64_t begin,
               int64_t end) noexcept {
  const Image g = {height, width, channels};
  if (g.empty()) return;
  if (y != x && end > begin) copy(y + begin * g.size(), x + begin * g.size(), (end - begin) * g.size());
  forEachRow(begin, end, seed, stream, step, [=](int64_t row, uint32_t first, uint32_t second) {
    const int64_t top = below(first, height) - cutHeight / 2, left = below(second, width) - cutWidth / 2;
    const int64_t from = larger(0, left) * channels, to = smaller(width, left + cutWidth) * channels;
    for (int64_t i = larger(0, top); i < smaller(height, top + cutHeight); i++) {
      fillWith(y + row * g.size() + i * g.line() + from, to - from, fill);
    }
  });
}

// x, y: rows x features.
void mixRows(float* y, const float* x, int64_t rows, int64_t features, double alpha, uint32_t seed, uint32_t stream,
             uint32_t step, int64_t begin, int64_t end) noexcept {
  if (features == 0) return;
  uint32_t first[threefryLanes], second[threefryLanes];
  threefry(first, second, wholeBatch, step, seed, stream);
  const int64_t shift = rows > 1 ? 1 + below(first[0], rows - 1) : 0;
  forEachRow(begin, end, seed, stream, step, [=](int64_t row, uint32_t word, uint32_t other) {
    const float lambda = symmetricBeta(alpha, word, other);
    const float rest = 1 - lambda;
    float* out = y + row * features;
    const float* own = x + row * features;
    const float* partner = x + (row + shift) % rows * features;
#pragma omp simd
    for (int64_t j = 0; j < features; j++) out[j] = math::multiplyAdd(lambda, own[j], rest * partner[j]);
  });
}

}  // namespace blasnet::BLASNET_SIMD
