// Optimizer steps: elementwise over all parameters of a kind.
#include "copy.h"
#include "kernels.h"
#include "math.h"

namespace blasnet::BLASNET_SIMD {
namespace {

// numerator / denominator, or 0 if the denominator is 0: a parameter without any gradient so far is unchanged.
BLASNET_INLINE float quotient(float numerator, float denominator) {
  const float ratio = numerator / denominator;
  return denominator == 0 ? 0.0f : ratio;
}

// The two forms of Adam differ in the weight decay: through the gradient, or decoupled.
template <bool decoupled>
BLASNET_INLINE void adamStep(float* p, float* m, float* v, const float* g, float stepSize, float correction,
                             double beta1, double beta2, float epsilon, float epsilonInside, float decay, int64_t begin,
                             int64_t end) {
  const float keep1 = static_cast<float>(beta1), take1 = static_cast<float>(1 - beta1);
  const float keep2 = static_cast<float>(beta2), take2 = static_cast<float>(1 - beta2);
  const float keep = 1.0f - decay;
#pragma omp simd
  for (int64_t i = begin; i < end; i++) {
    const float gradient = decoupled ? g[i] : g[i] + decay * p[i];
    m[i] = math::multiplyAdd(keep1, m[i], take1 * gradient);
    v[i] = math::multiplyAdd(keep2, v[i], take2 * (gradient * gradient));
    const float denominator = math::squareRoot(v[i] * correction + epsilonInside) + epsilon;
    p[i] = math::multiplyAdd(-stepSize, quotient(m[i], denominator), decoupled ? keep * p[i] : p[i]);
  }
}

// The larger of the two; NaN if one is.
BLASNET_INLINE float raised(float largest, float v) { return v > largest || !(v == v) ? v : largest; }

template <bool nesterov>
BLASNET_INLINE void momentumStep(float* p, float* velocity, const float* g, float learningRate, float momentum,
                                 float take, float weightDecay, int64_t begin, int64_t end) {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) {
    const float gradient = g[i] + weightDecay * p[i];
    velocity[i] = math::multiplyAdd(momentum, velocity[i], take * gradient);
    p[i] = p[i] - learningRate * (nesterov ? gradient + momentum * velocity[i] : velocity[i]);
  }
}

}  // namespace

void sgd(float* p, float* velocity, const float* g, int64_t, float learningRate, float momentum, double dampening,
         bool nesterov, float weightDecay, int64_t begin, int64_t end) noexcept {
  const float take = static_cast<float>(1 - dampening);
  if (velocity == nullptr) {
#pragma omp simd
    for (int64_t i = begin; i < end; i++) p[i] = p[i] - learningRate * (g[i] + weightDecay * p[i]);
  } else if (nesterov) {
    momentumStep<true>(p, velocity, g, learningRate, momentum, take, weightDecay, begin, end);
  } else {
    momentumStep<false>(p, velocity, g, learningRate, momentum, take, weightDecay, begin, end);
  }
}

void adaGrad(float* p, float* accumulator, const float* g, int64_t, float learningRate, float epsilon,
             float weightDecay, int64_t begin, int64_t end) noexcept {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) {
    const float gradient = g[i] + weightDecay * p[i];
    accumulator[i] = accumulator[i] + gradient * gradient;
    p[i] = p[i] - learningRate * quotient(gradient, math::squareRoot(accumulator[i]) + epsilon);
  }
}

void rmsProp(float* p, float* average, float* velocity, const float* g, int64_t, float learningRate, double decay,
             float epsilon, float epsilonInside, float momentum, float weightDecay, int64_t begin,
             int64_t end) noexcept {
  const float keep = static_cast<float>(decay), take = static_cast<float>(1 - decay);
  if (velocity == nullptr) {
#pragma omp simd
    for (int64_t i = begin; i < end; i++) {
      const float gradient = g[i] + weightDecay * p[i];
      average[i] = math::multiplyAdd(keep, average[i], take * (gradient * gradient));
      p[i] = p[i] - learningRate * quotient(gradient, math::squareRoot(average[i] + epsilonInside) + epsilon);
    }
  } else {
#pragma omp simd
    for (int64_t i = begin; i < end; i++) {
      const float gradient = g[i] + weightDecay * p[i];
      average[i] = math::multiplyAdd(keep, average[i], take * (gradient * gradient));
      velocity[i] = momentum * velocity[i] + quotient(gradient, math::squareRoot(average[i] + epsilonInside) + epsilon);
      p[i] = p[i] - learningRate * velocity[i];
    }
  }
}

void adam(float* p, float* m, float* v, const float* g, int64_t, float stepSize, float correction, double beta1,
          double beta2, float epsilon, float epsilonInside, float weightDecay, int64_t begin, int64_t end) noexcept {
  adamStep<false>(p, m, v, g, stepSize, correction, beta1, beta2, epsilon, epsilonInside, weightDecay, begin, end);
}

void adamW(float* p, float* m, float* v, const float* g, int64_t, float stepSize, float correction, double beta1,
           double beta2, float epsilon, float epsilonInside, float shrink, int64_t begin, int64_t end) noexcept {
  adamStep<true>(p, m, v, g, stepSize, correction, beta1, beta2, epsilon, epsilonInside, shrink, begin, end);
}

