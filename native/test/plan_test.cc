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

// Feeds, by their places in the table: rows of eight floats to read and to write, of as many floats and labels to pick
// from, and the order.
enum Place : uint8_t { batch, output, source, labels, order };
const std::vector<Words> table = {entry(FeedRole::batch, Element::f32, 8), entry(FeedRole::output, Element::f32, 8),
                                  entry(FeedRole::source, Element::f32, 8), entry(FeedRole::source, Element::i32, 1),
                                  entry(FeedRole::order, Element::i32, 1)};

Words reluProgram(const Words& y, const Words& x, const Words& n) { return program(8, 0, {reluCall(y, x, n)}, table); }

const Words out = buffer(Segment::work, 0, 64), in = buffer(Segment::work, 256, 64);

TEST(planTakesWhatIsWell) {
  CHECK(decodes(program(8, 0, {})));
  CHECK(decodes(reluProgram(out, in, rows(8))));
  CHECK(decodes(reluProgram(out, in, number(64))));
  CHECK(decodes(reluProgram(out, out, rows(8))));  // relu may work in place
  CHECK(decodes(reluProgram(feed(output), feed(batch), rows(4))));
}

TEST(planRefusesAMalformedHeader) {
  const Words good = reluProgram(out, in, rows(8));
  for (size_t length = 0; length < good.size(); length++) {
    CHECK(!decodes(Words(good.begin(), good.begin() + static_cast<int64_t>(length))));
  }
  Words longer = good;
  longer.push_back(0);
  CHECK(refused(longer, "words after the last instruction"));
  for (size_t at = 0; at < headerWord::count; at++) {
    for (const double bad : {-1.0, 0.5, 1e300, std::nan(""), std::numeric_limits<double>::infinity()}) {
      Words changed = good;
      changed[at] = bad;
      CHECK(!decodes(changed));
    }
  }
  Words none = good;
  none[headerWord::capacity] = 0;
  CHECK(refused(none, "malformed header"));
  const auto with = [&](size_t at, double value) {
    Words changed = good;
    changed[at] = value;
    return changed;
  };
  CHECK(refused(with(headerWord::feeds, maxFeeds + 1), "malformed header"));
  CHECK(refused(with(headerWord::feeds, maxFeeds), "it ends within its feeds"));
  const double metrics = 1 << 13;
  CHECK(decodes(with(headerWord::loss, metrics - 1)) && decodes(with(headerWord::reported, metrics)));
  CHECK(refused(with(headerWord::loss, metrics), "metric block is too short") &&
        refused(with(headerWord::reported, metrics + 1), "metric block is too short"));
}

TEST(planRefusesAMalformedTableOfFeeds) {
  const auto with = [](const Words& feed) { return program(8, 0, {}, {feed}); };
  const auto roles = static_cast<double>(FeedRole::count);
  CHECK(decodes(with({0, 0, 8})) && decodes(with({0, 3, 0})));
  for (const double bad : {-1.0, 0.5, 1e300, std::nan("")}) {
    CHECK(refused(with({bad, 0, 8}), "malformed feed"));
    CHECK(refused(with({0, bad, 8}), "malformed feed"));
    CHECK(refused(with({0, 0, bad}), "malformed feed"));
  }
  CHECK(refused(with({roles, 0, 8}), "malformed feed"));
  CHECK(refused(with({0, 4, 8}), "malformed feed"));
  CHECK(refused(with({0, 0, 2147483648.0}), "malformed feed"));
  // The executor draws an order of one int32 a row.
  CHECK(decodes(with(entry(FeedRole::order, Element::i32, 1))));
  CHECK(refused(with(entry(FeedRole::order, Element::f32, 1)), "malformed feed"));
  for (const double perRow : {0.0, 2.0})
    CHECK(refused(with(entry(FeedRole::order, Element::i32, perRow)), "malformed feed"));
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
  const Words good = program(8, 0, {reluCall(out, in, rows(8))});
  const auto with = [&](size_t at, double value) {
    Words changed = good;
    changed[headerWord::count + at] = value;
    return changed;
  };
  for (const double kernel : {-1.0, 0.5, static_cast<double>(kernelCount), 1e9})
    CHECK(refused(with(instructionWord::kernel, kernel), "unknown kernel"));
  for (const double flags : {-1.0, allFlags + 1.0, 1.5})
    CHECK(refused(with(instructionWord::flags, flags), "unknown kernel or flag"));
  for (const double grain : {-1.0, 0.5, 16.0 * INT32_MAX + 1})
    CHECK(refused(with(instructionWord::grain, grain), "grain: out of range"));
  for (const double axis : {-1.0, 0.5, 1.0, 2.0})
    CHECK(refused(with(instructionWord::axis, axis), "axis: out of range"));
  for (const double count : {0.0, 2.0, 4.0, 16.0, 17.0})
    CHECK(refused(with(instructionWord::arguments, count), "wrong number"));
  for (const double tag : {-1.0, static_cast<double>(ArgumentTag::count), 2.5})
    CHECK(refused(with(instructionWord::count + argumentWord::tag, tag), "unknown kind"));
  CHECK(refused(with(instructionWord::count + argumentWord::value, segmentCount), "malformed buffer"));
  CHECK(refused(with(instructionWord::count + argumentWord::offset, 3), "leaves its block"));  // not a whole element
}

