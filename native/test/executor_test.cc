#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iterator>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "../executor/plan.h"
#include "../executor/pool.h"
#include "../executor/run.h"
#include "test.h"

namespace blasnet::test {
namespace {

// ---- programs as lib/backend/native/encode.ts writes them ----

using Words = std::vector<double>;

Words word(ArgumentTag tag, double a = 0, double b = 0, double c = 0) { return {static_cast<double>(tag), a, b, c}; }
Words none() { return word(ArgumentTag::none); }
Words buffer(Segment segment, double offset, double elements) {
  return word(ArgumentTag::buffer, static_cast<double>(segment), offset, elements);
}
Words feed(Feed feed, double perRow) { return word(ArgumentTag::feed, static_cast<double>(feed), perRow); }
Words number(double value) { return word(ArgumentTag::number, value); }
Words rows(double times = 1) { return word(ArgumentTag::rows, times); }
Words scalar(double slot) { return word(ArgumentTag::scalar, slot); }
Words sourceRows() { return word(ArgumentTag::sourceRows); }

constexpr int barrierFlag = 1, guardFlag = 2;

Words call(Kernel kernel, int flags, const std::vector<Words>& arguments) {
  Words words = {static_cast<double>(kernel), static_cast<double>(flags), static_cast<double>(arguments.size())};
  for (const Words& argument : arguments) words.insert(words.end(), argument.begin(), argument.end());
  return words;
}

Words program(int64_t capacity, int64_t scalars, const std::vector<Words>& calls) {
  Words words = {1, static_cast<double>(calls.size()), static_cast<double>(capacity), static_cast<double>(scalars), 1};
  for (const Words& each : calls) words.insert(words.end(), each.begin(), each.end());
  return words;
}

// ---- memory for them ----

struct Memory {
  Memory() {
    for (size_t i = 0; i < segmentCount; i++) segments[i] = {blocks[i].data(), blocks[i].size() * sizeof(double)};
  }
  float* floats(Segment segment) { return reinterpret_cast<float*>(blocks[static_cast<size_t>(segment)].data()); }

