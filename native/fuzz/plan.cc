// Programs and runs (native/executor/plan.cc): each input is refused, or runs inside its blocks.
// Numbers of an input: kernel set, bytes of the segments, element types and bytes of the feeds, lengths of scalars,
// report and profile, the numbers of a run, and then the program.
#include "../executor/plan.h"

#include <algorithm>

#include "../executor/run.h"
#include "words.h"

namespace blasnet::fuzz {
namespace {

constexpr size_t maxRunFeeds = 4;
enum : size_t {
  setAt,
  segmentsAt,
  feedsAt = segmentsAt + segmentCount,
  scalarsAt = feedsAt + 2 * maxRunFeeds,
  reportAt,
  profileAt,
  runAt,
  programAt = runAt + runWord::count + runFeedWord::count * maxRunFeeds
};
enum : size_t {
  countAt = programAt + headerWord::instructions,
  capacityAt = programAt + headerWord::capacity,
  feedCountAt = programAt + headerWord::feeds
};

constexpr size_t largestBlock = 1 << 15;
constexpr int64_t longestRun = 6;
constexpr int64_t maxRunRows = 1 << 10;
constexpr int maxRunThreads = 3;
constexpr double workLimit = 2e5;

size_t clamped(double word, size_t limit) {
  return word >= 0 && word <= static_cast<double>(limit) ? static_cast<size_t>(word) : limit;
}

// The element type of that number; the first for what is none.
Element elementOf(double word) { return static_cast<Element>(word >= 0 && word < 4 ? static_cast<int>(word) : 0); }

// As many as the program's table has, of those that fit an input.
size_t feedCountOf(const Words& words) { return clamped(words[feedCountAt], maxRunFeeds); }

// Where instructions begin, and the end of the last; as far as the words make sense.
std::vector<size_t> instructionStarts(const Words& words) {
  std::vector<size_t> starts;
  size_t at = programAt + headerWord::count + feedWord::count * feedCountOf(words);
  while (at + instructionWord::count <= words.size()) {
    const double count = words[at + instructionWord::arguments];
    if (!(count >= 0 && count <= maxParameters) ||
        at + instructionWord::count + argumentWord::count * static_cast<size_t>(count) > words.size())
      break;
    starts.push_back(at);
    at += instructionWord::count + argumentWord::count * static_cast<size_t>(count);
  }
  starts.push_back(at < words.size() ? at : words.size());
  return starts;
}

double tagWord(ArgumentTag tag) { return static_cast<double>(tag); }

// A number or a symbol for a parameter that is no buffer; its value for a batch of `capacity` rows goes to `value`.
void writeValue(double* word, const Parameter& parameter, bool axis, double capacity, double sourceRows, Random& random,
                double& value) {
  word[argumentWord::tag] = tagWord(ArgumentTag::number);
  switch (parameter.kind) {
    case ParameterKind::size:
      if (random.oneIn(axis ? 2 : 5)) {
        word[argumentWord::tag] = tagWord(ArgumentTag::rows);
        word[argumentWord::value] = random.oneIn(4) ? smallSize(random) : 1;
        value = word[argumentWord::value] * capacity;
      } else if (!axis && random.oneIn(8)) {
        word[argumentWord::tag] = tagWord(ArgumentTag::length);
        word[argumentWord::value] = random.below(maxRunFeeds);
        value = -1;
      } else if (!axis && random.oneIn(8)) {
        word[argumentWord::tag] = tagWord(ArgumentTag::sourceRows);
        value = sourceRows;
      } else {
        value = word[argumentWord::value] = smallSize(random);
      }
      break;
    case ParameterKind::word:
      if (random.oneIn(2)) word[argumentWord::tag] = tagWord(ArgumentTag::step);
      break;
    case ParameterKind::flag: word[argumentWord::value] = random.below(2); break;
    case ParameterKind::code: word[argumentWord::value] = random.below(8); break;
    default:
      if (random.oneIn(4)) {
        word[argumentWord::tag] =
            tagWord(static_cast<ArgumentTag>(static_cast<uint32_t>(ArgumentTag::scale) + random.below(3)));
        word[argumentWord::value] = random.below(maxRunFeeds);
      } else {
        word[argumentWord::value] = static_cast<double>(random.below(100)) / 50 - 0.5;
      }
  }
}

void writeBuffer(double* word, const Parameter& parameter, double needed, Random& random) {
  if (parameter.optional && random.oneIn(3)) return;
  if (random.oneIn(4)) {
    word[argumentWord::tag] = tagWord(ArgumentTag::feed);
    word[argumentWord::value] = random.below(maxRunFeeds);
    return;
  }
  const double bytes = static_cast<double>(elementBytes(parameter.element));
  word[argumentWord::tag] = tagWord(ArgumentTag::buffer);
  word[argumentWord::value] =
      parameter.element == Element::f64 ? static_cast<double>(Segment::metric) : random.below(segmentCount);
  word[argumentWord::offset] = random.oneIn(3) ? 0 : bytes * random.below(512);
  word[argumentWord::length] = random.oneIn(20) ? needed + random.below(5) - 2 : needed;
}

Words plausibleInstruction(double capacity, double sourceRows, Random& random) {
  const uint32_t kernel = random.below(kernelCount);
  const Signature& signature = signatures[kernel];
  Words words(instructionWord::count + argumentWord::count * static_cast<size_t>(signature.count));
  words[instructionWord::kernel] = kernel;
  // What is serial needs a barrier and no axis; a guard is serial.
  words[instructionWord::flags] = random.oneIn(8) ? random.below(16)
                                  : signature.axes[0] < 0 && random.oneIn(2)
                                      ? 5 + 2 * random.below(2)
                                      : random.below(2) + (random.oneIn(4) ? 8 : 0);
  words[instructionWord::grain] = random.oneIn(4) ? smallSize(random) : 0;
  words[instructionWord::axis] = random.oneIn(4) ? random.below(3) : 0;
  words[instructionWord::arguments] = signature.count;
  double values[maxParameters] = {};
  for (int i = 0; i < signature.count; i++) {
    if (signature.parameters[i].isBuffer()) continue;
    writeValue(&words[instructionWord::count + argumentWord::count * static_cast<size_t>(i)], signature.parameters[i],
               i == signature.axes[0] || i == signature.axes[1], capacity, sourceRows, random, values[i]);
  }
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    if (!parameter.isBuffer()) continue;
    double needed = 1;
    for (int j = 0; j < parameter.lengthCount; j++) needed *= values[parameter.length[j]];
    if (needed >= 0 && needed < 1e15)
      writeBuffer(&words[instructionWord::count + argumentWord::count * static_cast<size_t>(i)], parameter, needed,
                  random);
  }
  return words;
}

// Adds, replaces, removes or doubles an instruction.
void changeInstruction(Words& words, Random& random) {
  const double capacity = words[capacityAt] >= 1 && words[capacityAt] < 100 ? words[capacityAt] : 1;
  const std::vector<size_t> starts = instructionStarts(words);
  const size_t i = random.below(static_cast<uint32_t>(starts.size()));
  const auto at = [&](size_t index) { return words.begin() + static_cast<ptrdiff_t>(starts[index]); };
  const bool last = i + 1 == starts.size();
  const uint32_t what = last ? 0 : random.below(4);
  Words added;
  if (what <= 1) added = plausibleInstruction(capacity, words[runAt + runWord::rows], random);
  if (what == 2) added.assign(at(i), at(i + 1));
  if (what == 1 || what == 3) {
    words.erase(at(i), at(i + 1));
    words[countAt]--;
  }
  if (added.empty()) return;
  words.insert(words.begin() + static_cast<ptrdiff_t>(starts[i]), added.begin(), added.end());
  words[countAt]++;
}

// Adds, changes or removes an entry of the table of feeds.
void changeFeed(Words& words, Random& random) {
  const size_t count = feedCountOf(words), start = programAt + headerWord::count;
  if (start + feedWord::count * count > words.size()) return;
  const size_t at = start + feedWord::count * random.below(static_cast<uint32_t>(count) + 1);
  const auto place = words.begin() + static_cast<ptrdiff_t>(at);
  const bool last = at == start + feedWord::count * count;
  if (last && count == maxRunFeeds) return;
  const bool order = random.oneIn(4);
  const Words entry = {order             ? static_cast<double>(FeedRole::order)
                       : random.oneIn(4) ? static_cast<double>(FeedRole::entries)
                                         : random.below(3),
                       order ? static_cast<double>(Element::i32) : random.below(4), order ? 1 : smallSize(random)};
  if (last) {
    words.insert(place, entry.begin(), entry.end());
    words[feedCountAt]++;
  } else if (random.oneIn(4)) {
    words.erase(place, place + feedWord::count);
    words[feedCountAt]--;
  } else {
    std::copy(entry.begin(), entry.end(), place);
  }
}

// Records measurements from which a governor concludes that threads disturb each other.
void workAlone(Governor& governor, int shares) {
  for (int region = 0; region < 10; region++) governor.record(shares, shares, 1);
  governor.record(1, shares, 1e-6);
}

// A run over memory of its own, if it is short enough.
int runPlan(const Plan& plan, const RunRequest& request, const KernelSet& set, Random& random) {
  bool quick = request.threads <= maxRunThreads && request.rows <= maxRunRows && request.drawn <= maxRunRows &&
               request.steps() <= longestRun;
  for (const Instruction& instruction : plan.instructions()) {
    const Signature& signature = signatures[static_cast<int>(instruction.kernel)];
    const auto sizeOf = [&](int i) {
      const ArgumentSource& source = instruction.arguments[static_cast<size_t>(i)];
      if (source.tag == ArgumentTag::number) return source.number;
      if (source.tag == ArgumentTag::length) return static_cast<double>(request.feeds[source.feed].length());
      return static_cast<double>(source.tag == ArgumentTag::rows ? plan.capacity() * source.factor : request.rows);
    };
    for (int i = 0; i < signature.count; i++) {
      const ArgumentSource& source = instruction.arguments[static_cast<size_t>(i)];
      if (source.tag != ArgumentTag::buffer && source.tag != ArgumentTag::feed) continue;
      const bool feed = source.tag == ArgumentTag::feed;
      if (feed && plan.feeds()[source.feed].role == FeedRole::order) continue;
      const size_t bytes = feed ? request.feeds[source.feed].block.bytes : source.bytes;
      const double elements = static_cast<double>(bytes / elementBytes(signature.parameters[i].element));
      require(neededElements(signature.parameters[i], sizeOf) <= elements, "a buffer is too short");
    }
    quick = quick && isQuick(signature, sizeOf, workLimit);
  }
  if (!quick) return -1;
  // Waiting for each other takes threads longer than all else. Mostly one of them works on all shares, as where the
  // machine is busy.
  if (random.below(16) != 0) workAlone(plan.governor(), request.threads);
  static Pool pool;
  Run run(plan, request, set);
  run.execute(pool, nullptr, nullptr);
  return 0;
}

}  // namespace
}  // namespace blasnet::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t maxSize, unsigned seed) {
  using namespace blasnet;
  using namespace blasnet::fuzz;
  Random random(seed);
  Words words = wordsOf(data, size);
  if (words.size() < programAt + headerWord::count) words = Words(programAt + headerWord::count, 1);
  if (random.oneIn(2)) changeInstruction(words, random);
  if (random.oneIn(8)) changeFeed(words, random);
  for (uint32_t changes = random.below(3); changes > 0; changes--) changeWord(words, random);
  return storeWords(words, data, maxSize);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace blasnet;
  using namespace blasnet::fuzz;
  const Words words = wordsOf(data, size);
  if (words.size() < programAt) return -1;
  std::vector<Memory> memory;
  const auto blockOf = [&](double bytes) {
    memory.emplace_back(clamped(bytes, largestBlock));
    return Block{memory.back().data(), memory.back().bytes()};
  };
  Block segments[segmentCount];
  RunRequest request;
  for (size_t i = 0; i < segmentCount; i++) segments[i] = blockOf(words[segmentsAt + i]);
  Feed feeds[maxRunFeeds];
  for (size_t i = 0; i < maxRunFeeds; i++) {
    feeds[i].element = elementOf(words[feedsAt + 2 * i]);
    feeds[i].block = blockOf(words[feedsAt + 2 * i + 1]);
  }
  const auto numbersOf = [&](double count) {
    return std::vector<double>(clamped(count, largestBlock / sizeof(double)), 0.01);
  };
  std::vector<double> scalars = numbersOf(words[scalarsAt]), report = numbersOf(words[reportAt]),
                      profile = numbersOf(words[profileAt]);
  request.scalars = scalars.data();
  request.scalarLength = scalars.size();
  request.report = report.empty() ? nullptr : report.data();
  request.reportLength = report.size();
  request.profile = profile.empty() ? nullptr : profile.data();
  request.profileLength = profile.size();

  Plan plan;
  std::string error;
  if (!plan.decode(words.data() + programAt, words.size() - programAt, segments, error)) return 0;
  const size_t feedCount = std::min(plan.feeds().size(), maxRunFeeds);
  request.feeds.assign(feeds, feeds + feedCount);
  if (!request.decode(words.data() + runAt, runWord::count + runFeedWord::count * feedCount, error) ||
      !plan.checkRequest(request, error))
    return 0;
  Random random(static_cast<uint32_t>(size + data[size / 2]));
  return runPlan(plan, request, chooseSet(words[setAt]), random);
}
