// Batch normalisation over the columns (features) of a rows x features matrix. Columns run in vectors, rows in the outer
// loop; a block of columns goes through all passes before the next, while it is in the cache.
#include "kernels.h"
#include "reduce.h"

namespace blasnet::BLASNET_SIMD {

// y, x: rows x features; the rest: features.
void batchNormForward(float* y, float* mean, float* inverseStd, float* runningMean, float* runningVariance, const float* x,
                      const float* gamma, const float* beta, int64_t rows, int64_t features, float epsilon, double momentum,
                      int64_t begin, int64_t end) noexcept {
  const double count = static_cast<double>(rows);
  const float keep = static_cast<float>(momentum), take = static_cast<float>(1 - momentum);
  for (int64_t first = begin; first < end; first += columnBlock) {
    const int64_t width = first + columnBlock < end ? columnBlock : end - first;
    const float* in = x + first;
    float* out = y + first;
    double total[columnBlock];
    float center[columnBlock], factor[columnBlock], offset[columnBlock];

    columnSums(total, rows, width, [=](int64_t row, int64_t j) { return in[row * features + j]; });
#pragma omp simd
    for (int64_t j = 0; j < width; j++) center[j] = static_cast<float>(total[j] / count);

    columnSums(total, rows, width, [=, &center](int64_t row, int64_t j) {
      const float d = in[row * features + j] - center[j];
      return d * d;
    });
#pragma omp simd
    for (int64_t j = 0; j < width; j++) {
      const int64_t feature = first + j;
      const float variance = static_cast<float>(total[j] / count);
      mean[feature] = center[j];
      inverseStd[feature] = 1.0f / math::squareRoot(variance + epsilon);
      factor[j] = inverseStd[feature] * gamma[feature];
      offset[j] = beta[feature];
      // With momentum 1 nothing is taken in, not even a NaN.
      const float newMean = math::multiplyAdd(keep, runningMean[feature], take * center[j]);
      const float newVariance = math::multiplyAdd(keep, runningVariance[feature], take * variance);
      runningMean[feature] = take != 0 ? newMean : runningMean[feature];
      runningVariance[feature] = take != 0 ? newVariance : runningVariance[feature];
    }

    for (int64_t row = 0; row < rows; row++) {
#pragma omp simd
      for (int64_t j = 0; j < width; j++) out[row * features + j] = (in[row * features + j] - center[j]) * factor[j] + offset[j];
    }
  }
}

// y, x: rows x features, y may be x; the rest: features.
void batchNormInference(float* y, const float* x, const float* gamma, const float* beta, const float* runningMean,
                        const float* runningVariance, int64_t, int64_t features, float epsilon, int64_t begin,
                        int64_t end) noexcept {
  for (int64_t first = 0; first < features; first += columnBlock) {
    const int64_t width = first + columnBlock < features ? columnBlock : features - first;
    float factor[columnBlock];
#pragma omp simd
    for (int64_t j = 0; j < width; j++) factor[j] = gamma[first + j] / math::squareRoot(runningVariance[first + j] + epsilon);
    for (int64_t row = begin; row < end; row++) {
      const float* in = x + row * features + first;
      float* out = y + row * features + first;
#pragma omp simd
      for (int64_t j = 0; j < width; j++) out[j] = (in[j] - runningMean[first + j]) * factor[j] + beta[first + j];
    }
  }
}

// dx, dy, x: rows x features, dx may be dy; the rest: features.
void batchNormBackward(float* dx, float* dgamma, float* dbeta, const float* dy, const float* x, const float* mean,
                       const float* inverseStd, const float* gamma, int64_t rows, int64_t features, int64_t begin,
                       int64_t end) noexcept {
  const double count = static_cast<double>(rows);
  for (int64_t first = begin; first < end; first += columnBlock) {
    const int64_t width = first + columnBlock < end ? columnBlock : end - first;
    const float* in = x + first;
    const float* gradient = dy + first;
    float* out = dx + first;
    double total[columnBlock];
    float center[columnBlock], spread[columnBlock], factor[columnBlock], meanGradient[columnBlock], meanProduct[columnBlock];
    for (int64_t j = 0; j < width; j++) {
      center[j] = mean[first + j];
      spread[j] = inverseStd[first + j];
      factor[j] = gamma[first + j] * spread[j];
    }

    columnSums(total, rows, width, [=](int64_t row, int64_t j) { return gradient[row * features + j]; });
    for (int64_t j = 0; j < width; j++) {
      dbeta[first + j] = static_cast<float>(total[j]);
      meanGradient[j] = static_cast<float>(total[j] / count);
    }

    columnSums(total, rows, width, [=, &center, &spread](int64_t row, int64_t j) {
      return gradient[row * features + j] * ((in[row * features + j] - center[j]) * spread[j]);
    });
    for (int64_t j = 0; j < width; j++) {
      dgamma[first + j] = static_cast<float>(total[j]);
      meanProduct[j] = static_cast<float>(total[j] / count);
    }

    for (int64_t row = 0; row < rows; row++) {
#pragma omp simd
      for (int64_t j = 0; j < width; j++) {
        const float normalised = (in[row * features + j] - center[j]) * spread[j];
        out[row * features + j] = factor[j] * (gradient[row * features + j] - meanGradient[j] - normalised * meanProduct[j]);
      }
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
