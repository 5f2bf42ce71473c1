// Activations and their gradients, elementwise and (softmax) by rows.
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

// dx = dy f'(at), where `at` is the output or the input of the forward pass; dx may be dy. Multiplied even where the
// derivative is 0, so that a NaN in dy stays.
template <typename Derivative>
BLASNET_INLINE void mapBackward(float* dx, const float* dy, const float* at, int64_t begin, int64_t end, Derivative derivative) {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) dx[i] = dy[i] * derivative(at[i]);
}

}  // namespace

void activate(float* y, int64_t n, int32_t activation, float slope) noexcept {
  switch (activation) {
    case reluCode: return relu(y, y, n, 0, n);
    case leakyReluCode: return leakyRelu(y, y, n, slope, 0, n);
    case eluCode: return elu(y, y, n, slope, 0, n);
    case seluCode: return selu(y, y, n, 0, n);
    case sigmoidCode: return sigmoid(y, y, n, 0, n);
    case tanhCode: return tanh(y, y, n, 0, n);
    case softplusCode: return softplus(y, y, n, 0, n);
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

void identityBackward(float* dx, const float* dy, const float*, int64_t, int64_t begin, int64_t end) noexcept {
  map(dx, dy, begin, end, [](float d) { return d; });
}

void reluBackward(float* dx, const float* dy, const float* y, int64_t, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, y, begin, end, [](float v) { return formulas::reluDerivative(v); });
}

void leakyReluBackward(float* dx, const float* dy, const float* y, int64_t, float slope, int64_t begin, int64_t end) noexcept {
  mapBackward(dx, dy, y, begin, end, [=](float v) { return formulas::leakyReluDerivative(v, slope); });
}

void eluBackward(float* dx, const float* dy, const float* y, int64_t, float alpha, int64_t begin, int64_t end) noexcept {
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

// y, x: rows x channels; slope: channels.
void prelu(float* y, const float* x, const float* slope, int64_t, int64_t channels, int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    const float* in = x + row * channels;
    float* out = y + row * channels;
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) out[c] = formulas::leakyRelu(in[c], slope[c]);
  }
}

// dx, dy, x: rows x channels, dx may be dy; dslope, slope: channels.
void preluBackward(float* dx, float* dslope, const float* dy, const float* x, const float* slope, int64_t rows, int64_t channels,
                   int64_t begin, int64_t end) noexcept {
  for (int64_t first = begin; first < end; first += columnBlock) {
    const int64_t width = first + columnBlock < end ? columnBlock : end - first;
    const float* in = x + first;
    const float* gradient = dy + first;
    double total[columnBlock];
    // Not dy * min(x, 0): a sum of bare products could be fused in different ways. The difference is 0, or NaN.
    columnSums(total, rows, width, [=](int64_t row, int64_t c) {
      const float value = in[row * channels + c], d = gradient[row * channels + c];
      return value > 0 ? d - d : d * value;
    });
    for (int64_t c = 0; c < width; c++) dslope[first + c] = static_cast<float>(total[c]);
    for (int64_t row = 0; row < rows; row++) {
      float* out = dx + row * channels + first;
#pragma omp simd
      for (int64_t c = 0; c < width; c++) {
        out[c] = gradient[row * channels + c] * formulas::leakyReluDerivative(in[row * channels + c], slope[first + c]);
      }
    }
  }
}

// y, x: rows x cols; y may be x.
void softmax(float* y, const float* x, int64_t, int64_t cols, int64_t begin, int64_t end) noexcept {
  // Blocks of rows that stay in the cache: subtract each row's maximum, exp over the whole block, then divide by the sums.
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
void softmaxBackward(float* dx, const float* dy, const float* y, int64_t, int64_t cols, int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    const float* dyRow = dy + row * cols;
    const float* yRow = y + row * cols;
    float* dxRow = dx + row * cols;
    const float dot = static_cast<float>(sumOf(cols, [=](int64_t j) { return dyRow[j] * yRow[j]; }));
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) dxRow[j] = yRow[j] * (dyRow[j] - dot);
  }
}

}  // namespace blasnet::BLASNET_SIMD