  std::vector<std::vector<double>> blocks = std::vector<std::vector<double>>(segmentCount, std::vector<double>(1 << 13));
  Block segments[segmentCount];
};

bool decodes(const Words& words, std::string* reason = nullptr) {
  static Memory memory;
  Plan plan;
  std::string error;
  // A copy of exactly that size, so that a read past the end shows under the sanitizer.
  const Words exact(words.begin(), words.end());
  const bool ok = plan.decode(exact.data(), exact.size(), memory.segments, error);
  if (reason != nullptr) *reason = error;
  CHECK(ok == error.empty());
  return ok;
}

bool refused(const Words& words, const char* part) {
  std::string reason;
  if (!decodes(words, &reason) && reason.find(part) != std::string::npos) return true;
  std::printf("  refused for: '%s', expected '%s'\n", reason.c_str(), part);
  return false;
}

Words reluCall(const Words& y, const Words& x, const Words& n) { return call(Kernel::relu, 0, {y, x, n}); }
Words reluProgram(const Words& y, const Words& x, const Words& n) { return program(8, 0, {reluCall(y, x, n)}); }

const Words out = buffer(Segment::work, 0, 64), in = buffer(Segment::work, 256, 64);

TEST(planTakesWhatIsWell) {
  CHECK(decodes(program(8, 0, {})));
  CHECK(decodes(reluProgram(out, in, rows(8))));
  CHECK(decodes(reluProgram(out, in, number(64))));
  CHECK(decodes(reluProgram(out, out, rows(8))));  // relu may work in place
  CHECK(decodes(reluProgram(feed(Feed::output, 4), feed(Feed::features, 4), rows(4))));
}

TEST(planRefusesAMalformedHeader) {
  const Words good = reluProgram(out, in, rows(8));
  for (size_t length = 0; length < good.size(); length++) {
    CHECK(!decodes(Words(good.begin(), good.begin() + static_cast<int64_t>(length))));
  }
  Words longer = good;
  longer.push_back(0);
  CHECK(refused(longer, "words after the last instruction"));
  for (size_t at = 0; at < 5; at++) {
    for (const double bad : {-1.0, 0.5, 1e300, std::nan(""), std::numeric_limits<double>::infinity()}) {
      Words changed = good;
      changed[at] = bad;
      CHECK(!decodes(changed));
    }
  }
  Words none = good;
  none[2] = 0;
  CHECK(refused(none, "malformed header"));
}

TEST(planRefusesUnknownThings) {
  const Words good = reluProgram(out, in, rows(8));
  const auto with = [&](size_t at, double value) {
    Words changed = good;
    changed[at] = value;
    return changed;
  };
  for (const double kernel : {-1.0, 0.5, static_cast<double>(kernelCount), 1e9}) CHECK(refused(with(5, kernel), "unknown kernel"));
  for (const double flags : {-1.0, 4.0, 1.5}) CHECK(refused(with(6, flags), "unknown kernel or flag"));
  for (const double count : {0.0, 2.0, 4.0, 16.0, 17.0}) CHECK(refused(with(7, count), "wrong number"));
  for (const double tag : {-1.0, 10.0, 2.5}) CHECK(refused(with(8, tag), "unknown kind"));
  CHECK(refused(with(9, segmentCount), "malformed buffer"));
  CHECK(refused(with(10, 3), "leaves its block"));  // not a whole element
}

TEST(planRefusesArgumentsThatDoNotFit) {
  CHECK(refused(reluProgram(none(), in, rows(8)), "does not fit"));
  CHECK(refused(reluProgram(number(1), in, rows(8)), "does not fit"));
  CHECK(refused(reluProgram(out, in, out), "does not fit"));
  CHECK(refused(reluProgram(out, in, scalar(0)), "does not fit"));
  CHECK(refused(reluProgram(out, in, word(ArgumentTag::step)), "does not fit"));
  for (const double bad : {-1.0, 0.5, 2147483648.0, std::nan("")}) {
    CHECK(refused(reluProgram(out, in, number(bad)), "out of range"));
    CHECK(refused(reluProgram(out, in, rows(bad)), "multiple of rows"));
  }
  CHECK(refused(reluProgram(out, in, rows(0)), "multiple of rows"));
  CHECK(refused(reluProgram(out, in, rows(INT32_MAX)), "too large"));
  CHECK(refused(reluProgram(out, in, sourceRows()), "source's rows"));
  const auto slope = [&](const Words& value) { return program(8, 1, {call(Kernel::leakyRelu, 0, {out, in, rows(8), value})}); };
  CHECK(decodes(slope(scalar(0))));
  CHECK(refused(slope(scalar(1)), "unknown scalar"));
  CHECK(refused(slope(number(std::nan(""))), "out of range"));
  CHECK(refused(slope(number(std::numeric_limits<double>::infinity())), "out of range"));
}

TEST(planRefusesBuffersThatAreTooShort) {
  const double all = (1 << 13) * 2;  // floats in a block
  CHECK(decodes(reluProgram(out, buffer(Segment::work, 256, 64), rows(8))));
  CHECK(refused(reluProgram(out, buffer(Segment::work, 256, 63), rows(8)), "too short"));
  CHECK(refused(reluProgram(buffer(Segment::work, 0, 63), in, rows(8)), "too short"));
  CHECK(refused(reluProgram(out, buffer(Segment::work, 256, all), rows(8)), "leaves its block"));
  CHECK(refused(reluProgram(out, buffer(Segment::work, all * 4 + 4, 0), rows(8)), "leaves its block"));
  CHECK(refused(reluProgram(out, buffer(Segment::work, 9e15, 64), rows(8)), "leaves its block"));
  CHECK(refused(reluProgram(out, buffer(Segment::work, 256, 9e15), rows(8)), "leaves its block"));
  // A product of sizes beyond 64 bits is no length.
  const Words huge = call(Kernel::gemm, 0, {out, in, in, number(INT32_MAX), number(INT32_MAX), number(INT32_MAX), number(0),
                                            number(0), number(1), number(0)});
  CHECK(refused(program(8, 0, {huge}), "too short"));
}

TEST(planRefusesOverlaps) {
  CHECK(refused(reluProgram(out, buffer(Segment::work, 4, 64), rows(8)), "overlaps"));
  const Words rowsWise = call(Kernel::denseForward, 0, {out, out, in, none(), rows(), number(8), number(8), number(0), number(0)});
  CHECK(refused(program(8, 0, {rowsWise}), "overlaps"));  // a product can't be made in place
}

TEST(planRefusesFeedsBeyondTheirRows) {
  CHECK(refused(reluProgram(out, feed(Feed::features, 7), rows(8)), "more elements than a batch"));
  CHECK(refused(reluProgram(feed(Feed::output, 7), in, rows(8)), "more elements than a batch"));
  // Enough for a whole batch, but a short one would be left behind.
  CHECK(refused(reluProgram(out, feed(Feed::features, 8), number(64)), "more elements than a batch"));
  CHECK(refused(reluProgram(feed(Feed::output, 8), in, number(64)), "more elements than a batch"));
  CHECK(decodes(reluProgram(out, feed(Feed::features, 8), number(8))));
  CHECK(refused(reluProgram(feed(Feed::features, 8), in, rows(8)), "does not fit here"));  // not for writing
  CHECK(refused(reluProgram(feed(Feed::output, 0), in, rows(8)), "does not fit here"));
  CHECK(refused(reluProgram(out, feed(Feed::labels, 8), rows(8)), "does not fit here"));  // int32
  const auto labels = [&](const Words& order) {
    return program(8, 0, {call(Kernel::gatherLabels, 0, {buffer(Segment::work, 0, 8), feed(Feed::labels, 0), order, rows(), sourceRows()})});
  };
  CHECK(decodes(labels(feed(Feed::order, 1))));
  CHECK(refused(labels(feed(Feed::order, 0)), "does not fit here"));
  CHECK(refused(labels(feed(Feed::order, 2)), "does not fit here"));
}

// Words changed at random: decoding says yes or no, and reads nothing else.
TEST(planSurvivesRandomWords) {
  Random random(7);
  const Words good = program(
      8, 2,
      {call(Kernel::gatherFloats, 0, {out, feed(Feed::features, 0), feed(Feed::order, 1), rows(), number(8), sourceRows(), word(ArgumentTag::scale), word(ArgumentTag::offset)}),
       call(Kernel::denseForward, barrierFlag, {in, out, buffer(Segment::parameter, 0, 64), none(), rows(), number(8), number(8), number(1), number(0)}),
       call(Kernel::sgd, guardFlag, {buffer(Segment::parameter, 0, 64), none(), buffer(Segment::gradient, 0, 64), number(64), scalar(0), number(0), number(0), number(0), scalar(1)})});
  CHECK(decodes(good));
  constexpr double values[] = {-1, 0, 0.5, 1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 255, 256, 1e6, 2147483647, 2147483648, 4294967296, 9e15, 1e300};
  int accepted = 0;
  for (int i = 0; i < 20000; i++) {
    Words words = good;
    for (uint32_t changes = 1 + random.word() % 3; changes > 0; changes--) {
      words[random.word() % words.size()] = random.word() % 20 == 0 ? std::nan("") : values[random.word() % std::size(values)];
    }
    if (random.word() % 8 == 0) words.resize(random.word() % words.size());
    if (decodes(words)) accepted++;
  }
  CHECK(accepted > 0 && accepted < 19000);
}

// ---- runs ----

RunRequest requestOf(int64_t rows, int64_t batchSize, int64_t epochs, int threads) {
  RunRequest request;
  request.rows = rows;
  request.batchSize = batchSize;
  request.epochs = epochs;
  request.threads = threads;
  return request;
}

TEST(planRefusesRequestsThatDoNotFit) {
  Memory memory;
  Plan plan;
  std::string error;
  const Words words = program(8, 1, {reluCall(feed(Feed::output, 4), feed(Feed::features, 4), rows(4))});
  CHECK(plan.decode(words.data(), words.size(), memory.segments, error));
  std::vector<float> x(40), y(40);
  std::vector<double> scalars(10), report(20);
  const auto good = [&] {
    RunRequest request = requestOf(10, 8, 2, 1);
    request.feeds[static_cast<int>(Feed::features)] = {x.data(), x.size() * sizeof(float)};
    request.feeds[static_cast<int>(Feed::output)] = {y.data(), y.size() * sizeof(float)};
    request.scalars = scalars.data();
    request.scalarLength = 4;
    request.report = report.data();
    request.reportLength = 8;
    return request;
  };
  const auto fails = [&](const char* part, const std::function<void(RunRequest&)>& change) {
    RunRequest request = good();
    change(request);
    std::string reason;
    return !plan.checkRequest(request, reason) && reason.find(part) != std::string::npos;
  };
  CHECK(plan.checkRequest(good(), error));
  CHECK(fails("rows", [](RunRequest& r) { r.rows = 0; }));
  CHECK(fails("rows", [](RunRequest& r) { r.rows = -1; }));
  CHECK(fails("rows", [](RunRequest& r) { r.rows = int64_t{1} << 31; }));
  CHECK(fails("batch size", [](RunRequest& r) { r.batchSize = 9; }));
  CHECK(fails("batch size", [](RunRequest& r) { r.batchSize = 0; }));
  CHECK(fails("epochs", [](RunRequest& r) { r.epochs = -1; }));
  CHECK(fails("epochs", [](RunRequest& r) { r.epochs = INT64_MAX; }));
  CHECK(fails("scalars", [](RunRequest& r) { r.scalarLength = 3; }));
  CHECK(fails("report", [](RunRequest& r) { r.reportLength = 7; }));
  CHECK(fails("too short", [](RunRequest& r) { r.rows = 11; }));
  CHECK(fails("too short", [](RunRequest& r) { r.feeds[static_cast<int>(Feed::features)].bytes--; }));
  CHECK(fails("too short", [](RunRequest& r) { r.feeds[static_cast<int>(Feed::output)] = {}; }));
}

// A training step in small: y = relu(x · w), loss = (y − target)², dw, w ← w − rate · dw; the rows shuffled.
struct Training {
  static constexpr int64_t in = 5, outputs = 37, capacity = 12, sampleRows = 31;
  static constexpr double x = 0, z = 4096, dz = 16384, target = 28672, losses = 40960;

