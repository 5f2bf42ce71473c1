// The rows that a window sees are copied into a ring of rows: a few channels of each pixel, with the padding at the
// sides. There a window's pixels are at fixed distances, and the sums of neighbouring outputs stay in registers.
#include "conv2d_depthwise.h"

#include "abandon.h"
#include "activations.h"
#include "vector.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::larger;
using math::smaller;

constexpr int lanes = vectorLanes;
using Lanes = Vector<vectorLanes>;

constexpr int64_t chunk = 16;  // channels summed at a time: a cache line of a pixel
constexpr int64_t ringElements = 16384;
constexpr int64_t weightElements = 8192;
constexpr int64_t maxChannels = 256;  // in the ring
constexpr int64_t maxTargets = 512;   // of a row at a time
constexpr int64_t maxTaps = 128;
constexpr int64_t longestSum = 128;  // pixels: longer ones lose bits
static_assert(chunk % lanes == 0);

// One dimension of a pass over an image. Pixel t of the target sees through pixel k of the window the position p =
// t * step - pad + k * dilation: pixel p / every of the source if that is one. The input gradient is such a pass, too:
// from dy to dx, with the window reversed, a step of 1, and `every` the stride.
struct Dimension {
  int64_t targets, sources, window, step, every, dilation, pad;

  int64_t first(int64_t target) const { return target * step - pad; }
  int64_t span() const { return (window - 1) * dilation + 1; }
  // The first source at position p or after it.
  int64_t sourceFrom(int64_t p) const { return p <= 0 ? 0 : (p + every - 1) / every; }
};

struct Pass {
  Dimension rows, columns;

  // The most rows of the source that a row of the target sees, and those between them.
  int64_t rowsSeen() const { return smaller(rows.sources, (rows.span() - 1) / rows.every + 1); }
  // Targets in a row of which a chunk of the sources fits the ring.
  int64_t targetsAtATime() const {
    const int64_t pixels = ringElements / chunk / rowsSeen();
    return smaller(maxTargets, smaller(columns.targets, (pixels - columns.span()) / columns.step + 1));
  }
  int64_t width(int64_t targets) const { return (targets - 1) * columns.step + columns.span(); }
  // Channels whose rows and weights fit the local arrays, as whole chunks.
  int64_t channelsAtATime() const {
    const int64_t fitting =
        smaller(ringElements / (width(targetsAtATime()) * rowsSeen()), weightElements / (rows.window * columns.window));
    return smaller(maxChannels, fitting) / chunk * chunk;
  }
};

Pass forwardPass(const GroupedGeometry& g) {
  return {{g.outHeight, g.height, g.windowHeight, g.strideHeight, 1, g.dilationHeight, g.padTop},
          {g.outWidth, g.width, g.windowWidth, g.strideWidth, 1, g.dilationWidth, g.padLeft}};
}

Pass backwardPass(const GroupedGeometry& g) {
  const int64_t above = (g.windowHeight - 1) * g.dilationHeight, before = (g.windowWidth - 1) * g.dilationWidth;
  return {{g.height, g.outHeight, g.windowHeight, 1, g.strideHeight, g.dilationHeight, above - g.padTop},
          {g.width, g.outWidth, g.windowWidth, 1, g.strideWidth, g.dilationWidth, before - g.padLeft}};
}

bool fits(const Pass& pass) { return pass.columns.span() <= ringElements / chunk / pass.rowsSeen(); }

BLASNET_INLINE void copyChunk(float* y, const float* x) {
#pragma GCC unroll 4
  for (int64_t v = 0; v < chunk; v += lanes) store<lanes>(y + v, load<lanes>(x + v));
}

// Some of the channels of y, and where they are in a pixel of x: with several filters per channel a channel is
// repeated.
struct Channels {
  int64_t begin, count, padded, perPixel;
  bool repeated;
  int32_t at[maxChannels];

  Channels(int64_t first, int64_t most, int64_t channels, int64_t filters)
      : begin(first), count(smaller(most, channels * filters - first)), perPixel(channels), repeated(filters > 1) {
    padded = (count + chunk - 1) / chunk * chunk;
    for (int64_t l = 0; l < count; l++) at[l] = static_cast<int32_t>((first + l) / filters);
  }

