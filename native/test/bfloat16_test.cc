// Products of operands rounded to bfloat16: the rounding, the packing, and the tiles of this processor against the
// plain ones.
#include "../kernels/products/bfloat16.h"

#include "../kernels/products/bfloat16_tiles.h"
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

float rounded(float x) { return __builtin_bit_cast(float, roundToBfloat16(__builtin_bit_cast(uint32_t, x))); }

std::vector<const Tiles*> tilesHere() {
  std::vector<const Tiles*> list = {&plainTiles};
  if (amxTiles() != nullptr) list.push_back(amxTiles());
  if (avx512Tiles() != nullptr) list.push_back(avx512Tiles());
  return list;
}

TEST(bfloat16Rounding) {
  // Eight significant bits: neighbours of 1 are 2^-7 apart above it and 2^-8 below.
  CHECK(rounded(1 + 0x1p-8f) == 1);                // a tie, to even
  CHECK(rounded(1 + 3 * 0x1p-8f) == 1 + 0x1p-6f);  // a tie, to even
  CHECK(rounded(1 + 0x1.01p-8f) == 1 + 0x1p-7f);
  CHECK(rounded(-1 - 0x1.ffp-9f) == -1);
  CHECK(rounded(3.0f) == 3 && rounded(0.0f) == 0 && std::signbit(rounded(-0.0f)));
  CHECK(rounded(0x1.fep127f) == 0x1.fep127f);  // the largest
  CHECK(rounded(0x1.fefffep127f) == 0x1.fep127f);
  CHECK(rounded(0x1.ffp127f) == infinity && rounded(-0x1.fffffep127f) == -infinity);
  CHECK(rounded(infinity) == infinity && rounded(-infinity) == -infinity);
  CHECK(std::isnan(rounded(nan)));
  // A NaN whose upper bits alone would be an infinity's.
  CHECK(std::isnan(rounded(__builtin_bit_cast(float, 0x7f800001u))));
  CHECK(std::isnan(rounded(__builtin_bit_cast(float, 0xffffffffu))));
}

// Panels of all tiles hold the same words, whatever the layout of the operand.
TEST(bfloat16Packing) {
  Random random(31);
  for (const int64_t units : {1, 15, 16, 17, 31, 32}) {
    for (const int64_t depth : {1, 2, 15, 16, 17, 31, 32, 33, 47, 64, 95}) {
      const int64_t stride = (units > depth ? units : depth) + 3;
      Buffer<float> x(stride * stride, random, -2, 2);
      x[0] = nan;
      if (units > 1) x[stride] = infinity;
      for (int form = 0; form < 4; form++) {
        const bool deep = form & 1;
        const Side side = form & 2 ? Side::right : Side::left;
        const int64_t words = stepsOf(depth) * tilesOf(units) * tileWords;
        alignas(64) uint32_t expected[3 * 2 * tileWords], panel[3 * 2 * tileWords];
        const View view = {x.data(), stride, deep};
        plainTiles.pack(expected, view, side, units, depth);
        // By hand, element by element.
        for (int64_t unit = 0; unit < tilesOf(units) * tileUnits; unit++) {
          for (int64_t l = 0; l < stepsOf(depth) * tileDepth; l++) {
            const int64_t tile = l / tileDepth * tilesOf(units) + unit / tileUnits, pair = l % tileDepth / 2;
            const int64_t place = side == Side::left ? unit % tileUnits * 16 + pair : pair * 16 + unit % tileUnits;
            const uint32_t word = expected[tile * tileWords + place];
            const float value = __builtin_bit_cast(float, l % 2 == 0 ? word << 16 : word & 0xffff0000u);
            const bool inside = unit < units && l < depth;
            const float wanted = inside ? rounded(deep ? x[l * stride + unit] : x[unit * stride + l]) : 0.0f;
            check(near(value, wanted, 0, 0), __FILE__, __LINE__, format("unit %ld depth %ld form %d", unit, l, form));
          }
        }
        for (const Tiles* tiles : tilesHere()) {
          std::memset(panel, 0x55, sizeof panel);
          tiles->pack(panel, view, side, units, depth);
          const bool same = std::memcmp(panel, expected, static_cast<size_t>(words) * sizeof(uint32_t)) == 0;
          check(same, __FILE__, __LINE__, format("%s %ld units, depth %ld, form %d", tiles->name, units, depth, form));
        }
      }
    }
  }
}

struct Sizes {
  int64_t m, n, k;
};

std::vector<Sizes> productSizes() {
  std::vector<Sizes> list;
  for (const int64_t m : {1, 2, 15, 16, 17, 33, 48, 70}) {
    for (const int64_t n : {1, 3, 16, 17, 47, 64, 100}) {
      for (const int64_t k : {1, 2, 31, 32, 33, 130}) list.push_back({m, n, k});
    }
  }
  if (!slowRun()) list.insert(list.end(), {{5, 7, 2100}, {40, 900, 1030}, {900, 40, 65}});
  return list;
}

