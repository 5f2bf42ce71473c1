// Convolution over images, with the algorithm that suits its sizes: dense layer, planes, Winograd's, direct, or blocks
// of patches. In bfloat16 there are also tiles that are read from rounded images.
#include "abandon.h"
#include "conv2d_direct.h"
#include "conv2d_direct_input.h"
#include "conv2d_patches.h"
#include "conv2d_planes.h"
#include "conv2d_rounded.h"
#include "conv2d_winograd.h"
#include "geometry.h"
#include "kernels.h"
#include "products/bfloat16.h"
#include "products/bfloat16_tiles.h"
#include "share.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::smaller;

// Whether the patches are the rows of x in memory, in order: windows of one pixel that visit all pixels, or a window
// that covers the whole image.
bool patchesAreInput(const Geometry& g) {
  if (g.padTop != 0 || g.padLeft != 0) return false;
  const bool onePixel = g.windowHeight == 1 && g.windowWidth == 1 && g.strideHeight == 1 && g.strideWidth == 1 &&
                        g.outHeight == g.height && g.outWidth == g.width;
  return onePixel || (g.windowHeight == g.height && g.windowWidth == g.width && g.outHeight == 1 && g.outWidth == 1);
}

constexpr int32_t float32 = static_cast<int32_t>(Precision::float32),
                  bfloat16 = static_cast<int32_t>(Precision::bfloat16);

// Patches suit all convolutions, the other ways those that their headers say, where they are faster in float32.
enum class Way { planes, winograd, direct, patches };

Way wayOf(const Geometry& g, int64_t filters) {
  if (isPlanar(g, filters)) return Way::planes;
  if (isWinograd(g, filters)) return Way::winograd;
  return isDirect(g, filters) ? Way::direct : Way::patches;
}

void forward(Way way, float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
             int32_t activation, float slope, int64_t begin, int64_t end) {
  switch (way) {
    case Way::planes: return planesForward(y, x, w, b, g, filters, activation, slope, begin, end);
    case Way::winograd: return winogradForward(y, x, w, b, g, filters, activation, slope, begin, end);
    case Way::direct: return directForward(y, x, w, b, g, filters, activation, slope, begin, end);
    case Way::patches: return patchesForward(y, x, w, b, g, filters, activation, slope, float32, begin, end);
  }
}

// The rows [begin, end) of dw: patch x filters.
void weightGradient(Way way, float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows,
                    int64_t filters, int64_t begin, int64_t end) {
  switch (way) {
    case Way::planes: return planesBackwardWeight(dw, x, dy, g, rows, filters, begin, end);
    case Way::winograd: return winogradBackwardWeight(dw, x, dy, g, rows, filters);
    case Way::direct: return directBackwardWeight(dw, x, dy, g, rows, filters, begin, end);
    case Way::patches: return patchesBackwardWeight(dw, x, dy, g, rows, filters, float32, begin, end);
  }
}

// ---- bfloat16 ----

// What is tried before tiles are packed from patches, in this order.
struct BeforePatches {
  bool tilesOfImages;  // read from rounded images
  bool copies;         // rounded, multiplied in float32's way
};

// Very fast tiles (AMX) multiply everything. Slower ones take the place of the direct way where they can be read from
// rounded images, or where patches are worth packing.
BeforePatches beforePatches(const Tiles* tiles, Way way, const Geometry& g, int64_t filters) {
  if (tiles == nullptr) return {false, way != Way::patches};
  if (tiles->isFast) return {true, false};
  // Many filters save more time than the packing of long patches takes.
  const bool arePacked = way == Way::direct && g.patch() >= 128 && filters >= 32;
  return {way != Way::winograd, way != Way::patches && !arePacked};
}

// Memory for n floats, which may take a line of a cache more.
constexpr int64_t bytesOf(int64_t n) { return n * int64_t{sizeof(float)} + 64; }

// Divides the images [begin, end) into chunks of at most `atOnce`, of which copies of bytesFor(atOnce) bytes fit the
// scratch memory beside `weights` floats. Calls work(first, count) for each, where work = prepare(scratch, atOnce).
// False if not even one image fits.
template <typename BytesFor, typename Prepare>
bool byChunks(int64_t begin, int64_t end, int64_t weights, BytesFor bytesFor, Prepare prepare) {
  bool fits = false;
  withScratch(Use::copies, [&](Scratch scratch) {
    const int64_t atOnce = imagesAtOnce(end - begin, scratch.bytes - bytesOf(weights), bytesFor);
    fits = atOnce > 0;
    if (!fits) return;
    const auto work = prepare(scratch, atOnce);
    for (int64_t first = begin; first < end && !abandoned(); first += atOnce) work(first, smaller(atOnce, end - first));
  });
  return fits;
}

