// Products of operands rounded to bfloat16: the rounding, the packing, and the tiles of this processor against the
// plain ones.

// The set whose functions are called directly; every processor of the architecture has it.
#if defined(__aarch64__)
#define BLASNET_SIMD neon
#else
#define BLASNET_SIMD baseline
#endif

#include "../kernels/products/bfloat16.h"

#include "../kernels/conv2d_rounded.h"
#include "../kernels/products/bfloat16_tiles.h"
#include "../kernels/rounded_images.h"
#include "images.h"
#include "panels.h"

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

// Rounding of rows, of any length and at any place, by all tiles.
TEST(bfloat16Rows) {
  Random random(37);
  for (const Tiles* tiles : tilesHere()) {
    for (int64_t n = 0; n < 100; n++) {
      Buffer<float> x(n + 1, random, -3, 3);
      uint16_t to[102];
      const auto round = [&] {
        std::memset(to, 0x55, sizeof to);
        return tiles->round(to + 1, x.data(), n);
      };
      check(round(), __FILE__, __LINE__, format("%s %ld", tiles->name, n));
      for (int64_t j = 0; j < n; j++) CHECK(to[j + 1] == roundToBfloat16(__builtin_bit_cast(uint32_t, x[j])) >> 16);
      CHECK(to[0] == 0x5555 && to[n + 1] == 0x5555);
      for (const float bad : {nan, infinity, -infinity, -0x1.ffp127f}) {
        const float usual = x[n / 2];
        x[n / 2] = bad;
        check(round() == (n == 0), __FILE__, __LINE__, format("%s %ld %g", tiles->name, n, bad));
        x[n / 2] = usual;
      }
    }
  }
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
            const float value = partOf(expected, side, units, unit, l);
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
TEST_ALONE(bfloat16Products) {
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
        withScratch(Use::packing, [&, m = m, n = n, k = k](Scratch scratch) {
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
    withScratch(Use::packing, [&](Scratch scratch) {
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

// Windows in steps of one and more, with more or less padding than they reach, on images of odd sizes and of one pixel,
// with channels and filters that leave remainders.
std::vector<Images> convolvedImages() {
  return {{3, 5, 6, 16, 5, 6, 3, 3, 1, 1, 1, 1},      {2, 9, 7, 32, 4, 3, 3, 2, 2, 2, 0, 0},
          {1, 8, 8, 48, 7, 5, 5, 5, 1, 2, 2, 3},      {9, 4, 4, 16, 2, 2, 3, 3, 1, 1, 0, 0},
          {2, 6, 6, 16, 9, 9, 3, 3, 1, 1, 3, 3},      {1, 1, 1, 32, 2, 3, 2, 2, 1, 1, 1, 1},
          {20, 10, 11, 32, 10, 11, 3, 3, 1, 1, 1, 1}, {70, 1, 1, 5, 1, 1, 3, 3, 1, 1, 1, 1},
          {3, 14, 14, 6, 10, 10, 5, 5, 1, 1, 0, 0},   {2, 13, 17, 1, 13, 17, 3, 3, 1, 1, 1, 1},
          {4, 9, 9, 3, 4, 3, 4, 5, 2, 3, 1, 2},       {2, 7, 9, 33, 3, 4, 3, 3, 3, 2, 1, 1},
          {2, 5, 5, 17, 6, 7, 2, 3, 1, 1, 1, 4},      {2, 6, 6, 8, 3, 3, 1, 1, 2, 2, 0, 0},
          {1, 3, 3, 160, 3, 3, 3, 3, 1, 1, 1, 1},     {2, 4, 5, 2, 5, 3, 2, 2, 1, 1, 6, 1},
          {5, 3, 4, 4, 3, 4, 3, 3, 1, 1, 2, 0}};
}

struct Convolution {
  const Images& s;
  int64_t filters;
  Buffer<float> x, w, b, dy;
  std::vector<double> y, dw, dx;

  Convolution(const Images& images, int64_t filters, Random& random)
      : s(images),
        filters(filters),
        x(s.inputs(), random, -1, 1),
        w(s.patch() * filters, random, -1, 1),
        b(filters, random, -1, 1),
        dy(s.outPixels() * filters, random, -1, 1) {}

  // The sums in double.
  void compute() {
    y.assign(static_cast<size_t>(dy.size()), 0);
    dw.assign(static_cast<size_t>(w.size()), 0);
    dx.assign(static_cast<size_t>(x.size()), 0);
    for (int64_t pixel = 0; pixel < s.outPixels(); pixel++) {
      for (int64_t f = 0; f < filters; f++) {
        double& sum = y[static_cast<size_t>(pixel * filters + f)];
        const double gradient = rounded(dy[pixel * filters + f]);
        sum = b[f];
        s.forEachSeen(pixel, [&](int64_t ky, int64_t kx, int64_t position) {
          const int64_t first = (ky * s.windowWidth + kx) * s.channels;
          for (int64_t c = 0; c < s.channels; c++) {
            const double value = rounded(x[position + c]), weight = rounded(w[(first + c) * filters + f]);
            sum += value * weight;
            dx[static_cast<size_t>(position + c)] += gradient * weight;
            dw[static_cast<size_t>((first + c) * filters + f)] += value * gradient;
          }
        });
      }
    }
  }
  BLASNET_SIMD::Geometry geometry() const {
    return {s.height,      s.width,        s.channels,    s.outHeight, s.outWidth, s.windowHeight,
            s.windowWidth, s.strideHeight, s.strideWidth, s.padTop,    s.padLeft};
  }
  std::string text(const char* name) const { return format("%s, %ld filters, %s", s.text().c_str(), filters, name); }
  void compareForward(const Buffer<float>& out, const char* name) const {
    for (int64_t i = 0; i < out.size(); i++) CHECK_NEAR(out[i], y[static_cast<size_t>(i)], 2e-5, 2e-5, text(name));
    check(out.intact(), __FILE__, __LINE__, text(name));
  }
  void compareInputs(const Buffer<float>& out, const char* name) const {
    for (int64_t i = 0; i < out.size(); i++) CHECK_NEAR(out[i], dx[static_cast<size_t>(i)], 2e-5, 2e-5, text(name));
    check(out.intact(), __FILE__, __LINE__, text(name));
  }
  // The rows [begin, end) of the gradient; others are untouched. The longer a sum, the more often it was rounded.
  void compareGradients(const Buffer<float>& out, int64_t begin, int64_t end, const char* name) const {
    const double tolerance = std::max(5e-5, 2e-8 * static_cast<double>(s.outPixels()));
    for (int64_t i = 0; i < out.size(); i++) {
      const bool isRow = i >= begin * filters && i < end * filters;
      CHECK_NEAR(out[i], isRow ? dw[static_cast<size_t>(i)] : 7.0, 2e-5, isRow ? tolerance : 0, text(name));
    }
    check(out.intact(), __FILE__, __LINE__, text(name));
  }
};

Buffer<float> sevens(int64_t size) {
  Buffer<float> buffer(size);
  for (int64_t i = 0; i < size; i++) buffer[i] = 7;
  return buffer;
}

// Tiles that are read from rounded images, against sums in double; AMX has the bits of the plain tiles. Little memory
// makes groups of few images, and of few filters and rows of dw.
TEST_ALONE(bfloat16RoundedImages) {
  Random random(34);
  alignas(4096) static char memory[largeScratch];
  int inLarge = 0, inLittle = 0;
  for (const Images& s : convolvedImages()) {
    for (const int64_t filters : {1, 16, 35, 100}) {
      if (filters == 100 && s.outPixels() > 500) continue;  // the oracle is slow
      Convolution convolution(s, filters, random);
      const bool hasBias = filters != 35, isRelu = filters == 100;
      for (int64_t f = 0; f < filters && !hasBias; f++) convolution.b[f] = 0;
      convolution.compute();
      for (double& y : convolution.y) y = isRelu && y < 0 ? 0 : y;
      const BLASNET_SIMD::Geometry g = convolution.geometry();
      const auto& [x, w, b, dy] = std::tie(convolution.x, convolution.w, convolution.b, convolution.dy);
      for (const int64_t bytes : {largeScratch, smallScratch}) {
        Buffer<float> plain(dy.size()), plainGradients(w.size());
        for (const Tiles* tiles : tilesHere()) {
          Buffer<float> out = sevens(dy.size()), gradients = sevens(w.size());
          const auto forward = [&](int64_t begin, int64_t end) {
            std::memset(memory, 0xff, sizeof memory);  // NaN, which a product with it would show
            return BLASNET_SIMD::roundedForward(*tiles, {memory, bytes}, out.data(), x.data(), w.data(),
                                                hasBias ? b.data() : nullptr, g, filters, isRelu ? 1 : 0, 0.0f, begin,
                                                end);
          };
          const auto backward = [&](int64_t begin, int64_t end) {
            std::memset(memory, 0xff, sizeof memory);
            return BLASNET_SIMD::roundedBackwardWeight(*tiles, {memory, bytes}, gradients.data(), x.data(), dy.data(),
                                                       g, s.rows, filters, begin, end);
          };
          const bool isForward = forward(s.rows / 2, s.rows) && (s.rows == 1 || forward(0, s.rows / 2));
          const int64_t begin = s.patch() / 5, end = s.patch() - s.patch() / 7;
          const bool isBackward = backward(begin, end);
          const bool isLarge = bytes == largeScratch, expected = BLASNET_SIMD::RoundedImages(*tiles, g).isUseful;
          const bool asExpected = isLarge ? isForward == expected && isBackward == expected : expected || !isForward;
          check(asExpected, __FILE__, __LINE__, convolution.text(tiles->name));
          if (tiles == &plainTiles) (isLarge ? inLarge : inLittle) += isForward + isBackward;
          if (isForward) convolution.compareForward(out, tiles->name);
          if (isBackward) convolution.compareGradients(gradients, begin, end, tiles->name);
          if (tiles == &plainTiles) {
            plain = out;
            plainGradients = gradients;
          } else if (tiles == amxTiles()) {
            CHECK(out.sameBits(plain) && gradients.sameBits(plainGradients));
          }
        }
      }
    }
  }
  CHECK(inLarge == 110 && inLittle == 92);  // calls with plain tiles that read from rounded images
}

// Weights and gradients that are not finite reach only results that depend on them.
TEST(bfloat16RoundedImagesOfFiniteNumbers) {
  Random random(37);
  alignas(64) static char memory[1 << 20];
  const int64_t filters = 20, bad = 3;
  const Images s = {2, 9, 9, 16, 9, 9, 3, 3, 1, 1, 1, 1};
  for (const float value : {nan, infinity}) {
    Convolution convolution(s, filters, random);
    convolution.compute();
    convolution.w[40 * filters + bad] = value;
    convolution.dy[17 * filters + bad] = value;
    const auto& [x, w, b, dy] = std::tie(convolution.x, convolution.w, convolution.b, convolution.dy);
    for (const Tiles* tiles : tilesHere()) {
      if (!BLASNET_SIMD::RoundedImages(*tiles, convolution.geometry()).isUseful) continue;
      Buffer<float> out(dy.size()), gradients(w.size());
      CHECK(BLASNET_SIMD::roundedForward(*tiles, {memory, sizeof memory}, out.data(), x.data(), w.data(), b.data(),
                                         convolution.geometry(), filters, 0, 0.0f, 0, 2));
      CHECK(BLASNET_SIMD::roundedBackwardWeight(*tiles, {memory, sizeof memory}, gradients.data(), x.data(), dy.data(),
                                                convolution.geometry(), 2, filters, 0, s.patch()));
      for (int64_t i = 0; i < out.size(); i++) {
        if (i % filters != bad) CHECK_NEAR(out[i], convolution.y[static_cast<size_t>(i)], 2e-5, 2e-5, tiles->name);
      }
      for (int64_t i = 0; i < gradients.size(); i++) {
        if (i % filters != bad) {
          CHECK_NEAR(gradients[i], convolution.dw[static_cast<size_t>(i)], 2e-5, 5e-5, tiles->name);
        }
      }
    }
  }
}

// Where tiles can't be read from rounded images, or must not, for what is not finite.
TEST(bfloat16NotRoundedImages) {
  Random random(36);
  alignas(64) static char memory[1 << 20];
  const BLASNET_SIMD::Geometry usual = {9, 9, 16, 9, 9, 3, 3, 1, 1, 1, 1};
  CHECK(BLASNET_SIMD::RoundedImages(plainTiles, usual).isUseful);
  const auto useless = [&](auto member, int64_t value) {
    BLASNET_SIMD::Geometry g = usual;
    g.*member = value;
    check(!BLASNET_SIMD::RoundedImages(plainTiles, g).isUseful, __FILE__, __LINE__, format("%ld", value));
  };
  useless(&BLASNET_SIMD::Geometry::channels, 0);
  useless(&BLASNET_SIMD::Geometry::outHeight, 0);
  useless(&BLASNET_SIMD::Geometry::outHeight, int64_t{1} << 60);
  useless(&BLASNET_SIMD::Geometry::strideWidth, 0);
  useless(&BLASNET_SIMD::Geometry::strideHeight, 4000);
  useless(&BLASNET_SIMD::Geometry::outHeight, 2);  // most positions would be none of the outputs
  useless(&BLASNET_SIMD::Geometry::padLeft, 5000);

  const Images s = {2, 9, 9, 16, 9, 9, 3, 3, 1, 1, 1, 1};
  for (const float bad : {nan, infinity, 0x1.ffp127f}) {  // the last is infinite once it is rounded
    Convolution convolution(s, 20, random);
    const auto& [x, w, b, dy] = std::tie(convolution.x, convolution.w, convolution.b, convolution.dy);
    Buffer<float> out(dy.size()), gradients(w.size());
    convolution.x[16 * 8 + 3] = bad;
    for (const Tiles* tiles : tilesHere()) {
      CHECK(!BLASNET_SIMD::roundedForward(*tiles, {memory, sizeof memory}, out.data(), x.data(), w.data(), b.data(),
                                          convolution.geometry(), 20, 0, 0.0f, 0, 2));
      CHECK(!BLASNET_SIMD::roundedBackwardWeight(*tiles, {memory, sizeof memory}, gradients.data(), x.data(), dy.data(),
                                                 convolution.geometry(), 2, 20, 0, s.patch()));
      CHECK(!BLASNET_SIMD::roundedForward(*tiles, {memory, 1000}, out.data(), x.data(), w.data(), b.data(), usual, 20,
                                          0, 0.0f, 1, 2));
      CHECK(!BLASNET_SIMD::roundedBackwardWeight(*tiles, {memory, 1000}, gradients.data(), x.data(), dy.data(), usual,
                                                 1, 20, 0, s.patch()));
    }
  }
}

// The kernels in shares and whole, on what this processor has.
void checkKernels(const Convolution& convolution, bool isFinite) {
  constexpr int32_t bfloat16 = static_cast<int32_t>(Precision::bfloat16);
  const auto& [s, filters, x, w, b, dy, y, dw, dx] = convolution;
  for (const KernelSet* set : kernelSets()) {
    Buffer<float> out(dy.size()), inputs(x.size()), divided(w.size()), gradients(w.size());
    imagesCall(*set, Kernel::conv2dForward, std::tuple(&out, &x, &w, &b), s, std::tuple(filters, 0, 0.0f, bfloat16))
        .split();
    convolution.compareForward(out, set->name);
    imagesCall(*set, Kernel::conv2dBackwardInput, std::tuple(&inputs, &dy, &w), s, std::tuple(filters, bfloat16))
        .split();
    const Buffer<float>* none = nullptr;
    const std::tuple operands(filters, s.patch(), 1, bfloat16);
    imagesCall(*set, Kernel::conv2dBackwardWeight, std::tuple(&divided, none, &x, &dy), s, operands).along(1).split();
    imagesCall(*set, Kernel::conv2dBackwardWeight, std::tuple(&gradients, none, &x, &dy), s, operands).whole();
    if (!isFinite) continue;
    convolution.compareInputs(inputs, set->name);
    convolution.compareGradients(divided, 0, s.patch(), set->name);
    convolution.compareGradients(gradients, 0, s.patch(), set->name);
  }
}

// With finite numbers, and with one that shows in the results that depend on it only.
TEST_ALONE(bfloat16Convolutions) {
  Random random(35);
  for (const Images& s : convolvedImages()) {
    for (const int64_t filters : {1, 16, 35}) {
      for (const bool isFinite : {true, false}) {
        Convolution convolution(s, filters, random);
        if (!isFinite) {
          convolution.x[convolution.x.size() / 2] = nan;
          convolution.dy[0] = infinity;
        }
        convolution.compute();
        checkKernels(convolution, isFinite);
      }
    }
  }
}

// Images that are copied one by one or a few at a time, with a remainder, or not at all, as one doesn't fit the memory.
TEST_ALONE(bfloat16ConvolutionsOfLargeImages) {
  Random random(36);
  const std::pair<Images, int64_t> cases[] = {{{3, 66, 64, 16, 66, 64, 3, 3, 1, 1, 1, 1}, 16},
                                              {{5, 32, 32, 2, 30, 30, 3, 3, 1, 1, 0, 0}, 48},
                                              {{5, 90, 80, 1, 90, 80, 5, 5, 1, 1, 2, 2}, 6},
                                              {{5, 70, 60, 4, 35, 30, 5, 5, 2, 2, 2, 2}, 16},
                                              {{1, 190, 160, 16, 190, 160, 3, 3, 1, 1, 1, 1}, 16}};
  for (const auto& [s, filters] : cases) {
    Convolution convolution(s, filters, random);
    convolution.compute();
    checkKernels(convolution, true);
  }
}

}  // namespace
