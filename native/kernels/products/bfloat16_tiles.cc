#include "bfloat16_tiles.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "../abandon.h"
#include "bfloat16.h"
#include "blas.h"

namespace blasnet {
namespace {

// ---- plain tiles ----

void nothing() noexcept {}

bool roundPlain(uint16_t* to, const float* from, int64_t n) noexcept {
  uint32_t largest = 0;
  for (int64_t j = 0; j < n; j++) {
    const uint32_t bits = roundToBfloat16(__builtin_bit_cast(uint32_t, from[j])), size = bits & 0x7fffffffu;
    largest = size > largest ? size : largest;
    to[j] = static_cast<uint16_t>(bits >> 16);
  }
  return largest < 0x7f800000u;
}

template <int parts>
void packPlain(uint32_t* panel, const View& from, Side side, int64_t units, int64_t depth) noexcept {
  const int64_t tiles = tilesOf(units), steps = stepsOf(depth);
  const auto element = [&](int64_t unit, int64_t l, int part) -> uint32_t {
    if (unit >= units || l >= depth) return 0;
    float rest = from.deep ? from.x[l * from.stride + unit] : from.x[unit * from.stride + l];
    uint32_t bits = 0;
    for (int p = 0; p <= part; p++) {
      bits = roundToBfloat16(__builtin_bit_cast(uint32_t, rest));
      rest -= __builtin_bit_cast(float, bits);
    }
    return bits >> 16;
  };
  for (int64_t step = 0; step < steps; step++) {
    for (int64_t tile = 0; tile < tiles; tile++) {
      for (int part = 0; part < parts; part++, panel += tileWords) {
        for (int64_t unit = 0; unit < tileUnits; unit++) {
          for (int64_t pair = 0; pair < tileDepth / 2; pair++) {
            const int64_t l = step * tileDepth + 2 * pair, at = tile * tileUnits + unit;
            const int64_t place = side == Side::left ? unit * tileUnits + pair : pair * tileUnits + unit;
            panel[place] = element(at, l, part) | element(at, l + 1, part) << 16;
          }
        }
      }
    }
  }
}

float evenOf(uint32_t pair) { return __builtin_bit_cast(float, pair << 16); }
float oddOf(uint32_t pair) { return __builtin_bit_cast(float, pair & 0xffff0000u); }

// Rows of tiles may begin at any byte.
uint32_t wordAt(const char* from, int64_t word) {
  uint32_t value;
  std::memcpy(&value, from + word * static_cast<int64_t>(sizeof value), sizeof value);
  return value;
}

template <int parts>
bool multiplyPlain(float* c, int64_t ldc, const Strip& left, const Strip& right, int64_t rows, int64_t columns,
                   const Depth& depth, bool add) noexcept {
  float sums[panelUnits * panelUnits];
  bool finite = true;
  for (int64_t i = 0; i < rows; i++) {
    const char* x = static_cast<const char*>(left.first) + i / tileUnits * left.tile + i % tileUnits * left.row;
    for (int64_t j = 0; j < columns; j++) {
      const char* y = static_cast<const char*>(right.first) + j / tileUnits * right.tile;
      float sum = parts == 1 && add ? c[i * ldc + j] : 0.0f;
      for (int64_t step = 0; step < depth.runs * depth.steps; step++) {
        const char* leftRow = x + depth.starts[step / depth.steps] + step % depth.steps * left.step;
        const char* rightTile = y + step * right.step;
        for (const auto [leftPart, rightPart] : partPairs<parts>) {
          const char *p = leftRow + leftPart * tileBytes, *q = rightTile + rightPart * tileBytes;
          float even = 0, odd = 0;
          for (int64_t pair = 0; pair < tileDepth / 2; pair++) {
            // Products of bfloat16 are exact, so it does not matter whether they are fused with the sum.
            const uint32_t a = wordAt(p, pair), b = wordAt(q + pair * right.row, j % tileUnits);
            even += evenOf(a) * evenOf(b);
            odd += oddOf(a) * oddOf(b);
          }
          sum += even + odd;
        }
      }
      sums[i * panelUnits + j] = sum;
      finite = finite && sum - sum == 0;
    }
  }
  if (parts > 1 && !finite) return false;
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < columns; j++) {
      const float sum = sums[i * panelUnits + j];
      c[i * ldc + j] = parts > 1 && add ? c[i * ldc + j] + sum : sum;
    }
  }
  return true;
}

