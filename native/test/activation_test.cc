// Activations and their gradients against their formulas in double.
#include <numbers>

#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr double lambda = 1.0507009873554805, alpha = 1.6732632423543772;
constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double distribution(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi); }
double hardGate(double x) { return std::fmin(std::fmax(x + 3, 0), 6) / 6; }
double mishGate(double x) { return std::tanh(std::log1p(std::exp(x))); }

// y = f(x, setting); the derivative is a function of y, or of x where `fromInput`.
struct Activation {
  const char* name;
  Kernel forward, backward;
  bool hasSetting;
  bool fromInput;
  double (*f)(double x, double setting);
  double (*derivative)(double at, double setting);
};

const Activation activations[] = {
    {"identity", Kernel::identity, Kernel::identityBackward, false, false, [](double x, double) { return x; },
     [](double, double) { return 1.0; }},
    {"relu", Kernel::relu, Kernel::reluBackward, false, false, [](double x, double) { return x < 0 ? 0 : x; },
     [](double y, double) { return y > 0 ? 1.0 : 0.0; }},
    {"leakyRelu", Kernel::leakyRelu, Kernel::leakyReluBackward, true, false,
     [](double x, double s) { return x < 0 ? s * x : x; }, [](double y, double s) { return y > 0 ? 1 : s; }},
    {"elu", Kernel::elu, Kernel::eluBackward, true, false,
     [](double x, double s) { return x > 0 ? x : s * std::expm1(x); },
     [](double y, double s) { return y > 0 ? 1 : y + s; }},
    {"selu", Kernel::selu, Kernel::seluBackward, false, false,
     [](double x, double) { return lambda * (x > 0 ? x : alpha * std::expm1(x)); },
     [](double y, double) { return y > 0 ? lambda : y + lambda * alpha; }},
    {"gelu", Kernel::gelu, Kernel::geluBackward, false, true, [](double x, double) { return x * distribution(x); },
     [](double x, double) { return distribution(x) + x * density(x); }},
    {"silu", Kernel::silu, Kernel::siluBackward, false, true, [](double x, double) { return x * sigmoid(x); },
     [](double x, double) { return sigmoid(x) * (1 + x * (1 - sigmoid(x))); }},
    {"sigmoid", Kernel::sigmoid, Kernel::sigmoidBackward, false, false, [](double x, double) { return sigmoid(x); },
     [](double y, double) { return y * (1 - y); }},
    {"tanh", Kernel::tanh, Kernel::tanhBackward, false, false, [](double x, double) { return std::tanh(x); },
     [](double y, double) { return 1 - y * y; }},
    {"softplus", Kernel::softplus, Kernel::softplusBackward, false, false,
     [](double x, double) { return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); },
     [](double y, double) { return -std::expm1(-y); }},
    {"relu6", Kernel::relu6, Kernel::relu6Backward, false, false,
     [](double x, double) { return x < 0 ? 0 : std::fmin(x, 6); },
     [](double y, double) { return y > 0 && y < 6 ? 1.0 : 0.0; }},
    {"hardSigmoid", Kernel::hardSigmoid, Kernel::hardSigmoidBackward, false, false,
     [](double x, double) { return hardGate(x); }, [](double y, double) { return y > 0 && y < 1 ? 1.0 / 6 : 0.0; }},
    {"hardSwish", Kernel::hardSwish, Kernel::hardSwishBackward, false, true,
     [](double x, double) { return x * hardGate(x); },
     [](double x, double) { return x <= -3  ? 0.0
                                   : x >= 3 ? 1.0
                                            : (2 * x + 3) / 6; }},
    {"mish", Kernel::mish, Kernel::mishBackward, false, true, [](double x, double) { return x * mishGate(x); },
     [](double x, double) { return mishGate(x) + x * sigmoid(x) * (1 - mishGate(x) * mishGate(x)); }},
    {"softsign", Kernel::softsign, Kernel::softsignBackward, false, false,
     [](double x, double) { return x / (1 + std::fabs(x)); },
     [](double y, double) { return (1 - std::fabs(y)) * (1 - std::fabs(y)); }},
};

