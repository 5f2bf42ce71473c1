// Runs with a group: threads of this process are the ranks.
#include <atomic>
#include <barrier>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>

#include "../executor/pool.h"
#include "../executor/run.h"
#include "program.h"

namespace blasnet::test {
namespace {

// What the ranks share.
struct Meeting {
  explicit Meeting(int size) : size(size), barrier(size), values(static_cast<size_t>(size)) {}
  int size;
  std::barrier<> barrier;
  std::vector<void*> values;
};

class ThreadGroup : public Group {
 public:
  ThreadGroup(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
  int rank() const noexcept override { return rank_; }
  int size() const noexcept override { return meeting_.size; }
  bool sum(float* values, int64_t count) noexcept override { return sumOf(values, count); }
  bool sum(double* values, int64_t count) noexcept override { return sumOf(values, count); }
  bool sumShares(float* values, int64_t count) noexcept override {
    std::vector<float> all(values, values + count);
    if (!sumOf(all.data(), count)) return false;
    const auto [begin, end] = shareOf(count, rank_);
    // What is no share of this rank's is of no use.
    std::fill_n(values, count, std::numeric_limits<float>::quiet_NaN());
    std::copy(all.begin() + begin, all.begin() + end, values + begin);
    return true;
  }
  bool gatherShares(float* values, int64_t count) noexcept override {
    if (gathers++ == failGatherAt) return false;
    meeting_.values[static_cast<size_t>(rank_)] = values;
    meeting_.barrier.arrive_and_wait();
    for (int r = 0; r < meeting_.size; r++) {
      const auto [begin, end] = shareOf(count, r);
      if (r != rank_)
        std::copy_n(static_cast<float*>(meeting_.values[static_cast<size_t>(r)]) + begin, end - begin, values + begin);
    }
    meeting_.barrier.arrive_and_wait();
    return true;
  }
  bool broadcast(void*, int64_t, int) noexcept override { return true; }
  bool barrier() noexcept override { return true; }
  const char* error() const noexcept override { return "the link is cut"; }

  int64_t failAt = -1;  // sums before the link is cut
  int64_t sums = 0;
  int64_t failGatherAt = -1, gathers = 0;

 private:
  template <typename T>
  bool sumOf(T* values, int64_t count) noexcept {
    if (sums++ == failAt) return false;
    meeting_.values[static_cast<size_t>(rank_)] = values;
    meeting_.barrier.arrive_and_wait();
    std::vector<T> total(static_cast<size_t>(count));
    for (void* each : meeting_.values) {
      for (int64_t i = 0; i < count; i++) total[static_cast<size_t>(i)] += static_cast<T*>(each)[i];
    }
    meeting_.barrier.arrive_and_wait();
    std::copy(total.begin(), total.end(), values);
    return true;
  }

  Meeting& meeting_;
  int rank_;
};

// y = dropout(x · w), loss = (y − target)², dw, w ← w − rate · dw; with momentum if each rank updates its share of w.
struct Rank : TrainedLayer {
  static constexpr int64_t outputs = 7;

