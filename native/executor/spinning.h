// Spinning for a given time. A processor's pause takes from about 40 to 140 cycles, so its duration has to be measured.
#pragma once

#include <chrono>
#include <cstdint>

namespace blasnet {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Seconds per relax(): the minimum of several measurements, because the thread may be interrupted during some.
inline double measureRelax() {
  using Clock = std::chrono::steady_clock;
  constexpr int measurements = 8, spins = 256;
  double shortest = 1;
  for (int i = 0; i < measurements; i++) {
    const Clock::time_point begin = Clock::now();
    for (int j = 0; j < spins; j++) relax();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count() / spins;
    if (seconds < shortest) shortest = seconds;
  }
  return shortest > 1e-10 ? shortest : 1e-10;
}

// The number of relax() calls that take about this long. The first call takes some tens of microseconds.
inline int64_t spinsIn(double seconds) {
  static const double each = measureRelax();
  return static_cast<int64_t>(seconds / each);
}

}  // namespace blasnet
