#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "../executor/pool.h"
#include "../executor/run.h"
#include "program.h"

namespace blasnet::test {
namespace {

// A training step in small: y = relu(x · w), loss = (y − target)², dw, w ← w − rate · dw.
struct Training : TrainedLayer {
  static constexpr int64_t outputs = 37;
  static constexpr double x = 0, z = 4096, dz = 16384, target = 28672, losses = 40960;

  static std::vector<Words> calls() {
    const double weights = in * outputs;
    const Words w = buffer(Segment::parameter, 0, weights), dw = buffer(Segment::gradient, 0, weights);
    const Words sizes[] = {rows(), number(in), number(outputs)};
    return {
        gather(barrierFlag, work(x, in), 0, in, word(ArgumentTag::scale, 0), word(ArgumentTag::offset, 0)),
        gather(0, work(target, outputs), 1, outputs),
        call(Kernel::denseForward, barrierFlag,
             {work(z, outputs), work(x, in), w, none(), sizes[0], sizes[1], sizes[2], number(1), number(0), number(0)}),
        call(Kernel::squaredError, 0,
             {work(losses, 1), work(dz, outputs), work(z, outputs), work(target, outputs), rows(), number(outputs),
              number(1.0 / outputs)}),
        call(Kernel::reluBackward, 0, {work(dz, outputs), work(dz, outputs), work(z, outputs), rows(outputs)}),
        call(Kernel::batchTotals, barrierFlag | guardFlag | serialFlag,
             {buffer(Segment::metric, 0, 1), buffer(Segment::metric, 8, 1), work(losses, 1), none(), none(), rows()}),
        call(Kernel::denseBackwardWeight, 0,
             {dw, work(x, in), work(dz, outputs), sizes[0], sizes[1], sizes[2], number(0)}),
        update(w, dw, weights, 16 * outputs)};
  }

  Training() : TrainedLayer(outputs, calls()) {}

