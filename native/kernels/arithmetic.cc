// Sums of parts, and factors for channels.
#include "kernels.h"

namespace blasnet::BLASNET_SIMD {

// y: n; terms: parts x n.
void sumParts(float* y, const float* terms, int64_t n, int64_t parts, int64_t begin, int64_t end) noexcept {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) y[i] = 0;
  for (int64_t part = 0; part < parts; part++) {
    const float* term = terms + part * n;
#pragma omp simd
    for (int64_t i = begin; i < end; i++) y[i] += term[i];
  }
}

// y, x: rows x pixels x channels, y may be x; factors: rows x channels.
void multiplyChannels(float* y, const float* x, const float* factors, int64_t, int64_t pixels, int64_t channels,
                      int64_t begin, int64_t end) noexcept {
  if (channels == 0) return;
  for (int64_t row = begin; row < end; row++) {
    const float* own = factors + row * channels;
    for (int64_t pixel = row * pixels; pixel < (row + 1) * pixels; pixel++) {
      const float* in = x + pixel * channels;
      float* out = y + pixel * channels;
#pragma omp simd
      for (int64_t c = 0; c < channels; c++) out[c] = in[c] * own[c];
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