// The plain tiles against sums in double of the rounded operands; AMX has the same bits, and so has a product with
// little memory. Dot products of pairs add in another order.
TEST(bfloat16Products) {
  Random random(32);
  alignas(64) static char little[smallScratch];
  for (const auto& [m, n, k] : productSizes()) {
    for (int form = 0; form < 8; form++) {
      const bool transA = form & 1, transB = form & 2, add = form & 4;
      const int64_t lda = (transA ? m : k) + form % 3, ldb = (transB ? k : n) + 5, ldc = n + form % 2;
      const Buffer<float> a((transA ? k : m) * lda, random, -1, 1), b((transB ? n : k) * ldb, random, -1, 1);
      const Buffer<float> old(m * ldc, random, -1, 1);
      const auto where = [&, m = m, n = n, k = k](const char* name) {
        return format("%s %ld %ld %ld form %d", name, m, n, k, form);
      };
      Buffer<float> plain = old;
      for (const Tiles* tiles : tilesHere()) {
        Buffer<float> c = old;
        tiles->begin();
        tiles->end();
        withScratch([&, m = m, n = n, k = k](Scratch scratch) {
          tiledProduct(*tiles, scratch, transA, transB, m, n, k, a.data(), lda, b.data(), ldb, add, c.data(), ldc);
        });
        CHECK(c.intact());
        if (tiles == &plainTiles) plain = c;
        if (tiles == amxTiles()) check(c.sameBits(plain), __FILE__, __LINE__, where(tiles->name));
        Buffer<float> cut = old;
        tiledProduct(*tiles, {little, smallScratch}, transA, transB, m, n, k, a.data(), lda, b.data(), ldb, add,
                     cut.data(), ldc);
        check(c.sameBits(cut), __FILE__, __LINE__, where("little memory"));
        for (int64_t i = 0; i < m; i++) {
          for (int64_t j = 0; j < ldc; j++) {
            if (j >= n) {
              CHECK(c[i * ldc + j] == old[i * ldc + j]);
            } else if ((i * n + j) % 5 == 0 || k == 1) {  // the oracle is slow
              double total = add ? old[i * ldc + j] : 0;
              for (int64_t l = 0; l < k; l++) {
                total += static_cast<double>(rounded(transA ? a[l * lda + i] : a[i * lda + l])) *
                         rounded(transB ? b[j * ldb + l] : b[l * ldb + j]);
              }
              CHECK_NEAR(c[i * ldc + j], total, 1e-5, 1e-5, where(tiles->name));
            }
          }
        }
      }
    }
  }
}

// A NaN or an infinity shows in its row and column only; what lies beyond the edge of an operand is not read.
TEST(bfloat16NonFinite) {
  constexpr int64_t m = 35, n = 18, k = 37;
  for (const Tiles* tiles : tilesHere()) {
    Buffer<float> a(m * k), b(k * n), c(m * n);
    for (int64_t i = 0; i < m * k; i++) a[i] = 1;
    for (int64_t i = 0; i < k * n; i++) b[i] = 0.5f;
    a[33 * k + 36] = nan;
    b[36 * n + 17] = infinity;
    withScratch([&](Scratch scratch) {
      tiledProduct(*tiles, scratch, false, false, m, n, k, a.data(), k, b.data(), n, false, c.data(), n);
    });
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < n; j++) {
        const float expected = i == 33 ? nan : j == 17 ? infinity : k * 0.5f;
        CHECK_NEAR(c[i * n + j], expected, 0, 0, tiles->name);
      }
    }
  }
}

// The kernels call what this processor has, in shares of either axis.
TEST(bfloat16Kernels) {
  Random random(33);
  constexpr int32_t bfloat16 = static_cast<int32_t>(Precision::bfloat16);
  constexpr int64_t rows = 50, in = 70, out = 90;
  const Buffer<float> x(rows * in, random, -1, 1), w(in * out, random, -1, 1), b(out, random, -1, 1);
  const Buffer<float> dy(rows * out, random, -1, 1);
  for (const KernelSet* set : kernelSets()) {
    Buffer<float> y(rows * out), columns(rows * out), dx(rows * in), dw(in * out);
    Call(*set, Kernel::denseForward, y, x, w, b, rows, in, out, 0, 0.0f, bfloat16).split();
    Call(*set, Kernel::denseForward, columns, x, w, b, rows, in, out, 0, 0.0f, bfloat16).along(1).split();
    Call(*set, Kernel::denseBackwardInput, dx, dy, w, rows, in, out, bfloat16).split();
    Call(*set, Kernel::denseBackwardWeight, dw, x, dy, rows, in, out, bfloat16).split();
    const auto sum = [](int64_t n, auto left, auto right) {
      double total = 0;
      for (int64_t l = 0; l < n; l++) total += static_cast<double>(rounded(left(l))) * rounded(right(l));
      return total;
    };
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t j = 0; j < out; j++) {
        const double expected =
            b[j] + sum(
                       in, [&](int64_t l) { return x[i * in + l]; }, [&](int64_t l) { return w[l * out + j]; });
        CHECK_NEAR(y[i * out + j], expected, 1e-5, 1e-5, "y");
        CHECK_NEAR(columns[i * out + j], expected, 1e-5, 1e-5, "by columns");
      }
      for (int64_t l = 0; l < in; l++) {
        const double expected = sum(
            out, [&](int64_t j) { return dy[i * out + j]; }, [&](int64_t j) { return w[l * out + j]; });
        CHECK_NEAR(dx[i * in + l], expected, 1e-5, 1e-5, "dx");
      }
    }
    for (int64_t l = 0; l < in; l++) {
      for (int64_t j = 0; j < out; j++) {
        const double expected = sum(
            rows, [&](int64_t i) { return x[i * in + l]; }, [&](int64_t i) { return dy[i * out + j]; });
        CHECK_NEAR(dw[l * out + j], expected, 1e-5, 1e-5, "dw");
      }
    }
    CHECK(y.intact() && columns.intact() && dx.intact() && dw.intact());
  }
}

}  // namespace
