// Local response normalisation over the channels of each pixel. The sums over neighbouring channels are as many shifted
// additions as there are neighbours, each over all channels.
#include "kernels.h"
#include "math.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::larger;
using math::smaller;

// x^-exponent for x >= 0 and NaN; NaN for x < 0. `atZero` is its value for x = 0.
BLASNET_INLINE float inversePower(float x, float exponent, float atZero) {
  const bool denormal = x < 0x1p-126f;  // log takes normal numbers
  const float logarithm = math::log(denormal ? x * 0x1p24f : x) - (denormal ? 24 * math::ln2 : 0.0f);
  const float power = x < 0 ? math::notANumber : math::exp(-exponent * logarithm);
  return x == 0 ? atZero : power;
}

float inversePowerAtZero(float exponent) { return exponent > 0 ? math::infinity : exponent == 0 ? 1.0f : 0.0f; }

}  // namespace

// y, scale, x: rows x channels.
void localResponseNorm(float* y, float* scale, const float* x, int64_t, int64_t channels, int64_t radius, float bias, float alpha,
                       float beta, int64_t begin, int64_t end) noexcept {
  const int64_t reach = smaller(radius, channels - 1);
  const float atZero = inversePowerAtZero(beta);
  for (int64_t row = begin; row < end; row++) {
    const float* in = x + row * channels;
    float* sum = scale + row * channels;
    float* out = y + row * channels;
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) sum[c] = 0;
    for (int64_t d = -reach; d <= reach; d++) {
      const int64_t last = smaller(channels, channels - d);
#pragma omp simd
      for (int64_t c = larger(0, -d); c < last; c++) sum[c] += in[c + d] * in[c + d];
    }
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
      sum[c] = bias + alpha * sum[c];
      out[c] = in[c] * inversePower(sum[c], beta, atZero);
    }
  }
}

// All rows x channels.
void localResponseNormBackward(float* dx, const float* dy, const float* x, const float* y, const float* scale, int64_t,
                               int64_t channels, int64_t radius, float alpha, float beta, int64_t begin, int64_t end) noexcept {
  constexpr int64_t blockChannels = 128;
  const int64_t reach = smaller(radius, channels - 1);
  const float atZero = inversePowerAtZero(beta), factor = 2 * alpha * beta;
  for (int64_t row = begin; row < end; row++) {
    const int64_t at = row * channels;
    float* sum = dx + at;
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) sum[c] = 0;
    for (int64_t first = 0; first < channels; first += blockChannels) {
      const int64_t last = smaller(first + blockChannels, channels);
      float ratio[blockChannels];
#pragma omp simd
      for (int64_t j = first; j < last; j++) ratio[j - first] = dy[at + j] * y[at + j] / scale[at + j];
      for (int64_t d = -reach; d <= reach; d++) {
        const int64_t stop = smaller(last, channels - d);
#pragma omp simd
        for (int64_t j = larger(first, -d); j < stop; j++) sum[j + d] += ratio[j - first];
      }
    }
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
      sum[c] = dy[at + c] * inversePower(scale[at + c], beta, atZero) - factor * x[at + c] * sum[c];
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