  // `pixels` pixels of a row of x, each `distance` elements after the other one in the ring.
  void copyPixels(float* y, int64_t distance, const float* x, int64_t pixels) const {
    for (int64_t i = 0; i < pixels; i++, y += distance, x += perPixel) {
      int64_t l = 0;
      if (repeated) {
        for (; l < count; l++) y[l] = x[at[l]];
      } else {
        for (; l + chunk <= count; l += chunk) copyChunk(y + l, x + begin + l);
        for (; l < count; l++) y[l] = x[begin + l];
      }
      for (; l < padded; l++) y[l] = 0;
    }
  }
};

// The rows of an image that the windows see at a time; row r is in place r mod `height`.
struct Ring {
  alignas(64) float elements[ringElements];
  int64_t width, height, next;  // `next`: the row after the last one that is filled

  // Empties it.
  void start(const Pass& pass, int64_t targets) {
    width = pass.width(targets);
    height = pass.rowsSeen();
    next = 0;
  }

  float* row(int64_t r, const Channels& channels) { return elements + r % height * width * channels.padded; }

  // Fills the rows [from, to) that are not there yet. image: the source; position: of the first column.
  void fill(const float* image, const Dimension& columns, int64_t position, const Channels& channels, int64_t from,
            int64_t to) {
    const int64_t first = columns.sourceFrom(position),
                  count = larger(0, smaller(columns.sources, columns.sourceFrom(position + width)) - first);
    const int64_t pixel = channels.padded, before = count > 0 ? first * columns.every - position : width;
    const int64_t end = count > 0 ? before + (count - 1) * columns.every + 1 : width;
    for (int64_t r = larger(from, next); r < to; r++) {
      float* out = row(r, channels);
      clear(out, before * pixel);
      if (columns.every > 1) clear(out + before * pixel, (end - before) * pixel);
      clear(out + end * pixel, (width - end) * pixel);
      const float* in = image + (r * columns.sources + (count > 0 ? first : 0)) * channels.perPixel;
      channels.copyPixels(out + before * pixel, columns.every * pixel, in, count);
    }
    next = larger(next, to);
  }
};

// A pixel of a window: where the first target sees it in the ring, and its number in the window.
struct Tap {
  const float* in;
  int64_t number;
};

// The pixels of the window whose rows a row of the target sees; fills the ring with them. Returns their number.
int64_t tapsOf(Tap* taps, Ring& ring, const Pass& pass, const float* image, int64_t row, int64_t position,
               const Channels& channels) {
  const Dimension& rows = pass.rows;
  const int64_t top = rows.first(row);
  const int64_t from = rows.sourceFrom(top), to = smaller(rows.sources, rows.sourceFrom(top + rows.span()));
  if (from >= to) return 0;
  ring.fill(image, pass.columns, position, channels, from, to);
  int64_t count = 0;
  for (int64_t ky = 0; ky < rows.window; ky++) {
    const int64_t p = top + ky * rows.dilation;
    if (p < 0 || p % rows.every != 0 || p / rows.every >= rows.sources) continue;
    const float* in = ring.row(p / rows.every, channels);
    for (int64_t kx = 0; kx < pass.columns.window; kx++, count++)
      taps[count] = {in + kx * pass.columns.dilation * channels.padded, ky * pass.columns.window + kx};
  }
  return count;
}

// Calls visit(row, column, count, taps, taken) for the targets of an image: `count` in a row, from that column, that
// see the first `taken` taps. image: the source.
template <typename Visit>
BLASNET_INLINE void forEachPiece(const Pass& pass, int64_t most, Ring& ring, const float* image,
                                 const Channels& channels, Visit visit) {
  Tap taps[maxTaps];
  for (int64_t column = 0; column < pass.columns.targets; column += most) {
    const int64_t count = smaller(most, pass.columns.targets - column), position = pass.columns.first(column);
    ring.start(pass, count);
    for (int64_t row = 0; row < pass.rows.targets; row++) {
      const int64_t taken = tapsOf(taps, ring, pass, image, row, position, channels);
      visit(row, column, count, taps, taken);
    }
  }
}