// ---- the product ----

// Where the parts of a product lie in the memory for them.
struct Room {
  int64_t depth;  // of a part
  int64_t units;  // of the kept operand that are packed together
  float* space;
  uint32_t *panel, *packed;

  Room(Scratch scratch, int64_t k, int64_t parts) {
    const int64_t longest = parts > 1 ? 512 : 1024, elementBytes = parts * static_cast<int64_t>(sizeof(uint16_t));
    const int64_t unitBytes = static_cast<int64_t>(sizeof(float)) + elementBytes;
    const int64_t panelBytes = panelUnits * (unitBytes + elementBytes);  // for each of the depth, with one panel kept
    const int64_t most = std::min(longest, scratch.bytes / panelBytes / tileDepth * tileDepth);
    const int64_t cuts = (k + most - 1) / most;
    depth = stepsOf((k + cuts - 1) / cuts) * tileDepth;
    space = static_cast<float*>(scratch.memory);
    panel = reinterpret_cast<uint32_t*>(space + depth * panelUnits);
    packed = panel + depth * panelUnits * parts / 2;
    units = (scratch.bytes - depth * panelUnits * unitBytes) / (depth * panelUnits * elementBytes) * panelUnits;
  }
};

View partOf(const View& view, int64_t unit, int64_t l) {
  return {view.x + (view.deep ? l * view.stride + unit : unit * view.stride + l), view.stride, view.deep};
}

void packPanels(const Tiles& tiles, uint32_t* packed, const Operand& from, Side side, int64_t first, int64_t units,
                int64_t l, int64_t depth, float* space) {
  for (int64_t at = 0; at < units; at += panelUnits, packed += stepsOf(depth) * 2 * tiles.parts * tileWords) {
    const int64_t count = std::min(panelUnits, units - at);
    from.pack(tiles, from.source, packed, side, first + at, l, count, depth, space);
  }
}

// A part of c <- left right [+ c].
struct Block {
  int64_t row, rows, column, columns, l, depth;
  bool add;
};

// Parts of infinities, and of products near the largest number, sum to NaN, so BLAS computes these. Sources are Views.
void multiplyByBlas(const Tiles& tiles, const Operand& left, const Operand& right, const Block& at, float* c,
                    int64_t ldc) {
  const View a = partOf(*static_cast<const View*>(left.source), at.row, at.l);
  const View b = partOf(*static_cast<const View*>(right.source), at.column, at.l);
  tiles.end();  // a library may use the tiles' state itself
  blasProduct(Way::whole, a.deep, !b.deep, at.rows, at.columns, at.depth, 1.0f, a.x, a.stride, b.x, b.stride,
              at.add ? 1.0f : 0.0f, c + at.row * ldc + at.column, ldc);
  tiles.begin();
}

// A group of panels of one operand, `kept`, stays in the cache while the panels of the other pass.
void passPanels(const Tiles& tiles, const Room& room, const Operand& left, const Operand& right, Side keptSide,
                int64_t k, bool add, float* c, int64_t ldc) {
  const bool keepsLeft = keptSide == Side::left;
  const Operand &kept = keepsLeft ? left : right, &passing = keepsLeft ? right : left;
  const Side passingSide = keepsLeft ? Side::right : Side::left;
  for (int64_t l = 0; l < k; l += room.depth) {
    const int64_t depth = std::min(room.depth, k - l), steps = stepsOf(depth);
    const Depth whole = oneRun(steps);
    for (int64_t first = 0; first < kept.units; first += room.units) {
      const int64_t units = std::min(room.units, kept.units - first);
      packPanels(tiles, room.packed, kept, keptSide, first, units, l, depth, room.space);
      for (int64_t other = 0; other < passing.units; other += panelUnits) {
        if (abandoned()) return;
        const int64_t count = std::min(panelUnits, passing.units - other);
        packPanels(tiles, room.panel, passing, passingSide, other, count, l, depth, room.space);
        for (int64_t at = 0; at < units; at += panelUnits) {
          const uint32_t* own = room.packed + at / panelUnits * steps * 2 * tiles.parts * tileWords;
          const int64_t size = std::min(panelUnits, units - at), rest = units - at;
          const Strip mine = packedStrip(own, size, tiles.parts), theirs = packedStrip(room.panel, count, tiles.parts);
          const int64_t row = keepsLeft ? first + at : other, column = keepsLeft ? other : first + at;
          const bool adds = add || l > 0;
          if (tiles.multiply(c + row * ldc + column, ldc, keepsLeft ? mine : theirs, keepsLeft ? theirs : mine,
                             keepsLeft ? size : count, keepsLeft ? count : size, whole, adds)) {
            continue;
          }
          // What is not finite in one block mostly is in the next ones, too.
          const int64_t rows = keepsLeft ? rest : count, columns = keepsLeft ? count : rest;
          multiplyByBlas(tiles, left, right, {row, rows, column, columns, l, depth, adds}, c, ldc);
          break;
        }
      }
    }
  }
}

