#include "scratch.h"

#include <memory>
#include <new>

namespace blasnet {
namespace {

constexpr std::align_val_t alignment{4096};

struct Free {
  void operator()(char* memory) const noexcept { ::operator delete(memory, alignment); }
};

thread_local bool isLent = false;

}  // namespace

Scratch threadScratch() noexcept {
  thread_local std::unique_ptr<char, Free> memory;
  if (memory == nullptr) memory.reset(static_cast<char*>(::operator new(largeScratch, alignment, std::nothrow)));
  return {memory.get(), largeScratch};
}

Scratch borrowScratch() noexcept {
  const Scratch scratch = isLent ? Scratch{nullptr, 0} : threadScratch();
  isLent = isLent || scratch.memory != nullptr;
  return scratch;
}

void returnScratch() noexcept { isLent = false; }

}  // namespace blasnet
