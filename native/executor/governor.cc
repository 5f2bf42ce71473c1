#include "governor.h"

namespace blasnet {

namespace {

// Weight of the newest measurement.
constexpr double weight = 0.3;
// One thread must be this much better to be preferred.
constexpr double margin = 0.95;
// So much slower than its best, working together is suspected to be disturbed.
constexpr double suspicious = 1.4;
// Regions together that tell nothing, after the start and after a return.
constexpr uint32_t settling = 5;
// Regions on one thread before a trial together: twice as many after each that failed. And the length of a trial.
constexpr uint32_t shortestInterval = 40;
constexpr uint32_t longestInterval = 320;
constexpr uint32_t trialLength = 16;
// Regions together without a slow one, after which a slow one is taken for an interruption, and does not count.
constexpr uint32_t patience = 20;
// Regions together, while they are suspected to be disturbed, between two looks at one thread.
constexpr uint32_t lookInterval = 8;

double blend(double old, double now) { return old == 0 ? now : old + weight * (now - old); }

}  // namespace

int Governor::choose(int shares) {
  if (shares == 1) return 1;
  if (steppedBack_) {
    if (trialLeft_ == 0 && ++since_ >= trialInterval_) {
      since_ = 0;
      trialLeft_ = trialLength;
      trialBest_ = 0;
    }
    return trialLeft_ > 0 ? shares : 1;
  }
  if (regions_ <= settling) return shares;
  const bool disturbed = together_ > suspicious * best_;
  if (alone_ != 0 && !(disturbed && ++since_ >= lookInterval)) return shares;
  since_ = 0;
  return 1;
}

void Governor::record(int threads, int shares, double secondsPerStep) {
  if (shares == 1) return;
  if (threads == 1) {
    alone_ = blend(alone_, secondsPerStep);
  } else if (steppedBack_) {
    if (trialBest_ == 0 || secondsPerStep < trialBest_) trialBest_ = secondsPerStep;
    const bool better = trialBest_ < margin * alone_;
    if (--trialLeft_ > 0 && !better) return;
    trialLeft_ = 0;
    together_ = trialBest_;
    steppedBack_ = alone_ < margin * together_;
    if (steppedBack_) {
      trialInterval_ = trialInterval_ < longestInterval ? 2 * trialInterval_ : longestInterval;
    } else {
      regions_ = calm_ = 0;
    }
    return;
  } else {
    if (++regions_ <= settling) return;
    const bool slow = best_ != 0 && secondsPerStep > suspicious * best_;
    const bool interrupted = slow && calm_ >= patience;
    calm_ = slow ? 0 : calm_ + 1;
    if (interrupted) return;
    together_ = blend(together_, secondsPerStep);
    if (best_ == 0 || secondsPerStep < best_) best_ = secondsPerStep;
  }
  if (!steppedBack_ && alone_ != 0 && together_ != 0 && alone_ < margin * together_) {
    steppedBack_ = true;
    trialInterval_ = shortestInterval;
    since_ = 0;
  }
}

}  // namespace blasnet
