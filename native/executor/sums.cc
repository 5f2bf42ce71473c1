#include "sums.h"

#include <chrono>

namespace blasnet {

Sums::Sums(Group& group) : group_(group), thread_([this] { work(); }) {}

Sums::~Sums() {
  finish();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool Sums::start(float* values, int64_t count, double* seconds) noexcept {
  try {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!busy_ && waiting_.empty()) group_.spareCores(true);
    waiting_.push_back({values, count, seconds});
  } catch (...) {
    return false;
  }
  changed_.notify_all();
  return true;
}

bool Sums::finish() noexcept {
  std::unique_lock<std::mutex> lock(mutex_);
  // Nobody computes any more.
  group_.spareCores(false);
  changed_.wait(lock, [this] { return waiting_.empty() && !busy_; });
  return !failed_;
}

void Sums::work() noexcept {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Sum sum = waiting_.front();
    waiting_.pop_front();
    busy_ = true;
    lock.unlock();
    const auto begin = std::chrono::steady_clock::now();
    const bool done = failed_ || group_.sum(sum.values, sum.count);
    if (sum.seconds != nullptr)
      *sum.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    lock.lock();
    busy_ = false;
    failed_ = failed_ || !done;
    changed_.notify_all();
  }
}

}  // namespace blasnet
