// Losses: one value per row, and the gradient of the mean over all rows.
//
// Short rows (ten classes, one output) would leave vectors mostly empty. So elementwise work is done on a block of
// whole rows at once, in a scratch block on the stack, and only the sums are computed row by row. Rows longer than the
// scratch block are wide enough by themselves.
#include "activations.h"
#include "kernels.h"
#include "reduce.h"

namespace blasnet::BLASNET_SIMD {
namespace {

constexpr int64_t scratchSize = 1024;

// Runs rowLoss(row, z, largest, exponential) for each row, where exponential(j) is e^(z_j - largest).
template <typename RowLoss>
BLASNET_INLINE void forSoftmaxRows(const float* logits, int64_t classes, int64_t begin, int64_t end, RowLoss rowLoss) {
  if (classes > scratchSize) {
    for (int64_t row = begin; row < end; row++) {
      const float* z = logits + row * classes;
      const float largest = maximum(z, classes);
      rowLoss(row, z, largest, [=](int64_t j) { return math::exp(z[j] - largest); });
    }
    return;
  }
  const int64_t blockRows = rowsFor(classes, scratchSize);
  float scratch[scratchSize], largest[scratchSize];
  for (int64_t first = begin; first < end; first += blockRows) {
    const int64_t count = first + blockRows < end ? blockRows : end - first;
    for (int64_t i = 0; i < count; i++) {
      const float* z = logits + (first + i) * classes;
      largest[i] = maximum(z, classes);
      for (int64_t j = 0; j < classes; j++) scratch[i * classes + j] = z[j] - largest[i];
    }
#pragma omp simd
    for (int64_t j = 0; j < count * classes; j++) scratch[j] = math::exp(scratch[j]);
    for (int64_t i = 0; i < count; i++) {
      const float* exponentials = scratch + i * classes;
      rowLoss(first + i, logits + (first + i) * classes, largest[i], [=](int64_t j) { return exponentials[j]; });
    }
  }
}

// value(p, t) and gradient(p, t) are those of one element. A row's loss is lossFactor times the sum of its values; its
// gradient is gradientFactor times its elements' gradients.
template <typename Value, typename Gradient>
BLASNET_INLINE void elementwiseLoss(float* loss, float* dprediction, const float* prediction, const float* target,
                                    int64_t outputs, int64_t begin, int64_t end, double lossFactor,
                                    double gradientFactor, Value value, Gradient gradient) {
  if (outputs > scratchSize) {
    for (int64_t row = begin; row < end; row++) {
      const float* p = prediction + row * outputs;
      const float* t = target + row * outputs;
      loss[row] = static_cast<float>(lossFactor * sumOf(outputs, [=](int64_t j) { return value(p[j], t[j]); }));
    }
  } else {
    const int64_t blockRows = rowsFor(outputs, scratchSize);
    float scratch[scratchSize];
    for (int64_t first = begin; first < end; first += blockRows) {
      const int64_t count = first + blockRows < end ? blockRows : end - first;
      const float* p = prediction + first * outputs;
      const float* t = target + first * outputs;
#pragma omp simd
      for (int64_t j = 0; j < count * outputs; j++) scratch[j] = value(p[j], t[j]);
      for (int64_t i = 0; i < count; i++) {
        loss[first + i] = static_cast<float>(lossFactor * sum(scratch + i * outputs, outputs));
      }
    }
  }
  if (dprediction != nullptr) {
    const float factor = static_cast<float>(gradientFactor);
#pragma omp simd
    for (int64_t i = begin * outputs; i < end * outputs; i++)
      dprediction[i] = factor * gradient(prediction[i], target[i]);
  }
}

// The factor that turns the sum over a row's outputs into their mean, and the one that also averages over the rows.
double perOutput(int64_t outputs) { return 1.0 / static_cast<double>(outputs); }
double perElement(int64_t rows, int64_t outputs) {
  return 1.0 / (static_cast<double>(rows) * static_cast<double>(outputs));
}

}  // namespace

// logits, dprediction: rows x classes; loss, labels: rows.
void softmaxCrossEntropy(float* loss, float* dprediction, const float* logits, const int32_t* labels, int64_t rows,
                         int64_t classes, double smoothing, int64_t begin, int64_t end) noexcept {
  const float perRow = static_cast<float>(1.0 / static_cast<double>(rows));
  const float spread = static_cast<float>(smoothing / static_cast<double>(classes));
  const float peak = static_cast<float>(1 - smoothing);
  forSoftmaxRows(logits, classes, begin, end, [=](int64_t row, const float* z, float largest, auto exponential) {
    float* gradient = dprediction != nullptr ? dprediction + row * classes : nullptr;
    const int64_t label = labels[row];
    if (label < 0 || label >= classes) {
      loss[row] = math::notANumber;
      if (gradient != nullptr) {
        for (int64_t j = 0; j < classes; j++) gradient[j] = math::notANumber;
      }
      return;
    }
    const float total = static_cast<float>(sumOf(classes, exponential));
    const float logTotal = math::log(total);
    float value = peak * (logTotal - (z[label] - largest));
    if (smoothing != 0) {
      value += static_cast<float>(static_cast<double>(spread) *
                                  sumOf(classes, [=](int64_t j) { return logTotal - (z[j] - largest); }));
    }
    loss[row] = value;
    if (gradient != nullptr) {
      const float normalise = 1.0f / total;
#pragma omp simd
      for (int64_t j = 0; j < classes; j++) gradient[j] = perRow * (exponential(j) * normalise - spread);
      gradient[label] = perRow * (exponential(label) * normalise - (peak + spread));
    }
  });
}

// logits, target, dprediction: rows x classes; loss: rows.
void softmaxCrossEntropyProbabilities(float* loss, float* dprediction, const float* logits, const float* target,
                                      int64_t rows, int64_t classes, double smoothing, int64_t begin,
                                      int64_t end) noexcept {
  const float perRow = static_cast<float>(1.0 / static_cast<double>(rows));
  const float spread = static_cast<float>(smoothing / static_cast<double>(classes));
  const float peak = static_cast<float>(1 - smoothing);
  forSoftmaxRows(logits, classes, begin, end, [=](int64_t row, const float* z, float largest, auto exponential) {
    const float* given = target + row * classes;
    const auto smoothed = [=](int64_t j) { return peak * given[j] + spread; };
    const float total = static_cast<float>(sumOf(classes, exponential));
    const float logTotal = math::log(total);
    loss[row] =
        static_cast<float>(sumOf(classes, [=](int64_t j) { return smoothed(j) * (logTotal - (z[j] - largest)); }));
    if (dprediction != nullptr) {
      float* gradient = dprediction + row * classes;
      const float normalise = static_cast<float>(sumOf(classes, smoothed) / static_cast<double>(total));
#pragma omp simd
      for (int64_t j = 0; j < classes; j++) gradient[j] = perRow * (exponential(j) * normalise - smoothed(j));
    }
  });
}

// prediction (logits), target, dprediction: rows x outputs; loss: rows.
void binaryCrossEntropy(float* loss, float* dprediction, const float* prediction, const float* target, int64_t rows,
                        int64_t outputs, int64_t begin, int64_t end) noexcept {
  elementwiseLoss(
      loss, dprediction, prediction, target, outputs, begin, end, perOutput(outputs), perElement(rows, outputs),
      [](float z, float t) { return formulas::relu(z) - z * t + math::log1p(math::exp(-math::absolute(z))); },
      [](float z, float t) { return math::sigmoid(z) - t; });
}

// prediction, target, dprediction: rows x outputs; loss: rows.
void squaredError(float* loss, float* dprediction, const float* prediction, const float* target, int64_t rows,
                  int64_t outputs, float factor, int64_t begin, int64_t end) noexcept {
  elementwiseLoss(
      loss, dprediction, prediction, target, outputs, begin, end, factor, 2.0 * factor / static_cast<double>(rows),
      [](float p, float t) { return (p - t) * (p - t); }, [](float p, float t) { return p - t; });
}

// prediction, target, dprediction: rows x outputs; loss: rows.
void absoluteError(float* loss, float* dprediction, const float* prediction, const float* target, int64_t rows,
                   int64_t outputs, int64_t begin, int64_t end) noexcept {
  elementwiseLoss(
      loss, dprediction, prediction, target, outputs, begin, end, perOutput(outputs), perElement(rows, outputs),
      [](float p, float t) { return math::absolute(p - t); }, [](float p, float t) { return math::sign(p - t); });
}

// prediction, target, dprediction: rows x outputs; loss: rows.
void huber(float* loss, float* dprediction, const float* prediction, const float* target, int64_t rows, int64_t outputs,
           float delta, int64_t begin, int64_t end) noexcept {
  elementwiseLoss(
      loss, dprediction, prediction, target, outputs, begin, end, perOutput(outputs), perElement(rows, outputs),
      [=](float p, float t) {
        const float d = p - t;
        const float distance = math::absolute(d);
        return distance <= delta ? 0.5f * d * d : delta * (distance - 0.5f * delta);
      },
      [=](float p, float t) {
        const float d = p - t;
        return d > delta ? delta : d < -delta ? -delta : d;
      });
}

void meanGradient(float* dloss, int64_t rows, int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) dloss[row] = static_cast<float>(1 / static_cast<double>(rows));
}

// In order and on one thread, so that the sum is the same for any number of threads.
void sumWeights(double* total, const float* weights, int64_t rows) noexcept {
  double sum = 0;
  for (int64_t row = 0; row < rows; row++) sum += weights[row];
  *total = sum;
}

// x, y: rows x cols.
void weighRows(float* y, const float* x, const float* weights, const double* total, int64_t rows, int64_t cols,
               float scale, int64_t begin, int64_t end) noexcept {
  double factor = scale;
  // Without any weight, no row counts.
  if (total != nullptr) factor = *total == 0 ? 0 : factor * static_cast<double>(rows) / *total;
  for (int64_t row = begin; row < end; row++) {
    const float weight = static_cast<float>(weights == nullptr ? factor : weights[row] * factor);
    for (int64_t i = row * cols; i < (row + 1) * cols; i++) y[i] = weight == 0 ? 0 : x[i] * weight;
  }
}

void addTotal(double* total, const double* carry, const double* x, double factor) noexcept {
  *total = (carry != nullptr ? *carry : 0) + factor * *x;
}

}  // namespace blasnet::BLASNET_SIMD