  static std::vector<Words> calls(bool divided) {
    const double weights = in * outputs;
    const Words w = buffer(Segment::parameter, 0, weights), dw = buffer(Segment::gradient, 0, weights);
    const Words x = work(0, in), z = work(4096, outputs), dz = work(16384, outputs), target = work(28672, outputs),
                losses = work(40960, 1), mask = work(45056, outputs);
    const Words n = rows(outputs);
    const auto metric = [](double place, double count = 1) { return buffer(Segment::metric, 8 * place, count); };
    std::vector<Words> list = {
        gather(barrierFlag | ownRowsFlag, x, 0, in),
        gather(ownRowsFlag, target, 1, outputs),
        call(Kernel::denseForward, barrierFlag | ownRowsFlag,
             {z, x, w, none(), rows(), number(in), number(outputs), number(0), number(0), number(0)}),
        call(Kernel::dropoutForward, overRanksFlag | ownRowsFlag,
             {z, mask, z, n, number(1u << 30), number(4.0 / 3), number(9), number(2), word(ArgumentTag::step)}),
        call(Kernel::squaredError, overRanksFlag | ownRowsFlag,
             {losses, dz, z, target, rows(), number(outputs), number(1.0 / outputs)}),
        call(Kernel::binary, ownRowsFlag, {dz, dz, mask, n, number(static_cast<double>(BinaryOperation::multiply))}),
        call(Kernel::denseBackwardWeight, barrierFlag | ownRowsFlag,
             {dw, x, dz, rows(), number(in), number(outputs), number(0)}),
        // Totals: mean loss, hits, stop, sum of losses, sum of hits, this rank's mean.
        call(Kernel::batchTotals, barrierFlag | serialFlag | ownRowsFlag,
             {metric(5), metric(4), losses, none(), none(), rows()}),
        call(Kernel::addTotal, serialFlag | ownRowsFlag, {metric(3), none(), metric(5), word(ArgumentTag::share)}),
        divided ? call(Kernel::allReduce, serialFlag, {none(), metric(2, 3), number(0), number(3), number(1)})
                : call(Kernel::allReduce, serialFlag, {dw, metric(2, 3), number(weights), number(3), number(1)}),
        call(Kernel::addTotal, serialFlag, {metric(1), none(), metric(4), number(1)}),
        call(Kernel::addTotal, guardFlag | serialFlag, {metric(0), none(), metric(3), number(1)}),
    };
    if (!divided) {
      list.push_back(update(w, dw, weights, 16));
      return list;
    }
    list.insert(list.end() - 5, call(Kernel::startSum, barrierFlag | serialFlag, {dw, number(weights), number(1)}));
    const Words velocity = buffer(Segment::moment, 0, weights);
    list.push_back(call(Kernel::sgd, ownShareFlag,
                        {w, velocity, dw, number(weights), scalar(0), number(0.9), number(0), number(0), number(0)}));
    list.push_back(call(Kernel::gatherShares, barrierFlag | serialFlag, {w, number(weights)}));
    return list;
  }

  explicit Rank(bool divided = false) : TrainedLayer(outputs, calls(divided)) {}

  std::vector<float> velocity() {
    const float* v = memory.floats(Segment::moment);
    return {v, v + in * outputs};
  }

  // The rank's rows of batches of 12, 12 and 7 rows.
  void divide(Group* group, int64_t epochs, int threads) {
    request = requestOf(sampleRows, capacity, epochs, threads);
    request.batches = 3;
    request.group = group;
    for (int64_t step = 0; group != nullptr && step < 3; step++) {
      const int64_t begin = step * capacity, of = step == 2 ? 7 : 12;
      const int64_t first = of * group->rank() / group->size(), end = of * (group->rank() + 1) / group->size();
      request.parts.push_back({begin + first, end - first, first, of});
    }
    complete(request, 0.1);
  }

  RunRequest request;
  RunResult result;
  std::atomic<bool> abandon{false};
  int32_t control[2] = {0, 0};
};

struct Ranks {
  explicit Ranks(int size, bool divided = false) : meeting(size) {
    for (int rank = 0; rank < size; rank++) {
      groups.push_back(std::make_unique<ThreadGroup>(meeting, rank));
      ranks.push_back(std::make_unique<Rank>(divided));
    }
  }

