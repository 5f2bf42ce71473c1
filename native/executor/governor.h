// Decides how many of a run's shares are worked on at the same time. A program is always split into as many shares as the
// run has threads, so its results never depend on this choice; only the number of threads that work on them does.
#pragma once

#include <array>
#include <cstdint>

namespace blasnet {

// Threads that meet many times a millisecond are slower than one thread alone when another process takes their cores.
// The governor compares the time of a step at full strength with that on one thread, and steps back while that is better.
class Governor {
 public:
  // Threads for the next region of a run of `shares` shares.
  int choose(int shares);

  // Tells what the region cost.
  void record(int threads, int shares, double secondsPerStep);

 private:
  // Moving averages; 0: not known yet.
  double alone_ = 0;
  double together_ = 0;
  double bestTogether_ = 0;
  bool steppedBack_ = false;
  uint32_t sinceTrial_ = 0;
};

}  // namespace blasnet
