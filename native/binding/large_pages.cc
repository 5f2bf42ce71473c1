#include "large_pages.h"

#include <cstdint>

#ifdef __linux__
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#endif

namespace blasnet {

#ifdef __linux__

namespace {

// MADV_COLLAPSE ignores this setting.
bool isForbidden() noexcept {
  static const bool answer = [] {
    char text[64] = "";
    const int file = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
    if (file < 0) return true;
    const ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    return length <= 0 || std::strstr(text, "[never]") != nullptr;
  }();
  return answer;
}

// Applies the advice to the whole pages within a block, if it is large enough. False if the system refuses it.
bool advise(void* data, size_t bytes, int advice) noexcept {
  constexpr uintptr_t page = 4096;
  if (bytes < size_t{2} << 20 || isForbidden()) return false;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) / page * page;
  return madvise(reinterpret_cast<void*>(begin), end - begin, advice) == 0;
}

}  // namespace

void adviseLargePages(void* data, size_t bytes) noexcept { advise(data, bytes, MADV_HUGEPAGE); }

bool moveToLargePages(void* data, size_t bytes) noexcept {
  constexpr int collapse = 25;  // MADV_COLLAPSE, since Linux 6.1; older headers lack it
  return advise(data, bytes, MADV_HUGEPAGE) && advise(data, bytes, collapse);
}

#else

void adviseLargePages(void*, size_t) noexcept {}
bool moveToLargePages(void*, size_t) noexcept { return false; }

#endif

}  // namespace blasnet
