// The governor against simulated machines: how many of its regions it spends together.
#include <map>

#include "../executor/governor.h"
#include "test.h"

namespace blasnet::test {
namespace {

constexpr int shares = 2;
constexpr double alone = 130e-6, together = 75e-6;

// Regions together among `regions`, where a region together number n since the threads last slept takes slow(n) seconds
// a step.
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

// Regions by their number of threads, on a machine of `cores` cores of which `busy` are taken. Sixteen shares take as
// long as the thread with most of them; threads on a taken core take twenty times as long.
std::map<int, int> regionsByThreads(Governor& governor, int regions, int cores, int busy, double meeting = 0) {
  constexpr int many = 16;
  std::map<int, int> counts;
  for (int i = 0; i < regions; i++) {
    const int threads = governor.choose(many);
    const int rounds = (many + threads - 1) / threads;
    const double undisturbed = 20e-6 * rounds + meeting * threads;
    counts[threads]++;
    governor.record(threads, many, threads > 1 && threads > cores - busy ? 20 * undisturbed : undisturbed);
  }
  return counts;
}

TEST(governorKeepsHalfTheThreadsWhereOneCoreIsTaken) {
  Governor governor;
  CHECK(regionsByThreads(governor, 1000, 16, 0)[16] >= 990);
  CHECK(regionsByThreads(governor, 2000, 16, 1)[8] >= 1800);
  // Trials of all become rare, and all come back when the core is free.
  CHECK(regionsByThreads(governor, 1000, 16, 1)[8] >= 930);
  regionsByThreads(governor, 330, 16, 0);
  CHECK(regionsByThreads(governor, 1000, 16, 0)[16] >= 990);
}

TEST(governorFindsTheThreadsThatFit) {
  for (const auto& [busy, fitting] :
       std::map<int, int>{{0, 16}, {5, 8}, {8, 8}, {9, 4}, {12, 4}, {14, 2}, {15, 1}, {16, 1}}) {
    Governor governor;
    regionsByThreads(governor, 200, 16, busy);
    CHECK(regionsByThreads(governor, 2000, 16, busy)[fitting] >= 1800);
    // From there to any other.
    for (const auto& [later, other] : std::map<int, int>{{0, 16}, {6, 8}, {11, 4}, {13, 2}, {16, 1}}) {
      Governor changing = governor;
      regionsByThreads(changing, 3000, 16, later);
      CHECK(regionsByThreads(changing, 2000, 16, later)[other] >= 1800);
    }
  }
}

TEST(governorLeavesThreadsOutThatCostMoreThanTheyBring) {
  Governor governor;
  // 16: 20 + 320 µs, 8: 40 + 160, 4: 80 + 80, 2: 160 + 40.
  regionsByThreads(governor, 100, 16, 0, 20e-6);
  CHECK(regionsByThreads(governor, 2000, 16, 0, 20e-6)[4] >= 1800);
}

TEST(governorMeasuresLongStepsOnFewerThreadsLate) {
  constexpr int many = 16, settling = 6;
  for (const double slowdown : {1.0, 1.3, 1.5, 3.0}) {
    Governor governor;
    std::map<int, int> counts;
    double spent = 0;
    for (int i = 0; i < 1000; i++) {
      const int threads = governor.choose(many);
      const double seconds = 20e-3 * many / threads * (threads == many && i > settling ? slowdown : 1);
      counts[threads]++;
      spent += seconds;
      governor.record(threads, many, seconds);
    }
    // Undisturbed, fewer threads are measured once each. Half of them are faster if all are three times as slow.
    if (slowdown < 1.4) CHECK(counts[16] == 996 && spent < 20.0 * slowdown * 1.03);
    if (slowdown == 1.5) CHECK(counts[16] >= 860 && counts[1] <= 1);
    if (slowdown == 3) CHECK(counts[8] >= 880);
  }
}

// Short steps that look long because cores were taken from the start.
TEST(governorFindsTheThreadsThatFitThoughStepsLookLong) {
  for (const auto& [busy, fitting] : std::map<int, int>{{1, 8}, {9, 4}, {12, 4}, {15, 1}}) {
    Governor governor;
    int count = 0;
    for (int i = 0; i < 3000; i++) {
      const int threads = governor.choose(16);
      const double undisturbed = 1e-3 * 16 / threads;
      count += i >= 1000 && threads == fitting;
      governor.record(threads, 16, threads > 1 && threads > 16 - busy ? 20 * undisturbed : undisturbed);
    }
    CHECK(count >= 1800);
  }
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