// Pixels of some channels: in place, or copied if the channels don't fill a chunk.
template <typename T>
struct Pixels {
  T* first;
  int64_t distance;
  int64_t next;  // where those of the next row are, relative to these
};

// The pixels of the window that some targets see, and the weights of each, `distance` elements after the other one.
struct Window {
  const Tap* taps;
  int64_t count;
  const float *weights, *bias;
  int64_t distance;
};

// `targets` neighbouring targets of a chunk: the sums over the window. `from`: where the first one's is in the ring,
// relative to the taps; `step`: elements from one target's to the next.
template <int targets>
BLASNET_INLINE void sumTaps(const Pixels<float>& out, const Window& window, int64_t from, int64_t step) {
#pragma GCC unroll 4
  for (int64_t v = 0; v < chunk; v += lanes) {
    Lanes sum[targets];
#pragma GCC unroll 16
    for (int i = 0; i < targets; i++) {
      if (v == 0) __builtin_prefetch(out.first + i * out.distance + out.next, 1);
      sum[i] = load<lanes>(window.bias + v);
    }
    for (int64_t t = 0; t < window.count; t++) {
      const float* in = window.taps[t].in + from + v;
      const Lanes w = load<lanes>(window.weights + window.taps[t].number * window.distance + v);
#pragma GCC unroll 16
      for (int i = 0; i < targets; i++) {  // an address takes 0, 1 or 2 steps from a register, but no multiple of 3
        sum[i] += load<lanes>(in + i % 3 * step) * w;
        if (i % 3 == 2) in += 3 * step;
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < targets; i++) store<lanes>(out.first + i * out.distance + v, sum[i]);
  }
}

// A row of targets in tiles; the last tile is moved back so that it ends with the row.
template <int targets>
__attribute__((noinline)) void sumRow(const Pixels<float>& out, int64_t total, const Window& window, int64_t from,
                                      int64_t step) {
  for (int64_t tile = 0; tile < total; tile += targets) {
    const int64_t first = smaller(tile, total - targets);
    sumTaps<targets>({out.first + first * out.distance, out.distance, out.next}, window, from + first * step, step);
  }
}

// Chooses the tile that fits the row with the least overlap, among those that fit the registers.
void sumRow(const Pixels<float>& out, int64_t total, const Window& window, int64_t from, int64_t step) {
  const auto work = [total](int64_t targets) { return (total + targets - 1) / targets * targets; };
  if (manyRegisters && total >= 14 && work(14) <= smaller(work(8), work(7))) {
    sumRow<14>(out, total, window, from, step);
  } else if (total >= 8 && work(8) <= work(7)) {
    sumRow<8>(out, total, window, from, step);
  } else if (total >= 7) {
    sumRow<7>(out, total, window, from, step);
  } else if (total >= 4) {
    sumRow<4>(out, total, window, from, step);
  } else if (total >= 2) {
    sumRow<2>(out, total, window, from, step);
  } else {
    sumRow<1>(out, total, window, from, step);
  }
}

// packed: window x channels <- these channels of w, in reverse for the input gradient.
void packWeights(float* packed, const float* w, const Channels& channels, int64_t window, int64_t outputs,
                 bool reversed) {
  for (int64_t k = 0; k < window; k++, packed += channels.padded) {
    const float* from = w + (reversed ? window - 1 - k : k) * outputs + channels.begin;
#pragma omp simd
    for (int64_t l = 0; l < channels.count; l++) packed[l] = from[l];
    clear(packed + channels.count, channels.padded - channels.count);
  }
}

}  // namespace

bool isDepthwise(const GroupedGeometry& g) noexcept {
  constexpr int64_t most = ringElements;
  // The sizes that appear in a product without being bounded by a buffer.
  if (g.channels != 1 || g.strideHeight < 1 || g.strideWidth < 1 || g.window() > maxTaps) return false;
  if (g.strideWidth > most || g.dilationWidth > most || g.outputs() > INT32_MAX) return false;
  return fits(forwardPass(g)) && fits(backwardPass(g));
}

