// Arguments of a single kernel (native/executor/call.cc): whatever comes is refused, or runs inside its buffers.
// Numbers of an input: kernel set, kernel, and for each argument two, its kind and its value (a buffer's is its
// length).
#include "../executor/call.h"

#include "words.h"

namespace blasnet::fuzz {
namespace {

constexpr size_t headWords = 2;
constexpr double workLimit = 1e6;
constexpr double longestBuffer = Memory::largest / sizeof(double);

// A kernel with arguments that may pass, near the border between what does and what does not.
Words plausible(Random& random) {
  const uint32_t kernel = random.below(kernelCount);
  const Signature& signature = signatures[kernel];
  Words words = {static_cast<double>(random.below(3)), static_cast<double>(kernel)};
  double values[maxParameters] = {};
  for (int i = 0; i < signature.count; i++) {
    switch (signature.parameters[i].kind) {
      case ParameterKind::size: values[i] = smallSize(random); break;
      case ParameterKind::word: values[i] = random.below(1000); break;
      case ParameterKind::flag: values[i] = random.below(2); break;
      case ParameterKind::code: values[i] = random.below(8); break;
      default: values[i] = static_cast<double>(random.below(100)) / 50 - 0.5;
    }
  }
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    double kind = 1, value = values[i];
    if (parameter.isBuffer()) {
      value = 1;
      for (int j = 0; j < parameter.lengthCount; j++) value *= values[parameter.length[j]];
      if (random.oneIn(100)) value += static_cast<double>(random.below(3)) - 1;
      kind = parameter.optional && random.oneIn(3) ? 0 : 2 + static_cast<int>(parameter.element);
    }
    words.insert(words.end(), {kind, value});
  }
  return words;
}

}  // namespace
}  // namespace blasnet::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t maxSize, unsigned seed) {
  using namespace blasnet::fuzz;
  Random random(seed);
  Words words = random.oneIn(3) ? plausible(random) : wordsOf(data, size);
  for (uint32_t changes = random.below(3); changes > 0; changes--) changeWord(words, random);
  return storeWords(words, data, maxSize);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace blasnet;
  using namespace blasnet::fuzz;
  const Words words = wordsOf(data, size);
  if (words.size() < headWords) return -1;
  const size_t count = (words.size() - headWords) / 2;
  if (count > maxParameters + 2) return -1;
  std::vector<Memory> memory;
  std::vector<Operand> operands(count);
  for (size_t i = 0; i < count; i++) {
    const double kind = words[headWords + 2 * i], value = words[headWords + 2 * i + 1];
    Operand& operand = operands[i];
    if (kind == 1) {
      operand.kind = Operand::Kind::number;
      operand.number = value;
    } else if (kind >= 2 && kind < 6) {
      operand.kind = Operand::Kind::buffer;
      operand.element = static_cast<Element>(static_cast<int>(kind) - 2);
      operand.length = value >= 0 && value <= longestBuffer ? static_cast<size_t>(value) : 0;
      memory.emplace_back(operand.length * elementBytes(operand.element));
      operand.data = memory.back().data();
    }
  }
  KernelCall call;
  std::string error;
  if (!call.prepare(chooseSet(words[0]), words[1], operands.data(), count, error)) return 0;
  const Signature& signature = signatures[static_cast<int>(words[1])];
  const auto sizeOf = [&](int i) { return operands[static_cast<size_t>(i)].number; };
  for (int i = 0; i < signature.count; i++) {
    const Operand& operand = operands[static_cast<size_t>(i)];
    if (operand.kind != Operand::Kind::buffer) continue;
    require(neededElements(signature.parameters[i], sizeOf) <= static_cast<double>(operand.length),
            "a buffer is too short");
  }
  if (!isQuick(signature, sizeOf, workLimit)) return -1;
  call.run();
  return 0;
}
