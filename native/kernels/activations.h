// The activations and their derivatives as formulas on one float, also selectable by code for use at the end of other
// kernels. Comparisons are written so that a NaN takes the branch that keeps it.
#pragma once

#include "math.h"
#include "signatures.h"

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
BLASNET_INLINE float relu6(float x) { return x < 0 ? 0.0f : x > 6 ? 6.0f : x; }
BLASNET_INLINE float hardSigmoid(float x) { return x <= -3 ? 0.0f : x >= 3 ? 1.0f : (x + 3.0f) * (1.0f / 6.0f); }
// Not x * 0: the limit at -infinity is 0.
BLASNET_INLINE float hardSwish(float x) { return x <= -3 ? 0.0f : x * hardSigmoid(x); }
BLASNET_INLINE float softsign(float x) {
  const float size = math::absolute(x);
  return size == math::infinity ? math::withSignOf(1.0f, x) : x / (1.0f + size);
}

// tanh(log(1 + e^x)) and 1 minus it, both with small relative error: (v^2 - 1) / (v^2 + 1) with v = 1 + e^x, divided by
// e^2x above 0.
struct MishGate {
  float value, rest;
};
BLASNET_INLINE MishGate mishGate(float x) {
  const float e = math::exp(-math::absolute(x));
  const float low = e * (e + 2.0f), high = 1.0f + 2.0f * e, square = 2.0f * (e * e);
  const float inverse = 1.0f / (x < 0 ? low + 2.0f : high + square);
  return {(x < 0 ? low : high) * inverse, (x < 0 ? 2.0f : square) * inverse};
}
BLASNET_INLINE float mish(float x) { return x * mishGate(x).value; }

// From the output y.
BLASNET_INLINE float leakyReluDerivative(float y, float slope) { return y > 0 ? 1.0f : y <= 0 ? slope : y; }
BLASNET_INLINE float reluDerivative(float y) { return leakyReluDerivative(y, 0.0f); }
BLASNET_INLINE float eluDerivative(float y, float alpha) { return y > 0 ? 1.0f : y + alpha; }
BLASNET_INLINE float seluDerivative(float y) { return y > 0 ? seluLambda : y + seluLambda * seluAlpha; }
BLASNET_INLINE float sigmoidDerivative(float y) { return y * (1.0f - y); }
BLASNET_INLINE float tanhDerivative(float y) { return 1.0f - y * y; }
BLASNET_INLINE float softplusDerivative(float y) { return -math::expm1(-y); }
// 1 between 0 and `high`, 0 outside and at both.
BLASNET_INLINE float inside(float y, float high) { return y > 0 && y < high ? 1.0f : y <= 0 || y >= high ? 0.0f : y; }
BLASNET_INLINE float relu6Derivative(float y) { return inside(y, 6.0f); }
BLASNET_INLINE float hardSigmoidDerivative(float y) { return inside(y, 1.0f) * (1.0f / 6.0f); }
BLASNET_INLINE float softsignDerivative(float y) {
  const float rest = 1.0f - math::absolute(y);
  return rest * rest;
}

// From the input x.
BLASNET_INLINE float hardSwishDerivative(float x) { return x <= -3 ? 0.0f : x >= 3 ? 1.0f : x * (1.0f / 3.0f) + 0.5f; }
BLASNET_INLINE float mishDerivative(float x) {
  const MishGate gate = mishGate(x);
  return math::multiplyAdd(x * math::sigmoid(x) * gate.rest, 1.0f + gate.value, gate.value);
}
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

// y = f(y). In activation.cc.
void activate(float* y, int64_t n, int32_t activation, float slope) noexcept;

}  // namespace blasnet::BLASNET_SIMD
