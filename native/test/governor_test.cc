// The governor against simulated machines: how many of its regions it spends together.
#include "../executor/governor.h"
#include "test.h"

namespace blasnet::test {
namespace {

constexpr int shares = 2;
constexpr double alone = 130e-6, together = 75e-6;

// Regions together among `regions`, where a region together number n since the threads last slept takes slow(n) seconds a step.
template <typename Slow>
int regionsTogether(Governor& governor, int regions, Slow slow) {
  int count = 0, awake = 0;
  for (int i = 0; i < regions; i++) {
    const int threads = governor.choose(shares);
    awake = threads == shares ? awake + 1 : 0;
    count += threads == shares;
    governor.record(threads, shares, threads == shares ? slow(awake) : alone);
  }
  return count;
}

TEST(governorWorksTogetherOnAQuietMachine) {
  Governor governor;
  CHECK(regionsTogether(governor, 1000, [](int) { return together; }) >= 998);
}

TEST(governorIsNotPutOffBySlowBeginnings) {
  Governor governor;
  // Woken threads share a core for four regions.
  const auto waking = [](int awake) { return awake <= 4 ? 140e-6 : together; };
  CHECK(regionsTogether(governor, 1000, waking) >= 950);
}

TEST(governorIsNotPutOffByAnInterruption) {
  Governor governor;
  CHECK(regionsTogether(governor, 50, [](int) { return together; }) >= 49);
  CHECK(regionsTogether(governor, 1000, [](int awake) { return awake % 25 == 0 ? 900e-6 : together; }) == 1000);
  // Where they are frequent, a core is taken.
  for (const int every : {2, 5, 10}) {
    Governor other;
    regionsTogether(other, 50, [](int) { return together; });
    CHECK(regionsTogether(other, 1000, [=](int awake) { return awake % every == 0 ? 900e-6 : together; }) <= 400);
  }
}

TEST(governorStepsBackWhileACoreIsTaken) {
  Governor governor;
  CHECK(regionsTogether(governor, 1000, [](int) { return together; }) >= 998);
  CHECK(regionsTogether(governor, 1000, [](int) { return 300e-6; }) <= 200);
  // Trials become rare.
  CHECK(regionsTogether(governor, 1000, [](int) { return 300e-6; }) <= 64);
  // And it comes back when the core is free again.
  regionsTogether(governor, 330, [](int) { return together; });
  CHECK(regionsTogether(governor, 1000, [](int) { return together; }) >= 990);
}

TEST(governorStepsBackFromADisturbedStart) {
  Governor governor;
  CHECK(regionsTogether(governor, 1000, [](int) { return 300e-6; }) <= 200);
}

TEST(governorLeavesOneShareAlone) {
  Governor governor;
  for (int i = 0; i < 100; i++) {
    CHECK(governor.choose(1) == 1);
    governor.record(1, 1, alone);
  }
}

}  // namespace
}  // namespace blasnet::test