void depthwiseForward(float* y, const float* x, const float* w, const float* b, const GroupedGeometry& g,
                      int32_t activation, float slope, int64_t begin, int64_t end) noexcept {
  const Pass pass = forwardPass(g);
  const int64_t outputs = g.outputs(), outSize = g.outPixels() * outputs;
  const int64_t most = pass.targetsAtATime(), together = pass.channelsAtATime();
  Ring ring;
  alignas(64) float weights[weightElements];
  alignas(64) float bias[maxChannels] = {};
  alignas(64) float part[maxTargets * chunk];
  for (int64_t image = begin; image < end; image++) {
    float* to = y + image * outSize;
    for (int64_t first = 0; first < outputs; first += together) {
      if (abandoned()) return;
      const Channels channels(first, together, g.groups, g.filters);
      const int64_t step = pass.columns.step * channels.padded;
      packWeights(weights, w, channels, g.window(), outputs, false);
      for (int64_t l = 0; l < (b != nullptr ? channels.count : 0); l++) bias[l] = b[first + l];
      const auto visit = [&](int64_t oy, int64_t ox, int64_t count, const Tap* taps, int64_t taken) {
        float* out = to + (oy * g.outWidth + ox) * outputs + first;
        for (int64_t c = 0; c < channels.count; c += chunk, out += chunk) {
          const bool whole = c + chunk <= channels.count;
          const Window window = {taps, taken, weights + c, bias + c, channels.padded};
          sumRow(whole ? Pixels<float>{out, outputs, g.outWidth * outputs} : Pixels<float>{part, chunk, 0}, count,
                 window, c, step);
          for (int64_t i = 0; i < (whole ? 0 : count); i++) {
            for (int64_t l = 0; c + l < channels.count; l++) out[i * outputs + l] = part[i * chunk + l];
          }
        }
      };
      forEachPiece(pass, most, ring, x + image * g.imageSize(), channels, visit);
    }
    activate(to, outSize, activation, slope);
  }
}

void depthwiseBackwardInput(float* dx, const float* dy, const float* w, const GroupedGeometry& g, int64_t begin,
                            int64_t end) noexcept {
  const Pass pass = backwardPass(g);
  const int64_t outputs = g.outputs(), outSize = g.outPixels() * outputs;
  const int64_t most = pass.targetsAtATime(), together = pass.channelsAtATime();
  Ring ring;
  alignas(64) float weights[weightElements];
  alignas(64) const float bias[chunk] = {};
  alignas(64) float part[maxTargets * chunk];
  if (g.filters > 1) clear(dx + begin * g.imageSize(), (end - begin) * g.imageSize());
  for (int64_t image = begin; image < end; image++) {
    for (int64_t first = 0; first < outputs; first += together) {
      if (abandoned()) return;
      const Channels channels(first, together, outputs, 1);
      packWeights(weights, w, channels, g.window(), outputs, true);
      const auto visit = [&](int64_t iy, int64_t ix, int64_t count, const Tap* taps, int64_t taken) {
        float* out = dx + image * g.imageSize() + (iy * g.width + ix) * g.groups;
        for (int64_t c = 0; c < channels.count; c += chunk) {
          const bool whole = g.filters == 1 && c + chunk <= channels.count;
          const Window window = {taps, taken, weights + c, bias, channels.padded};
          sumRow(whole ? Pixels<float>{out + first + c, outputs, g.width * outputs} : Pixels<float>{part, chunk, 0},
                 count, window, c, channels.padded);
          for (int64_t l = 0; l < (whole ? 0 : smaller(chunk, channels.count - c)); l++) {
            float* channel = out + (first + c + l) / g.filters;
            for (int64_t i = 0; i < count; i++) {
              float& value = channel[i * g.groups];
              value = g.filters > 1 ? value + part[i * chunk + l] : part[i * chunk + l];
            }
          }
        }
      };
      forEachPiece(pass, most, ring, dy + image * outSize, channels, visit);
    }
  }
}

