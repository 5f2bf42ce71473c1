// The elementary functions against the C library in double, over dense sweeps of the floats.
#define BLASNET_SIMD testing
#include "../kernels/math.h"

#include <cstdio>
#include <numbers>

#include "test.h"

namespace {

using namespace blasnet::test;
namespace math = blasnet::testing::math;

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// The error in units in the last place of the exact value.
double ulps(float actual, double exact) {
  if (std::isnan(exact) || std::isnan(actual)) return std::isnan(exact) && std::isnan(actual) ? 0 : inf;
  if (static_cast<float>(exact) == actual)
    return std::isinf(actual) ? 0 : std::fabs(actual - exact) / 0x1p-149 < 1 ? 0 : 0.5;
  if (std::isinf(actual) || std::isinf(static_cast<float>(exact))) return inf;
  int exponent;
  std::frexp(exact, &exponent);
  return std::fabs(actual - exact) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

// Every `step`th float between low and high, by bit pattern, of both signs where low is negative.
template <typename Function, typename Exact>
void sweep(const char* name, double bound, float low, float high, Function f, Exact exact) {
  constexpr uint32_t step = 769;
  double worst = 0;
  float at = 0;
  for (uint64_t bits = 0; bits < 0x7f800000u; bits += step) {
    const float magnitude = math::fromBits(static_cast<uint32_t>(bits));
    for (const float x : {magnitude, -magnitude}) {
      if (!(x >= low && x <= high)) continue;
      const double error = ulps(f(x), exact(static_cast<double>(x)));
      if (error > worst) {
        worst = error;
        at = x;
      }
    }
  }
  std::printf("  %s: %.2f ulp at %.9g\n", name, worst, static_cast<double>(at));
  check(worst <= bound, __FILE__, __LINE__, format("%s: %.2f ulp at %.9g", name, worst, static_cast<double>(at)));
}

bool bitsEqual(float a, float b) { return math::toBits(a) == math::toBits(b); }

TEST(mathSweeps) {
  constexpr float most = std::numeric_limits<float>::max();
  sweep(
      "exp", 1.5, -most, most, [](float x) { return math::exp(x); }, [](double x) { return std::exp(x); });
  sweep(
      "expm1", 2, -most, most, [](float x) { return math::expm1(x); }, [](double x) { return std::expm1(x); });
  sweep(
      "log", 2, std::numeric_limits<float>::min(), most, [](float x) { return math::log(x); },
      [](double x) { return std::log(x); });
  sweep(
      "log1p", 2, 0, 1, [](float x) { return math::log1p(x); }, [](double x) { return std::log1p(x); });
  sweep(
      "sigmoid", 3, -most, most, [](float x) { return math::sigmoid(x); },
      [](double x) { return 1 / (1 + std::exp(-x)); });
  sweep(
      "tanh", 3, -most, most, [](float x) { return math::tanh(x); }, [](double x) { return std::tanh(x); });
  sweep(
      "normal distribution", 5, -13, most, [](float x) { return math::normal(x).distribution; },
      [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); });
  sweep(
      "normal exponential", 1.5, -13, 13, [](float x) { return math::normal(x).exponential; },
      [](double x) { return std::exp(-0.5 * x * x); });
}

// Over the angles that Box-Muller takes, and with more bits, which are ignored.
TEST(sineCosine) {
  double worst = 0;
  for (uint32_t turns = 0; turns < 1u << 26; turns += 37) {
    const double angle = 2 * std::numbers::pi * std::ldexp(turns, -26);
    const math::SineCosine of = math::sineCosine(turns), more = math::sineCosine(turns + (5u << 26));
    worst = std::fmax(worst, std::fmax(std::fabs(of.sine - std::sin(angle)), std::fabs(of.cosine - std::cos(angle))));
    check(bitsEqual(of.sine, more.sine) && bitsEqual(of.cosine, more.cosine), __FILE__, __LINE__, "ignored bits");
  }
  std::printf("  sineCosine: %.3g at most\n", worst);
  CHECK(worst < 1.2e-7);
  for (uint32_t quarter = 0; quarter < 4; quarter++) {
    const math::SineCosine of = math::sineCosine(quarter << 24);
    CHECK(of.sine == (quarter == 1 ? 1 : quarter == 3 ? -1 : 0));
    CHECK(of.cosine == (quarter == 0 ? 1 : quarter == 2 ? -1 : 0));
  }
}

TEST(mathSpecialValues) {
  CHECK(bitsEqual(math::exp(0.0f), 1));
  CHECK(bitsEqual(math::exp(-0.0f), 1));
  CHECK(math::exp(inf) == inf);
  CHECK(math::exp(89.0f) == inf);
  CHECK(bitsEqual(math::exp(-inf), 0));
  CHECK(math::exp(-103.0f) == 0x1p-149f);
  CHECK(std::isnan(math::exp(nan)));

  CHECK(bitsEqual(math::expm1(0.0f), 0.0f));
  CHECK(bitsEqual(math::expm1(-0.0f), -0.0f));
  CHECK(math::expm1(3e-45f) == 3e-45f);
  CHECK(math::expm1(inf) == inf);
  CHECK(math::expm1(-inf) == -1);
  CHECK(std::isnan(math::expm1(nan)));

  CHECK(bitsEqual(math::log(1.0f), 0));
  CHECK(math::log(inf) == inf);
  CHECK(std::isnan(math::log(nan)));
  CHECK(bitsEqual(math::log1p(0.0f), 0));
  CHECK(math::log1p(3e-45f) == 3e-45f);
  CHECK(std::isnan(math::log1p(nan)));

  CHECK(math::sigmoid(0.0f) == 0.5f);
  CHECK(math::sigmoid(inf) == 1);
  CHECK(math::sigmoid(40.0f) == 1);
  CHECK(math::sigmoid(-inf) == 0);
  CHECK(math::sigmoid(-200.0f) == 0);
  CHECK(std::isnan(math::sigmoid(nan)));

  CHECK(bitsEqual(math::tanh(0.0f), 0.0f));
  CHECK(bitsEqual(math::tanh(-0.0f), -0.0f));
  CHECK(math::tanh(9.1f) == 1);
  CHECK(math::tanh(-9.1f) == -1);
  CHECK(math::tanh(inf) == 1);
  CHECK(math::tanh(-inf) == -1);
  CHECK(math::tanh(-3e-45f) == -3e-45f);
  CHECK(std::isnan(math::tanh(nan)));

  CHECK(math::normal(0.0f).distribution == 0.5f);
  CHECK(math::normal(inf).distribution == 1);
  CHECK(math::normal(-inf).distribution == 0);
  CHECK(math::normal(-inf).exponential == 0);
  CHECK(std::isnan(math::normal(nan).distribution));
  CHECK(std::isnan(math::normal(nan).exponential));

  CHECK(math::sign(-2.0f) == -1);
  CHECK(math::sign(2.0f) == 1);
  CHECK(math::sign(0.0f) == 0);
  CHECK(std::isnan(math::sign(nan)));
}

}  // namespace
