// A small test frame: cases register themselves, checks count, buffers watch their edges, kernels are called by number.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "../kernels/signatures.h"

namespace blasnet::test {

struct Case {
  Case(const char* name, void (*run)(), bool isAlone);
};

// Counts a check, and prints the first failures of a case with their place.
void check(bool passed, const char* file, int line, const std::string& message);

std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

#define BLASNET_CASE(name, isAlone)                                    \
  static void name();                                                  \
  static const ::blasnet::test::Case name##Case(#name, name, isAlone); \
  static void name()

#define TEST(name) BLASNET_CASE(name, false)
// A case of much arithmetic on a single thread: under the thread sanitizer it takes up to a minute and shows nothing.
#define TEST_ALONE(name) BLASNET_CASE(name, true)

#define CHECK(condition) ::blasnet::test::check((condition), __FILE__, __LINE__, #condition)
// The message is made only when the check fails.
#define CHECK_NEAR(actual, expected, relative, absolute, ...)                                           \
  do {                                                                                                  \
    const double actual_ = (actual), expected_ = (expected);                                            \
    const bool near_ = ::blasnet::test::near(actual_, expected_, (relative), (absolute));               \
    ::blasnet::test::check(                                                                             \
        near_, __FILE__, __LINE__,                                                                      \
        near_ ? std::string()                                                                           \
              : ::blasnet::test::format("%.9g instead of %.9g: ", actual_, expected_) + (__VA_ARGS__)); \
  } while (0)

// Equal within a tolerance; NaN equals NaN, an infinity itself.
bool near(double actual, double expected, double relative, double absolute);

// Ends a case, which fails with this message.
struct Stopped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Sets a variable of the environment, or removes it.
inline void setVariable(const char* name, const char* value) {
#if defined(_WIN32)
  _putenv_s(name, value != nullptr ? value : "");
#else
  if (value != nullptr) {
    setenv(name, value, 1);
  } else {
    unsetenv(name);
  }
#endif
}

// Whether an emulator runs this, as BLASNET_TEST_EMULATED=1 says: products of seconds take minutes there.
inline bool emulated() {
  const char* value = std::getenv("BLASNET_TEST_EMULATED");
  return value != nullptr && value[0] == '1';
}

// Whether this run is many times slower than usual, under a sanitizer or an emulator. The largest of many similar cases
// are skipped then; plain builds run all of them.
inline bool slowRun() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#else
  return emulated();
#endif
}

// Sizes around the widths of vectors, of unrolled loops and of the kernels' blocks.
constexpr int64_t sizes[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100, 127, 129, 257, 1009};

// The kernel sets that this CPU runs.
const std::vector<const KernelSet*>& kernelSets();

// Uniform numbers in [low, high), the same in every run.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  uint32_t word() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 33) * 2654435761u;
  }
  float uniform(double low, double high) { return static_cast<float>(low + (high - low) * (word() * 0x1p-32)); }

 private:
  uint64_t state_;
};

// A block of n elements between guards. Floats start as NaN, so that reading before writing shows.
template <typename T>
class Buffer {
 public:
  // One without elements has an address, too.
  explicit Buffer(int64_t n) : storage_(std::max<size_t>(1, static_cast<size_t>(n) + 2 * guard), filler()), size_(n) {}
  Buffer(int64_t n, Random& random, double low, double high) : Buffer(n) {
    for (int64_t i = 0; i < n; i++) data()[i] = static_cast<T>(random.uniform(low, high));
  }

  T* data() { return storage_.data() + guard; }
  const T* data() const { return storage_.data() + guard; }
  T& operator[](int64_t i) { return data()[i]; }
  const T& operator[](int64_t i) const { return data()[i]; }
  int64_t size() const { return size_; }

  // Nothing was written outside.
  bool intact() const {
    const T expected = filler();
    for (size_t i = 0; i < guard; i++) {
      if (std::memcmp(&storage_[i], &expected, sizeof(T)) != 0) return false;
      if (std::memcmp(&storage_[guard + static_cast<size_t>(size_) + i], &expected, sizeof(T)) != 0) return false;
    }
    return true;
  }

  bool sameBits(const Buffer& other) const {
    return size_ == other.size_ && std::memcmp(data(), other.data(), static_cast<size_t>(size_) * sizeof(T)) == 0;
  }

 private:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr size_t guard = 0;  // the sanitizer sees reads outside, too
#else
  static constexpr size_t guard = 64;
#endif
  static T filler() {
    if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::quiet_NaN();
    return static_cast<T>(0x5a5a5a5a);
  }

  std::vector<T> storage_;
  int64_t size_;
};

// The kernels of the activations, by their codes.
constexpr Kernel activationKernels[] = {
#define BLASNET_ACTIVATION(name) Kernel::name,
#include "../kernels/signatures.inc"
#undef BLASNET_ACTIVATION
};

inline Argument argument(std::nullptr_t) { return {.pointer = nullptr}; }
template <typename T>
Argument argument(const Buffer<T>& buffer) {
  return {.pointer = const_cast<T*>(buffer.data())};
}
template <typename T>
Argument argument(const Buffer<T>* buffer) {
  return {.pointer = buffer != nullptr ? const_cast<T*>(buffer->data()) : nullptr};
}
template <typename T>
requires std::is_integral_v<T> Argument argument(T value) { return {.integer = static_cast<int64_t>(value)}; }
template <typename T>
requires std::is_floating_point_v<T> Argument argument(T value) { return {.real = static_cast<double>(value)}; }

// A kernel call with its arguments in table order: on the whole of its axis, on [begin, end), or split in uneven parts.
class Call {
 public:
  template <typename... A>
  Call(const KernelSet& set, Kernel kernel, const A&... arguments)
      : function_(set.functions[static_cast<int>(kernel)]), arguments_{argument(arguments)...} {
    const Signature& signature = signatures[static_cast<int>(kernel)];
    // The kernel would read what is not there.
    if (sizeof...(A) != static_cast<size_t>(signature.count)) {
      throw Stopped(
          format("%s takes %d arguments, not %zu", signature.name, static_cast<int>(signature.count), sizeof...(A)));
    }
    axes_ = signature.axes;
    along(0);
  }

  // Another one of the kernel's axes.
  Call& along(int place) {
    place_ = place;
    units_ = axes_[place] >= 0 ? arguments_[static_cast<size_t>(axes_[place])].integer : 0;
    return *this;
  }

  void whole() const { range(0, units_); }
  void range(int64_t begin, int64_t end) const { function_(arguments_.data(), place_, begin, end); }
  void split() const {
    const int64_t first = units_ / 5, second = units_ / 5 + (units_ - units_ / 5) / 2;
    range(second, units_);
    range(0, first);
    range(first, second);
  }

 private:
  KernelFunction function_;
  std::vector<Argument> arguments_;
  const int8_t* axes_;
  int place_ = 0;
  int64_t units_ = 0;
};

}  // namespace blasnet::test
