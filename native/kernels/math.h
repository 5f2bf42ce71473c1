// Elementary functions on float, without branches, so that loops over them vectorise to the width the file is compiled
// for. Errors are in ulp against the exact value; native/test/math_test.cc checks them.
#pragma once

#include <cstdint>

// Always inlined: a call would prevent vectorisation, and a shared copy could be from another instruction set.
#define BLASNET_INLINE inline __attribute__((always_inline))

namespace blasnet::BLASNET_SIMD::math {
namespace {

constexpr float infinity = __builtin_inff();
constexpr float notANumber = __builtin_nanf("");

BLASNET_INLINE float fromBits(uint32_t bits) { return __builtin_bit_cast(float, bits); }
BLASNET_INLINE uint32_t toBits(float x) { return __builtin_bit_cast(uint32_t, x); }

BLASNET_INLINE float absolute(float x) { return fromBits(toBits(x) & 0x7fffffffu); }
BLASNET_INLINE float withSignOf(float x, float sign) { return fromBits(toBits(x) | (toBits(sign) & 0x80000000u)); }

BLASNET_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
BLASNET_INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// -1, 0 or 1; NaN for NaN.
BLASNET_INLINE float sign(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : x; }

// a b + c, fused if the instruction set allows. For sums of two products, where the compiler could fuse either one and
// may choose differently in a loop's vector part and its remainder: results must not depend on where a range ends.
#if defined(__FMA__) || defined(__aarch64__)
BLASNET_INLINE float multiplyAdd(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
BLASNET_INLINE double multiplyAdd(double a, double b, double c) { return __builtin_fma(a, b, c); }
#else
BLASNET_INLINE float multiplyAdd(float a, float b, float c) { return a * b + c; }
BLASNET_INLINE double multiplyAdd(double a, double b, double c) { return a * b + c; }
#endif

BLASNET_INLINE float squareRoot(float x) { return __builtin_sqrtf(x); }
BLASNET_INLINE double squareRoot(double x) { return __builtin_sqrt(x); }

// x = k ln 2 + r with |r| <= ln 2 / 2.
struct Reduced {
  int32_t k;
  float r;
};

// For |x| < 2^21; for a NaN, r is NaN.
BLASNET_INLINE Reduced reduce(float x) {
  constexpr float shifter = 0x1.8p23f;   // adding it leaves the nearest integer in the low mantissa bits
  constexpr float ln2High = 0x1.63p-1f;  // few bits: its product with k is exact
  constexpr float ln2Low = -0x1.bd0106p-13f;
  const float shifted = x * 0x1.715476p+0f + shifter;
  const float k = shifted - shifter;
  const float r = (x - k * ln2High) - k * ln2Low;
  return {static_cast<int32_t>(toBits(shifted) - toBits(shifter)), r};
}

// e^r - 1 for |r| <= 0.4, with small relative error.
BLASNET_INLINE float expm1Reduced(float r) {
  float q = 1.9764311e-4f;
  q = q * r + 1.393236e-3f;
  q = q * r + 8.333543e-3f;
  q = q * r + 4.1666493e-2f;
  q = q * r + 1.6666666e-1f;
  q = q * r + 0.5f;
  return r + r * r * q;
}

// 2^k for -126 <= k <= 127.
BLASNET_INLINE float powerOfTwo(int32_t k) { return fromBits(static_cast<uint32_t>(k + 127) << 23); }

// y 2^k, k in [-252, 254], rounded once: after the first factor it is normal; the second may make it denormal or
// infinite.
BLASNET_INLINE float scale(float y, int32_t k) {
  const int32_t half = k >> 1;
  return y * powerOfTwo(half) * powerOfTwo(k - half);
}

// e^x; overflows to infinity, underflows through the denormals to 0. Error < 1.5 ulp.
BLASNET_INLINE float exp(float x) {
  x = x > 89.0f ? 89.0f : x;
  x = x < -105.0f ? -105.0f : x;
  const Reduced reduced = reduce(x);
  return scale(1.0f + expm1Reduced(reduced.r), reduced.k);
}

// e^x - 1, with small relative error near 0. Error < 2 ulp.
BLASNET_INLINE float expm1(float x) {
  float bounded = x > 89.0f ? 89.0f : x;
  bounded = bounded < -18.0f ? -18.0f : bounded;
  const Reduced reduced = reduce(bounded);
  const float half = powerOfTwo(reduced.k - 1);  // half of 2^k, which itself may be out of range
  const float y = 2.0f * (half * expm1Reduced(reduced.r) + (half - 0.5f));
  return absolute(x) < 0x1p-24f ? x : y;  // keeps -0 and the last bit of denormals
}

// log(1 + f) for sqrt(1/2) - 1 <= f <= sqrt(2) - 1.
BLASNET_INLINE float logReduced(float f) {
  float p = 6.749538e-2f;
  p = p * f - 1.1670184e-1f;
  p = p * f + 1.1883472e-1f;
  p = p * f - 1.2406208e-1f;
  p = p * f + 1.4220363e-1f;
  p = p * f - 1.666799e-1f;
  p = p * f + 2.0002072e-1f;
  p = p * f - 2.500001e-1f;
  p = p * f + 3.3333313e-1f;
  return f + f * f * (f * p - 0.5f);
}

constexpr float ln2 = 0x1.62e43p-1f;

// log(x) for normal x > 0, infinity and NaN. Error < 2 ulp.
BLASNET_INLINE float log(float x) {
  const uint32_t bits = toBits(x);
  const int32_t k = static_cast<int32_t>(bits - 0x3f3504f3u) >> 23;  // 0x3f3504f3: sqrt(1/2)
  const float f = fromBits(bits - (static_cast<uint32_t>(k) << 23)) - 1.0f;
  const float y = static_cast<float>(k) * ln2 + logReduced(f);
  return x < infinity ? y : x;
}

// log(x) for any x: -infinity at 0, NaN below. Error < 3 ulp.
BLASNET_INLINE float logAny(float x) {
  const bool denormal = x < 0x1p-126f;
  const float y = log(denormal ? x * 0x1p24f : x) - (denormal ? 24 * ln2 : 0.0f);
  return x > 0 ? y : x == 0 ? -infinity : notANumber;
}

// x^exponent, prepared for one exponent and many x. NaN stays NaN, even for the exponent 0.
struct Power {
  double exponent;
  bool integer, odd;
  float atZero, atInfinity;

  explicit Power(double p)
      : exponent(p),
        integer(p == __builtin_floor(p)),
        odd(integer && p / 2 != __builtin_floor(p / 2)),
        atZero(p > 0    ? 0.0f
               : p == 0 ? 1.0f
                        : infinity),
        atInfinity(p > 0    ? infinity
                   : p == 0 ? 1.0f
                            : 0.0f) {}

  // The logarithm is computed in double: the exponent multiplies its error. Error < 2 ulp.
  BLASNET_INLINE float of(float x) const {
    constexpr double ln2Double = 0x1.62e42fefa39efp-1;
    constexpr double shifter = 0x1.8p52;  // adding it leaves the nearest integer in the low mantissa bits
    const float a = absolute(x);
    const bool denormal = a < 0x1p-126f;
    const uint32_t bits = toBits(denormal ? a * 0x1p24f : a);
    const int32_t k = static_cast<int32_t>(bits - 0x3f3504f3u) >> 23;
    const double f = static_cast<double>(fromBits(bits - (static_cast<uint32_t>(k) << 23)));
    const double z = (f - 1) / (f + 1), square = z * z;  // |z| < 0.172: log f = 2 artanh z
    double q = 2.0 / 13;
    q = q * square + 2.0 / 11;
    q = q * square + 2.0 / 9;
    q = q * square + 2.0 / 7;
    q = q * square + 2.0 / 5;
    q = q * square + 2.0 / 3;
    q = q * square + 2;
    const double whole = static_cast<double>(denormal ? k - 24 : k);
    double t = exponent * multiplyAdd(z, q, whole * ln2Double);
    t = t > 89 ? 89 : t;
    t = t < -105 ? -105 : t;
    const double shifted = t * (1 / ln2Double) + shifter;
    const float r = static_cast<float>(t - (shifted - shifter) * ln2Double);
    const int32_t n = static_cast<int32_t>(static_cast<uint32_t>(__builtin_bit_cast(uint64_t, shifted)));
    float y = scale(1.0f + expm1Reduced(r), n);
    y = a < infinity ? y : a > 0 && a == a ? atInfinity : a;
    y = a == 0 ? atZero : y;
    y = x < 0 && a < infinity && !integer ? notANumber : y;
    return odd ? withSignOf(y, x) : y;
  }
};

// log(1 + x) for 0 <= x <= 1 and NaN, with small relative error near 0. Error < 2 ulp.
BLASNET_INLINE float log1p(float x) {
  const bool upper = x > 0.41421356f;
  const float f = upper ? 0.5f * x - 0.5f : x;
  return (upper ? ln2 : 0.0f) + logReduced(f);
}

struct SineCosine {
  float sine, cosine;
};

// Sine and cosine of turns * 2^-26 full turns; the highest 6 bits of `turns` are ignored. Absolute error < 1.2e-7.
BLASNET_INLINE SineCosine sineCosine(uint32_t turns) {
  const uint32_t quarter = (turns + 0x800000u) >> 24;  // the nearest multiple of a quarter turn
  const float r = static_cast<float>(static_cast<int32_t>(turns - (quarter << 24))) * 0x1p-24f;  // exact
  const float square = r * r;
  float s = -4.6016579e-3f;
  s = s * square + 7.968003e-2f;
  s = s * square - 6.4596349e-1f;
  s = r * (s * square + 1.5707964f);
  float c = 9.0376654e-4f;
  c = c * square - 2.0860165e-2f;
  c = c * square + 2.5366923e-1f;
  c = c * square - 1.2337005f;
  c = 1.0f + c * square;
  const bool odd = (quarter & 1u) != 0;
  const uint32_t sineSign = (quarter & 2u) << 30, cosineSign = ((quarter + 1u) & 2u) << 30;
  return {fromBits(toBits(odd ? c : s) ^ sineSign), fromBits(toBits(odd ? s : c) ^ cosineSign)};
}

// Both halves have small relative error; 0 below -104, 1 above 17. Error < 3 ulp.
BLASNET_INLINE float sigmoid(float x) {
  const float e = exp(-absolute(x));
  return (x < 0 ? e : 1.0f) / (1.0f + e);
}

// Exactly +-1 from |x| = 9.1 on. Error < 3 ulp.
BLASNET_INLINE float tanh(float x) {
  float twice = 2.0f * absolute(x);
  twice = twice > 20.0f ? 20.0f : twice;
  const Reduced reduced = reduce(twice);
  const float power = powerOfTwo(reduced.k);
  const float e = power * expm1Reduced(reduced.r) + (power - 1.0f);  // e^2|x| - 1
  return withSignOf(e / (e + 2.0f), x);
}

// e^(-x^2/2) and the standard normal distribution function, both with small relative error far into the tails.
struct Normal {
  float exponential;
  float distribution;
};

// Errors < 1.5 ulp (exponential) and < 5 ulp (distribution) while the results are normal numbers.
BLASNET_INLINE Normal normal(float x) {
  float t = absolute(x);
  t = t > 16.0f ? 16.0f : t;
  // The rounding error of x^2/2 would be amplified by exp, so its low part is kept and added after the reduction.
  const float high = fromBits(toBits(t) & 0xfffff000u);
  const Reduced reduced = reduce(-0.5f * high * high);
  const float low = -0.5f * (t - high) * (t + high);
  const float e = scale(1.0f + expm1Reduced(reduced.r + low), reduced.k);

  // Outside [-1, 1]: e^(t^2/2) (1 - distribution(t)) = u h(q), a smooth function of q in [-0.6, 0.6].
  const float u = 1.0f / (t + 4.0f);
  const float q = (t - 4.0f) * u;
  float h = -1.3296126e-4f;
  h = h * q + 1.7766691e-4f;
  h = h * q + 1.5680656e-3f;
  h = h * q - 3.5146435e-3f;
  h = h * q - 7.525304e-3f;
  h = h * q + 6.040525e-2f;
  h = h * q - 1.8652311e-1f;
  h = h * q + 3.8713667e-1f;
  h = h * q - 6.078966e-1f;
  h = h * q + 7.5528514e-1f;
  const float tail = e * (h * u);
  const float outer = x < 0 ? tail : 1.0f - tail;

  // Inside: 1/2 + x c(x^2).
  const float square = x * x;
  float c = -8.618012e-6f;
  c = c * square + 1.1616899e-4f;
  c = c * square - 1.1890539e-3f;
  c = c * square + 9.974539e-3f;
  c = c * square - 6.649058e-2f;
  c = c * square + 3.989423e-1f;
  const float inner = 0.5f + x * c;
  return {e, t < 1.0f ? inner : outer};
}

}  // namespace
}  // namespace blasnet::BLASNET_SIMD::math
