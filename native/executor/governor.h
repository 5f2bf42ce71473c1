// Decides how many of a run's shares are worked on at the same time. A program is always split into as many shares as the
// run has threads, so its results never depend on this choice; only the number of threads that work on them does.
#pragma once

#include <array>
#include <cstdint>

namespace blasnet {

// Threads that meet many times a millisecond are slower than one thread alone when another process takes their cores.
// The governor compares the time of a step at full strength with that on one thread, and steps back while that is better.
// A thread that was asleep often wakes on the core that woke it and takes some regions to find one of its own, so the first
// regions together tell nothing, and a trial lasts several. Among many that are not, a slow one is taken for an interruption.
class Governor {
 public:
  // A run begins: its first regions together tell nothing.
  void begin() { regions_ = 0; }

  // Threads for the next region of a run of `shares` shares.
  int choose(int shares);

  // Whether the region is part of a trial, which should be short: disturbed threads may take ten times as long.
  bool trying() const { return trialLeft_ > 0; }

  // Tells what the region cost.
  void record(int threads, int shares, double secondsPerStep);

 private:
  // Moving averages of the time of a step; 0: not known yet.
  double alone_ = 0;
  double together_ = 0;
  double best_ = 0;  // the shortest together
  bool steppedBack_ = false;
  uint32_t regions_ = 0;  // together, since the run's begin or the last return
  uint32_t calm_ = 0;     // together, since the last slow one or the last return
  uint32_t since_ = 0;    // regions since the last look at the other way of working
  uint32_t trialInterval_ = 0;
  uint32_t trialLeft_ = 0;  // regions left of a trial together
  double trialBest_ = 0;
};

}  // namespace blasnet