Call forwardCall(const KernelSet& set, const Activation& a, const Buffer<float>& y, const Buffer<float>& x,
                 double setting) {
  if (a.hasSetting) return {set, a.forward, y, x, x.size(), setting};
  return {set, a.forward, y, x, x.size()};
}

Call backwardCall(const KernelSet& set, const Activation& a, const Buffer<float>& dx, const Buffer<float>& dy,
                  const Buffer<float>& at, double setting) {
  if (a.hasSetting) return {set, a.backward, dx, dy, at, at.size(), setting};
  return {set, a.backward, dx, dy, at, at.size()};
}

TEST(activationsMatchFormulas) {
  Random random(1);
  for (const KernelSet* set : kernelSets()) {
    for (const Activation& a : activations) {
      for (const int64_t n : sizes) {
        const double setting = 0.3f;
        Buffer<float> x(n, random, -6, 6), y(n), inParts(n);
        forwardCall(*set, a, y, x, setting).whole();
        for (int64_t i = 0; i < n; i++) CHECK_NEAR(y[i], a.f(x[i], setting), 4e-7, 1e-30, a.name);
        forwardCall(*set, a, inParts, x, setting).split();
        CHECK(y.sameBits(inParts) && y.intact() && inParts.intact());

        Buffer<float> dy(n, random, -2, 2), dx(n);
        const Buffer<float>& at = a.fromInput ? x : y;
        backwardCall(*set, a, dx, dy, at, setting).whole();
        for (int64_t i = 0; i < n; i++) {
          CHECK_NEAR(dx[i], static_cast<double>(dy[i]) * a.derivative(at[i], setting), 1e-6, 4e-7, a.name);
        }
        backwardCall(*set, a, inParts, dy, at, setting).split();
        CHECK(dx.sameBits(inParts) && dx.intact());

        backwardCall(*set, a, dy, dy, at, setting).whole();
        CHECK(dy.sameBits(dx));
        forwardCall(*set, a, x, x, setting).whole();
        CHECK(x.sameBits(y));
      }
    }
  }
}

// Over all magnitudes, which also shows that every set's vector code is right where the formulas change over.
TEST(activationsOverTheWholeRange) {
  constexpr int64_t n = 4096;
  Buffer<float> x(2 * n), y(2 * n);
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = static_cast<uint32_t>(i) * (0x43000000u / n);  // up to 128
    std::memcpy(&x[2 * i], &bits, sizeof bits);
    x[2 * i + 1] = -x[2 * i];
  }
  for (const KernelSet* set : kernelSets()) {
    for (const Activation& a : activations) {
      forwardCall(*set, a, y, x, 1.0).whole();
      for (int64_t i = 0; i < 2 * n; i++) {
        CHECK_NEAR(y[i], a.f(x[i], 1.0), 6e-7, 2e-38, format("%s(%.9g)", a.name, static_cast<double>(x[i])));
      }
    }
  }
}

TEST(activationsKeepNaN) {
  constexpr int64_t n = 19;
  for (const KernelSet* set : kernelSets()) {
    for (const Activation& a : activations) {
      Buffer<float> nans(n), ones(n), y(n), dx(n);
      for (int64_t i = 0; i < n; i++) ones[i] = 1;
      for (int64_t i = 0; i < n; i++) nans[i] = nan;
      forwardCall(*set, a, y, nans, 0.5).whole();
      for (int64_t i = 0; i < n; i++) CHECK(std::isnan(y[i]));
      for (const float at : {-0.5f, 0.0f, 0.5f}) {
        for (int64_t i = 0; i < n; i++) ones[i] = at;
        backwardCall(*set, a, dx, nans, ones, 0.5).whole();
        for (int64_t i = 0; i < n; i++) CHECK(std::isnan(dx[i]));
      }
      if (a.forward == Kernel::identity) continue;
      backwardCall(*set, a, dx, ones, nans, 0.5).whole();
      for (int64_t i = 0; i < n; i++) CHECK(std::isnan(dx[i]));
    }
  }
}

