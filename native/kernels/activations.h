// The activations and their derivatives as formulas on one float, and by their code for the tails of other kernels.
// Comparisons are written so that a NaN falls through to the arm that keeps it.
#pragma once

#include "math.h"

namespace blasnet::BLASNET_SIMD::formulas {
namespace {

constexpr float seluLambda = 1.0507009873554805f;
constexpr float seluAlpha = 1.6732632423543772f;

BLASNET_INLINE float relu(float x) { return x < 0 ? 0.0f : x; }
BLASNET_INLINE float leakyRelu(float x, float slope) { return x < 0 ? slope * x : x; }
BLASNET_INLINE float elu(float x, float alpha) { return x > 0 ? x : alpha * math::expm1(x); }
BLASNET_INLINE float selu(float x) { return seluLambda * elu(x, seluAlpha); }
BLASNET_INLINE float gelu(float x) { return x * math::normal(x).distribution; }
BLASNET_INLINE float silu(float x) { return x * math::sigmoid(x); }
BLASNET_INLINE float softplus(float x) { return relu(x) + math::log1p(math::exp(-math::absolute(x))); }

// From the output y.
BLASNET_INLINE float leakyReluDerivative(float y, float slope) { return y > 0 ? 1.0f : y <= 0 ? slope : y; }
BLASNET_INLINE float reluDerivative(float y) { return leakyReluDerivative(y, 0.0f); }
BLASNET_INLINE float eluDerivative(float y, float alpha) { return y > 0 ? 1.0f : y + alpha; }
BLASNET_INLINE float seluDerivative(float y) { return y > 0 ? seluLambda : y + seluLambda * seluAlpha; }
BLASNET_INLINE float sigmoidDerivative(float y) { return y * (1.0f - y); }
BLASNET_INLINE float tanhDerivative(float y) { return 1.0f - y * y; }
BLASNET_INLINE float softplusDerivative(float y) { return -math::expm1(-y); }

// From the input x.
BLASNET_INLINE float geluDerivative(float x) {
  constexpr float inverseRootTwoPi = 0.3989422804014327f;
  const math::Normal normal = math::normal(x);
  return normal.distribution + x * (inverseRootTwoPi * normal.exponential);
}
BLASNET_INLINE float siluDerivative(float x) {
  const float s = math::sigmoid(x);
  return s * (1.0f + x * (1.0f - s));
}

}  // namespace
}  // namespace blasnet::BLASNET_SIMD::formulas

namespace blasnet::BLASNET_SIMD {

// An index into fusedActivations of lib/program/signatures.ts.
enum Activation : int32_t { identityCode, reluCode, leakyReluCode, eluCode, seluCode, sigmoidCode, tanhCode, softplusCode };

// y = f(y). In activation.cc.
void activate(float* y, int64_t n, int32_t activation, float slope) noexcept;

}  // namespace blasnet::BLASNET_SIMD
