// Runs every registered case; the last line counts the cases, the one before it the checks. Before them, failures are
// repeated, so that the end of a log names them. An argument selects the cases whose names contain it;
// --threads, those that are not of one thread alone.
#include <atomic>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <mutex>

#include "../kernels/products/blas.h"
#include "test.h"

namespace blasnet::test {
namespace {

struct Entry {
  const char* name;
  void (*run)();
  bool isAlone;
};

std::vector<Entry>& entries() {
  static std::vector<Entry> list;
  return list;
}

// A case may check in threads of its own.
std::atomic<long> checkCount{0};
std::mutex failing;
long failedInCase = 0;
std::string failures;

}  // namespace

Case::Case(const char* name, void (*run)(), bool isAlone) { entries().push_back({name, run, isAlone}); }

void check(bool passed, const char* file, int line, const std::string& message) {
  checkCount.fetch_add(1, std::memory_order_relaxed);
  if (passed) return;
  const std::lock_guard<std::mutex> lock(failing);
  if (++failedInCase > 5) return;
  const std::string place = "  " + std::string(file) + ":" + std::to_string(line) + ": ";
  std::printf("%s%s\n", place.c_str(), message.c_str());
  failures += place + message + "\n";
}

std::string format(const char* pattern, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

bool near(double actual, double expected, double relative, double absolute) {
  if (std::isnan(actual) || std::isnan(expected)) return std::isnan(actual) && std::isnan(expected);
  if (std::isinf(actual) || std::isinf(expected)) return actual == expected;
  return std::fabs(actual - expected) <= relative * std::fabs(expected) + absolute;
}

const std::vector<const KernelSet*>& kernelSets() {
  static const std::vector<const KernelSet*> sets = [] {
    std::vector<const KernelSet*> found;
    for (const char* name : {"baseline", "avx2", "avx512", "neon"}) {
      if (const KernelSet* set = findKernelSet(name)) found.push_back(set);
    }
    return found;
  }();
  return sets;
}

}  // namespace blasnet::test

int main(int argc, char** argv) {
  using namespace blasnet::test;
  // Products are cut, and convolutions transformed, on machines, too, that have nothing to gain by it.
  setVariable("BLASNET_PRODUCTS", "winograd");
  std::printf("kernel sets:");
  for (const blasnet::KernelSet* set : kernelSets()) std::printf(" %s", set->name);
  std::printf("; BLAS: %s, %s\n", blasnet::blasInfo().name, blasnet::blasInfo().core);
  const bool onlyThreads = argc > 1 && std::strcmp(argv[1], "--threads") == 0;
  long passedCases = 0, failedCases = 0;
  for (const Entry& entry : entries()) {
    if (onlyThreads && entry.isAlone) {
      std::printf("%s\n  left out: it has a single thread\n", entry.name);
      continue;
    }
    if (!onlyThreads && argc > 1 && std::strstr(entry.name, argv[1]) == nullptr) continue;
    failedInCase = 0;
    const size_t before = failures.size();
    std::printf("%s\n", entry.name);
    const auto start = std::chrono::steady_clock::now();
    try {
      entry.run();
    } catch (const Stopped& stopped) {
      check(false, __FILE__, __LINE__, stopped.what());
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (seconds.count() >= 1) std::printf("  took %.1f s\n", seconds.count());
    (failedInCase == 0 ? passedCases : failedCases)++;
    if (failedInCase == 0) continue;
    std::printf("  %ld checks failed\n", failedInCase);
    failures.insert(before, std::string(entry.name) + ", " + std::to_string(failedInCase) + " checks failed:\n");
  }
  if (failedCases > 0) std::printf("failures:\n%s", failures.c_str());
  std::printf("%ld checks\n%ld passed, %ld failed\n", checkCount.load(), passedCases, failedCases);
  return failedCases == 0 && passedCases > 0 ? 0 : 1;
}
