// Sums are computed for all positions of the images' grid, in tiles; those of outputs are copied from there.
#include "conv2d_rounded.h"

#include "abandon.h"
#include "activations.h"
#include "copy.h"
#include "rounded_images.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::larger;
using math::smaller;

// Sums that don't fit are computed in several passes over all images. More than these take longer than copying patches.
constexpr int64_t maxPasses = 4;

// y, rows of `filters`: f(sums + b) for `columns` of them; sums are `stride` apart.
void finish(float* y, const float* sums, int64_t stride, const float* b, int64_t rows, int64_t columns, int64_t filters,
            int32_t activation, float slope) {
  for (int64_t i = 0; i < rows; i++) {
    const float* from = sums + i * stride;
    float* to = y + i * filters;
    if (b != nullptr) {
#pragma omp simd
      for (int64_t j = 0; j < columns; j++) to[j] = from[j] + b[j];
    } else {
      copy(to, from, columns);
    }
    if (columns < filters) activate(to, columns, activation, slope);
  }
  if (columns == filters) activate(y, rows * filters, activation, slope);
}

// Panels of weights, one run of steps for each row of the window.
void packWeights(const Tiles& tiles, uint32_t* packed, const float* w, const Geometry& g, int64_t filters,
                 int64_t columns) {
  for (int64_t first = 0; first < columns; first += panelUnits) {
    const int64_t units = smaller(panelUnits, columns - first);
    for (int64_t ky = 0; ky < g.windowHeight; ky++) {
      const View row = {w + ky * g.windowRow() * filters + first, filters, true};
      tiles.pack(packed, row, Side::right, units, g.windowRow());
      packed += stepsOf(g.windowRow()) * tilesOf(units) * tileWords;
    }
  }
}

}  // namespace

bool roundedForward(const Tiles& tiles, Scratch scratch, float* y, const float* x, const float* w, const float* b,
                    const Geometry& g, int64_t filters, int32_t activation, float slope, int64_t begin,
                    int64_t end) noexcept {
  RoundedImages images(tiles, g);
  if (!images.isUseful) return false;
  // Weights take half of the memory at most. Each of their groups sees all images.
  const int64_t panelWords = g.windowHeight * stepsOf(g.windowRow()) * 2 * tileWords;
  const int64_t sumsSize = panelUnits * panelUnits, bytes = (panelWords + sumsSize) * int64_t{sizeof(float)};
  const int64_t panels = smaller(scratch.bytes / 2 / bytes, (filters + panelUnits - 1) / panelUnits);
  if (panels == 0) return false;
  uint32_t* packed = take<uint32_t>(scratch, panels * panelWords);
  float* sums = take<float>(scratch, panels * sumsSize);
  const int64_t most = imagesAtOnce(end - begin, scratch.bytes, [&](int64_t n) { return images.bytes(n, false); });
  if (most == 0) return false;
  images.allocate(scratch, most, false);
  bool isFinite = true;
  tiles.begin();
  for (int64_t f = 0; f < filters && isFinite; f += panels * panelUnits) {
    const int64_t columns = smaller(panels * panelUnits, filters - f), stride = roundUp(columns, tileUnits);
    packWeights(tiles, packed, w + f, g, filters, columns);
    for (int64_t image = begin; image < end; image += most) {
      const int64_t count = smaller(most, end - image), positions = images.positions(count);
      if (f == 0 || most < end - begin) isFinite = images.hold(tiles, x, image, count);
      if (!isFinite || abandoned()) break;
      float* out = y + image * g.outPixels() * filters + f;
      for (int64_t position = 0; position < positions && !abandoned(); position += panelUnits) {
        const Strip left = images.pixelStrip(position);
        for (int64_t j = 0; j < columns; j += panelUnits) {
          const int64_t units = smaller(panelUnits, stride - j);
          const uint32_t* panel = packed + j / panelUnits * panelWords;
          tiles.multiply(sums + j, stride, left, packedStrip(panel, units), panelUnits, units, images.depth(), false);
        }
        images.forEachRun(position, panelUnits, [&](int64_t at, int64_t pixel, int64_t n) {
          if (pixel >= count * g.outPixels()) return;
          finish(out + pixel * filters, sums + at * stride, stride, b != nullptr ? b + f : nullptr, n, columns, filters,
                 activation, slope);
        });
      }
    }
  }
  tiles.end();
  return isFinite;
}

