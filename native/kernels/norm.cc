// Batch normalisation over the columns (features) of a rows x features matrix. Vectors run along columns, the outer
// loop over rows; a block of columns goes through all passes before the next one, while it is in the cache.
#include "kernels.h"
#include "reduce.h"
#include "share.h"

namespace blasnet::BLASNET_SIMD {
namespace {

// Calls work(first, width) for the blocks of the columns [begin, end).
template <typename Work>
BLASNET_INLINE void byBlocks(int64_t begin, int64_t end, Work work) {
  for (int64_t first = begin; first < end; first += columnBlock) work(first, math::smaller(columnBlock, end - first));
}

// mean <- the sums of columns / count
BLASNET_INLINE void columnMeans(float* mean, const float* x, int64_t rows, double count, int64_t features,
                                int64_t width) {
  double total[columnBlock];
  columnSums(total, rows, width, [=](int64_t row, int64_t j) { return x[row * features + j]; });
#pragma omp simd
  for (int64_t j = 0; j < width; j++) mean[j] = static_cast<float>(total[j] / count);
}

// The sums of the squared differences from `center`.
BLASNET_INLINE void squaredDistances(double* squares, const float* x, const float* center, int64_t rows,
                                     int64_t features, int64_t width) {
  columnSums(squares, rows, width, [=](int64_t row, int64_t j) {
    const float d = x[row * features + j] - center[j];
    return d * d;
  });
}

// What the means lost when rounded to float; far from 0 it is large compared with a small deviation. 0 if sums
// overflow.
BLASNET_INLINE void restsOfMeans(double* rest, const float* x, const float* mean, int64_t rows, double count,
                                 int64_t features, int64_t width) {
  columnSums(rest, rows, width, [=](int64_t row, int64_t j) { return x[row * features + j] - mean[j]; });
#pragma omp simd
  for (int64_t j = 0; j < width; j++) {
    const bool overflow = rest[j] - rest[j] != 0 && mean[j] - mean[j] == 0;
    rest[j] = overflow ? 0 : rest[j] / count;
  }
}

// For a sum of squares that may have become negative by cancellation; keeps NaN.
BLASNET_INLINE float notNegative(double x) { return x < 0 ? 0.0f : static_cast<float>(x); }

// running <- keep running + (1 - keep) value
BLASNET_INLINE void takeIn(float* running, const float* value, int64_t width, double momentum) {
  const float keep = static_cast<float>(momentum), take = static_cast<float>(1 - momentum);
#pragma omp simd
  for (int64_t j = 0; j < width; j++) {
    // With momentum 1 the value is ignored, even a NaN.
    const float next = math::multiplyAdd(keep, running[j], take * value[j]);
    running[j] = take != 0 ? next : running[j];
  }
}

// The sums over the rows of dy, and of dy times the normalised x.
BLASNET_INLINE void gradientSums(double* sum, double* product, const float* dy, const float* x, const float* mean,
                                 const float* inverseStd, int64_t rows, int64_t features, int64_t width) {
  columnSums(sum, rows, width, [=](int64_t row, int64_t j) { return dy[row * features + j]; });
  columnSums(product, rows, width, [=](int64_t row, int64_t j) {
    return dy[row * features + j] * ((x[row * features + j] - mean[j]) * inverseStd[j]);
  });
}

// dx = factor (dy - meanGradient - normalised x * meanProduct)
BLASNET_INLINE void inputGradient(float* dx, const float* dy, const float* x, const float* mean,
                                  const float* inverseStd, const float* factor, const float* meanGradient,
                                  const float* meanProduct, int64_t rows, int64_t features, int64_t width) {
  for (int64_t row = 0; row < rows; row++) {
#pragma omp simd
    for (int64_t j = 0; j < width; j++) {
      const int64_t at = row * features + j;
      const float normalised = (x[at] - mean[j]) * inverseStd[j];
      dx[at] = factor[j] * (dy[at] - meanGradient[j] - normalised * meanProduct[j]);
    }
  }
}

// total[j] = the sum over the parts, `features` apart.
BLASNET_INLINE void sumOfParts(float* total, const float* terms, int64_t features, int64_t parts, int64_t width) {
#pragma omp simd
  for (int64_t j = 0; j < width; j++) total[j] = 0;
  for (int64_t part = 0; part < parts; part++) {
#pragma omp simd
    for (int64_t j = 0; j < width; j++) total[j] += terms[part * features + j];
  }
}

}  // namespace

// means, rests, squares: parts x features; x: rows x pixels x features. A share's mean is means + rests: for features
// far from 0, the rounding to float would spoil the total variance.
void batchNormParts(float* means, float* rests, float* squares, const float* x, int64_t rows, int64_t pixels,
                    int64_t features, int64_t parts, int64_t begin, int64_t end) noexcept {
  if (features == 0) return;
  for (int64_t part = begin; part < end; part++) {
    const Share mine = share(rows, 1, part, parts);
    const int64_t own = (mine.end - mine.begin) * pixels;
    const double count = own > 0 ? static_cast<double>(own) : 1;
    byBlocks(0, features, [=](int64_t first, int64_t width) {
      const float* in = x + mine.begin * pixels * features + first;
      double rest[columnBlock], total[columnBlock];
      float mean[columnBlock];
      columnMeans(mean, in, own, count, features, width);
      restsOfMeans(rest, in, mean, own, count, features, width);
      squaredDistances(total, in, mean, own, features, width);
      const int64_t at = part * features + first;
#pragma omp simd
      for (int64_t j = 0; j < width; j++) {
        means[at + j] = mean[j];
        rests[at + j] = static_cast<float>(rest[j]);
        squares[at + j] = notNegative(total[j] - count * rest[j] * rest[j]);
      }
    });
  }
}

// means, rests, squares: parts x features; the others: features. (Chan, Golub and LeVeque 1979)
void batchNormStatistics(float* mean, float* variance, float* inverseStd, float* shift, float* runningMean,
                         float* runningVariance, const float* means, const float* rests, const float* squares,
                         const float* gamma, const float* beta, int64_t rows, int64_t pixels, int64_t features,
                         int64_t parts, float epsilon, double momentum) noexcept {
  byBlocks(0, features, [=](int64_t first, int64_t width) {
    double preciseMean[columnBlock] = {}, preciseVariance[columnBlock] = {};
    const double all = static_cast<double>(rows * pixels);
    for (int64_t part = 0; part < parts; part++) {
      const Share its = share(rows, 1, part, parts);
      const double weight = static_cast<double>((its.end - its.begin) * pixels) / all;
      const float *high = means + part * features + first, *low = rests + part * features + first;
#pragma omp simd
      for (int64_t j = 0; j < width; j++) preciseMean[j] += weight * (static_cast<double>(high[j]) + low[j]);
    }
    for (int64_t part = 0; part < parts; part++) {
      const Share its = share(rows, 1, part, parts);
      const double weight = static_cast<double>((its.end - its.begin) * pixels) / all;
      const float *high = means + part * features + first, *low = rests + part * features + first;
      const float* sums = squares + part * features + first;
#pragma omp simd
      for (int64_t j = 0; j < width; j++) {
        const double d = static_cast<double>(high[j]) + low[j] - preciseMean[j];
        preciseVariance[j] += sums[j] / all + weight * (d * d);
      }
    }
#pragma omp simd
    for (int64_t j = 0; j < width; j++) {
      mean[first + j] = static_cast<float>(preciseMean[j]);
      variance[first + j] = static_cast<float>(preciseVariance[j]);
      inverseStd[first + j] = 1.0f / math::squareRoot(variance[first + j] + epsilon);
      const float rest = static_cast<float>(preciseMean[j] - mean[first + j]);
      shift[first + j] = beta[first + j] - rest * (inverseStd[first + j] * gamma[first + j]);
    }
    takeIn(runningMean + first, mean + first, width, momentum);
    takeIn(runningVariance + first, variance + first, width, momentum);
  });
}

// means, rests, squares: parts x features; the others: features.
void batchNormSums(double* sums, double* powers, const float* means, const float* rests, const float* squares,
                   const float* center, int64_t rows, int64_t pixels, int64_t features, int64_t parts) noexcept {
  for (int64_t j = 0; j < features; j++) sums[j] = powers[j] = 0;
  for (int64_t part = 0; part < parts; part++) {
    const Share its = share(rows, 1, part, parts);
    const double count = static_cast<double>((its.end - its.begin) * pixels);
    for (int64_t j = 0; j < features; j++) {
      const int64_t at = part * features + j;
      const double d = static_cast<double>(means[at]) + rests[at] - center[j];
      sums[j] += count * d;
      powers[j] += squares[at] + count * (d * d);
    }
  }
}

// All: features.
void batchNormMerge(float* mean, float* variance, float* inverseStd, float* shift, float* runningMean,
                    float* runningVariance, const double* sums, const double* powers, const float* gamma,
                    const float* beta, int64_t rows, int64_t features, float epsilon, double momentum) noexcept {
  const double count = static_cast<double>(rows);
  for (int64_t j = 0; j < features; j++) {
    const double d = sums[j] / count, center = runningMean[j] + d;
    mean[j] = static_cast<float>(center);
    variance[j] = notNegative(powers[j] / count - d * d);
    inverseStd[j] = 1.0f / math::squareRoot(variance[j] + epsilon);
    shift[j] = beta[j] - static_cast<float>(center - mean[j]) * (inverseStd[j] * gamma[j]);
  }
  takeIn(runningMean, mean, features, momentum);
  takeIn(runningVariance, variance, features, momentum);
}

// y, x: rows x features, y may be x; the rest: features.
void batchNormInference(float* y, const float* x, const float* gamma, const float* beta, const float* runningMean,
                        const float* runningVariance, int64_t, int64_t features, float epsilon, int64_t begin,
                        int64_t end) noexcept {
  byBlocks(0, features, [=](int64_t first, int64_t width) {
    float factor[columnBlock];
#pragma omp simd
    for (int64_t j = 0; j < width; j++)
      factor[j] = gamma[first + j] / math::squareRoot(runningVariance[first + j] + epsilon);
    for (int64_t row = begin; row < end; row++) {
      const float* in = x + row * features + first;
      float* out = y + row * features + first;
#pragma omp simd
      for (int64_t j = 0; j < width; j++) out[j] = (in[j] - runningMean[first + j]) * factor[j] + beta[first + j];
    }
  });
}

// dx, dy, x: rows x features, dx may be dy; the rest: features.
void batchNormInferenceBackward(float* dx, float* dgamma, float* dbeta, const float* dy, const float* x,
                                const float* gamma, const float* runningMean, const float* runningVariance,
                                int64_t rows, int64_t features, float epsilon, int64_t begin, int64_t end) noexcept {
  byBlocks(begin, end, [=](int64_t first, int64_t width) {
    double sum[columnBlock], product[columnBlock];
    float inverseStd[columnBlock], factor[columnBlock];
#pragma omp simd
    for (int64_t j = 0; j < width; j++) {
      inverseStd[j] = 1.0f / math::squareRoot(runningVariance[first + j] + epsilon);
      factor[j] = gamma[first + j] * inverseStd[j];
    }
    gradientSums(sum, product, dy + first, x + first, runningMean + first, inverseStd, rows, features, width);
    for (int64_t j = 0; j < width; j++) {
      dbeta[first + j] = static_cast<float>(sum[j]);
      dgamma[first + j] = static_cast<float>(product[j]);
    }
    for (int64_t row = 0; row < rows; row++) {
#pragma omp simd
      for (int64_t j = 0; j < width; j++) dx[row * features + first + j] = factor[j] * dy[row * features + first + j];
    }
  });
}

// dgammaParts, dbetaParts: parts x features; dy, x: rows x pixels x features; the rest: features.
void batchNormBackwardParts(float* dgammaParts, float* dbetaParts, const float* dy, const float* x, const float* mean,
                            const float* inverseStd, int64_t rows, int64_t pixels, int64_t features, int64_t parts,
                            int64_t begin, int64_t end) noexcept {
  if (features == 0) return;
  for (int64_t part = begin; part < end; part++) {
    const Share mine = share(rows, 1, part, parts);
    byBlocks(0, features, [=](int64_t first, int64_t width) {
      double sum[columnBlock], product[columnBlock];
      const int64_t at = mine.begin * pixels * features + first;
      gradientSums(sum, product, dy + at, x + at, mean + first, inverseStd + first, (mine.end - mine.begin) * pixels,
                   features, width);
      for (int64_t j = 0; j < width; j++) {
        dbetaParts[part * features + first + j] = static_cast<float>(sum[j]);
        dgammaParts[part * features + first + j] = static_cast<float>(product[j]);
      }
    });
  }
}

// dx, dy, x: rows x features, dx may be dy; dgammaParts, dbetaParts: parts x features; the rest: features.
void batchNormBackwardInput(float* dx, const float* dy, const float* x, const float* mean, const float* inverseStd,
                            const float* gamma, const float* dgammaParts, const float* dbetaParts, int64_t rows,
                            int64_t features, int64_t parts, int64_t begin, int64_t end) noexcept {
  const float portion = 1.0f / static_cast<float>(rows);
  byBlocks(0, features, [=](int64_t first, int64_t width) {
    float factor[columnBlock], meanGradient[columnBlock], meanProduct[columnBlock];
    sumOfParts(meanGradient, dbetaParts + first, features, parts, width);
    sumOfParts(meanProduct, dgammaParts + first, features, parts, width);
#pragma omp simd
    for (int64_t j = 0; j < width; j++) {
      factor[j] = gamma[first + j] * inverseStd[first + j];
      meanGradient[j] *= portion;
      meanProduct[j] *= portion;
    }
    const int64_t at = begin * features + first;
    inputGradient(dx + at, dy + at, x + at, mean + first, inverseStd + first, factor, meanGradient, meanProduct,
                  end - begin, features, width);
  });
}

}  // namespace blasnet::BLASNET_SIMD
