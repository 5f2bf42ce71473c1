#include "scratch.h"

#include <memory>
#include <new>

namespace blasnet {
namespace {

constexpr std::align_val_t alignment{4096};

struct Free {
  void operator()(char* memory) const noexcept { ::operator delete(memory, alignment); }
};

struct Loan {
  std::unique_ptr<char, Free> memory;
  bool isLent = false;
};

Loan& loanFor(Use use) noexcept {
  thread_local Loan loans[2];
  return loans[static_cast<int>(use)];
}

}  // namespace

Scratch threadScratch(Use use) noexcept {
  auto& memory = loanFor(use).memory;
  if (memory == nullptr) memory.reset(static_cast<char*>(::operator new(largeScratch, alignment, std::nothrow)));
  return {memory.get(), largeScratch};
}

Scratch borrowScratch(Use use) noexcept {
  Loan& loan = loanFor(use);
  const Scratch scratch = loan.isLent ? Scratch{nullptr, 0} : threadScratch(use);
  loan.isLent = loan.isLent || scratch.memory != nullptr;
  return scratch;
}

void returnScratch(Use use) noexcept { loanFor(use).isLent = false; }

}  // namespace blasnet
