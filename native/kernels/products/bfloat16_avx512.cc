// Tiles of x86-64 processors with AVX-512: AMX, and dot products of bfloat16 pairs. Functions declare their instruction
// sets individually, so this file builds and loads anywhere.
#include "bfloat16_tiles.h"

#if defined(__x86_64__) && !defined(BLASNET_BASELINE_ONLY)

#include <cpuid.h>
#include <immintrin.h>

#include <cstring>

#include "../signatures.h"

#if !defined(__clang__)
// GCC 12 warns of its own intrinsics.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

// Clang 18 to 21 have vectors of 512 bits as a feature of its own, which a baseline processor switches off.
#if defined(__clang__) && __clang_major__ >= 18 && __clang_major__ < 22
#define BLASNET_WIDE "evex512,"
#else
#define BLASNET_WIDE
#endif
#define BLASNET_PAIRS __attribute__((target(BLASNET_WIDE "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define BLASNET_AMX \
  __attribute__((target(BLASNET_WIDE "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")))

namespace blasnet {
namespace {

// ---- packing ----

BLASNET_PAIRS inline __mmask16 firstLanes(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
}

// 32 numbers as words of each part, those of `low` first.
template <int parts>
struct Words {
  __m512i part[parts];
};

BLASNET_PAIRS inline __m512 widened(__m256i halves) {
  return reinterpret_cast<__m512>(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

template <int parts>
BLASNET_PAIRS inline Words<parts> roundedWords(__m512 low, __m512 high) {
  Words<parts> words;
#pragma GCC unroll 3
  for (int p = 0; p < parts; p++) {
    words.part[p] = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
    if (p + 1 == parts) break;
    low = _mm512_sub_ps(low, widened(_mm512_castsi512_si256(words.part[p])));
    high = _mm512_sub_ps(high, widened(_mm512_extracti64x4_epi64(words.part[p], 1)));
  }
  return words;
}

// Words of a unit: 32 neighbours in depth, those from `depth` on zero.
template <int parts>
BLASNET_PAIRS inline Words<parts> unitWords(const float* x, int64_t depth) {
  const __m512 low = _mm512_maskz_loadu_ps(firstLanes(depth), x);
  return roundedWords<parts>(low,
                             depth > 16 ? _mm512_maskz_loadu_ps(firstLanes(depth - 16), x + 16) : _mm512_setzero_ps());
}

BLASNET_PAIRS bool roundHalves(uint16_t* to, const float* from, int64_t n) noexcept {
  const __m512i size = _mm512_set1_epi16(0x7fff);
  __m512i largest = _mm512_setzero_si512();
  int64_t j = 0;
  for (; j + tileDepth <= n; j += tileDepth) {
    const __m512i words = roundedWords<1>(_mm512_loadu_ps(from + j), _mm512_loadu_ps(from + j + 16)).part[0];
    _mm512_storeu_si512(to + j, words);
    largest = _mm512_max_epu16(largest, _mm512_and_si512(words, size));
  }
  if (j < n) {
    const __m512i words = unitWords<1>(from + j, n - j).part[0];
    _mm512_mask_storeu_epi16(to + j, static_cast<__mmask32>((uint64_t{1} << (n - j)) - 1), words);
    largest = _mm512_max_epu16(largest, _mm512_and_si512(words, size));
  }
  return _mm512_cmpge_epu16_mask(largest, _mm512_set1_epi16(0x7f80)) == 0;
}

// Words of two neighbours in depth, of 16 units.
template <int parts>
BLASNET_PAIRS inline Words<parts> pairWords(__m512 even, __m512 odd) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  Words<parts> words = roundedWords<parts>(even, odd);
#pragma GCC unroll 3
  for (__m512i& part : words.part) part = _mm512_permutexvar_epi16(order, part);
  return words;
}

BLASNET_PAIRS inline void transpose(__m512i rows[16]) {
  __m512i half[16];
  for (int i = 0; i < 16; i += 2) {
    half[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    half[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    rows[i] = _mm512_unpacklo_epi64(half[i], half[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(half[i], half[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(half[i + 1], half[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(half[i + 1], half[i + 3]);
  }
  // Row 4 g + i now has, in its lane q, column 4 q + i of rows 4 g to 4 g + 3.
  for (int i = 0; i < 4; i++) {
    const __m512i a = _mm512_shuffle_i32x4(rows[i], rows[4 + i], 0x88),
                  b = _mm512_shuffle_i32x4(rows[i], rows[4 + i], 0xdd);
    const __m512i c = _mm512_shuffle_i32x4(rows[8 + i], rows[12 + i], 0x88);
    const __m512i d = _mm512_shuffle_i32x4(rows[8 + i], rows[12 + i], 0xdd);
    half[i] = _mm512_shuffle_i32x4(a, c, 0x88);
    half[8 + i] = _mm512_shuffle_i32x4(a, c, 0xdd);
    half[4 + i] = _mm512_shuffle_i32x4(b, d, 0x88);
    half[12 + i] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
  for (int i = 0; i < 16; i++) rows[i] = half[i];
}

// The rows of a tile, of each part.
template <int parts>
struct TileRows {
  __m512i part[parts][tileUnits];

  BLASNET_PAIRS void set(int64_t row, const Words<parts>& words) {
#pragma GCC unroll 3
    for (int p = 0; p < parts; p++) part[p][row] = words.part[p];
  }
};

template <int parts, bool transposed>
BLASNET_PAIRS inline __attribute__((always_inline)) void storeTile(uint32_t* words, TileRows<parts>& rows) {
  for (int p = 0; p < parts; p++, words += tileWords) {
    if (transposed) transpose(rows.part[p]);
#pragma GCC unroll 16
    for (int64_t i = 0; i < tileUnits; i++) _mm512_store_si512(words + i * tileUnits, rows.part[p][i]);
  }
}

// A tile whose element (unit, l) is x[unit * stride + l]. Only those at an edge need masks.
template <int parts, bool transposed>
BLASNET_PAIRS void packUnits(uint32_t* words, const float* x, int64_t stride, int64_t units, int64_t depth) {
  TileRows<parts> rows;
  // Rows of a large matrix lie in the same sets of the first cache, so the processor fetches none of them ahead.
  for (int64_t i = 0; i < units && i < tileUnits; i++) {
    __builtin_prefetch(x + i * stride + 2 * tileDepth, 0, 2);
    __builtin_prefetch(x + i * stride + 2 * tileDepth + tileUnits, 0, 2);
  }
  if (units >= tileUnits && depth >= tileDepth) {
#pragma GCC unroll 16
    for (int64_t i = 0; i < tileUnits; i++) {
      rows.set(i, roundedWords<parts>(_mm512_loadu_ps(x + i * stride), _mm512_loadu_ps(x + i * stride + 16)));
    }
  } else {
    for (int64_t i = 0; i < tileUnits; i++) rows.set(i, unitWords<parts>(x + i * stride, i < units ? depth : 0));
  }
  storeTile<parts, transposed>(words, rows);
}

// A tile whose element (unit, l) is x[l * stride + unit].
template <int parts, bool transposed>
BLASNET_PAIRS void packDeep(uint32_t* words, const float* x, int64_t stride, int64_t units, int64_t depth) {
  TileRows<parts> rows;
  if (units >= tileUnits && depth >= tileDepth) {
#pragma GCC unroll 16
    for (int64_t p = 0; p < tileUnits; p++) {
      __builtin_prefetch(x + (2 * p + tileDepth) * stride, 0, 2);
      __builtin_prefetch(x + (2 * p + 1 + tileDepth) * stride, 0, 2);
      rows.set(p, pairWords<parts>(_mm512_loadu_ps(x + 2 * p * stride), _mm512_loadu_ps(x + (2 * p + 1) * stride)));
    }
  } else {
    const __mmask16 mask = firstLanes(units);
    for (int64_t p = 0; p < tileUnits; p++) {
      const __m512 even = _mm512_maskz_loadu_ps(2 * p < depth ? mask : 0, x + 2 * p * stride);
      const __m512 odd = _mm512_maskz_loadu_ps(2 * p + 1 < depth ? mask : 0, x + (2 * p + 1) * stride);
      rows.set(p, pairWords<parts>(even, odd));
    }
  }
  storeTile<parts, transposed>(words, rows);
}

template <int parts, bool deep, bool transposed>
BLASNET_PAIRS void packTiles(uint32_t* panel, const float* x, int64_t stride, int64_t units, int64_t depth) {
  const int64_t tiles = tilesOf(units), steps = stepsOf(depth);
  for (int64_t step = 0; step < steps; step++) {
    for (int64_t tile = 0; tile < tiles; tile++, panel += parts * tileWords) {
      const int64_t l = step * tileDepth, unit = tile * tileUnits;
      if (deep) {
        packDeep<parts, transposed>(panel, x + l * stride + unit, stride, units - unit, depth - l);
      } else {
        packUnits<parts, transposed>(panel, x + unit * stride + l, stride, units - unit, depth - l);
      }
    }
  }
}

template <int parts>
BLASNET_PAIRS void packPairs(uint32_t* panel, const View& view, Side side, int64_t units, int64_t depth) noexcept {
  const auto [x, stride, deep] = view;
  const bool transposed = deep == (side == Side::left);
  if (deep) {
    transposed ? packTiles<parts, true, true>(panel, x, stride, units, depth)
               : packTiles<parts, true, false>(panel, x, stride, units, depth);
  } else {
    transposed ? packTiles<parts, false, true>(panel, x, stride, units, depth)
               : packTiles<parts, false, false>(panel, x, stride, units, depth);
  }
}

// Tiles beyond the edge of c are computed here, and all of several parts.
struct Edge {
  alignas(64) float sums[panelUnits * panelUnits];
};

void copyRows(float* to, int64_t toStride, const float* from, int64_t fromStride, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; i++) {
    std::memcpy(to + i * toStride, from + i * fromStride, static_cast<size_t>(columns) * sizeof(float));
  }
}

using Block = void (*)(float* c, int64_t ldc, const Strip& left, const Strip& right, const Depth& depth, bool add);

// Calls the block for so many tiles, on c itself where they lie inside it.
void multiplyTiles(const Block (&blocks)[2][2], float* c, int64_t ldc, const Strip& left, const Strip& right,
                   int64_t rows, int64_t columns, const Depth& depth, bool add) {
  const Block block = blocks[tilesOf(rows) - 1][tilesOf(columns) - 1];
  if (rows % tileUnits == 0 && columns % tileUnits == 0) return block(c, ldc, left, right, depth, add);
  Edge edge;
  if (add) {
    std::memset(edge.sums, 0, sizeof edge.sums);
    copyRows(edge.sums, panelUnits, c, ldc, rows, columns);
  }
  block(edge.sums, panelUnits, left, right, depth, add);
  copyRows(c, ldc, edge.sums, panelUnits, rows, columns);
}

// c <- sums [+ c] if these are all finite.
BLASNET_PAIRS bool takeSums(float* c, int64_t ldc, const Edge& edge, int64_t rows, int64_t columns, bool add) {
  constexpr int notFinite = 0x99;  // quiet and signalling NaN, both infinities
  const __mmask16 low = firstLanes(columns), high = firstLanes(columns - tileUnits);
  const auto at = [&](int64_t row) { return edge.sums + row * panelUnits; };
  __mmask16 found = 0;
  for (int64_t row = 0; row < rows; row++) {
    found |= _mm512_mask_fpclass_ps_mask(low, _mm512_load_ps(at(row)), notFinite);
    found |= _mm512_mask_fpclass_ps_mask(high, _mm512_load_ps(at(row) + tileUnits), notFinite);
  }
  if (found != 0) return false;
  for (int64_t row = 0; row < rows; row++) {
    float *first = c + row * ldc, *second = first + tileUnits;
    __m512 x = _mm512_load_ps(at(row)), y = _mm512_load_ps(at(row) + tileUnits);
    if (add) {
      x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(low, first));
      y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(high, second));
    }
    _mm512_mask_storeu_ps(first, low, x);
    _mm512_mask_storeu_ps(second, high, y);
  }
  return true;
}

// ---- AMX ----

struct alignas(64) TileShapes {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t rowBytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

BLASNET_AMX void beginAmx() noexcept {
  static const TileShapes shapes;
  _tile_loadconfig(&shapes);
}

BLASNET_AMX void endAmx() noexcept { _tile_release(); }

// Compilers don't know what the instructions for tiles read and write.
inline void orderMemory() { asm volatile("" : : : "memory"); }

// Sums are tiles 0 to 3, those of the left operand 4 and 5, of the right one 6 and 7.
template <int parts, int above, int across>
BLASNET_AMX void multiplyAmx(float* c, int64_t ldc, const Strip& left, const Strip& right, const Depth& depth,
                             bool add) {
  const int64_t bytes = ldc * static_cast<int64_t>(sizeof(float));
  float* low = c + tileUnits * ldc;
  orderMemory();
  if (add) {
    _tile_loadd(0, c, bytes);
    if (across > 1) _tile_loadd(1, c + tileUnits, bytes);
    if (above > 1) _tile_loadd(2, low, bytes);
    if (above > 1 && across > 1) _tile_loadd(3, low + tileUnits, bytes);
  } else {
    _tile_zero(0);
    if (across > 1) _tile_zero(1);
    if (above > 1) _tile_zero(2);
    if (above > 1 && across > 1) _tile_zero(3);
  }
  const char* y = static_cast<const char*>(right.first);
  for (int64_t run = 0; run < depth.runs; run++) {
    const char* x = static_cast<const char*>(left.first) + depth.starts[run];
    for (int64_t step = 0; step < depth.steps; step++, x += left.step, y += right.step) {
      PartPair last = {-1, -1};
#pragma GCC unroll 6
      for (const PartPair now : partPairs<parts>) {
        const char *p = x + now.left * tileBytes, *q = y + now.right * tileBytes;
        if (now.left != last.left) _tile_loadd(4, p, left.row);
        if (now.right != last.right) _tile_loadd(6, q, right.row);
        _tile_dpbf16ps(0, 4, 6);
        if (across > 1) {
          if (now.right != last.right) _tile_loadd(7, q + right.tile, right.row);
          _tile_dpbf16ps(1, 4, 7);
        }
        if (above > 1) {
          if (now.left != last.left) _tile_loadd(5, p + left.tile, left.row);
          _tile_dpbf16ps(2, 5, 6);
          if (across > 1) _tile_dpbf16ps(3, 5, 7);
        }
        last = now;
      }
    }
  }
  _tile_stored(0, c, bytes);
  if (across > 1) _tile_stored(1, c + tileUnits, bytes);
  if (above > 1) _tile_stored(2, low, bytes);
  if (above > 1 && across > 1) _tile_stored(3, low + tileUnits, bytes);
  orderMemory();
}

template <int parts>
bool multiplyByAmx(float* c, int64_t ldc, const Strip& left, const Strip& right, int64_t rows, int64_t columns,
                   const Depth& depth, bool add) noexcept {
  static constexpr Block blocks[2][2] = {{multiplyAmx<parts, 1, 1>, multiplyAmx<parts, 1, 2>},
                                         {multiplyAmx<parts, 2, 1>, multiplyAmx<parts, 2, 2>}};
  if (parts == 1) {
    multiplyTiles(blocks, c, ldc, left, right, rows, columns, depth, add);
    return true;
  }
  Edge edge;
  blocks[tilesOf(rows) - 1][tilesOf(columns) - 1](edge.sums, panelUnits, left, right, depth, false);
  return takeSums(c, ldc, edge, rows, columns, add);
}

// ---- dot products of pairs ----

// Eight rows at a time: sixteen sums stay in registers, for which the loops over them have to be unrolled.
template <int above, int across>
BLASNET_PAIRS void multiplyPairs(float* c, int64_t ldc, const Strip& left, const Strip& right, const Depth& depth,
                                 bool add) {
  constexpr int64_t height = 8, wordBytes = sizeof(int32_t);
  for (int64_t i = 0; i < above * tileUnits; i += height) {
    __m512 sums[height][across];
#pragma GCC unroll 8
    for (int64_t row = 0; row < height; row++) {
#pragma GCC unroll 2
      for (int64_t v = 0; v < across; v++) {
        sums[row][v] = add ? _mm512_loadu_ps(c + (i + row) * ldc + v * tileUnits) : _mm512_setzero_ps();
      }
    }
    const char* rows = static_cast<const char*>(left.first) + i / tileUnits * left.tile + i % tileUnits * left.row;
    const char* y = static_cast<const char*>(right.first);
    for (int64_t run = 0; run < depth.runs; run++) {
      const char* x = rows + depth.starts[run];
      for (int64_t step = 0; step < depth.steps; step++, x += left.step, y += right.step) {
        for (int64_t pair = 0; pair < tileDepth / 2; pair++) {
          __m512bh factor[across];
#pragma GCC unroll 2
          for (int64_t v = 0; v < across; v++) {
            factor[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(y + v * right.tile + pair * right.row));
          }
          const char* words = x + pair * wordBytes;
#pragma GCC unroll 8
          for (int64_t row = 0; row < height; row++) {
            int32_t word;
            std::memcpy(&word, words + row * left.row, sizeof word);
            const __m512bh pairs = reinterpret_cast<__m512bh>(_mm512_set1_epi32(word));
#pragma GCC unroll 2
            for (int64_t v = 0; v < across; v++) sums[row][v] = _mm512_dpbf16_ps(sums[row][v], pairs, factor[v]);
          }
        }
      }
    }
#pragma GCC unroll 8
    for (int64_t row = 0; row < height; row++) {
#pragma GCC unroll 2
      for (int64_t v = 0; v < across; v++) _mm512_storeu_ps(c + (i + row) * ldc + v * tileUnits, sums[row][v]);
    }
  }
}

bool multiplyByPairs(float* c, int64_t ldc, const Strip& left, const Strip& right, int64_t rows, int64_t columns,
                     const Depth& depth, bool add) noexcept {
  static constexpr Block blocks[2][2] = {{multiplyPairs<1, 1>, multiplyPairs<1, 2>},
                                         {multiplyPairs<2, 1>, multiplyPairs<2, 2>}};
  multiplyTiles(blocks, c, ldc, left, right, rows, columns, depth, add);
  return true;
}

void nothing() noexcept {}

// ---- what this processor has ----

bool hasPairs() noexcept {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  return findKernelSet("avx512") != nullptr && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 1u << 5) != 0;
}

bool hasAmx() noexcept {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  constexpr uint32_t bfloat16 = 1u << 22, tile = 1u << 24;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & bfloat16) != 0 && (d & tile) != 0;
}

// Linux gives a process the tile state only on request (5.16 and newer); then all its threads have it.
bool permitted() noexcept {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr int request = 0x1023, tileData = 18;
  return syscall(SYS_arch_prctl, request, tileData) == 0;
#else
  return false;
#endif
}

constexpr Tiles amx = {"amx", 1, 64, true, beginAmx, endAmx, roundHalves, packPairs<1>, multiplyByAmx<1>};
constexpr Tiles amxFloat = {
    "amx, float32",           floatParts, 1, true, beginAmx, endAmx, roundHalves, packPairs<floatParts>,
    multiplyByAmx<floatParts>};
constexpr Tiles pairs = {"avx512-bf16", 1, 1.5, false, nothing, nothing, roundHalves, packPairs<1>, multiplyByPairs};

}  // namespace

const Tiles* amxTiles() noexcept {
  static const bool available = hasPairs() && hasAmx() && permitted();
  return available ? &amx : nullptr;
}

const Tiles* amxFloatTiles() noexcept { return amxTiles() != nullptr ? &amxFloat : nullptr; }

const Tiles* avx512Tiles() noexcept { return hasPairs() ? &pairs : nullptr; }

}  // namespace blasnet

#else

namespace blasnet {

const Tiles* amxTiles() noexcept { return nullptr; }
const Tiles* amxFloatTiles() noexcept { return nullptr; }
const Tiles* avx512Tiles() noexcept { return nullptr; }

}  // namespace blasnet

#endif
