// Local response normalisation over the channels of each pixel. The sums over neighbouring channels are computed as one
// shifted addition per neighbour, each over all channels.
#include "kernels.h"
#include "reduce.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::larger;
using math::smaller;

// x^-exponent for x >= 0 and NaN; NaN for x < 0. `atZero` is its value for x = 0.
BLASNET_INLINE float inversePower(float x, float exponent, float atZero) {
  const float power = math::exp(-exponent * math::logAny(x));
  return x == 0 ? atZero : power;
}

float inversePowerAtZero(float exponent) { return exponent > 0 ? math::infinity : exponent == 0 ? 1.0f : 0.0f; }

// sum[c] = the sum of x[j]^2 over the channels j with |j - c| <= reach.
BLASNET_INLINE void sumSquares(float* sum, const float* x, int64_t channels, int64_t reach) {
#pragma omp simd
  for (int64_t c = 0; c < channels; c++) sum[c] = x[c] * x[c];
  for (int64_t d = 1; d <= reach; d++) {
#pragma omp simd
    for (int64_t c = 0; c < channels - d; c++) sum[c] += x[c + d] * x[c + d];
#pragma omp simd
    for (int64_t c = d; c < channels; c++) sum[c] += x[c - d] * x[c - d];
  }
}

// sum[c] = the sum of dy[j] y[j] / scale[j] over the same channels.
BLASNET_INLINE void sumRatios(float* sum, const float* dy, const float* y, const float* scale, int64_t channels,
                              int64_t reach) {
  constexpr int64_t blockChannels = 128;
#pragma omp simd
  for (int64_t c = 0; c < channels; c++) sum[c] = 0;
  for (int64_t first = 0; first < channels; first += blockChannels) {
    const int64_t last = smaller(first + blockChannels, channels);
    float ratio[blockChannels];
#pragma omp simd
    for (int64_t j = first; j < last; j++) ratio[j - first] = dy[j] * y[j] / scale[j];
    for (int64_t d = -reach; d <= reach; d++) {
      const int64_t stop = smaller(last, channels - d);
#pragma omp simd
      for (int64_t j = larger(first, -d); j < stop; j++) sum[j + d] += ratio[j - first];
    }
  }
}

// Powers are computed over blocks of whole rows, since few channels don't fill vectors.
constexpr int64_t blockElements = 2048;

}  // namespace

// y, scale, x: rows x channels.
void localResponseNorm(float* y, float* scale, const float* x, int64_t, int64_t channels, int64_t radius, float bias,
                       float alpha, float beta, int64_t begin, int64_t end) noexcept {
  const int64_t reach = smaller(radius, channels - 1), blockRows = rowsFor(channels, blockElements);
  const float atZero = inversePowerAtZero(beta);
  for (int64_t first = begin; first < end; first += blockRows) {
    const int64_t last = smaller(first + blockRows, end);
    for (int64_t row = first; row < last; row++)
      sumSquares(scale + row * channels, x + row * channels, channels, reach);
#pragma omp simd
    for (int64_t i = first * channels; i < last * channels; i++) {
      scale[i] = bias + alpha * scale[i];
      y[i] = x[i] * inversePower(scale[i], beta, atZero);
    }
  }
}

// All: rows x channels.
void localResponseNormBackward(float* dx, const float* dy, const float* x, const float* y, const float* scale, int64_t,
                               int64_t channels, int64_t radius, float alpha, float beta, int64_t begin,
                               int64_t end) noexcept {
  const int64_t reach = smaller(radius, channels - 1), blockRows = rowsFor(channels, blockElements);
  const float atZero = inversePowerAtZero(beta), factor = 2 * alpha * beta;
  for (int64_t first = begin; first < end; first += blockRows) {
    const int64_t last = smaller(first + blockRows, end);
    for (int64_t row = first; row < last; row++) {
      const int64_t at = row * channels;
      sumRatios(dx + at, dy + at, y + at, scale + at, channels, reach);
    }
#pragma omp simd
    for (int64_t i = first * channels; i < last * channels; i++) {
      const float direct = dy[i] * inversePower(scale[i], beta, atZero);
      dx[i] = math::multiplyAdd(-factor * x[i], dx[i], direct);
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
