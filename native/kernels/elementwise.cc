// Arithmetic on each element, selected by a code. Each operation has a loop of its own.
#include "kernels.h"
#include "math.h"
#include "signatures.h"

namespace blasnet::BLASNET_SIMD {
namespace {

// y = f(a, b); y may be a or b.
template <typename Function>
BLASNET_INLINE void map(float* y, const float* a, const float* b, int64_t begin, int64_t end, Function f) {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) y[i] = f(a[i], b[i]);
}

// 1 if chosen, 0 if the opposite comparison holds, otherwise NaN.
BLASNET_INLINE float choice(bool chosen, bool other) { return chosen ? 1.0f : other ? 0.0f : math::notANumber; }

// The gradients dy byA(a, b) and dy byB(a, b). One of them may replace dy, which is read before it.
template <typename ByA, typename ByB>
BLASNET_INLINE void mapBackward(float* da, float* db, const float* dy, const float* a, const float* b, int64_t begin,
                                int64_t end, ByA byA, ByB byB) {
  if (da != nullptr && db != nullptr) {
#pragma omp simd
    for (int64_t i = begin; i < end; i++) {
      const float d = dy[i], first = d * byA(a[i], b[i]), second = d * byB(a[i], b[i]);
      da[i] = first;
      db[i] = second;
    }
  } else if (da != nullptr) {
#pragma omp simd
    for (int64_t i = begin; i < end; i++) da[i] = dy[i] * byA(a[i], b[i]);
  } else if (db != nullptr) {
#pragma omp simd
    for (int64_t i = begin; i < end; i++) db[i] = dy[i] * byB(a[i], b[i]);
  }
}

// y = f(x); y may be x.
template <typename Function>
BLASNET_INLINE void map(float* y, const float* x, int64_t begin, int64_t end, Function f) {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) y[i] = f(x[i]);
}

// dx = dy f'(at); dx may be dy.
template <typename Derivative>
BLASNET_INLINE void mapBackward(float* dx, const float* dy, const float* at, int64_t begin, int64_t end,
                                Derivative derivative) {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) dx[i] = dy[i] * derivative(at[i]);
}

}  // namespace

void binary(float* y, const float* a, const float* b, int64_t, int32_t operation, int64_t begin, int64_t end) noexcept {
  switch (static_cast<BinaryOperation>(operation)) {
    case BinaryOperation::add: return map(y, a, b, begin, end, [](float u, float v) { return u + v; });
    case BinaryOperation::subtract: return map(y, a, b, begin, end, [](float u, float v) { return u - v; });
    case BinaryOperation::multiply: return map(y, a, b, begin, end, [](float u, float v) { return u * v; });
    case BinaryOperation::divide: return map(y, a, b, begin, end, [](float u, float v) { return u / v; });
    case BinaryOperation::maximum:
      return map(y, a, b, begin, end, [](float u, float v) { return u >= v ? u : u < v ? v : u + v; });
    case BinaryOperation::minimum:
      return map(y, a, b, begin, end, [](float u, float v) { return u <= v ? u : u > v ? v : u + v; });
  }
}

// da, db: null if not wanted.
void binaryBackward(float* da, float* db, const float* dy, const float* a, const float* b, int64_t, int32_t operation,
                    int64_t begin, int64_t end) noexcept {
  const auto run = [=](auto byA, auto byB) { mapBackward(da, db, dy, a, b, begin, end, byA, byB); };
  const auto one = [](float, float) { return 1.0f; };
  switch (static_cast<BinaryOperation>(operation)) {
    case BinaryOperation::add: return run(one, one);
    case BinaryOperation::subtract: return run(one, [](float, float) { return -1.0f; });
    case BinaryOperation::multiply: return run([](float, float v) { return v; }, [](float u, float) { return u; });
    case BinaryOperation::divide:
      return run([](float, float v) { return 1.0f / v; }, [](float u, float v) { return -u / v / v; });
    case BinaryOperation::maximum:
      return run([](float u, float v) { return choice(u >= v, u < v); },
                 [](float u, float v) { return choice(u < v, u >= v); });
    case BinaryOperation::minimum:
      return run([](float u, float v) { return choice(u <= v, u > v); },
                 [](float u, float v) { return choice(u > v, u <= v); });
  }
}

void unary(float* y, const float* x, int64_t, int32_t operation, double alpha, double beta, int64_t begin,
           int64_t end) noexcept {
  const float first = static_cast<float>(alpha), second = static_cast<float>(beta);
  switch (static_cast<UnaryOperation>(operation)) {
    case UnaryOperation::exp: return map(y, x, begin, end, [](float v) { return math::exp(v); });
    case UnaryOperation::log: return map(y, x, begin, end, [](float v) { return math::logAny(v); });
    case UnaryOperation::sqrt: return map(y, x, begin, end, [](float v) { return math::squareRoot(v); });
    case UnaryOperation::square: return map(y, x, begin, end, [](float v) { return v * v; });
    case UnaryOperation::abs: return map(y, x, begin, end, [](float v) { return math::absolute(v); });
    case UnaryOperation::power: {
      const math::Power power(alpha);
      return map(y, x, begin, end, [=](float v) { return power.of(v); });
    }
    case UnaryOperation::clip:
      return map(y, x, begin, end, [=](float v) { return v < first ? first : v > second ? second : v; });
    case UnaryOperation::scale:
      return map(y, x, begin, end, [=](float v) { return math::multiplyAdd(first, v, second); });
  }
}

void unaryBackward(float* dx, const float* dy, const float* at, int64_t, int32_t operation, double alpha, double beta,
                   int64_t begin, int64_t end) noexcept {
  const float first = static_cast<float>(alpha), second = static_cast<float>(beta);
  const auto run = [=](auto derivative) { mapBackward(dx, dy, at, begin, end, derivative); };
  switch (static_cast<UnaryOperation>(operation)) {
    case UnaryOperation::exp: return run([](float y) { return y; });
    case UnaryOperation::log: return run([](float x) { return 1.0f / x; });
    case UnaryOperation::sqrt: return run([](float y) { return 0.5f / y; });
    case UnaryOperation::square: return run([](float x) { return 2.0f * x; });
    case UnaryOperation::abs: return run([](float x) { return math::sign(x); });
    case UnaryOperation::power: {
      // Not 0 · ∞ at 0.
      if (alpha == 0) return run([](float x) { return x == x ? 0.0f : x; });
      const math::Power power(alpha - 1);
      return run([=](float x) { return first * power.of(x); });
    }
    case UnaryOperation::clip:
      return run([=](float x) { return choice(x >= first && x <= second, x < first || x > second); });
    case UnaryOperation::scale: return run([=](float) { return first; });
  }
}

}  // namespace blasnet::BLASNET_SIMD