TEST(activationLimits) {
  for (const KernelSet* set : kernelSets()) {
    const auto at = [set](Kernel kernel, float value) {
      Buffer<float> x(17), y(17);
      for (int64_t i = 0; i < 17; i++) x[i] = value;
      Call(*set, kernel, y, x, x.size()).whole();
      for (int64_t i = 1; i < 17; i++) CHECK(std::memcmp(&y[i], &y[0], sizeof(float)) == 0);
      return y[0];
    };
    CHECK(at(Kernel::relu, inf) == inf && at(Kernel::relu, -inf) == 0);
    CHECK(at(Kernel::sigmoid, 100) == 1 && at(Kernel::sigmoid, -200) == 0);
    CHECK(at(Kernel::tanh, 20) == 1 && at(Kernel::tanh, -20) == -1);
    CHECK(at(Kernel::softplus, 1000) == 1000 && at(Kernel::softplus, -1000) == 0);
    CHECK(at(Kernel::gelu, 1e30f) == 1e30f && at(Kernel::gelu, -1e30f) == 0);
    CHECK(at(Kernel::silu, 1e30f) == 1e30f && at(Kernel::silu, -1e30f) == 0);
    CHECK(at(Kernel::mish, 1e30f) == 1e30f && at(Kernel::mish, -1e30f) == 0);
    CHECK(at(Kernel::relu6, inf) == 6 && at(Kernel::relu6, -inf) == 0);
    CHECK(at(Kernel::hardSigmoid, inf) == 1 && at(Kernel::hardSigmoid, -inf) == 0);
    CHECK(at(Kernel::hardSwish, inf) == inf && at(Kernel::hardSwish, -inf) == 0);
    CHECK(at(Kernel::softsign, inf) == 1 && at(Kernel::softsign, -inf) == -1);
    CHECK(at(Kernel::selu, -inf) == static_cast<float>(-lambda * alpha));
    CHECK(at(Kernel::tanh, 0x1p-140f) == 0x1p-140f);  // denormals are not flushed
  }
}

TEST(softmaxRows) {
  Random random(2);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t cols : {1, 2, 3, 10, 16, 17, 31, 33, 100, 1000, 5000}) {
      for (const int64_t rows : {0, 1, 5, 64}) {
        Buffer<float> x(rows * cols, random, -20, 20), y(rows * cols), inParts(rows * cols);
        Call(*set, Kernel::softmax, y, x, rows, cols).whole();
        for (int64_t row = 0; row < rows; row++) {
          double largest = -inf, total = 0;
          for (int64_t j = 0; j < cols; j++) largest = std::fmax(largest, x[row * cols + j]);
          for (int64_t j = 0; j < cols; j++) total += std::exp(x[row * cols + j] - largest);
          for (int64_t j = 0; j < cols; j++) {
            CHECK_NEAR(y[row * cols + j], std::exp(x[row * cols + j] - largest) / total, 3e-6, 1e-38,
                       format("cols %ld", cols));
          }
        }
        Call(*set, Kernel::softmax, inParts, x, rows, cols).split();
        CHECK(y.sameBits(inParts) && y.intact());

        Buffer<float> dy(rows * cols, random, -1, 1), dx(rows * cols);
        Call(*set, Kernel::softmaxBackward, dx, dy, y, rows, cols).whole();
        for (int64_t row = 0; row < rows; row++) {
          double dot = 0;
          for (int64_t j = 0; j < cols; j++) dot += static_cast<double>(dy[row * cols + j]) * y[row * cols + j];
          for (int64_t j = 0; j < cols; j++) {
            CHECK_NEAR(dx[row * cols + j], y[row * cols + j] * (dy[row * cols + j] - dot), 1e-5, 1e-7,
                       "softmaxBackward");
          }
        }
        Call(*set, Kernel::softmaxBackward, dy, dy, y, rows, cols).split();
        CHECK(dy.sameBits(dx) && dx.intact());
        Call(*set, Kernel::softmax, x, x, rows, cols).whole();
        CHECK(x.sameBits(y));
      }
    }
  }
}

