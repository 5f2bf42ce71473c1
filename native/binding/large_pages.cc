#include "large_pages.h"

#include <cstdint>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace blasnet {

#ifdef __linux__

namespace {

// Applies the advice to the whole pages within a block, if it is large enough. Advice that the system refuses or does
// not know is no error.
void advise(void* data, size_t bytes, int advice) noexcept {
  constexpr uintptr_t page = 4096;
  if (bytes < size_t{2} << 20) return;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) / page * page;
  madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

}  // namespace

void adviseLargePages(void* data, size_t bytes) noexcept { advise(data, bytes, MADV_HUGEPAGE); }

void moveToLargePages(void* data, size_t bytes) noexcept {
  constexpr int collapse = 25;  // MADV_COLLAPSE, since Linux 6.1; older headers lack it
  adviseLargePages(data, bytes);
  advise(data, bytes, collapse);
}

#else

void adviseLargePages(void*, size_t) noexcept {}
void moveToLargePages(void*, size_t) noexcept {}

#endif

}  // namespace blasnet
