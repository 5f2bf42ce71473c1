// PReLU: leaky ReLU with a trained slope per channel.
#include "activations.h"
#include "kernels.h"
#include "reduce.h"

namespace blasnet::BLASNET_SIMD {

// y, x: rows x channels; slope: channels.
void prelu(float* y, const float* x, const float* slope, int64_t, int64_t channels, int64_t begin,
           int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    const float* in = x + row * channels;
    float* out = y + row * channels;
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) out[c] = formulas::leakyRelu(in[c], slope[c]);
  }
}

// dx, dy, x: rows x channels, dx may be dy; dslope, slope: channels.
void preluBackward(float* dx, float* dslope, const float* dy, const float* x, const float* slope, int64_t rows,
                   int64_t channels, int64_t begin, int64_t end) noexcept {
  for (int64_t first = begin; first < end; first += columnBlock) {
    const int64_t width = first + columnBlock < end ? columnBlock : end - first;
    const float* in = x + first;
    const float* gradient = dy + first;
    double total[columnBlock];
    // Not dy * min(x, 0): sums of plain products could be fused in different ways. The difference is 0, or NaN.
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

}  // namespace blasnet::BLASNET_SIMD
