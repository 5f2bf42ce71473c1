// Aborts kernels early when the process or the thread's environment ends and nobody will read the results.
#pragma once

#include <atomic>

namespace blasnet {

// While it lives, kernels on this thread skip their remaining work once `flag` is set. With null they never do.
class Abandonment {
 public:
  explicit Abandonment(const std::atomic<bool>* flag) noexcept;
  ~Abandonment();
  Abandonment(const Abandonment&) = delete;
  Abandonment& operator=(const Abandonment&) = delete;
};

// To be checked in loops that may take more than some tens of milliseconds.
bool abandoned() noexcept;

}  // namespace blasnet
