#include "blas_buffers.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "products/blas.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/mman.h>
#endif

extern "C" {
// OpenBLAS's own functions. Weak, as some libraries don't export them and the fuzz targets have no OpenBLAS.
#if defined(__linux__)
#define BLASNET_WEAK __attribute__((weak))
#elif defined(__APPLE__)
#define BLASNET_WEAK __attribute__((weak_import))
#else
#define BLASNET_WEAK
#endif
BLASNET_WEAK void* blas_memory_alloc(int);
BLASNET_WEAK void blas_memory_free(void*);
}

namespace blasnet {
namespace {

// The buffer size in default builds of OpenBLAS; 32 MiB on some processors.
constexpr size_t bufferBytes = (size_t{128} << 20) + 4096;
// Memory that must remain free for allocations by others between the test and OpenBLAS's own request.
constexpr size_t spareBytes = size_t{64} << 20;
// OpenBLAS's kernels for small matrices allocate at most 32 bytes per multiplication of a sum, without a check. So much
// covers sums of 3,840; larger blocks would change when the C library returns memory to the system.
constexpr size_t smallBytes = size_t{120} << 10;

void* take(size_t bytes) {
#if defined(_WIN32)
  return VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
#else
  void* block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return block == MAP_FAILED ? nullptr : block;
#endif
}

void release(void* block, size_t bytes) {
#if defined(_WIN32)
  (void)bytes;
  VirtualFree(block, 0, MEM_RELEASE);
#else
  munmap(block, bytes);
#endif
}

// Throws std::bad_alloc if the system would refuse one of `count` buffers.
void tryMemory(size_t count) {
  std::vector<void*> blocks;
  blocks.reserve(count);
  while (blocks.size() < count) {
    void* block = take(bufferBytes);
    if (block == nullptr) break;
    blocks.push_back(block);
  }
  void* spare = blocks.size() == count ? take(spareBytes) : nullptr;
  if (spare != nullptr) release(spare, spareBytes);
  for (void* block : blocks) release(block, bufferBytes);
  if (spare == nullptr) throw std::bad_alloc();
}

// Throws std::bad_alloc if the calling thread's heap would refuse a block for a small matrix.
void trySmallBlock() {
  void* volatile block = std::malloc(smallBytes);
  if (block == nullptr) throw std::bad_alloc();
  std::free(block);
}

// Threads that may multiply concurrently: half of the slots in OpenBLAS's table. The other half is for threads that
// were about to start when the limit was reached. The table has two slots per thread OpenBLAS was built for, and at
// least fifty.
int maxUsers() {
  static const int answer = [] {
#if defined(BLASNET_OPENBLAS_THREADS)
    const int builtFor = BLASNET_OPENBLAS_THREADS;
#else
    const char* words = std::strstr(blasInfo().config, "MAX_THREADS=");
    const int builtFor = words != nullptr ? std::atoi(words + std::strlen("MAX_THREADS=")) : 1;
#endif
    return std::max(25, builtFor);
  }();
  return answer;
}

std::atomic<int> users{0};         // threads that may multiply
std::atomic<int> ready{0};         // buffers that are known to be there
std::atomic<bool> crowded{false};  // more users than maxUsers()
std::atomic<int> multiplying{0};   // while crowded
std::mutex mutex;
std::vector<void*> known;

// Creates buffers until `wanted` are known, while up to `others` threads multiply and may need new ones too. Holding
// all free buffers makes OpenBLAS allocate new ones.
void makeBuffers(int wanted, int others) {
  if (blas_memory_alloc == nullptr || static_cast<int>(known.size()) >= wanted) return;
  known.reserve(static_cast<size_t>(wanted + others));
  std::vector<void*> held;
  held.reserve(static_cast<size_t>(wanted + others));
  tryMemory(static_cast<size_t>(wanted + others) - known.size());
  while (static_cast<int>(known.size()) < wanted && held.size() < held.capacity()) {
    void* buffer = blas_memory_alloc(0);
    held.push_back(buffer);
    if (std::find(known.begin(), known.end(), buffer) == known.end()) known.push_back(buffer);
  }
  for (void* buffer : held) blas_memory_free(buffer);
}

}  // namespace

BlasBuffers::BlasBuffers(int threads) : threads_(threads) {
  trySmallBlock();
  const int total = users.fetch_add(threads) + threads;
  if (total <= ready.load()) return;
  try {
    const std::lock_guard<std::mutex> lock(mutex);
    const int most = maxUsers(), wanted = std::min(total, most);
    makeBuffers(wanted, std::min(total - threads, most));
    if (wanted > ready.load()) ready.store(wanted);
    if (total > most) crowded.store(true);
  } catch (...) {
    users.fetch_sub(threads);
    throw;
  }
}

BlasBuffers::~BlasBuffers() {
  users.fetch_sub(threads_);
  if (!crowded.load(std::memory_order_relaxed)) return;
  const std::lock_guard<std::mutex> lock(mutex);
  crowded.store(users.load() > maxUsers());
}

BlasTurn::BlasTurn() noexcept : counted_(crowded.load(std::memory_order_relaxed)) {
  if (!counted_) return;
  const int most = maxUsers();
  for (int now = multiplying.load();;) {
    if (now < most) {
      if (multiplying.compare_exchange_weak(now, now + 1)) return;
    } else {
      std::this_thread::yield();
      now = multiplying.load();
    }
  }
}

BlasTurn::~BlasTurn() {
  if (counted_) multiplying.fetch_sub(1);
}

}  // namespace blasnet