const Tiles* tilesFor(const char* wish) noexcept {
  const auto wished = [=](const char* name) { return wish != nullptr && std::strcmp(wish, name) == 0; };
  if (wished("float32")) return nullptr;
  const Tiles* avx512 = avx512Tiles();
  if (wished("avx512-bf16")) return avx512;
  const Tiles* amx = amxTiles();
  if (amx != nullptr || wished("amx")) return amx;
    // On Intel's processors these instructions are slower than float32's.
#if defined(__x86_64__)
  return __builtin_cpu_is("amd") ? avx512 : nullptr;
#else
  return nullptr;
#endif
}

}  // namespace

void packMatrix(const Tiles& tiles, const void* source, uint32_t* panel, Side side, int64_t unit, int64_t l,
                int64_t units, int64_t depth, float*) noexcept {
  tiles.pack(panel, partOf(*static_cast<const View*>(source), unit, l), side, units, depth);
}

const Tiles plainTiles = {"plain", 1, 64, true, nothing, nothing, roundPlain, packPlain<1>, multiplyPlain<1>};
const Tiles plainFloatTiles = {
    "plain, float32",         floatParts, 1, true, nothing, nothing, roundPlain, packPlain<floatParts>,
    multiplyPlain<floatParts>};

void tiledProduct(const Tiles& tiles, Scratch scratch, const Operand& left, const Operand& right, int64_t depth,
                  bool add, float* c, int64_t ldc) noexcept {
  const Room room(scratch, depth, tiles.parts);
  // The smaller operand is kept; of equal ones the right one, so that the result is written row by row. Of a product
  // that is not deep, that order matters more than the size.
  constexpr int64_t deep = 256;
  const bool keepsLeft = left.units < right.units && (depth > deep || right.units > room.units);
  tiles.begin();
  passPanels(tiles, room, left, right, keepsLeft ? Side::left : Side::right, depth, add, c, ldc);
  tiles.end();
}

void tiledProduct(const Tiles& tiles, Scratch scratch, bool transA, bool transB, int64_t m, int64_t n, int64_t k,
                  const float* a, int64_t lda, const float* b, int64_t ldb, bool add, float* c, int64_t ldc) noexcept {
  const View left = {a, lda, transA}, right = {b, ldb, !transB};
  tiledProduct(tiles, scratch, {m, &left, packMatrix}, {n, &right, packMatrix}, k, add, c, ldc);
}

const Tiles* chosenTiles() noexcept {
  static const Tiles* const tiles = tilesFor(std::getenv("BLASNET_BFLOAT16"));
  return tiles;
}

const Tiles* chosenFloatTiles() noexcept {
  static const Tiles* const tiles = [] {
    const char* wish = std::getenv("BLASNET_FLOAT32");
    return wish != nullptr && std::strcmp(wish, "fma") == 0 ? nullptr : amxFloatTiles();
  }();
  return tiles;
}

const char* bfloat16Way() noexcept {
  const Tiles* tiles = chosenTiles();
  return tiles != nullptr ? tiles->name : "float32";
}

}  // namespace blasnet
