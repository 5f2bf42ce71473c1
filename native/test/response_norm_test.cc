// Local response normalisation against its formulas in double.
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

struct Setting {
  int64_t radius;
  float bias, alpha, beta;
};

TEST(localResponseNorm) {
  Random random(41);
  const Setting settings[] = {{0, 1, 0.5f, 0.75f}, {2, 2, 1e-4f, 0.75f},     {5, 1, 1, 0.5f},      {3, 1, 0.1f, 1},
                              {1, 1, 1, 0},        {INT32_MAX, 1, 1, 0.75f}, {2, 1e-3f, 20, 1.25f}};
  for (const KernelSet* set : kernelSets()) {
    for (const Setting& s : settings) {
      for (const int64_t rows : {0, 1, 7}) {
        for (const int64_t channels : {0, 1, 2, 6, 16, 17, 96, 128, 129, 300}) {
          const int64_t n = rows * channels;
          Buffer<float> x(n, random, -2, 2), dy(n, random, -1, 1), y(n), scale(n), dx(n);
          Buffer<float> yParts(n), scaleParts(n), dxParts(n);
          Call(*set, Kernel::localResponseNorm, y, scale, x, rows, channels, s.radius, s.bias, s.alpha, s.beta).whole();
          Call(*set, Kernel::localResponseNorm, yParts, scaleParts, x, rows, channels, s.radius, s.bias, s.alpha,
               s.beta)
              .split();
          Call(*set, Kernel::localResponseNormBackward, dx, dy, x, y, scale, rows, channels, s.radius, s.alpha, s.beta)
              .whole();
          Call(*set, Kernel::localResponseNormBackward, dxParts, dy, x, y, scale, rows, channels, s.radius, s.alpha,
               s.beta)
              .split();
          CHECK(y.sameBits(yParts) && scale.sameBits(scaleParts) && dx.sameBits(dxParts));
          CHECK(y.intact() && scale.intact() && dx.intact());
          for (int64_t i = 0; i < n; i++) {
            const int64_t row = i / channels * channels, c = i % channels;
            double squares = 0, products = 0, magnitude = 0;
            for (int64_t j = 0; j < channels; j++) {
              if (std::abs(j - c) > s.radius) continue;
              const double value = x[row + j], product = static_cast<double>(dy[row + j]) * y[row + j] / scale[row + j];
              squares += value * value;
              products += product;
              magnitude += std::fabs(product);
            }
            const double expected = s.bias + s.alpha * squares;
            CHECK_NEAR(scale[i], expected, 4e-6, 0, "scale");
            CHECK_NEAR(y[i], x[i] * std::pow(scale[i], -s.beta), 3e-6, 0, "y");
            const double direct = dy[i] * std::pow(scale[i], -s.beta);
            const double factor = 2.0 * s.alpha * s.beta * x[i];
            CHECK_NEAR(dx[i], direct - factor * products, 0,
                       3e-6 * (std::fabs(direct) + std::fabs(factor) * magnitude) + 1e-12, "dx");
          }
        }
      }
    }
  }
}

TEST(localResponseNormAtTheEdges) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  for (const KernelSet* set : kernelSets()) {
    Buffer<float> x(4), y(4), scale(4);
    const auto run = [&](float value, float bias, float alpha, float beta) {
      for (int64_t i = 0; i < 4; i++) x[i] = value;
      Call(*set, Kernel::localResponseNorm, y, scale, x, 1, 4, 0, bias, alpha, beta).whole();
      return y[0];
    };
    CHECK(std::isnan(run(nan, 1, 1, 0.75f)));
    CHECK(std::isnan(run(0, 0, 1, 0.75f)));  // 0 times infinity
    CHECK(run(0, 0, 1, 0) == 0);
    CHECK(std::isnan(run(1, 0, -1, 0.75f)));
    CHECK(std::isnan(run(inf, 1, 1, 0.75f)));  // infinity times 0
    CHECK_NEAR(run(1e-20f, 0, 1, 0.5f), 1, 1e-4, 0, "the square is a denormal");
  }
}

}  // namespace
