// Decides how many threads work on a run's shares. A program is always split into as many shares as the run has
// threads, so its results never depend on this choice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace blasnet {

// With many barriers per millisecond, many threads are slower than few if another process takes their cores. The
// governor compares the time per step on all threads with that on a half, a quarter and so on down to one, and uses
// fewer threads while that is faster. Only halving pays: with 16 shares on 15 threads, one thread has two shares, and 8
// threads are just as fast. A thread that was asleep often wakes on the core of the thread that woke it and needs some
// regions to move to its own. So the first regions on all threads are ignored, and a trial lasts several regions. A
// single slow region among many fast ones counts as an interruption.
class Governor {
 public:
  // Starts a run: its first regions on all threads are ignored.
  void begin() { regions_ = 0; }

  // Number of threads for the next region of a run of `shares` shares.
  int choose(int shares);

  // Whether the region is part of a trial. Trials should be short: disturbed threads may take ten times as long.
  bool trying() const { return trialLeft_ > 0; }

  // Records the time of a region.
  void record(int threads, int shares, double secondsPerStep);

 private:
  // Measurements at one level; level n uses the number of shares halved n times.
  struct Level {
    double mean = 0;  // moving average of the seconds per step; 0: not known yet
    double best = 0;  // the shortest
  };

  void moveTo(int level);
  void recordTrial(double secondsPerStep);

  std::array<Level, 9> levels_;    // for up to 256 shares
  int level_ = 0;                  // current level
  int probedLevel_ = 0;            // latest level with fewer threads that was measured
  int trial_ = 0;                  // latest level with more threads that was tried
  uint32_t regions_ = 0;           // at this level, since the start of the run or the last move
  uint32_t regionsSinceSlow_ = 0;  // at this level, since the last slow one or the last move
  uint32_t regionsSinceProbe_ = 0;
  uint32_t regionsSinceTrial_ = 0;
  uint32_t trialInterval_ = 0;
  uint32_t trialLeft_ = 0;  // regions left of a trial
  double trialBest_ = 0;
};

}  // namespace blasnet
