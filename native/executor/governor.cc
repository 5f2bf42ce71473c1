#include "governor.h"

namespace blasnet {

namespace {

// Weight of the newest measurement.
constexpr double weight = 0.3;
// Fewer threads are preferred only if better by this factor.
constexpr double margin = 0.95;
// If slower than the best by this factor, running on all threads may be disturbed.
constexpr double suspicious = 1.4;
// Regions on all threads to ignore, after the start and after a change.
constexpr uint32_t settling = 5;
// Regions on fewer threads before a trial of more threads, doubled after each failed trial. And the length of a trial.
constexpr uint32_t shortestInterval = 40;
constexpr uint32_t longestInterval = 320;
constexpr uint32_t trialLength = 16;
// After this many regions without a slow one, a slow one counts as an interruption and is ignored.
constexpr uint32_t patience = 20;
// While a disturbance is suspected: regions between two measurements of fewer threads.
constexpr uint32_t probeInterval = 8;
// Barriers are a small part of steps that take longer, so half of the threads need nearly twice as long as all when
// these are undisturbed. But steps may also be long because all threads are disturbed. So fewer threads are measured
// late, half of them after so many regions, a quarter after twice as many more: at a cost of a fortieth each.
constexpr double longStep = 10e-3;
constexpr uint32_t longWait = 40;

double blend(double old, double now) { return old == 0 ? now : old + weight * (now - old); }

int threadsAt(int level, int shares) { return (shares + (1 << level) - 1) >> level; }

int levelOf(int threads, int shares) {
  int level = 0;
  while (threadsAt(level, shares) > threads) level++;
  return level;
}

}  // namespace

int Governor::choose(int shares) {
  if (shares == 1) return 1;
  if (trialLeft_ == 0 && level_ > 0 && ++regionsSinceTrial_ >= trialInterval_) {
    regionsSinceTrial_ = 0;
    trialLeft_ = trialLength;
    trialBest_ = 0;
    trial_ = (trial_ > 0 && trial_ < level_ ? trial_ : level_) - 1;
  }
  if (trialLeft_ > 0) return threadsAt(trial_, shares);
  const int last = levelOf(1, shares);
  if (level_ == last || regions_ <= settling) return threadsAt(level_, shares);
  const Level& mine = levels_[static_cast<size_t>(level_)];
  const bool disturbed = mine.mean > suspicious * mine.best;
  const bool isLong = mine.best > longStep;
  const bool unknown = levels_[static_cast<size_t>(last)].mean == 0;
  if (!unknown && !disturbed) return threadsAt(level_, shares);
  const int next = probedLevel_ > level_ && probedLevel_ < last ? probedLevel_ + 1 : level_ + 1;
  const int halvings = next - level_ - 1;
  const uint32_t wait = !unknown ? probeInterval : isLong ? longWait << halvings : 0;
  if (wait > 0 && ++regionsSinceProbe_ < wait) return threadsAt(level_, shares);
  regionsSinceProbe_ = 0;
  const bool isTooFew = isLong && !unknown && mine.mean < suspicious * (1 << halvings) * mine.best;
  probedLevel_ = isTooFew ? level_ + 1 : next;
  return threadsAt(probedLevel_, shares);
}

void Governor::record(int threads, int shares, double secondsPerStep) {
  if (shares == 1) return;
  const int level = levelOf(threads, shares), last = levelOf(1, shares);
  if (trialLeft_ > 0 && level == trial_) return recordTrial(secondsPerStep);
  Level& known = levels_[static_cast<size_t>(level)];
  if (level == level_ && threads > 1) {
    if (++regions_ <= settling) return;
    const bool slow = known.best != 0 && secondsPerStep > suspicious * known.best;
    const bool interrupted = slow && regionsSinceSlow_ >= patience;
    regionsSinceSlow_ = slow ? 0 : regionsSinceSlow_ + 1;
    if (interrupted) return;
  }
  known.mean = blend(known.mean, secondsPerStep);
  if (known.best == 0 || secondsPerStep < known.best) known.best = secondsPerStep;
  const double mine = levels_[static_cast<size_t>(level_)].mean;
  int better = level_;
  for (int i = level_ + 1; i <= last; i++) {
    const double mean = levels_[static_cast<size_t>(i)].mean;
    if (mean != 0 && mean < margin * mine && (better == level_ || mean < levels_[static_cast<size_t>(better)].mean))
      better = i;
  }
  if (better == level_) return;
  moveTo(better);
  trial_ = 0;
  trialInterval_ = shortestInterval;
}

// A trial ends at the first region that is better. It succeeds unless the current level is clearly better.
void Governor::recordTrial(double secondsPerStep) {
  if (trialBest_ == 0 || secondsPerStep < trialBest_) trialBest_ = secondsPerStep;
  const double mine = levels_[static_cast<size_t>(level_)].mean;
  if (--trialLeft_ > 0 && trialBest_ >= margin * mine) return;
  trialLeft_ = 0;
  levels_[static_cast<size_t>(trial_)].mean = trialBest_;
  if (mine < margin * trialBest_) {
    trialInterval_ = trialInterval_ < longestInterval ? 2 * trialInterval_ : longestInterval;
  } else {
    moveTo(trial_);
  }
}

void Governor::moveTo(int level) {
  level_ = level;
  regions_ = regionsSinceSlow_ = regionsSinceProbe_ = regionsSinceTrial_ = 0;
}

}  // namespace blasnet
