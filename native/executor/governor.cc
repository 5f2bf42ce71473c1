#include "governor.h"

namespace blasnet {

namespace {

// Weight of the newest measurement.
constexpr double weight = 0.3;
// One thread must be this much better to be preferred, and together must be clearly better to come back.
constexpr double margin = 0.95;
// So much slower than its best, working together is suspected to be disturbed.
constexpr double suspicious = 1.4;
// Regions between two looks at the other way of working.
constexpr uint32_t trialInterval = 16;

double blend(double old, double now) { return old == 0 ? now : old + weight * (now - old); }

}  // namespace

int Governor::choose(int shares) {
  if (shares == 1) return 1;
  sinceTrial_++;
  if (together_ == 0) return shares;
  if (steppedBack_) {
    if (sinceTrial_ < trialInterval) return 1;
    sinceTrial_ = 0;
    return shares;
  }
  const bool disturbed = together_ > suspicious * bestTogether_;
  if (alone_ == 0 || (disturbed && sinceTrial_ >= trialInterval)) {
    sinceTrial_ = 0;
    return 1;
  }
  return shares;
}

void Governor::record(int threads, int shares, double secondsPerStep) {
  if (shares == 1) return;
  if (threads == 1) {
    alone_ = blend(alone_, secondsPerStep);
  } else {
    together_ = steppedBack_ ? secondsPerStep : blend(together_, secondsPerStep);
    if (bestTogether_ == 0 || secondsPerStep < bestTogether_) bestTogether_ = secondsPerStep;
  }
  if (alone_ == 0 || together_ == 0) return;
  steppedBack_ = alone_ < margin * together_;
}

}  // namespace blasnet