  static Words words() {
    const double weights = in * outputs;
    const auto work = [](double offset, double perRow) { return buffer(Segment::work, offset, perRow * capacity); };
    const Words w = buffer(Segment::parameter, 0, weights), dw = buffer(Segment::gradient, 0, weights);
    const Words sizes[] = {rows(), number(in), number(outputs)};
    return program(
        capacity, 1,
        {call(Kernel::gatherFloats, barrierFlag, {work(x, in), feed(Feed::features, 0), feed(Feed::order, 1), rows(), number(in), sourceRows(), word(ArgumentTag::scale), word(ArgumentTag::offset)}),
         call(Kernel::gatherFloats, 0, {work(target, outputs), feed(Feed::targets, 0), feed(Feed::order, 1), rows(), number(outputs), sourceRows(), number(1), number(0)}),
         call(Kernel::denseForward, barrierFlag, {work(z, outputs), work(x, in), w, none(), sizes[0], sizes[1], sizes[2], number(1), number(0)}),
         call(Kernel::squaredError, 0, {work(losses, 1), work(dz, outputs), work(z, outputs), work(target, outputs), rows(), number(outputs), number(1.0 / outputs)}),
         call(Kernel::reluBackward, 0, {work(dz, outputs), work(dz, outputs), work(z, outputs), rows(outputs)}),
         call(Kernel::denseBackwardWeight, barrierFlag, {dw, work(x, in), work(dz, outputs), sizes[0], sizes[1], sizes[2]}),
         call(Kernel::batchTotals, 0, {buffer(Segment::metric, 0, 1), buffer(Segment::metric, 8, 1), work(losses, 1), none(), none(), rows()}),
         call(Kernel::sgd, barrierFlag | guardFlag, {w, none(), dw, number(weights), scalar(0), number(0), number(0), number(0), number(0)})});
  }