TEST(planRefusesConditionsThatDoNotFit) {
  const auto conditional = [](int flags, double slots, double condition) {
    return program(8, static_cast<int64_t>(slots), {call(Kernel::relu, flags, {out, in, rows(8)})}, {}, condition);
  };
  CHECK(decodes(conditional(conditionalFlag, 2, 1)));
  CHECK(decodes(conditional(conditionalFlag, 2, 2)));
  CHECK(decodes(conditional(0, 2, 2)));
  CHECK(refused(conditional(conditionalFlag, 2, 0), "condition"));
  CHECK(refused(conditional(conditionalFlag | guardFlag, 2, 1), "condition"));
  for (const double condition : {-1.0, 0.5, 3.0}) CHECK(refused(conditional(0, 2, condition), "malformed header"));
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
  const auto slope = [&](const Words& value) {
    return program(8, 1, {call(Kernel::leakyRelu, 0, {out, in, rows(8), value})});
  };
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
  const Words huge = call(Kernel::gemm, 0,
                          {out, in, in, number(INT32_MAX), number(INT32_MAX), number(INT32_MAX), number(0), number(0),
                           number(1), number(0)});
  CHECK(refused(program(8, 0, {huge}), "too short"));
}

TEST(planRefusesOverlaps) {
  CHECK(refused(reluProgram(out, buffer(Segment::work, 4, 64), rows(8)), "overlaps"));
  const Words rowsWise = call(Kernel::denseForward, 0,
                              {out, out, in, none(), rows(), number(8), number(8), number(0), number(0), number(0)});
  CHECK(refused(program(8, 0, {rowsWise}), "overlaps"));  // a product can't be made in place
}

TEST(planRefusesFeedsBeyondTheirRows) {
  const char* const beyond = "more elements than the feed's rows have";
  const Words wide = buffer(Segment::work, 1024, 128);
  CHECK(decodes(reluProgram(wide, feed(batch), rows(8))) && decodes(reluProgram(feed(output), wide, rows(8))));
  CHECK(refused(reluProgram(wide, feed(batch), rows(9)), beyond));
  CHECK(refused(reluProgram(feed(output), wide, rows(9)), beyond));
  // Right for a whole batch, but not for a short one.
  CHECK(refused(reluProgram(out, feed(batch), number(64)), beyond));
  CHECK(refused(reluProgram(feed(output), in, number(64)), beyond));
  CHECK(decodes(reluProgram(out, feed(batch), number(8))));
  // Of all rows there may be but one.
  CHECK(decodes(reluProgram(out, feed(source), number(8))));
  CHECK(refused(reluProgram(out, feed(source), number(9)), beyond));
  CHECK(refused(reluProgram(out, feed(source), rows(8)), beyond));
  for (const Place place : {batch, source, order}) {
    CHECK(refused(reluProgram(feed(place), in, rows(1)), "does not fit here"));  // not for writing
  }
  CHECK(refused(reluProgram(out, feed(labels), rows(8)), "does not fit here"));  // int32
  CHECK(refused(reluProgram(out, feed(5), rows(8)), "unknown feed"));
  for (const double bad : {-1.0, 0.5, 1e300, std::nan("")})
    CHECK(refused(reluProgram(out, feed(bad), rows(8)), "unknown feed"));
  const auto gatherLabels = [&](const Words& from, const Words& by) {
    return program(8, 0, {call(Kernel::gatherLabels, 0, {buffer(Segment::work, 0, 8), from, by, rows(), sourceRows()})},
                   table);
  };
  CHECK(decodes(gatherLabels(feed(labels), feed(order))));
  CHECK(refused(gatherLabels(feed(order), feed(order)), beyond));
  CHECK(refused(gatherLabels(feed(batch), feed(order)), "does not fit here"));
  const auto gather = [&](const Words& from, double features, const Words& scale, const Words& offset) {
    return program(8, 0,
                   {call(Kernel::gatherFloats, 0,
                         {wide, from, feed(order), rows(), number(features), sourceRows(), scale, offset})},
                   table);
  };
  const Words scale = word(ArgumentTag::scale, source), offset = word(ArgumentTag::offset, source);
  CHECK(decodes(gather(feed(source), 8, scale, offset)));
  CHECK(refused(gather(feed(source), 9, scale, offset), beyond));
  CHECK(refused(gather(feed(batch), 8, scale, offset), beyond));
  CHECK(refused(gather(feed(source), 8, word(ArgumentTag::scale, 5), offset), "unknown feed"));
  CHECK(refused(gather(feed(source), 8, scale, word(ArgumentTag::offset, 5)), "unknown feed"));
  // As many elements as the square of the rows: one row has enough.
  const Words zero = number(0),
              square = call(Kernel::gemm, 0,
                            {wide, in, feed(source), zero, sourceRows(), sourceRows(), zero, zero, zero, zero});
  CHECK(refused(program(8, 0, {square}, table), beyond));
}