// Calls multiply(copies, w, first, count) with rounded copies of the weights and of a few images at a time, of the
// images [begin, end) of `size` numbers. False if they don't fit the memory.
template <typename Multiply>
bool withCopies(const float* w, int64_t weights, const float* images, int64_t size, int64_t begin, int64_t end,
                Multiply multiply) {
  const auto bytesFor = [=](int64_t n) { return bytesOf(n * size); };
  return byChunks(begin, end, weights, bytesFor, [=](Scratch& scratch, int64_t atOnce) {
    float *roundedW = take<float>(scratch, weights), *copies = take<float>(scratch, atOnce * size);
    roundFloats(roundedW, w, weights);
    return [=](int64_t first, int64_t count) {
      roundFloats(copies, images + first * size, count * size);
      multiply(copies, roundedW, first, count);
    };
  });
}

void bfloat16Forward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
                     int32_t activation, float slope, int64_t begin, int64_t end) {
  const Tiles* tiles = chosenTiles();
  const Way way = wayOf(g, filters);
  const auto [tilesOfImages, copies] = beforePatches(tiles, way, g, filters);
  bool isDone = false;
  if (tilesOfImages) {
    withScratch(Use::packing, [&](Scratch scratch) {
      isDone = roundedForward(*tiles, scratch, y, x, w, b, g, filters, activation, slope, begin, end);
    });
  }
  if (!isDone && copies) {
    const auto multiply = [&](const float* images, const float* weights, int64_t first, int64_t count) {
      float* out = y + first * g.outPixels() * filters;
      forward(way, out, images, weights, b, g, filters, activation, slope, 0, count);
    };
    isDone = withCopies(w, g.patch() * filters, x, g.imageSize(), begin, end, multiply);
  }
  if (!isDone) patchesForward(y, x, w, b, g, filters, activation, slope, bfloat16, begin, end);
}

void bfloat16BackwardInput(float* dx, const float* dy, const float* w, const Geometry& g, int64_t filters,
                           int64_t begin, int64_t end) {
  const Tiles* tiles = chosenTiles();
  bool isDone = false;
  if (isDirectInput(g, filters) && (tiles == nullptr || !tiles->isFast)) {
    const auto multiply = [&](const float* gradients, const float* weights, int64_t first, int64_t count) {
      directBackwardInput(dx + first * g.imageSize(), gradients, weights, g, filters, 0, count);
    };
    isDone = withCopies(w, g.patch() * filters, dy, g.outPixels() * filters, begin, end, multiply);
  }
  if (!isDone) patchesBackwardInput(dx, dy, w, g, filters, bfloat16, begin, end);
}

// The rows [begin, end) of dw, from rounded copies of a few images at a time; false if they don't fit the memory.
bool weightGradientOfCopies(Way way, float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows,
                            int64_t filters, int64_t begin, int64_t end) {
  const int64_t image = g.imageSize(), out = g.outPixels() * filters, weights = g.patch() * filters;
  const auto bytesFor = [=](int64_t n) { return bytesOf(n * image) + bytesOf(n * out); };
  return byChunks(0, rows, weights, bytesFor, [=, &g](Scratch& scratch, int64_t atOnce) {
    float *part = take<float>(scratch, weights), *images = take<float>(scratch, atOnce * image),
          *gradients = take<float>(scratch, atOnce * out);
    return [=, &g](int64_t first, int64_t count) {
      roundFloats(images, x + first * image, count * image);
      roundFloats(gradients, dy + first * out, count * out);
      weightGradient(way, first == 0 ? dw : part, images, gradients, g, count, filters, begin, end);
      if (first > 0) {
#pragma omp simd
        for (int64_t j = begin * filters; j < end * filters; j++) dw[j] += part[j];
      }
    };
  });
}

void bfloat16BackwardWeight(Way way, float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows,
                            int64_t filters, int64_t begin, int64_t end) {
  const Tiles* tiles = chosenTiles();
  const auto [tilesOfImages, copies] = beforePatches(tiles, way, g, filters);
  bool isDone = false;
  if (tilesOfImages) {
    withScratch(Use::packing, [&](Scratch scratch) {
      isDone = roundedBackwardWeight(*tiles, scratch, dw, x, dy, g, rows, filters, begin, end);
    });
  }
  if (!isDone && copies) isDone = weightGradientOfCopies(way, dw, x, dy, g, rows, filters, begin, end);
  if (!isDone) patchesBackwardWeight(dw, x, dy, g, rows, filters, bfloat16, begin, end);
}

}  // namespace

// y: rows x outHeight x outWidth x filters; x: rows x height x width x channels; w: windowHeight x windowWidth x
// channels x filters; b: filters.
void conv2dForward(float* y, const float* x, const float* w, const float* b, int64_t rows, Geometry g, int64_t filters,
                   int32_t activation, float slope, int32_t precision, int64_t begin, int64_t end) noexcept {
  if (begin >= end || filters == 0) return;
  if (patchesAreInput(g)) {
    const int64_t pixels = g.outPixels();
    denseForward(y, x, w, b, rows * pixels, g.patch(), filters, activation, slope, precision, 0, begin * pixels,
                 end * pixels);
  } else if (isBfloat16(precision)) {
    bfloat16Forward(y, x, w, b, g, filters, activation, slope, begin, end);
  } else {
    forward(wayOf(g, filters), y, x, w, b, g, filters, activation, slope, begin, end);
  }
}

