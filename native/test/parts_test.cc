// Float32 products of three parts of bfloat16 for each number: the parts, the sums against float64 and against those of
// other ways, and numbers that are not finite.
#include "../kernels/products/bfloat16.h"
#include "../kernels/products/bfloat16_tiles.h"
#include "../kernels/products/blas.h"
#include "images.h"
#include "panels.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float largest = std::numeric_limits<float>::max();

std::vector<const Tiles*> floatTilesHere() {
  std::vector<const Tiles*> list = {&plainFloatTiles};
  if (amxFloatTiles() != nullptr) list.push_back(amxFloatTiles());
  return list;
}

// The parts of a number sum to it, and all tiles have the same.
TEST(partsPacking) {
  Random random(41);
  for (const int64_t units : {1, 16, 17, 32}) {
    for (const int64_t depth : {1, 15, 16, 31, 32, 33, 64}) {
      const int64_t stride = (units > depth ? units : depth) + 3;
      const Buffer<float> x(stride * stride, random, -2, 2);
      for (int form = 0; form < 4; form++) {
        const bool deep = form & 1;
        const Side side = form & 2 ? Side::right : Side::left;
        const int64_t words = stepsOf(depth) * tilesOf(units) * floatParts * tileWords;
        alignas(64) uint32_t expected[2 * 2 * floatParts * tileWords], panel[2 * 2 * floatParts * tileWords];
        const View view = {x.data(), stride, deep};
        plainFloatTiles.pack(expected, view, side, units, depth);
        for (int64_t unit = 0; unit < tilesOf(units) * tileUnits; unit++) {
          for (int64_t l = 0; l < stepsOf(depth) * tileDepth; l++) {
            double sum = 0;
            for (int part = 0; part < floatParts; part++) {
              sum += partOf(expected, side, units, unit, l, floatParts, part);
            }
            const bool inside = unit < units && l < depth;
            const double wanted = inside ? (deep ? x[l * stride + unit] : x[unit * stride + l]) : 0;
            CHECK_NEAR(sum, wanted, 0, 0x1p-26, format("unit %ld depth %ld form %d", unit, l, form));
          }
        }
        for (const Tiles* tiles : floatTilesHere()) {
          std::memset(panel, 0x55, sizeof panel);
          tiles->pack(panel, view, side, units, depth);
          const bool same = std::memcmp(panel, expected, static_cast<size_t>(words) * sizeof(uint32_t)) == 0;
          check(same, __FILE__, __LINE__, format("%s %ld units, depth %ld, form %d", tiles->name, units, depth, form));
        }
      }
    }
  }
}

// A product with all its operands; the true results and the sums of magnitudes are in double.
struct Case {
  bool transA, transB, add;
  int64_t m, n, k;
  Buffer<float> a, b, c;
  std::vector<double> exact, magnitude;

  Case(bool left, bool right, bool adds, int64_t rows, int64_t columns, int64_t depth, Random& random)
      : transA(left),
        transB(right),
        add(adds),
        m(rows),
        n(columns),
        k(depth),
        a(m * k, random, -1, 1),
        b(k * n, random, -1, 1),
        c(m * n, random, -1, 1) {}

  float left(int64_t i, int64_t l) const { return a[transA ? l * m + i : i * k + l]; }
  float right(int64_t l, int64_t j) const { return b[transB ? j * k + l : l * n + j]; }

  void sum() {
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < n; j++) {
        double total = add ? c[i * n + j] : 0, magnitudes = std::fabs(total);
        for (int64_t l = 0; l < k; l++) {
          const double product = static_cast<double>(left(i, l)) * right(l, j);
          total += product;
          magnitudes += std::fabs(product);
        }
        exact.push_back(total);
        magnitude.push_back(magnitudes);
      }
    }
  }

  Buffer<float> by(const Tiles& tiles, Scratch scratch) const {
    Buffer<float> y = c;
    tiledProduct(tiles, scratch, transA, transB, m, n, k, a.data(), transA ? m : k, b.data(), transB ? k : n, add,
                 y.data(), n);
    return y;
  }

  Buffer<float> byBlas() const {
    Buffer<float> y = c;
    blasProduct(Way::whole, transA, transB, m, n, k, 1.0f, a.data(), transA ? m : k, b.data(), transB ? k : n,
                add ? 1.0f : 0.0f, y.data(), n);
    return y;
  }

  // The root of the mean of squared errors, and the largest, in roundings of the sum of magnitudes.
  std::pair<double, double> errors(const Buffer<float>& y) const {
    double squares = 0, worst = 0;
    for (size_t i = 0; i < exact.size(); i++) {
      const double error = std::fabs(y[static_cast<int64_t>(i)] - exact[i]) / (magnitude[i] * 0x1p-24);
      squares += error * error;
      worst = std::max(worst, error);
    }
    return {std::sqrt(squares / static_cast<double>(exact.size())), worst};
  }
};