// Lists of any length: only where their size is their own length.
TEST(planRefusesEntriesOfUnknownLength) {
  const std::vector<Words> feeds = {entry(FeedRole::source, Element::i32, 1), entry(FeedRole::source, Element::i32, 1),
                                    entry(FeedRole::entries, Element::i32, 1),
                                    entry(FeedRole::entries, Element::f32, 1), entry(FeedRole::order, Element::i32, 1)};
  const auto length = [](double place) { return word(ArgumentTag::length, place); };
  const auto gather = [&](const Words& indices, const Words& values, const Words& indexCount, const Words& valueCount) {
    return program(8, 0,
                   {call(Kernel::gatherSparse, 0,
                         {out, feed(0), feed(1), indices, values, feed(4), rows(), number(8), sourceRows(), indexCount,
                          valueCount})},
                   feeds);
  };
  CHECK(decodes(gather(feed(2), feed(3), length(2), length(3))));
  const char* own = "its size is not the length of this feed";
  CHECK(refused(gather(feed(2), feed(3), length(3), length(3)), own));
  CHECK(refused(gather(feed(2), feed(3), length(2), number(1)), own));
  CHECK(refused(gather(feed(2), feed(3), sourceRows(), length(3)), own));
  CHECK(refused(gather(feed(0), feed(3), length(2), length(3)), "more elements than the feed's rows have"));
  CHECK(refused(gather(feed(2), feed(3), length(0), length(3)), "no length of its own"));
  CHECK(refused(gather(feed(2), feed(3), length(9), length(3)), "unknown feed"));
  CHECK(refused(gather(buffer(Segment::work, 32768, 8), feed(3), length(2), length(3)), "too short"));
  CHECK(refused(program(8, 0, {call(Kernel::relu, 0, {out, feed(3), length(3)})}, feeds), "entries"));
}

// Their length is the size of an argument.
TEST(planRefusesMoreEntriesThanASizeCanSay) {
  Memory memory;
  Plan plan;
  std::string error;
  const Words words =
      program(8, 0, {}, {entry(FeedRole::entries, Element::i32, 1), entry(FeedRole::source, Element::f32, 1)});
  CHECK(plan.decode(words.data(), words.size(), memory.segments, error));
  std::vector<float> values(10);
  const auto takes = [&](size_t entries, size_t elements) {
    RunRequest request = requestOf(10, 8, 1, 1);
    request.feeds = {{{values.data(), entries * sizeof(int32_t)}, Element::i32},
                     {{values.data(), elements * sizeof(float)}, Element::f32}};
    return plan.checkRequest(request, error);
  };
  constexpr size_t most = INT32_MAX;
  CHECK(takes(0, 10) && takes(most, 10) && takes(most, most + 1) && takes(10, size_t{1} << 40));
  CHECK(!takes(most + 1, 10) && error == "run: feed 0: its buffer is too long");
}

TEST(planRefusesSerialInstructionsOutOfPlace) {
  const Words total = buffer(Segment::metric, 0, 1);
  const auto sum = [&](int flags) { return call(Kernel::squareSum, flags, {total, none(), in, number(64)}); };
  const Words relu = reluCall(out, in, rows(8));
  constexpr int first = barrierFlag | serialFlag, last = guardFlag | serialFlag;
  CHECK(decodes(program(8, 0, {sum(first | last), relu})));
  CHECK(decodes(program(8, 0, {relu, sum(first), sum(last), sum(0), relu, sum(first), sum(serialFlag)})));
  CHECK(decodes(program(8, 0, {relu, sum(barrierFlag), sum(0), relu})));  // by the first thread alone
  for (const auto& calls : std::vector<std::vector<Words>>{{sum(last), relu},
                                                           {sum(serialFlag), relu},
                                                           {sum(first), relu, sum(last)},
                                                           {sum(first), sum(0), sum(serialFlag)},
                                                           {sum(first | last), sum(last)},
                                                           {sum(first | last), sum(serialFlag)},
                                                           {call(Kernel::relu, first, {out, in, rows(8)})},
                                                           {call(Kernel::relu, first | last, {out, in, rows(8)})}}) {
    CHECK(refused(program(8, 0, calls), "a serial instruction"));
  }
  CHECK(refused(program(8, 0, {sum(barrierFlag | guardFlag), relu}), "a guard that is not serial"));
  CHECK(refused(program(8, 0, {sum(first), sum(guardFlag)}), "a guard that is not serial"));
}

