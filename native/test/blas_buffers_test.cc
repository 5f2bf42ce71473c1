// Many threads that multiply at once: OpenBLAS has places for fewer than may come, and says so when they are used up.
#include "../kernels/blas_buffers.h"

#include <atomic>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#include "../executor/thread.h"
#include "../kernels/abandon.h"
#include "../kernels/products/blas.h"
#include "test.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace blasnet::test {
namespace {

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Emulators that run a program in their own process accept a limit of its memory, but don't apply it.
bool limitsApply() {
  constexpr size_t aboveTheLimit = size_t{1} << 30;
  void* block = mmap(nullptr, aboveTheLimit, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) return true;
  munmap(block, aboveTheLimit);
  return false;
}

TEST(buffersThatCanNotBeHadAreAnError) {
  rlimit old;
  getrlimit(RLIMIT_AS, &old);
  const rlimit little = {size_t{1} << 20, old.rlim_max};
  CHECK(setrlimit(RLIMIT_AS, &little) == 0);
  const bool limited = limitsApply();
  bool refused = false;
  try {
    // More than a test before this one has asked for.
    const BlasBuffers buffers(25);
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  setrlimit(RLIMIT_AS, &old);
  if (!limited) std::printf("  not run: limits of memory have no effect here\n");
  CHECK(refused || !limited);
  const BlasBuffers again(2);
}
#endif

TEST(productsOfManyThreadsAreRight) {
  constexpr int threads = 250;
  const int64_t n = emulated() ? 96 : 640;
  Random random(3);
  Buffer<float> a(n * n, random, -1, 1), b(n * n, random, -1, 1), expected(n * n);
  blasProduct(Way::whole, false, false, n, n, n, 1, a.data(), n, b.data(), n, 0, expected.data(), n);
#if defined(__linux__)
  char name[] = "/tmp/blasnet-stderr-XXXXXX";
  const int file = mkstemp(name), before = dup(STDERR_FILENO);
  dup2(file, STDERR_FILENO);
#endif
  std::atomic<int> wrong{0};
  {
    const BlasBuffers buffers(threads);
    std::vector<Thread> workers;
    for (int i = 0; i < threads; i++) {
      workers.emplace_back([&] {
        Buffer<float> c(n * n);
        blasProduct(Way::whole, false, false, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n);
        if (!c.sameBits(expected)) wrong++;
      });
    }
    for (Thread& worker : workers) worker.join();
  }
  CHECK(wrong == 0);
#if defined(__linux__)
  dup2(before, STDERR_FILENO);
  char words[200] = {};
  CHECK(pread(file, words, sizeof words - 1, 0) == 0);
  check(words[0] == 0, __FILE__, __LINE__, std::string("printed: ") + words);
  close(before);
  close(file);
  unlink(name);
#endif
}

TEST(aProductIsGivenUpWhenItsThreadIsToEnd) {
  constexpr int64_t n = 200;
  Buffer<float> a(n * n), b(n * n), c(n * n);
  for (int64_t i = 0; i < n * n; i++) a[i] = b[i] = 1;
  std::atomic<bool> flag{false};
  const Abandonment abandonment(&flag);
  CHECK(!abandoned());
  blasProduct(Way::whole, false, false, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n);
  CHECK(c[0] == n && c[n * n - 1] == n);
  flag = true;
  blasProduct(Way::whole, false, false, n, n, n, 1, b.data(), n, a.data(), n, 1, c.data(), n);
  CHECK(c[0] == n && c[n * n - 1] == n);
}

// Long products are cut; no bit depends on it. In an emulator the product is too short to be cut; that its parts have
// the same bits is seen there, too.
TEST(aLongProductHasTheBitsOfTheWhole) {
  constexpr int64_t m = 4200, n = 4100;
  const int64_t k = emulated() ? 8 : 600;
  Random random(4);
  Buffer<float> a(m * k, random, -1, 1), b(k * n, random, -1, 1), c(m * n), parts(m * n);
  blasProduct(Way::whole, false, false, m, n, k, 1, a.data(), k, b.data(), n, 0, c.data(), n);
  for (int64_t i = 0; i < m; i += 4096) {
    const int64_t rows = std::min<int64_t>(4096, m - i);
    blasProduct(Way::whole, false, false, rows, n, k, 1, a.data() + i * k, k, b.data(), n, 0, parts.data() + i * n, n);
  }
  CHECK(c.sameBits(parts));
}

}  // namespace
}  // namespace blasnet::test
