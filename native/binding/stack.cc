#include "stack.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#endif

namespace blasnet {

#if defined(__linux__)
namespace {

// V8 stops JavaScript after about 1 MiB; kernels keep blocks of up to 250 KiB.
constexpr size_t stackBytes = size_t{1280} << 10;
constexpr size_t pageBytes = 4096;

[[gnu::noinline]] void touchStack() noexcept {
  volatile char block[stackBytes];
  for (size_t end = stackBytes; end >= pageBytes; end -= pageBytes) block[end - 1] = 0;
}

}  // namespace

bool growStack() noexcept {
  // Those of other threads are mapped when they start.
  if (syscall(SYS_gettid) != getpid()) return true;
  rlimit limit{};
  if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur < 2 * stackBytes) return true;
  void* block = mmap(nullptr, stackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) return false;
  munmap(block, stackBytes);
  touchStack();
  return true;
}
#else
bool growStack() noexcept { return true; }
#endif

}  // namespace blasnet