void amsGrad(float* p, float* m, float* v, float* vMax, const float* g, int64_t, float stepSize, float correction,
             double beta1, double beta2, float epsilon, float epsilonInside, float weightDecay, int64_t begin,
             int64_t end) noexcept {
  const float keep1 = static_cast<float>(beta1), take1 = static_cast<float>(1 - beta1);
  const float keep2 = static_cast<float>(beta2), take2 = static_cast<float>(1 - beta2);
#pragma omp simd
  for (int64_t i = begin; i < end; i++) {
    const float gradient = g[i] + weightDecay * p[i];
    m[i] = math::multiplyAdd(keep1, m[i], take1 * gradient);
    v[i] = math::multiplyAdd(keep2, v[i], take2 * (gradient * gradient));
    vMax[i] = raised(vMax[i], v[i]);
    const float denominator = math::squareRoot(vMax[i] * correction + epsilonInside) + epsilon;
    p[i] = math::multiplyAdd(-stepSize, quotient(m[i], denominator), p[i]);
  }
}

void adaDelta(float* p, float* average, float* steps, const float* g, int64_t, float learningRate, double decay,
              float epsilon, float weightDecay, int64_t begin, int64_t end) noexcept {
  const float keep = static_cast<float>(decay), take = static_cast<float>(1 - decay);
#pragma omp simd
  for (int64_t i = begin; i < end; i++) {
    const float gradient = g[i] + weightDecay * p[i];
    average[i] = math::multiplyAdd(keep, average[i], take * (gradient * gradient));
    const float ratio = quotient(math::squareRoot(steps[i] + epsilon), math::squareRoot(average[i] + epsilon));
    const float step = ratio * gradient;
    steps[i] = math::multiplyAdd(keep, steps[i], take * (step * step));
    p[i] = p[i] - learningRate * step;
  }
}

void adamax(float* p, float* m, float* u, const float* g, int64_t, float stepSize, double beta1, float beta2,
            float epsilon, float weightDecay, int64_t begin, int64_t end) noexcept {
  const float keep1 = static_cast<float>(beta1), take1 = static_cast<float>(1 - beta1);
#pragma omp simd
  for (int64_t i = begin; i < end; i++) {
    const float gradient = g[i] + weightDecay * p[i];
    m[i] = math::multiplyAdd(keep1, m[i], take1 * gradient);
    u[i] = raised(beta2 * u[i], math::absolute(gradient));
    p[i] = math::multiplyAdd(-stepSize, quotient(m[i], u[i] + epsilon), p[i]);
  }
}

void nadam(float* p, float* m, float* v, const float* g, int64_t, float gradientSize, float stepSize, float correction,
           double beta1, double beta2, float epsilon, float weightDecay, int64_t begin, int64_t end) noexcept {
  const float keep1 = static_cast<float>(beta1), take1 = static_cast<float>(1 - beta1);
  const float keep2 = static_cast<float>(beta2), take2 = static_cast<float>(1 - beta2);
#pragma omp simd
  for (int64_t i = begin; i < end; i++) {
    const float gradient = g[i] + weightDecay * p[i];
    m[i] = math::multiplyAdd(keep1, m[i], take1 * gradient);
    v[i] = math::multiplyAdd(keep2, v[i], take2 * (gradient * gradient));
    const float denominator = math::squareRoot(v[i] * correction) + epsilon;
    p[i] = p[i] - quotient(math::multiplyAdd(stepSize, m[i], gradientSize * gradient), denominator);
  }
}

void lion(float* p, float* m, const float* g, int64_t, float learningRate, double beta1, double beta2, float shrink,
          int64_t begin, int64_t end) noexcept {
  const float keep1 = static_cast<float>(beta1), take1 = static_cast<float>(1 - beta1);
  const float keep2 = static_cast<float>(beta2), take2 = static_cast<float>(1 - beta2);
  const float keep = 1.0f - shrink;
#pragma omp simd
  for (int64_t i = begin; i < end; i++) {
    const float direction = math::sign(math::multiplyAdd(keep1, m[i], take1 * g[i]));
    p[i] = math::multiplyAdd(keep, p[i], -learningRate * direction);
    m[i] = math::multiplyAdd(keep2, m[i], take2 * g[i]);
  }
}

void muonMomentum(float* u, float* velocity, const float* g, int64_t, float momentum, bool nesterov, int64_t begin,
                  int64_t end) noexcept {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) {
    velocity[i] = math::multiplyAdd(momentum, velocity[i], g[i]);
    u[i] = nesterov ? math::multiplyAdd(momentum, velocity[i], g[i]) : velocity[i];
  }
}

void normalize(float* x, const double* squares, int64_t, double epsilon, int64_t begin, int64_t end) noexcept {
  const double norm = math::squareRoot(*squares) + epsilon;
  const float factor = norm == 0 ? 0.0f : static_cast<float>(1 / norm);
#pragma omp simd
  for (int64_t i = begin; i < end; i++) x[i] *= factor;
}

void averageWeights(float* average, const float* p, int64_t, float intake, int64_t begin, int64_t end) noexcept {
  // In float32 a sum with all of the difference would be p rounded.
  if (intake == 1) return copy(average + begin, p + begin, end - begin);
#pragma omp simd
  for (int64_t i = begin; i < end; i++) average[i] = math::multiplyAdd(intake, p[i] - average[i], average[i]);
}

void accumulate(float* g, float* mean, int64_t, double intake, int64_t begin, int64_t end) noexcept {
  // What the mean was may be infinite.
  if (intake == 1) return copy(mean + begin, g + begin, end - begin);
  const float keep = static_cast<float>(1 - intake), take = static_cast<float>(intake);
#pragma omp simd
  for (int64_t i = begin; i < end; i++) {
    mean[i] = math::multiplyAdd(keep, mean[i], take * g[i]);
    g[i] = mean[i];
  }
}

}  // namespace blasnet::BLASNET_SIMD
