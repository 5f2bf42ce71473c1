// Treats denormal numbers as zeros, on one thread and within a scope.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace blasnet {

// During its lifetime, this thread treats numbers below 1.18e-38 as zero, as operands and as results. They don't matter
// for training, but decaying moments of units without gradients end there, and processors are many times slower on
// them.
class ZeroDenormals {
 public:
  ZeroDenormals() noexcept : before_(control()) { setControl(before_ | bits); }
  ~ZeroDenormals() { setControl(before_); }
  ZeroDenormals(const ZeroDenormals&) = delete;
  ZeroDenormals& operator=(const ZeroDenormals&) = delete;

 private:
#if defined(__x86_64__)
  using Word = uint32_t;
  static constexpr Word bits = 0x8040;  // MXCSR: flush to zero, denormals are zeros
  static Word control() noexcept { return _mm_getcsr(); }
  static void setControl(Word word) noexcept { _mm_setcsr(word); }
#elif defined(__aarch64__)
  using Word = uint64_t;
  static constexpr Word bits = uint64_t{1} << 24;  // FPCR: FZ
  static Word control() noexcept {
    Word word;
    asm volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void setControl(Word word) noexcept { asm volatile("msr fpcr, %0" : : "r"(word) : "memory"); }
#else
  using Word = int;
  static constexpr Word bits = 0;
  static Word control() noexcept { return 0; }
  static void setControl(Word) noexcept {}
#endif

  const Word before_;
};

}  // namespace blasnet
