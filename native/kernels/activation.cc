// Activations and their gradients: elementwise and, for softmax, by rows.
#include "activations.h"
#include "kernels.h"
#include "reduce.h"

namespace blasnet::BLASNET_SIMD {
namespace {

// y = f(x); y may be x.
template <typename Function>
BLASNET_INLINE void map(float* y, const float* x, int64_t begin, int64_t end, Function f) {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) y[i] = f(x[i]);
}

// dx = dy f'(at), where `at` is the output or the input of the forward pass; dx may be dy. Also multiplies where the
// derivative is 0, so that a NaN in dy is kept.
template <typename Derivative>
BLASNET_INLINE void mapBackward(float* dx, const float* dy, const float* at, int64_t begin, int64_t end,
                                Derivative derivative) {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) dx[i] = dy[i] * derivative(at[i]);
}

using Plain = void (*)(float*, const float*, int64_t, int64_t, int64_t) noexcept;
using Sloped = void (*)(float*, const float*, int64_t, float, int64_t, int64_t) noexcept;
BLASNET_INLINE void apply(Plain f, float* y, int64_t n, float) { f(y, y, n, 0, n); }
BLASNET_INLINE void apply(Sloped f, float* y, int64_t n, float slope) { f(y, y, n, slope, 0, n); }

}  // namespace

void activate(float* y, int64_t n, int32_t activation, float slope) noexcept {
  if (activation == identityCode) return;
  switch (activation) {
#define BLASNET_ACTIVATION(name) \
  case name##Code:               \
    return apply(name, y, n, slope);
#include "signatures.inc"
#undef BLASNET_ACTIVATION
    default: return;
  }
}

void identity(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return v; });
}

void relu(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return formulas::relu(v); });
}

void leakyRelu(float* y, const float* x, int64_t, float slope, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [=](float v) { return formulas::leakyRelu(v, slope); });
}

void elu(float* y, const float* x, int64_t, float alpha, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [=](float v) { return formulas::elu(v, alpha); });
}

void selu(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return formulas::selu(v); });
}

void gelu(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return formulas::gelu(v); });
}

void silu(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return formulas::silu(v); });
}

void sigmoid(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return math::sigmoid(v); });
}

void tanh(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return math::tanh(v); });
}

void softplus(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return formulas::softplus(v); });
}

void relu6(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return formulas::relu6(v); });
}

void hardSigmoid(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return formulas::hardSigmoid(v); });
}

void hardSwish(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return formulas::hardSwish(v); });
}

void mish(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return formulas::mish(v); });
}

void softsign(float* y, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  map(y, x, begin, end, [](float v) { return formulas::softsign(v); });
}

void identityBackward(float* dx, const float* dy, const float*, int64_t, int64_t begin, int64_t end) noexcept {
  map(dx, dy, begin, end, [](float d) { return d; });
}

void reluBackward(float* dx, const float* dy, const float* y, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, y, begin, end, [](float v) { return formulas::reluDerivative(v); });
}

void leakyReluBackward(float* dx, const float* dy, const float* y, int64_t, float slope, int64_t begin,
                       int64_t end) noexcept {
  mapBackward(dx, dy, y, begin, end, [=](float v) { return formulas::leakyReluDerivative(v, slope); });
}

void eluBackward(float* dx, const float* dy, const float* y, int64_t, float alpha, int64_t begin,
                 int64_t end) noexcept {
  mapBackward(dx, dy, y, begin, end, [=](float v) { return formulas::eluDerivative(v, alpha); });
}

void seluBackward(float* dx, const float* dy, const float* y, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, y, begin, end, [](float v) { return formulas::seluDerivative(v); });
}

void geluBackward(float* dx, const float* dy, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, x, begin, end, [](float v) { return formulas::geluDerivative(v); });
}

void siluBackward(float* dx, const float* dy, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, x, begin, end, [](float v) { return formulas::siluDerivative(v); });
}

void sigmoidBackward(float* dx, const float* dy, const float* y, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, y, begin, end, [](float v) { return formulas::sigmoidDerivative(v); });
}

void tanhBackward(float* dx, const float* dy, const float* y, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, y, begin, end, [](float v) { return formulas::tanhDerivative(v); });
}

void softplusBackward(float* dx, const float* dy, const float* y, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, y, begin, end, [](float v) { return formulas::softplusDerivative(v); });
}

void relu6Backward(float* dx, const float* dy, const float* y, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, y, begin, end, [](float v) { return formulas::relu6Derivative(v); });
}

void hardSigmoidBackward(float* dx, const float* dy, const float* y, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, y, begin, end, [](float v) { return formulas::hardSigmoidDerivative(v); });
}

void hardSwishBackward(float* dx, const float* dy, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, x, begin, end, [](float v) { return formulas::hardSwishDerivative(v); });
}

void mishBackward(float* dx, const float* dy, const float* x, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, x, begin, end, [](float v) { return formulas::mishDerivative(v); });
}

void softsignBackward(float* dx, const float* dy, const float* y, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, y, begin, end, [](float v) { return formulas::softsignDerivative(v); });
}

// y, x: rows x cols; y may be x.
void softmax(float* y, const float* x, int64_t, int64_t cols, int64_t begin, int64_t end) noexcept {
  // Works in blocks of rows that fit the cache: subtract each row's maximum, exp over the whole block, divide by the
  // sums.
  const int64_t blockRows = rowsFor(cols, 4096);
  for (int64_t first = begin; first < end; first += blockRows) {
    const int64_t last = first + blockRows < end ? first + blockRows : end;
    for (int64_t row = first; row < last; row++) shift(y + row * cols, x + row * cols, cols);
    map(y, y, first * cols, last * cols, [](float v) { return math::exp(v); });
    for (int64_t row = first; row < last; row++) {
      float* values = y + row * cols;
      const float factor = 1.0f / static_cast<float>(sum(values, cols));
#pragma omp simd
      for (int64_t j = 0; j < cols; j++) values[j] *= factor;
    }
  }
}

// dx, dy, y: rows x cols; dx may be dy.
void softmaxBackward(float* dx, const float* dy, const float* y, int64_t, int64_t cols, int64_t begin,
                     int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    const float* dyRow = dy + row * cols;
    const float* yRow = y + row * cols;
    float* dxRow = dx + row * cols;
    const float dot = static_cast<float>(sumOf(cols, [=](int64_t j) { return dyRow[j] * yRow[j]; }));
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) dxRow[j] = yRow[j] * (dyRow[j] - dot);
  }
}

// y, x: rows x cols; y may be x.
void logSoftmax(float* y, const float* x, int64_t, int64_t cols, int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    float* values = y + row * cols;
    shift(values, x + row * cols, cols);
    // At least one power is 1, so that the sum is normal.
    const double total = sumOf(cols, [=](int64_t j) { return math::exp(values[j]); });
    const float logarithm = math::log(static_cast<float>(total));
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) values[j] -= logarithm;
  }
}

// dx, dy, y: rows x cols; dx may be dy.
void logSoftmaxBackward(float* dx, const float* dy, const float* y, int64_t, int64_t cols, int64_t begin,
                        int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    const float* dyRow = dy + row * cols;
    const float* yRow = y + row * cols;
    float* dxRow = dx + row * cols;
    const float total = static_cast<float>(sum(dyRow, cols));
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) dxRow[j] = dyRow[j] - math::exp(yRow[j]) * total;
  }
}

}  // namespace blasnet::BLASNET_SIMD