template <typename Work>
void withBothScratches(Work work) {
  alignas(64) static char little[smallScratch];
  withScratch(Use::packing, work);
  work(Scratch{little, smallScratch});
}

// Within the errors of float32 products; AMX has the bits of plain tiles, however the product is cut.
TEST_ALONE(partsProducts) {
  Random random(42);
  const int64_t sizes[][3] = {{1, 1, 1},    {16, 16, 32}, {17, 33, 31},  {33, 17, 65},
                              {70, 64, 40}, {5, 100, 33}, {64, 40, 600}, {40, 700, 70}};
  for (const auto& [m, n, k] : sizes) {
    if (slowRun() && k > 500) continue;
    for (int form = 0; form < 8; form++) {
      Case p(form & 1, form & 2, form & 4, m, n, k, random);
      p.sum();
      withBothScratches([&, m = m, n = n, k = k](Scratch scratch) {
        const Buffer<float> plain = p.by(plainFloatTiles, scratch);
        for (const Tiles* tiles : floatTilesHere()) {
          const Buffer<float> y = p.by(*tiles, scratch);
          CHECK(y.intact());
          check(y.sameBits(plain), __FILE__, __LINE__, format("%s %ld %ld %ld form %d", tiles->name, m, n, k, form));
          CHECK(p.errors(y).second < 4);
        }
      });
    }
  }
}

// No larger errors than those of BLAS, whose products are rounded once; some of its kernels have shorter sums.
TEST(partsErrors) {
  Random random(43);
  for (const bool isPositive : {false, true}) {
    for (const int64_t k : {64, 512, 784, 2048}) {
      if (slowRun() && k > 64) continue;
      Case p(false, false, false, 64, 96, k, random);
      if (isPositive) {
        for (int64_t i = 0; i < p.m * k; i++) p.a[i] = std::fabs(p.a[i]);
        for (int64_t i = 0; i < k * p.n; i++) p.b[i] = std::fabs(p.b[i]);
      }
      p.sum();
      const auto [rms, worst] = p.errors(p.byBlas());
      withScratch(Use::packing, [&, rms = rms, worst = worst](Scratch scratch) {
        const auto [ours, oursWorst] = p.errors(p.by(plainFloatTiles, scratch));
        check(ours <= 1.25 * rms && oursWorst <= 1.5 * worst, __FILE__, __LINE__,
              format("k %ld, positive %d: %g and %g, BLAS %g and %g", k, isPositive, ours, oursWorst, rms, worst));
      });
    }
  }
}

// Infinities, NaN and sums near the largest number are those of a sum of products, in every block and part of the
// depth.
TEST_ALONE(partsNotFinite) {
  Random random(44);
  for (int form = 0; form < 8; form += slowRun() ? 5 : 1) {
    for (const float value : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN(), largest}) {
      for (const int64_t at : {0, 40, 599}) {
        if (slowRun() && at == 40) continue;
        Case p(form & 1, form & 2, form & 4, 50, 70, 600, random);
        p.a[p.transA ? at * p.m + 37 : 37 * p.k + at] = value;
        // One exact product, whose factor has a single part.
        p.b[p.transB ? 3 * p.k + at : at * p.n + 3] = value == largest ? 1.0f : 2.0f;
        p.sum();
        withBothScratches([&](Scratch scratch) {
          for (const Tiles* tiles : floatTilesHere()) {
            const Buffer<float> y = p.by(*tiles, scratch);
            for (int64_t i = 0; i < p.m * p.n; i++) {
              const double wanted = p.exact[static_cast<size_t>(i)];
              if (std::isfinite(wanted)) {
                CHECK(std::fabs(y[i] - wanted) <= 4 * 0x1p-24 * p.magnitude[static_cast<size_t>(i)]);
              } else {
                CHECK(std::isnan(wanted) ? std::isnan(y[i]) : y[i] == static_cast<float>(wanted));
              }
            }
          }
        });
      }
    }
  }
}

// A caller that has borrowed the thread's memory keeps it.
TEST(scratchIsLentOnce) {
  withScratch(Use::packing, [](Scratch outer) {
    withScratch(Use::packing,
                [=](Scratch inner) { CHECK(inner.memory != outer.memory && inner.bytes == smallScratch); });
    withScratch(Use::packing, [=](Scratch inner) { CHECK(inner.memory != outer.memory); });
  });
  withScratch(Use::packing, [](Scratch again) { CHECK(again.bytes == largeScratch); });
}

}  // namespace
