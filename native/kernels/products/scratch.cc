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

Scratch borrow() noexcept {
  if (isLent) return {nullptr, 0};
  isLent = true;
  return threadScratch();
}

}  // namespace

ScratchLoan::ScratchLoan() noexcept : scratch(borrow()) {}

ScratchLoan::~ScratchLoan() {
  if (scratch.bytes > 0) isLent = false;
}

Scratch threadScratch() noexcept {
  thread_local std::unique_ptr<char, Free> memory;
  if (memory == nullptr) memory.reset(static_cast<char*>(::operator new(largeScratch, alignment, std::nothrow)));
  return {memory.get(), largeScratch};
}

}  // namespace blasnet