namespace {

// Panels of the gradient at positions of a grid, between which it is zero. `space` is one step of a panel. Not inlined:
// GCC would give the caller, which is noexcept, code that unwinds and is shared between instruction sets.
[[gnu::noinline]] void packGradient(const Tiles& tiles, uint32_t* packed, const float* dy, const RoundedImages& images,
                                    int64_t outputs, int64_t positions, int64_t filters, float* space) {
  for (int64_t position = 0; position < positions; position += tileDepth) {
    for (int64_t f = 0; f < filters; f += panelUnits) {
      const int64_t units = smaller(panelUnits, filters - f);
      int64_t done = 0;
      images.forEachRun(position, tileDepth, [&](int64_t at, int64_t pixel, int64_t n) {
        if (pixel >= outputs) return;
        clear(space + done * panelUnits, (at - done) * panelUnits);
        done = at + n;
        const float *from = dy + pixel * filters + f, *ahead = from + tileDepth * filters;
        for (int64_t i = 0; i < n * filters; i += filters) {
          __builtin_prefetch(ahead + i);
          __builtin_prefetch(ahead + i + tileUnits);
          copy(space + at++ * panelUnits, from + i, units);
        }
      });
      clear(space + done * panelUnits, (tileDepth - done) * panelUnits);
      uint32_t* panel = packed + (f * positions + position * tilesOf(units) * tileUnits) / 2;
      tiles.pack(panel, {space, panelUnits, true}, Side::left, units, tileDepth);
    }
  }
}

}  // namespace

// It is summed as filters x elements of a patch, so that the images are the operand that needs no transposition.
bool roundedBackwardWeight(const Tiles& tiles, Scratch scratch, float* dw, const float* x, const float* dy,
                           const Geometry& g, int64_t rows, int64_t filters, int64_t begin, int64_t end) noexcept {
  RoundedImages images(tiles, g);
  if (!images.isUseful || end > g.patch()) return false;
  const int64_t units = roundUp(filters, panelUnits), firstTile = images.tileOf(begin),
                lastTile = images.tileOf(end - 1) + 1;
  const int64_t maxTiles =
      smaller(scratch.bytes / 2 / (units * tileUnits * int64_t{sizeof(float)}), lastTile - firstTile);
  if (maxTiles * maxPasses < lastTile - firstTile) return false;
  const int64_t stride = maxTiles * tileUnits;
  float* sums = take<float>(scratch, units * stride);
  float* space = take<float>(scratch, tileDepth * panelUnits);
  const auto gradientWords = [&](int64_t n) { return units * images.positions(n) / 2; };
  const int64_t most = imagesAtOnce(rows, scratch.bytes, [&](int64_t n) {
    return images.bytes(n, true) + gradientWords(n) * int64_t{sizeof(uint32_t)};
  });
  if (most == 0) return false;
  uint32_t* packed = take<uint32_t>(scratch, gradientWords(most));
  images.allocate(scratch, most, true);
  bool isFinite = true;
  tiles.begin();
  for (int64_t group = firstTile; group < lastTile && isFinite; group += maxTiles) {
    const int64_t last = smaller(lastTile, group + maxTiles);
    for (int64_t image = 0; image < rows; image += most) {
      const int64_t count = smaller(most, rows - image), outputs = count * g.outPixels();
      const int64_t positions = images.positions(count), steps = positions / tileDepth;
      isFinite = images.hold(tiles, x, image, count);
      if (!isFinite || abandoned()) break;
      packGradient(tiles, packed, dy + image * g.outPixels() * filters, images, outputs, positions, filters, space);
      const uint32_t* panel = packed;
      for (int64_t f = 0; f < filters; f += panelUnits) {
        const int64_t tall = smaller(panelUnits, roundUp(filters - f, tileUnits));
        for (int64_t tile = group; tile < last; tile += 2) {
          const int64_t wide = smaller(2, last - tile) * tileUnits;
          tiles.multiply(sums + f * stride + (tile - group) * tileUnits, stride, packedStrip(panel, tall),
                         images.pairStrip(tile, 0), tall, wide, oneRun(steps), image > 0);
        }
        panel += steps * tilesOf(tall) * tileWords;
      }
    }
    for (int64_t tile = group; tile < last; tile++) {
      const int64_t first = images.firstElement(tile), beyond = smaller(end, first + images.elementsOf(tile));
      for (int64_t element = larger(begin, first); element < beyond; element++) {
        const float* from = sums + (tile - group) * tileUnits + element - first;
        for (int64_t f = 0; f < filters; f++) dw[element * filters + f] = from[f * stride];
      }
    }
  }
  tiles.end();
  return isFinite;
}

}  // namespace blasnet::BLASNET_SIMD