  // Each rank on its own threads, one more than its number.
  void run(int64_t epochs) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < ranks.size(); i++) {
      threads.emplace_back([this, i, epochs] {
        Rank& rank = *ranks[i];
        rank.divide(groups[i].get(), epochs, static_cast<int>(i) % 3 + 1);
        Pool pool;
        Run run(rank.plan, rank.request, *kernelSets().back());
        rank.result = run.execute(pool, &rank.abandon, rank.control);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  Rank& operator[](size_t i) { return *ranks[i]; }

  Meeting meeting;
  std::vector<std::unique_ptr<ThreadGroup>> groups;
  std::vector<std::unique_ptr<Rank>> ranks;
};

Rank& alone(Rank& rank, int64_t epochs) {
  rank.divide(nullptr, epochs, 1);
  Pool pool;
  Run run(rank.plan, rank.request, *kernelSets().back());
  rank.result = run.execute(pool, nullptr, nullptr);
  return rank;
}

}  // namespace

// Also with more ranks than rows in a batch.
TEST(ranksTrainAsOneProcess) {
  Rank one;
  alone(one, 8);
  CHECK(one.report[0] > 1.2 * one.report[one.report.size() - 2]);
  for (const int size : {1, 2, 3, 9}) {
    Ranks ranks(size);
    ranks.run(8);
    const std::vector<float> expected = one.weights(), weights = ranks[0].weights();
    for (size_t i = 0; i < weights.size(); i++) CHECK_NEAR(weights[i], expected[i], 1e-5, 1e-6, "weights");
    for (size_t i = 0; i < one.report.size(); i++) CHECK_NEAR(ranks[0].report[i], one.report[i], 1e-5, 1e-6, "report");
    for (auto& rank : ranks.ranks) {
      CHECK(rank->result.status == RunStatus::done && rank->result.steps == 24);
      CHECK(rank->weights() == weights && rank->report == ranks[0].report);
    }
    if (size == 1) CHECK(weights == expected);
  }
}

// Also with ranks whose share is empty, and after a step that is not the last.
TEST(ranksUpdateTheirSharesAsOneProcess) {
  Rank one(true);
  alone(one, 8);
  for (const int size : {1, 2, 3, 9}) {
    for (const bool stops : {false, true}) {
      Ranks ranks(size, true);
      if (stops) ranks[0].control[0] = 1;
      ranks.run(8);
      const std::vector<float> weights = ranks[0].weights(), velocity = ranks[0].velocity();
      for (auto& rank : ranks.ranks) {
        CHECK(rank->result.steps == (stops ? 1 : 24));
        CHECK(rank->weights() == weights && rank->velocity() == velocity);
      }
      if (stops) continue;
      const std::vector<float> expected = one.weights(), moments = one.velocity();
      for (size_t i = 0; i < weights.size(); i++) {
        CHECK_NEAR(weights[i], expected[i], 1e-5, 1e-6, "weights");
        CHECK_NEAR(velocity[i], moments[i], 1e-5, 1e-5, "velocity");
      }
    }
  }
}

TEST(aGatherThatFailsEndsTheRun) {
  Ranks ranks(2, true);
  // One in each step, then those of what was written in the run.
  for (const int64_t at : {3, 24, 25}) {
    for (auto& group : ranks.groups) group->failGatherAt = at, group->gathers = 0;
    ranks.run(8);
    for (auto& rank : ranks.ranks) {
      CHECK(rank->result.status == RunStatus::groupFailed && rank->result.steps == std::min<int64_t>(at, 24));
      CHECK(rank->result.reason != nullptr);
    }
  }
}

TEST(oneRankStopsAll) {
  Ranks ranks(3);
  ranks[1].control[0] = 1;
  ranks.run(8);
  for (auto& rank : ranks.ranks) {
    CHECK(rank->result.status == RunStatus::cancelled && rank->result.steps == 1);
    CHECK(rank->weights() == ranks[0].weights());
  }
}

TEST(aNaNOnOneRankStopsAllBeforeTheUpdate) {
  Ranks ranks(3);
  const std::vector<float> before = ranks[0].weights();
  for (float& value : ranks[2].targets) value = std::numeric_limits<float>::quiet_NaN();
  ranks.run(8);
  for (auto& rank : ranks.ranks) {
    CHECK(rank->result.status == RunStatus::nonFinite && rank->result.steps == 0 && rank->weights() == before);
  }
}

TEST(aRankThatLeavesInAStepFailsAllBeforeTheUpdate) {
  Ranks ranks(3);
  const std::vector<float> before = ranks[0].weights();
  ranks[0].abandon = true;
  ranks.run(8);
  for (auto& rank : ranks.ranks) CHECK(rank->result.status == RunStatus::groupFailed && rank->weights() == before);
}

TEST(aGroupThatFailsEndsTheRun) {
  Ranks ranks(2);
  // Two sums a step.
  for (auto& group : ranks.groups) group->failAt = 7;
  ranks.run(8);
  for (auto& rank : ranks.ranks) CHECK(rank->result.status == RunStatus::groupFailed && rank->result.steps == 3);
}

// Sums of a thread of their own are those of the ranks; one that fails fails all later ones.
TEST(sumsGoOnInTheOrderInWhichTheyStart) {
  Meeting meeting(2);
  std::vector<std::thread> ranks;
  std::atomic<int> right = 0, failed = 0;
  for (int rank = 0; rank < 2; rank++) {
    ranks.emplace_back([&, rank] {
      ThreadGroup group(meeting, rank);
      // More start than there is space for.
      Sums sums(group, 8);
      std::vector<std::vector<float>> values;
      for (int i = 0; i < 20; i++) values.emplace_back(100, static_cast<float>(i + rank));
      double seconds = 0;
      for (auto& each : values) sums.start(each.data(), 100, false, &seconds);
      bool equal = sums.finish() && seconds > 0;
      for (int i = 0; i < 20; i++) equal = equal && values[static_cast<size_t>(i)][99] == static_cast<float>(2 * i + 1);
      right += equal;
      group.failAt = 20;
      sums.start(values[0].data(), 100, false, nullptr);
      sums.start(values[1].data(), 100, false, nullptr);
      failed += !sums.finish() && group.sums == 21;
    });
  }
  for (std::thread& rank : ranks) rank.join();
  CHECK(right == 2 && failed == 2);
}

TEST(partsOfBatchesMustFit) {
  Meeting meeting(2);
  ThreadGroup group(meeting, 0);
  Rank rank;
  rank.divide(&group, 1, 1);
  const BatchPart wrong[] = {{-1, 6, 0, 12}, {0, 13, 0, 13}, {26, 6, 0, 12},
                             {0, 6, 7, 12},  {0, 6, -1, 12}, {0, 0, 0, 0}};
  for (const BatchPart& part : wrong) {
    RunRequest request = rank.request;
    request.parts[1] = part;
    std::string error;
    CHECK(!rank.plan.checkRequest(request, error) && error.find("parts") != std::string::npos);
  }
  RunRequest request = rank.request;
  request.parts.pop_back();
  std::string error;
  CHECK(!rank.plan.checkRequest(request, error));
}

// An instruction over all ranks has rows first in each buffer that has them; a sum is serial, and no rank misses it.
TEST(plansCheckSumsAndSharesOfRanks) {
  Memory memory;
  const auto refused = [&](const Words& call, const char* part, double all = 0) {
    Plan plan;
    std::string error;
    const Words words = program(4, 1, {call}, {}, 1, all);
    return !plan.decode(words.data(), words.size(), memory.segments, error) && error.find(part) != std::string::npos;
  };
  const Words y = buffer(Segment::work, 0, 16), x = buffer(Segment::work, 4096, 16);
  CHECK(refused(call(Kernel::relu, overRanksFlag, {y, x, number(16)}), "ranks"));
  CHECK(!refused(call(Kernel::relu, overRanksFlag, {y, x, rows(4)}), ""));
  const std::vector<Words> sum = {y, none(), number(16), number(0), number(0)};
  CHECK(!refused(call(Kernel::allReduce, barrierFlag | serialFlag, sum), ""));
  CHECK(refused(call(Kernel::allReduce, barrierFlag, sum), "serial"));
  CHECK(!refused(call(Kernel::allReduce, barrierFlag | serialFlag | conditionalFlag, sum), ""));
  CHECK(refused(call(Kernel::allReduce, barrierFlag | serialFlag | ownRowsFlag, sum), "miss"));
  CHECK(refused(call(Kernel::averageRanks, barrierFlag, {y, number(16), number(1)}), "serial"));
  CHECK(refused(call(Kernel::startSum, barrierFlag, {y, number(16), number(0)}), "serial"));
  CHECK(refused(call(Kernel::gatherShares, barrierFlag, {y, number(16)}), "serial"));
  // Ranks divide elementwise work on numbers that outlast the batch.
  CHECK(!refused(call(Kernel::relu, ownShareFlag, {y, x, number(16)}), ""));
  CHECK(refused(call(Kernel::relu, ownShareFlag, {y, x, rows(4)}), "divide"));
  CHECK(refused(call(Kernel::denseBackwardBias, ownShareFlag, {y, x, number(4), number(4)}), "divide"));
  CHECK(refused(call(Kernel::gatherShares, barrierFlag | serialFlag | ownShareFlag, {y, number(16)}), "divide"));
  // What works on the whole batch has space for it.
  const auto mix = [&](double room) {
    return call(Kernel::mixRows, overRanksFlag,
                {y, buffer(Segment::work, 4096, room), rows(), number(4), number(1), number(1), number(2), number(3)});
  };
  CHECK(refused(mix(40), "ranks"));
  CHECK(!refused(mix(40), "", 10));
  CHECK(refused(mix(39), "too short", 10));
  CHECK(refused(mix(40), "header", 3));
  CHECK(refused(call(Kernel::relu, allRowsFlag, {y, x, rows(4)}), "ranks"));
  CHECK(!refused(call(Kernel::relu, allRowsFlag, {y, x, rows(2)}), "", 8));
  CHECK(refused(call(Kernel::relu, allRowsFlag, {y, x, rows(4)}), "too short", 8));
  CHECK(refused(call(Kernel::relu, allRowsFlag | overRanksFlag, {y, x, rows(2)}), "ranks", 8));
}

}  // namespace blasnet::test
