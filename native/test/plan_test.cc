#include <cmath>
#include <cstdio>
#include <functional>
#include <iterator>
#include <limits>

#include "program.h"

namespace blasnet::test {
namespace {

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

TEST(planRefusesBlocksThatAreNotAligned) {
  Memory memory;
  for (int i = 0; i < segmentCount; i++) {
    Block segments[segmentCount];
    for (int j = 0; j < segmentCount; j++) segments[j] = memory.segments[j];
    segments[i].data = static_cast<char*>(segments[i].data) + 4;
    const Words words = program(8, 0, {});
    Plan plan;
    std::string error;
    CHECK(!plan.decode(words.data(), words.size(), segments, error));
    CHECK(error == "program: a block is not aligned");
  }
}

TEST(planRefusesUnknownThings) {
  const Words good = reluProgram(out, in, rows(8));
  const auto with = [&](size_t at, double value) {
    Words changed = good;
    changed[at] = value;
    return changed;
  };
  for (const double kernel : {-1.0, 0.5, static_cast<double>(kernelCount), 1e9})
    CHECK(refused(with(5, kernel), "unknown kernel"));
  for (const double flags : {-1.0, 8.0, 1.5}) CHECK(refused(with(6, flags), "unknown kernel or flag"));
  for (const double grain : {-1.0, 0.5, 16.0 * INT32_MAX + 1}) CHECK(refused(with(7, grain), "grain: out of range"));
  for (const double count : {0.0, 2.0, 4.0, 16.0, 17.0}) CHECK(refused(with(8, count), "wrong number"));
  for (const double tag : {-1.0, 10.0, 2.5}) CHECK(refused(with(9, tag), "unknown kind"));
  CHECK(refused(with(10, segmentCount), "malformed buffer"));
  CHECK(refused(with(11, 3), "leaves its block"));  // not a whole element
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
  const Words huge =
      call(Kernel::gemm, 0,
           {out, in, in, number(INT32_MAX), number(INT32_MAX), number(INT32_MAX), number(0), number(0), number(1), number(0)});
  CHECK(refused(program(8, 0, {huge}), "too short"));
}

TEST(planRefusesOverlaps) {
  CHECK(refused(reluProgram(out, buffer(Segment::work, 4, 64), rows(8)), "overlaps"));
  const Words rowsWise =
      call(Kernel::denseForward, 0, {out, out, in, none(), rows(), number(8), number(8), number(0), number(0)});
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
    return program(
        8, 0, {call(Kernel::gatherLabels, 0, {buffer(Segment::work, 0, 8), feed(Feed::labels, 0), order, rows(), sourceRows()})});
  };
  CHECK(decodes(labels(feed(Feed::order, 1))));
  CHECK(refused(labels(feed(Feed::order, 0)), "does not fit here"));
  CHECK(refused(labels(feed(Feed::order, 2)), "does not fit here"));
}

TEST(planRefusesAGuardOutsideAMeeting) {
  const Words total = buffer(Segment::metric, 0, 1);
  const auto sum = [&](int flags) { return call(Kernel::squareSum, flags, {total, none(), in, number(64)}); };
  const Words relu = reluCall(out, in, rows(8));
  CHECK(decodes(program(8, 0, {sum(barrierFlag | guardFlag), relu})));
  CHECK(decodes(program(8, 0, {relu, sum(barrierFlag), sum(guardFlag), sum(0), relu})));
  CHECK(refused(program(8, 0, {sum(guardFlag), relu}), "a guard outside a meeting"));
  CHECK(refused(program(8, 0, {sum(barrierFlag), relu, sum(guardFlag)}), "a guard outside a meeting"));
  CHECK(refused(program(8, 0, {sum(barrierFlag | guardFlag), sum(guardFlag)}), "a guard outside a meeting"));
  CHECK(refused(program(8, 0, {call(Kernel::relu, barrierFlag | guardFlag, {out, in, rows(8)})}), "a guard outside a meeting"));
}

// Words changed at random: decoding says yes or no, and reads nothing else.
TEST(planSurvivesRandomWords) {
  Random random(7);
  const Words good =
      program(8, 2,
              {call(Kernel::gatherFloats, 0,
                    {out, feed(Feed::features, 0), feed(Feed::order, 1), rows(), number(8), sourceRows(),
                     word(ArgumentTag::scale), word(ArgumentTag::offset)}),
               call(Kernel::denseForward, barrierFlag,
                    {in, out, buffer(Segment::parameter, 0, 64), none(), rows(), number(8), number(8), number(1), number(0)}),
               call(Kernel::squareSum, barrierFlag | guardFlag, {buffer(Segment::metric, 0, 1), none(), out, number(64)}),
               call(Kernel::sgd, 0,
                    {buffer(Segment::parameter, 0, 64), none(), buffer(Segment::gradient, 0, 64), number(64), scalar(0),
                     number(0), number(0), number(0), scalar(1)},
                    32)});
  CHECK(decodes(good));
  constexpr double values[] = {-1, 0,  0.5, 1,   2,   3,   4,          5,          7,          8,    9,
                               63, 64, 65,  255, 256, 1e6, 2147483647, 2147483648, 4294967296, 9e15, 1e300};
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
  for (const int threads : {0, -1, maxThreads + 1}) CHECK(fails("threads", [=](RunRequest& r) { r.threads = threads; }));
  CHECK(fails("not aligned", [](RunRequest& r) {
    Block& features = r.feeds[static_cast<int>(Feed::features)];
    features.data = static_cast<char*>(features.data) + 1;
  }));
  CHECK(fails("too short", [](RunRequest& r) { r.rows = r.drawn = 11; }));
  CHECK(fails("too short", [](RunRequest& r) { r.feeds[static_cast<int>(Feed::features)].bytes--; }));
  CHECK(fails("too short", [](RunRequest& r) { r.feeds[static_cast<int>(Feed::output)] = {}; }));
}

}  // namespace
}  // namespace blasnet::test