// dx: rows x height x width x channels; dy: rows x outHeight x outWidth x filters; w: windowHeight x windowWidth x
// channels x filters.
void conv2dBackwardInput(float* dx, const float* dy, const float* w, int64_t rows, Geometry g, int64_t filters,
                         int32_t precision, int64_t begin, int64_t end) noexcept {
  if (begin >= end) return;
  if (filters == 0) {
    clear(dx + begin * g.imageSize(), (end - begin) * g.imageSize());
  } else if (patchesAreInput(g)) {
    const int64_t pixels = g.outPixels();
    denseBackwardInput(dx, dy, w, rows * pixels, g.patch(), filters, precision, 0, begin * pixels, end * pixels);
  } else if (isBfloat16(precision)) {
    bfloat16BackwardInput(dx, dy, w, g, filters, begin, end);
  } else if (isDirectInput(g, filters)) {
    directBackwardInput(dx, dy, w, g, filters, begin, end);
  } else {
    patchesBackwardInput(dx, dy, w, g, filters, float32, begin, end);
  }
}

// reversed: windowHeight x windowWidth x filters x channels; w: windowHeight x windowWidth x channels x filters.
void conv2dReverseWeights(float* reversed, const float* w, int64_t windowHeight, int64_t windowWidth, int64_t channels,
                          int64_t filters, int64_t begin, int64_t end) noexcept {
  const int64_t window = windowHeight * windowWidth;
  for (int64_t at = 0; at < window; at++) {
    const float* from = w + (window - 1 - at) * channels * filters;
    float* to = reversed + at * filters * channels;
    for (int64_t f = begin; f < end; f++) {
      for (int64_t c = 0; c < channels; c++) to[f * channels + c] = from[c * filters + f];
    }
  }
}

namespace {

// The rows [begin, end) of dw: patch x filters.
void partialWeightGradient(float* dw, const float* x, const float* dy, int64_t rows, const Geometry& g, int64_t filters,
                           int64_t patch, int32_t precision, int64_t begin, int64_t end) {
  if (begin >= end || filters == 0) return;
  const int64_t pixels = rows * g.outPixels();
  if (pixels == 0 || g.windowRow() == 0) {
    clear(dw + begin * filters, (end - begin) * filters);
    return;
  }
  // Sizes that appear only in `patch` in other kernels: their product may overflow.
  const bool isWhole = patch % g.windowRow() == 0 && patch / g.windowRow() == g.windowHeight;
  if (isWhole && patchesAreInput(g)) {
    denseBackwardWeight(dw, x, dy, pixels, patch, filters, precision, begin, end);
    return;
  }
  Way way = isWhole ? wayOf(g, filters) : Way::patches;
  if (way == Way::winograd && (begin > 0 || end < patch)) way = isDirect(g, filters) ? Way::direct : Way::patches;
  if (isBfloat16(precision)) {
    bfloat16BackwardWeight(way, dw, x, dy, g, rows, filters, begin, end);
  } else {
    weightGradient(way, dw, x, dy, g, rows, filters, begin, end);
  }
}

}  // namespace

// dwParts: parts x patch x filters; dbParts: parts x filters; x: rows x height x width x channels; dy: rows x outHeight
// x outWidth x filters. A part is a share of the images.
void conv2dBackwardWeight(float* dwParts, float* dbParts, const float* x, const float* dy, int64_t rows, Geometry g,
                          int64_t filters, int64_t patch, int64_t parts, int32_t precision, int axis, int64_t begin,
                          int64_t end) noexcept {
  // Without images or filters the other sizes are unrestricted.
  const bool any = rows > 0 && filters > 0, byImages = axis == 0;
  const int64_t image = any ? g.imageSize() : 0, pixels = any ? g.outPixels() : 0;
  const Share shares = byImages ? Share{begin, end} : Share{0, parts},
              weights = byImages ? Share{0, patch} : Share{begin, end};
  for (int64_t part = shares.begin; part < shares.end; part++) {
    const Share mine = share(rows, 1, part, parts);
    const int64_t count = mine.end - mine.begin;
    const float* gradient = dy + mine.begin * pixels * filters;
    partialWeightGradient(dwParts + part * patch * filters, x + mine.begin * image, gradient, count, g, filters, patch,
                          precision, weights.begin, weights.end);
    if (dbParts != nullptr) denseBackwardBias(dbParts + part * filters, gradient, count * pixels, filters, 0, filters);
  }
}

}  // namespace blasnet::BLASNET_SIMD