// Words changed at random: decoding says yes or no, and reads nothing else.
TEST(planSurvivesRandomWords) {
  Random random(7);
  const Words good = program(8, 2,
                             {call(Kernel::gatherFloats, 0,
                                   {out, feed(source), feed(order), rows(), number(8), sourceRows(),
                                    word(ArgumentTag::scale, source), word(ArgumentTag::offset, source)}),
                              call(Kernel::denseForward, barrierFlag,
                                   {in, out, buffer(Segment::parameter, 0, 64), none(), rows(), number(8), number(8),
                                    number(1), number(0), number(0)}),
                              call(Kernel::squareSum, barrierFlag | guardFlag | serialFlag,
                                   {buffer(Segment::metric, 0, 1), none(), out, number(64)}),
                              call(Kernel::sgd, 0,
                                   {buffer(Segment::parameter, 0, 64), none(), buffer(Segment::gradient, 0, 64),
                                    number(64), scalar(0), number(0), number(0), number(0), scalar(1)},
                                   32)},
                             table);
  CHECK(decodes(good));
  constexpr double values[] = {-1, 0,  0.5, 1,   2,   3,   4,          5,          7,          8,    9,
                               63, 64, 65,  255, 256, 1e6, 2147483647, 2147483648, 4294967296, 9e15, 1e300};
  int accepted = 0;
  for (int i = 0; i < 20000; i++) {
    Words words = good;
    for (uint32_t changes = 1 + random.word() % 3; changes > 0; changes--) {
      words[random.word() % words.size()] =
          random.word() % 20 == 0 ? std::nan("") : values[random.word() % std::size(values)];
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
  const Words words = program(8, 1, {reluCall(feed(0), feed(1), rows(4))},
                              {entry(FeedRole::output, Element::f32, 4), entry(FeedRole::batch, Element::f32, 4)});
  CHECK(plan.decode(words.data(), words.size(), memory.segments, error));
  std::vector<float> x(40), y(40);
  std::vector<double> scalars(10), report(20);
  const auto good = [&] {
    RunRequest request = requestOf(10, 8, 2, 1);
    request.feeds = {bound(y), bound(x)};
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
  // Ten rows in one batch are too many for the program, three batches of eight rows are too many for ten.
  CHECK(fails("batches", [](RunRequest& r) { r.batches = 1; }));
  CHECK(fails("batches", [](RunRequest& r) { r.batches = 3; }));
  CHECK(fails("out of range", [](RunRequest& r) { r.batches = -1; }));
  CHECK(fails("out of range", [](RunRequest& r) { r.batches = INT64_MAX; }));
  CHECK(fails("every row once", [](RunRequest& r) { r.drawn = 11; }));
  CHECK(fails("every row once", [](RunRequest& r) { r.drawn = 9; }));
  CHECK(fails("every row once", [](RunRequest& r) { r.drawn = 11, r.batches = 2; }));
  CHECK(fails("scalars", [](RunRequest& r) { r.scalarLength = 3; }));
  CHECK(fails("report", [](RunRequest& r) { r.reportLength = 7; }));
  for (const int threads : {0, -1, maxThreads + 1})
    CHECK(fails("threads", [=](RunRequest& r) { r.threads = threads; }));
  CHECK(fails("not aligned", [](RunRequest& r) {
    Block& block = r.feeds[1].block;
    block.data = static_cast<char*>(block.data) + 1;
  }));
  CHECK(fails("too short", [](RunRequest& r) { r.rows = r.drawn = 11; }));
  CHECK(fails("feed 1: its buffer is too short", [](RunRequest& r) { r.feeds[1].block.bytes--; }));
  CHECK(fails("feed 0: its buffer is too short", [](RunRequest& r) { r.feeds[0] = {}; }));
  CHECK(fails("of another type", [](RunRequest& r) { r.feeds[0].element = Element::i32; }));
  CHECK(fails("wrong number of feeds", [](RunRequest& r) { r.feeds.pop_back(); }));
  CHECK(fails("wrong number of feeds", [](RunRequest& r) { r.feeds.emplace_back(); }));

  // Seven rows in two batches of three: the last takes the one that is left.
  RunRequest joined = good();
  joined.drawn = 7;
  joined.batchSize = 3;
  joined.batches = 2;
  CHECK(plan.checkRequest(joined, error) && joined.stepsPerEpoch() == 2 && joined.steps() == 4);
  CHECK(joined.batch(0).rows == 3 && joined.batch(1).rows == 4 && joined.batch(2).rows == 3 &&
        joined.batch(3).rows == 4);
}

}  // namespace
}  // namespace blasnet::test
