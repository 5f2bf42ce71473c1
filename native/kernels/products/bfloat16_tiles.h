// Products in tiles of bfloat16 pairs. `Tiles` abstracts what a processor's instructions do; the rest is the same for
// all, so plain tiles test it on any processor.
//
// A panel is up to 32 units of an operand (rows of the left one, columns of the right one) as one or two tiles for each
// 32 of the depth. A tile is 16 x 16 words of two neighbours in depth: unit by unit (left) or pair by pair (right).
//
// Tiles of three parts represent float32: a number is the sum of three of bfloat16, each part what the ones before it
// leave, rounded. Of the nine products of two numbers' parts six are summed; the other three are at most 2^-24 of the
// product.
#pragma once

#include <cstdint>

#include "scratch.h"

namespace blasnet {

constexpr int64_t tileUnits = 16, tileDepth = 32, panelUnits = 2 * tileUnits, tileWords = 256;

constexpr int64_t tileRowBytes = 64, tileBytes = tileUnits * tileRowBytes;

constexpr int64_t tilesOf(int64_t units) { return units > tileUnits ? 2 : 1; }
constexpr int64_t stepsOf(int64_t depth) { return (depth + tileDepth - 1) / tileDepth; }

enum class Side { left, right };

// A part of an operand: element (unit, l) is x[unit * stride + l], or x[l * stride + unit] if it is `deep`.
struct View {
  const float* x;
  int64_t stride;
  bool deep;
};

// Where the tiles of a panel lie, in bytes: from a row of a tile to the next, from the first tile to the second, and
// from a step of the depth to the next.
struct Strip {
  const void* first;
  int64_t row, tile, step;
};

namespace {

[[maybe_unused]] Strip packedStrip(const uint32_t* panel, int64_t units, int64_t parts = 1) {
  return {panel, tileRowBytes, parts * tileBytes, tilesOf(units) * parts * tileBytes};
}

}  // namespace

// The depth of a product, as runs of so many steps. Run r of the left operand begins starts[r] bytes after its first
// tile; those of the right one follow each other.
struct Depth {
  int64_t steps, runs;
  const int64_t* starts;
};

namespace {

constexpr int64_t noStart = 0;
[[maybe_unused]] constexpr Depth oneRun(int64_t steps) { return {steps, 1, &noStart}; }

}  // namespace

constexpr int floatParts = 3;

// Which part of the left operand is multiplied by which of the right one, the largest last, in an order in which few
// tiles are loaded again.
struct PartPair {
  int left, right;
};

namespace {

template <int parts>
constexpr PartPair partPairs[] = {{2, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 2}, {0, 0}};
template <>
constexpr PartPair partPairs<1>[] = {{0, 0}};

}  // namespace

struct Tiles {
  const char* name;
  int parts;  // of a number, whose tiles follow each other: 1, or floatParts
  // How many times the products that are needed may be computed where that saves copies of patches.
  double excess;
  // For products of rounded operands: faster than any way in float32, even with copies of patches.
  bool isFast;
  // Around a product, on its thread.
  void (*begin)() noexcept;
  void (*end)() noexcept;
  // Upper halves of n rounded numbers. Whether all of them are finite.
  bool (*round)(uint16_t* to, const float* from, int64_t n) noexcept;
  // One panel of up to panelUnits units.
  void (*pack)(uint32_t* panel, const View& from, Side side, int64_t units, int64_t depth) noexcept;
  // c <- left right [+ c]: rows x columns numbers, each at most panelUnits. Tiles are read whole. With several parts
  // left right is summed first, then added to c; if it is not finite, c remains and the answer is false.
  bool (*multiply)(float* c, int64_t ldc, const Strip& left, const Strip& right, int64_t rows, int64_t columns,
                   const Depth& depth, bool add) noexcept;
};

// An operand of any layout. `pack` writes a panel of `units` of it, from `unit` on, with `depth` elements of each, from
// l on. `space` holds as many floats.
struct Operand {
  int64_t units;
  const void* source;
  void (*pack)(const Tiles& tiles, const void* source, uint32_t* panel, Side side, int64_t unit, int64_t l,
               int64_t units, int64_t depth, float* space) noexcept;
};

// Packs an operand whose source is a View.
void packMatrix(const Tiles& tiles, const void* source, uint32_t* panel, Side side, int64_t unit, int64_t l,
                int64_t units, int64_t depth, float* space) noexcept;

// In plain C++. Its sums are those of AMX: in each step one of the even and one of the odd elements.
extern const Tiles plainTiles;
extern const Tiles plainFloatTiles;
// Those of this processor; null if it has none.
const Tiles* amxTiles() noexcept;
const Tiles* amxFloatTiles() noexcept;
const Tiles* avx512Tiles() noexcept;

// c <- op(a) op(b) [+ c], as bfloat16Product. The sums of one part don't depend on how the product is cut.
void tiledProduct(const Tiles& tiles, Scratch scratch, bool transA, bool transB, int64_t m, int64_t n, int64_t k,
                  const float* a, int64_t lda, const float* b, int64_t ldb, bool add, float* c, int64_t ldc) noexcept;

// c <- left right [+ c] for operands of any layout, of `depth` > 0.
void tiledProduct(const Tiles& tiles, Scratch scratch, const Operand& left, const Operand& right, int64_t depth,
                  bool add, float* c, int64_t ldc) noexcept;

// The tiles that this process uses; null for sgemm with rounded copies.
const Tiles* chosenTiles() noexcept;
// Those of float32; null for products by other means. BLASNET_FLOAT32=fma excludes them.
const Tiles* chosenFloatTiles() noexcept;

}  // namespace blasnet