  Training() : features(sampleRows * in), targets(sampleRows * outputs) {
    Random random(3);
    for (float& value : features) value = random.uniform(-1, 1);
    for (float& value : targets) value = random.uniform(-1, 1);
    for (int64_t i = 0; i < in * outputs; i++) memory.floats(Segment::parameter)[i] = random.uniform(-1, 1);
    std::string error;
    const Words program = words();
    CHECK(plan.decode(program.data(), program.size(), memory.segments, error));
    if (!error.empty()) std::printf("  %s\n", error.c_str());
  }

  RunRequest request(int64_t epochs, int threads) {
    RunRequest request = requestOf(sampleRows, capacity, epochs, threads);
    request.shuffle = true;
    request.seed = 5;
    request.feeds[static_cast<int>(Feed::features)] = {features.data(), features.size() * sizeof(float)};
    request.feeds[static_cast<int>(Feed::targets)] = {targets.data(), targets.size() * sizeof(float)};
    scalars.assign(static_cast<size_t>(request.steps()), 2);
    request.scalars = scalars.data();
    request.scalarLength = scalars.size();
    report.assign(static_cast<size_t>(2 * request.steps()), -1);
    request.report = report.data();
    request.reportLength = report.size();
    std::string error;
    CHECK(plan.checkRequest(request, error));
    return request;
  }