  RunRequest request(int64_t epochs, int threads) {
    RunRequest request = requestOf(sampleRows, capacity, epochs, threads);
    complete(request, 2);
    return request;
  }
};

TEST(runGivesTheSameOnAnyNumberOfThreads) {
  for (const KernelSet* set : kernelSets()) {
    std::vector<float> expected;
    std::vector<double> losses;
    for (int threads = 1; threads <= 4; threads++) {
      Training training;
      Pool pool;
      const RunRequest request = training.request(40, threads);
      Run run(training.plan, request, *set);
      const RunResult result = run.execute(pool, nullptr, nullptr);
      CHECK(result.status == RunStatus::done && result.steps == 40 * 3 && result.seconds > 0);
      if (threads == 1) {
        expected = training.weights();
        losses = training.report;
        CHECK(losses[2 * 117] + losses[2 * 118] < 0.9 * (losses[0] + losses[2]));
      }
      const std::vector<float> weights = training.weights();
      double worst = 0;
      for (size_t i = 0; i < weights.size(); i++) worst = std::fmax(worst, std::fabs(weights[i] - expected[i]));
      CHECK(worst < 1e-5);
      for (size_t i = 0; i < losses.size(); i++) CHECK_NEAR(training.report[i], losses[i], 1e-4, 1e-6, "report");
      // Again, with as many threads: the same bits.
      Training again;
      const RunRequest second = again.request(40, threads);
      Run(again.plan, second, *set).execute(pool, nullptr, nullptr);
      CHECK(again.weights() == weights);
    }
  }
}

// Conditional instructions run only in the steps whose scalar says so, on any number of threads.
TEST(runLeavesOutConditionalInstructions) {
  constexpr int64_t count = 100, steps = 7;
  const Words total = buffer(Segment::gradient, 0, count), ones = buffer(Segment::parameter, 0, count);
  const auto add = [&](int flags, const Words& into) {
    return call(Kernel::averageWeights, flags, {into, ones, number(count), scalar(0)});
  };
  const Words conditional = buffer(Segment::moment, 0, count), squares = buffer(Segment::metric, 24, 1);
  const Words words = program(1, 2,
                              {add(0, total), add(conditionalFlag, conditional),
                               call(Kernel::squareSum, barrierFlag | serialFlag | conditionalFlag,
                                    {squares, none(), conditional, number(count)})},
                              {}, 2);
  for (int threads = 1; threads <= 3; threads++) {
    Memory memory;
    Plan plan;
    std::string error;
    CHECK(plan.decode(words.data(), words.size(), memory.segments, error));
    for (int64_t i = 0; i < count; i++) memory.floats(Segment::parameter)[i] = 1;
    std::vector<double> scalars;
    int complete = 0;
    for (int64_t i = 0; i < steps; i++) {
      const bool ends = i % 3 == 2;
      complete += ends ? 1 : 0;
      scalars.insert(scalars.end(), {0.5, ends ? 1.0 : 0.0});
    }
    RunRequest request = requestOf(steps, 1, 1, threads);
    request.scalars = scalars.data();
    request.scalarLength = scalars.size();
    CHECK(plan.checkRequest(request, error));
    Pool pool;
    Run(plan, request, bestKernelSet()).execute(pool, nullptr, nullptr);
    const double expected = 1 - std::pow(0.5, complete);
    for (int64_t i = 0; i < count; i++) {
      CHECK_NEAR(memory.floats(Segment::gradient)[i], 1 - std::pow(0.5, steps), 1e-6, 0, "unconditional");
      CHECK_NEAR(memory.floats(Segment::moment)[i], expected, 1e-6, 0, "conditional");
    }
    CHECK_NEAR(plan.metrics()[3], count * expected * expected, 1e-4, 0, "serial");
  }
}

TEST(runWithoutStopDoesNotWaitForThePool) {
  Training waited, taken;
  Pool pool;
  const RunRequest request = waited.request(10, 3);
  Run(waited.plan, request, bestKernelSet()).execute(pool, nullptr, nullptr);
  const Pool::Turn turn(pool);
  const RunRequest second = taken.request(10, 3);
  const RunResult result = Run(taken.plan, second, bestKernelSet()).execute(pool, nullptr, nullptr);
  CHECK(result.status == RunStatus::done && result.steps == 30);
  // The split decides, not who works on it.
  CHECK(taken.weights() == waited.weights());
  CHECK(taken.report == waited.report);
}

TEST(runEndsBetweenTwoSteps) {
  Training training;
  Pool pool;
  const RunRequest request = training.request(2000, 2);
  int32_t control[2] = {1, 0};
  RunResult result = Run(training.plan, request, bestKernelSet()).execute(pool, nullptr, control);
  CHECK(result.status == RunStatus::cancelled && result.steps == 0 && control[1] == 0);
  std::atomic<bool> stop{true};
  result = Run(training.plan, request, bestKernelSet()).execute(pool, &stop, nullptr);
  CHECK(result.status == RunStatus::cancelled && result.steps == 0);
  control[0] = 0;
  std::thread stopper([&] {
    while (__atomic_load_n(&control[1], __ATOMIC_RELAXED) < 10) std::this_thread::yield();
    __atomic_store_n(&control[0], 1, __ATOMIC_RELAXED);
  });
  result = Run(training.plan, request, bestKernelSet()).execute(pool, nullptr, control);
  stopper.join();
  CHECK(result.steps >= 10 && result.steps == control[1]);
  CHECK(training.report[static_cast<size_t>(2 * result.steps - 1)] == 0 &&
        (result.steps == 6000 || training.report[static_cast<size_t>(2 * result.steps)] == -1));
}

TEST(runStopsBeforeAnUpdateWithALossThatIsNotFinite) {
  for (int threads = 1; threads <= 3; threads++) {
    Training training;
    Pool pool;
    const RunRequest request = training.request(5, threads);
    training.targets[17 * Training::outputs + 3] = std::numeric_limits<float>::infinity();
    Run run(training.plan, request, bestKernelSet());
    const RunResult result = run.execute(pool, nullptr, nullptr);
    CHECK(result.status == RunStatus::nonFinite && result.steps < 3);
    for (const float weight : training.weights()) CHECK(std::isfinite(weight));
    CHECK(training.report[static_cast<size_t>(2 * result.steps)] == -1);
  }
}

// Whatever thread comes last to a barrier, one thread runs what is serial, while the others wait: they see its results,
// and end with it. The first thread is long at work before it.
TEST(runDoesWhatIsSerialWhileAllWait) {
  constexpr int64_t count = 16000;
  for (const float last : {1.0f, std::numeric_limits<float>::quiet_NaN()}) {
    for (int threads = 1; threads <= 3; threads++) {
      Memory memory;
      memory.floats(Segment::work)[0] = last;
      const Words loss = buffer(Segment::metric, 0, 1), hits = buffer(Segment::metric, 8, 1);
      const Words squares = buffer(Segment::metric, 24, 1), values = buffer(Segment::parameter, 0, count);
      const auto totals = [&](int flags, Segment losses) {
        return call(Kernel::batchTotals, flags, {loss, hits, buffer(losses, 0, count), none(), none(), number(count)});
      };
      for (int64_t i = 0; i < count; i++) memory.floats(Segment::parameter)[i] = 2;
      std::vector<Words> calls(200, totals(0, Segment::gradient));
      calls.push_back(call(Kernel::squareSum, barrierFlag | serialFlag, {squares, none(), values, number(count)}));
      calls.push_back(totals(guardFlag | serialFlag, Segment::work));
      // Every thread scales its part by what the sum says.
      calls.push_back(call(Kernel::clipNorm, 0, {values, squares, number(count), number(1)}));
      const Words words = program(1, 0, calls);
      Plan plan;
      std::string error;
      CHECK(plan.decode(words.data(), words.size(), memory.segments, error));
      Pool pool;
      std::vector<double> profile(2 * calls.size());
      RunRequest request = requestOf(1, 1, 1, threads);
      request.profile = profile.data();
      request.profileLength = profile.size();
      Run run(plan, request, bestKernelSet());
      const bool finite = std::isfinite(last);
      CHECK(run.execute(pool, nullptr, nullptr).status == (finite ? RunStatus::done : RunStatus::nonFinite));
      CHECK((profile[400] > 0 && profile[402] > 0 && (profile[404] > 0) == finite));
      const double expected = finite ? 1 / std::sqrt(static_cast<double>(count)) : 2;
      for (int64_t i = 0; i < count; i++)
        CHECK_NEAR(memory.floats(Segment::parameter)[i], expected, 1e-5, 0, "clipped");
    }
  }
}

TEST(runsTakeTurnsInOnePool) {
  Pool pool;
  std::vector<Training> trainings(3);
  std::vector<RunRequest> requests;
  for (Training& training : trainings) requests.push_back(training.request(60, 2));
  std::vector<std::thread> callers;
  for (size_t i = 0; i < trainings.size(); i++) {
    callers.emplace_back(
        [&, i] { Run(trainings[i].plan, requests[i], bestKernelSet()).execute(pool, nullptr, nullptr); });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(trainings[0].weights() == trainings[1].weights() && trainings[1].weights() == trainings[2].weights());
}

// Without a barrier in the program, only the executor keeps a short batch apart from the one before it.
TEST(runKeepsAShortBatchApart) {
  constexpr int64_t width = 512, capacity = 8, sampleRows = 13;
  Memory memory;
  Plan plan;
  std::string error;
  const auto work = [](double offset) {
    return buffer(Segment::work, offset * capacity * width * 4, capacity * width);
  };
  const Words words =
      program(capacity, 0,
              {reluCall(work(0), feed(0), rows(width)), call(Kernel::tanh, 0, {work(1), work(0), rows(width)}),
               reluCall(feed(1), work(1), rows(width))},
              {entry(FeedRole::batch, Element::f32, width), entry(FeedRole::output, Element::f32, width)});
  CHECK(plan.decode(words.data(), words.size(), memory.segments, error));
  std::vector<float> x(sampleRows * width), expected(x.size()), y(x.size());
  Random random(9);
  for (float& value : x) value = random.uniform(-2, 2);
  Pool pool;
  for (int threads : {1, 2, 3, 4}) {
    bool same = true;
    for (int i = 0; i < 30; i++) {
      RunRequest request = requestOf(sampleRows, capacity, 10, threads);
      request.feeds = {bound(x), bound(threads == 1 ? expected : y)};
      CHECK(plan.checkRequest(request, error));
      Run(plan, request, bestKernelSet()).execute(pool, nullptr, nullptr);
      same = same && (threads == 1 || y == expected);
    }
    CHECK(same);
  }
}

}  // namespace
}  // namespace blasnet::test