namespace {

// Pixels of a chunk of dy, what the taps see of the ring, `step` elements after each other, and the rows of dw.
struct Products {
  Pixels<const float> dy;
  int64_t count, step;
  float* dw;
  int64_t distance, channels;  // the distance of the rows; channels of the chunk
};

// Adds the products of `number` taps to their rows of dw. `from`: where the chunk is in the ring, relative to the taps.
template <int number>
BLASNET_INLINE void addProducts(const Products& p, const Tap* taps, int64_t from) {
#pragma GCC unroll 4
  for (int64_t v = 0; v < chunk; v += lanes) {
    const float* in[number];
    Lanes sum[number] = {};
#pragma GCC unroll 16
    for (int t = 0; t < number; t++) in[t] = taps[t].in + from + v;
    for (int64_t i = 0; i < p.count; i++) {
      const float* at = p.dy.first + i * p.dy.distance + v;
      if (v == 0 && number == 9) __builtin_prefetch(at + p.dy.next);
      const Lanes d = load<lanes>(at);
#pragma GCC unroll 16
      for (int t = 0; t < number; t++) sum[t] += load<lanes>(in[t] + i * p.step) * d;
    }
    if (v + lanes <= p.channels) {
#pragma GCC unroll 16
      for (int t = 0; t < number; t++) {
        float* to = p.dw + taps[t].number * p.distance + v;
        store<lanes>(to, load<lanes>(to) + sum[t]);
      }
    } else {
      for (int t = 0; t < number; t++) {
        for (int64_t l = 0; v + l < p.channels; l++) p.dw[taps[t].number * p.distance + v + l] += sum[t][l];
      }
    }
  }
}

// The same for the first of the taps [done, taken), as far as `number` at a time go. Returns the first one left.
template <int number>
__attribute__((noinline)) int64_t addTaps(const Products& products, const Tap* taps, int64_t done, int64_t taken,
                                          int64_t from) {
  for (; done + number <= taken; done += number) addProducts<number>(products, taps + done, from);
  return done;
}

}  // namespace

void depthwiseBackwardWeight(float* dw, const float* x, const float* dy, const GroupedGeometry& g, int64_t begin,
                             int64_t end) noexcept {
  const Pass pass = forwardPass(g);
  const int64_t outputs = g.outputs(), outSize = g.outPixels() * outputs;
  const int64_t most = smaller(pass.targetsAtATime(), longestSum), together = pass.channelsAtATime();
  Ring ring;
  alignas(64) float part[longestSum * chunk] = {};
  clear(dw, g.window() * outputs);
  for (int64_t image = begin; image < end; image++) {
    for (int64_t first = 0; first < outputs; first += together) {
      if (abandoned()) return;
      const Channels channels(first, together, g.groups, g.filters);
      const int64_t step = pass.columns.step * channels.padded;
      const auto visit = [&](int64_t oy, int64_t ox, int64_t count, const Tap* taps, int64_t taken) {
        const float* in = dy + image * outSize + (oy * g.outWidth + ox) * outputs + first;
        for (int64_t c = 0; c < channels.count; c += chunk, in += chunk) {
          const int64_t used = smaller(chunk, channels.count - c);
          for (int64_t i = 0; i < (used < chunk ? count : 0); i++) {
            for (int64_t l = 0; l < used; l++) part[i * chunk + l] = in[i * outputs + l];
          }
          const auto gradient = used < chunk ? Pixels<const float>{part, chunk, 0}
                                             : Pixels<const float>{in, outputs, g.outWidth * outputs};
          const Products products = {gradient, count, step, dw + first + c, outputs, used};
          int64_t done = addTaps<9>(products, taps, 0, taken, c);
          done = addTaps<6>(products, taps, done, taken, c);
          done = addTaps<3>(products, taps, done, taken, c);
          addTaps<1>(products, taps, done, taken, c);
        }
      };
      forEachPiece(pass, most, ring, x + image * g.imageSize(), channels, visit);
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