TEST(logSoftmaxRows) {
  Random random(3);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t cols : {1, 2, 3, 10, 16, 17, 31, 33, 100, 1000, 5000}) {
      for (const int64_t rows : {0, 1, 5, 64}) {
        const int64_t n = rows * cols;
        Buffer<float> x(n, random, -20, 20), y(n), inParts(n);
        Call(*set, Kernel::logSoftmax, y, x, rows, cols).whole();
        Call(*set, Kernel::logSoftmax, inParts, x, rows, cols).split();
        CHECK(y.sameBits(inParts) && y.intact());
        Buffer<float> dy(n, random, -1, 1), dx(n);
        Call(*set, Kernel::logSoftmaxBackward, dx, dy, y, rows, cols).whole();
        for (int64_t row = 0; row < rows; row++) {
          double largest = -inf, total = 0, gradients = 0;
          for (int64_t j = 0; j < cols; j++) largest = std::fmax(largest, x[row * cols + j]);
          for (int64_t j = 0; j < cols; j++) total += std::exp(x[row * cols + j] - largest);
          for (int64_t j = 0; j < cols; j++) gradients += dy[row * cols + j];
          for (int64_t j = 0; j < cols; j++) {
            const int64_t at = row * cols + j;
            CHECK_NEAR(y[at], x[at] - largest - std::log(total), 1e-6, 2e-6, format("cols %ld", cols));
            CHECK_NEAR(dx[at], dy[at] - std::exp(static_cast<double>(y[at])) * gradients, 2e-6, 4e-6, "gradient");
          }
        }
        Call(*set, Kernel::logSoftmaxBackward, dy, dy, y, rows, cols).split();
        CHECK(dy.sameBits(dx) && dx.intact());
        Call(*set, Kernel::logSoftmax, x, x, rows, cols).whole();
        CHECK(x.sameBits(y));
      }
    }
  }
}

TEST(softmaxExtremes) {
  for (const KernelSet* set : kernelSets()) {
    Buffer<float> x(4), y(4);
    const float values[] = {1e4f, -1e4f, 1e4f, 0};
    for (int64_t j = 0; j < 4; j++) x[j] = values[j];
    Call(*set, Kernel::softmax, y, x, 1, 4).whole();
    CHECK(y[0] == 0.5f && y[1] == 0 && y[2] == 0.5f && y[3] == 0);
    x[1] = nan;
    Call(*set, Kernel::softmax, y, x, 1, 4).whole();
    for (int64_t j = 0; j < 4; j++) CHECK(std::isnan(y[j]));
  }
}

TEST(prelu) {
  Random random(8);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t rows : {0, 1, 9, 300}) {
      for (const int64_t channels : {1, 6, 16, 17, 129, 300}) {
        const int64_t n = rows * channels;
        Buffer<float> x(n, random, -2, 2), slope(channels, random, -1, 1), dy(n, random, -1, 1), y(n), yParts(n);
        if (n > 0) x[0] = 0;
        Call(*set, Kernel::prelu, y, x, slope, rows, channels).whole();
        Call(*set, Kernel::prelu, yParts, x, slope, rows, channels).split();
        Buffer<float> dx(n), dslope(channels), dxParts = dy, dslopeParts(channels);
        Call(*set, Kernel::preluBackward, dx, dslope, dy, x, slope, rows, channels).whole();
        Call(*set, Kernel::preluBackward, dxParts, dslopeParts, dxParts, x, slope, rows, channels).split();  // in place
        CHECK(y.sameBits(yParts) && dx.sameBits(dxParts) && dslope.sameBits(dslopeParts));
        CHECK(y.intact() && dx.intact() && dslope.intact() && dxParts.intact());
        for (int64_t c = 0; c < channels; c++) {
          double sum = 0;
          for (int64_t i = c; i < n; i += channels) {
            CHECK(y[i] == (x[i] < 0 ? slope[c] * x[i] : x[i]));
            CHECK(dx[i] == dy[i] * (x[i] > 0 ? 1 : slope[c]));
            sum += dy[i] * std::fmin(x[i], 0.0);
          }
          CHECK_NEAR(dslope[c], sum, 2e-6, 1e-5, "dslope");
        }
      }
    }
    Buffer<float> x(1), slope(1), y(1), dx(1), dslope(1);
    x[0] = nan;
    slope[0] = 0;
    Call(*set, Kernel::prelu, y, x, slope, 1, 1).whole();
    Call(*set, Kernel::preluBackward, dx, dslope, slope, x, slope, 1, 1).whole();
    CHECK(std::isnan(y[0]) && std::isnan(dx[0]) && std::isnan(dslope[0]));
  }
}

}  // namespace