  std::vector<float> weights() {
    const float* w = memory.floats(Segment::parameter);
    return std::vector<float>(w, w + in * outputs);
  }

  Memory memory;
  Plan plan;
  std::vector<float> features, targets;
  std::vector<double> scalars, report;
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
  CHECK(training.report[static_cast<size_t>(2 * result.steps - 1)] == 0 && (result.steps == 6000 || training.report[static_cast<size_t>(2 * result.steps)] == -1));
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

TEST(runsTakeTurnsInOnePool) {
  Pool pool;
  std::vector<Training> trainings(3);
  std::vector<RunRequest> requests;
  for (Training& training : trainings) requests.push_back(training.request(60, 2));
  std::vector<std::thread> callers;
  for (size_t i = 0; i < trainings.size(); i++) {
    callers.emplace_back([&, i] { Run(trainings[i].plan, requests[i], bestKernelSet()).execute(pool, nullptr, nullptr); });
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
  const auto work = [](double offset) { return buffer(Segment::work, offset * capacity * width * 4, capacity * width); };
  const Words words = program(capacity, 0,
                              {reluCall(work(0), feed(Feed::features, width), rows(width)),
                               call(Kernel::tanh, 0, {work(1), work(0), rows(width)}),
                               reluCall(feed(Feed::output, width), work(1), rows(width))});
  CHECK(plan.decode(words.data(), words.size(), memory.segments, error));
  std::vector<float> x(sampleRows * width), expected(x.size()), y(x.size());
  Random random(9);
  for (float& value : x) value = random.uniform(-2, 2);
  Pool pool;
  for (int threads : {1, 2, 3, 4}) {
    bool same = true;
    for (int i = 0; i < 30; i++) {
      RunRequest request = requestOf(sampleRows, capacity, 10, threads);
      request.feeds[static_cast<int>(Feed::features)] = {x.data(), x.size() * sizeof(float)};
      std::vector<float>& result = threads == 1 ? expected : y;
      request.feeds[static_cast<int>(Feed::output)] = {result.data(), result.size() * sizeof(float)};
      CHECK(plan.checkRequest(request, error));
      Run(plan, request, bestKernelSet()).execute(pool, nullptr, nullptr);
      same = same && (threads == 1 || y == expected);
    }
    CHECK(same);
  }
}

}  // namespace
}  // namespace blasnet::test
