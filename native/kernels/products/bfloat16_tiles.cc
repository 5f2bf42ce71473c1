#include "bfloat16_tiles.h"

#include <cstdlib>
#include <cstring>

#include "../abandon.h"
#include "bfloat16.h"

namespace blasnet {
namespace {

int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// ---- plain tiles ----

void nothing() noexcept {}

void packPlain(uint32_t* panel, const float* x, int64_t stride, bool deep, Side side, int64_t units,
               int64_t depth) noexcept {
  const int64_t tiles = tilesOf(units), steps = stepsOf(depth);
  const auto element = [=](int64_t unit, int64_t l) -> uint32_t {
    if (unit >= units || l >= depth) return 0;
    const float value = deep ? x[l * stride + unit] : x[unit * stride + l];
    return roundToBfloat16(__builtin_bit_cast(uint32_t, value)) >> 16;
  };
  for (int64_t step = 0; step < steps; step++) {
    for (int64_t tile = 0; tile < tiles; tile++) {
      uint32_t* words = panel + (step * tiles + tile) * tileWords;
      for (int64_t unit = 0; unit < tileUnits; unit++) {
        for (int64_t pair = 0; pair < tileDepth / 2; pair++) {
          const int64_t l = step * tileDepth + 2 * pair, at = tile * tileUnits + unit;
          const int64_t place = side == Side::left ? unit * tileUnits + pair : pair * tileUnits + unit;
          words[place] = element(at, l) | element(at, l + 1) << 16;
        }
      }
    }
  }
}

float evenOf(uint32_t pair) { return __builtin_bit_cast(float, pair << 16); }
float oddOf(uint32_t pair) { return __builtin_bit_cast(float, pair & 0xffff0000u); }

void multiplyPlain(float* c, int64_t ldc, const uint32_t* left, const uint32_t* right, int64_t rows, int64_t columns,
                   int64_t steps, bool add) noexcept {
  const int64_t above = tilesOf(rows), across = tilesOf(columns);
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < columns; j++) {
      float sum = add ? c[i * ldc + j] : 0.0f;
      for (int64_t step = 0; step < steps; step++) {
        const uint32_t* x = left + (step * above + i / tileUnits) * tileWords + i % tileUnits * tileUnits;
        const uint32_t* y = right + (step * across + j / tileUnits) * tileWords + j % tileUnits;
        float even = 0, odd = 0;
        for (int64_t pair = 0; pair < tileDepth / 2; pair++) {
          // Products of bfloat16 are exact, so it does not matter whether they are fused with the sum.
          even += evenOf(x[pair]) * evenOf(y[pair * tileUnits]);
          odd += oddOf(x[pair]) * oddOf(y[pair * tileUnits]);
        }
        sum += even + odd;
      }
      c[i * ldc + j] = sum;
    }
  }
}

// ---- the product ----

// An operand: element (unit, l) as in Tiles::pack.
struct Operand {
  const float* x;
  int64_t stride, units;
  bool deep;
  Side side;

  const float* at(int64_t unit, int64_t l) const { return x + (deep ? l * stride + unit : unit * stride + l); }
};

struct Result {
  float* c;
  int64_t ldc;
  bool add;
};

void packPanels(const Tiles& tiles, uint32_t* packed, const Operand& from, int64_t first, int64_t units, int64_t l,
                int64_t depth) {
  const int64_t words = stepsOf(depth) * 2 * tileWords;
  for (int64_t at = 0; at < units; at += panelUnits, packed += words) {
    const int64_t count = smaller(panelUnits, units - at);
    tiles.pack(packed, from.at(first + at, l), from.stride, from.deep, from.side, count, depth);
  }
}

// A group of panels of one operand, `kept`, stays in the cache while the panels of the other pass.
void tiledProductWith(const Tiles& tiles, Scratch scratch, const Operand& kept, const Operand& passing, int64_t k,
                      const Result& result) {
  constexpr int64_t longest = 1024, unitBytes = sizeof(uint32_t) / 2;
  constexpr int64_t smallest = smallScratch / (2 * panelUnits * unitBytes) / tileDepth * tileDepth;
  const int64_t bound = scratch.bytes > smallScratch ? longest : smaller(longest, smallest);
  const int64_t parts = (k + bound - 1) / bound;
  const int64_t part = stepsOf((k + parts - 1) / parts) * tileDepth;
  const int64_t group = (scratch.bytes / (part * unitBytes) / panelUnits - 1) * panelUnits;
  uint32_t* panel = static_cast<uint32_t*>(scratch.memory);
  uint32_t* packed = panel + part * panelUnits / 2;
  for (int64_t l = 0; l < k; l += part) {
    const int64_t depth = smaller(part, k - l), steps = stepsOf(depth);
    const bool add = result.add || l > 0;
    for (int64_t first = 0; first < kept.units; first += group) {
      const int64_t units = smaller(group, kept.units - first);
      packPanels(tiles, packed, kept, first, units, l, depth);
      for (int64_t other = 0; other < passing.units; other += panelUnits) {
        if (abandoned()) return;
        const int64_t count = smaller(panelUnits, passing.units - other);
        packPanels(tiles, panel, passing, other, count, l, depth);
        for (int64_t at = 0; at < units; at += panelUnits) {
          const uint32_t* own = packed + at / panelUnits * steps * 2 * tileWords;
          const int64_t size = smaller(panelUnits, units - at);
          if (kept.side == Side::left) {
            tiles.multiply(result.c + (first + at) * result.ldc + other, result.ldc, own, panel, size, count, steps,
                           add);
          } else {
            tiles.multiply(result.c + other * result.ldc + first + at, result.ldc, panel, own, count, size, steps, add);
          }
        }
      }
    }
  }
}

const Tiles* tilesFor(const char* wish) noexcept {
  const auto wished = [=](const char* name) { return wish != nullptr && std::strcmp(wish, name) == 0; };
  if (wished("float32")) return nullptr;
  const Tiles *amx = amxTiles(), *avx512 = avx512Tiles();
  if (wished("avx512-bf16")) return avx512;
  if (amx != nullptr || wished("amx")) return amx;
    // On Intel's processors these instructions are slower than float32's.
#if defined(__x86_64__)
  return __builtin_cpu_is("amd") ? avx512 : nullptr;
#else
  return nullptr;
#endif
}

}  // namespace

const Tiles plainTiles = {"plain", nothing, nothing, packPlain, multiplyPlain};

void tiledProduct(const Tiles& tiles, Scratch scratch, bool transA, bool transB, int64_t m, int64_t n, int64_t k,
                  const float* a, int64_t lda, const float* b, int64_t ldb, bool add, float* c, int64_t ldc) noexcept {
  const Operand left = {a, lda, m, transA, Side::left}, right = {b, ldb, n, !transB, Side::right};
  const Result result = {c, ldc, add};
  // The smaller operand is kept; of equal ones the right one, so that the result is written row by row.
  tiles.begin();
  tiledProductWith(tiles, scratch, m < n ? left : right, m < n ? right : left, k, result);
  tiles.end();
}

const Tiles* chosenTiles() noexcept {
  static const Tiles* const tiles = tilesFor(std::getenv("BLASNET_BFLOAT16"));
  return tiles;
}

const char* bfloat16Way() noexcept {
  const Tiles* tiles = chosenTiles();
  return tiles != nullptr ? tiles->name : "float32";
}

}  // namespace blasnet
