// What the fuzz targets share. An input is a list of numbers (float64, as lib/backend/native/encode.ts writes
// programs), which mutations change as numbers: changed bytes of one are mostly refused at the first check.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "../kernels/signatures.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t maxSize);

namespace blasnet::fuzz {

using Words = std::vector<double>;

inline Words wordsOf(const uint8_t* data, size_t size) {
  Words words(size / sizeof(double));
  if (!words.empty()) std::memcpy(words.data(), data, words.size() * sizeof(double));
  return words;
}

inline size_t storeWords(const Words& words, uint8_t* data, size_t maxSize) {
  const size_t count = words.size() < maxSize / sizeof(double) ? words.size() : maxSize / sizeof(double);
  if (count > 0) std::memcpy(data, words.data(), count * sizeof(double));
  return count * sizeof(double);
}

class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed * 2654435761u + 1) {}
  uint32_t below(uint32_t limit) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<uint32_t>((state_ >> 11) % limit);
  }
  bool oneIn(uint32_t n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

// Sizes near which something may go wrong.
inline double oddNumber(Random& random) {
  static constexpr double numbers[] = {-1,
                                       0,
                                       0.5,
                                       1,
                                       2,
                                       3,
                                       4,
                                       8,
                                       15,
                                       16,
                                       17,
                                       64,
                                       255,
                                       65535,
                                       65536,
                                       65537,
                                       2147483646,
                                       2147483647,
                                       2147483648.0,
                                       4294967295.0,
                                       4294967296.0,
                                       9007199254740992.0,
                                       1e300,
                                       __builtin_inf(),
                                       __builtin_nan("")};
  return numbers[random.below(sizeof numbers / sizeof *numbers)];
}

// A size that small buffers can hold.
inline double smallSize(Random& random) {
  if (random.oneIn(40)) return oddNumber(random);
  return random.oneIn(4) ? random.below(20) : 1 + random.below(3);
}

// One change that knows nothing of the numbers' meaning.
inline void changeWord(Words& words, Random& random) {
  if (words.empty()) return;
  double& word = words[random.below(static_cast<uint32_t>(words.size()))];
  switch (random.below(5)) {
    case 0: word = oddNumber(random); break;
    case 1: word += 1; break;
    case 2: word -= 1; break;
    case 3: word = words[random.below(static_cast<uint32_t>(words.size()))]; break;
    default: LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(&word), sizeof word, sizeof word);
  }
}

// Memory of exactly that many bytes, so that an access beyond is detected, filled with numbers of any type: mostly
// small ones.
class Memory {
 public:
  explicit Memory(size_t bytes) : data_(std::malloc(bytes), std::free), bytes_(bytes) {
    static const std::vector<uint32_t> pattern = makePattern();
    std::memcpy(data_.get(), pattern.data(), bytes);
  }
  void* data() const { return data_.get(); }
  size_t bytes() const { return bytes_; }

  static constexpr size_t largest = 1 << 16;

 private:
  static std::vector<uint32_t> makePattern() {
    Random random(1);
    std::vector<uint32_t> words(largest / 4);
    for (uint32_t& word : words) {
      const float real = static_cast<float>(random.below(64)) / 16 - 2;
      word = random.below(12) - 2;
      if (random.oneIn(3)) std::memcpy(&word, &real, sizeof word);
      if (random.oneIn(50)) word = random.below(UINT32_MAX);
    }
    return words;
  }

  std::unique_ptr<void, void (*)(void*)> data_;
  size_t bytes_;
};

// Elements that a buffer needs, as a floating-point number, so that nothing overflows.
template <typename SizeOf>
double neededElements(const Parameter& parameter, SizeOf sizeOf) {
  double needed = 1;
  for (int i = 0; i < parameter.lengthCount; i++) needed *= static_cast<double>(sizeOf(parameter.length[i]));
  return needed;
}

// Whether a kernel with these sizes is fast: by the sizes that say how long buffers are, since strides and the
// like don't count.
template <typename SizeOf>
bool isQuick(const Signature& signature, SizeOf sizeOf, double limit) {
  uint32_t counted = 0;
  double work = 1;
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    if (!parameter.isBuffer()) continue;
    for (int j = 0; j < parameter.lengthCount; j++) counted |= 1u << parameter.length[j];
  }
  // Shares may be of no buffer's length.
  for (const int axis : signature.axes) counted |= axis >= 0 ? 1u << axis : 0;
  for (int i = 0; i < signature.count; i++) {
    const double size = (counted >> i & 1) != 0 ? static_cast<double>(sizeOf(i)) : 1;
    if (size > 1) work *= size;
  }
  return work <= limit;
}

// What must hold of everything accepted, run or not.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "accepted, though %s\n", what);
  std::abort();
}

// The sets that this CPU runs.
inline const std::vector<const KernelSet*>& kernelSets() {
  static const std::vector<const KernelSet*> sets = [] {
    std::vector<const KernelSet*> found;
    for (const char* name : {"baseline", "avx2", "avx512", "neon"}) {
      if (const KernelSet* set = findKernelSet(name)) found.push_back(set);
    }
    return found;
  }();
  return sets;
}

inline const KernelSet& chooseSet(double word) {
  const size_t count = kernelSets().size();
  return *kernelSets()[word >= 0 && word < 1e6 ? static_cast<size_t>(word) % count : 0];
}

}  // namespace blasnet::fuzz
