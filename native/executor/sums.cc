#include "sums.h"

#include <chrono>

namespace blasnet {

Sums::Sums(Group& group, size_t most) : group_(group) {
  started_.reserve(most);
  thread_ = Thread([this] { work(); });
}

Sums::~Sums() {
  finish();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Sums::start(float* values, int64_t count, bool shares, double* seconds) noexcept {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (started_.size() == started_.capacity()) await(lock);
    if (made_ == started_.size()) group_.spareCores(true);
    started_.push_back({values, count, shares, seconds});
  }
  changed_.notify_all();
}

bool Sums::finish() noexcept {
  std::unique_lock<std::mutex> lock(mutex_);
  // No thread computes any more.
  group_.spareCores(false);
  await(lock);
  return !failed_;
}

void Sums::await(std::unique_lock<std::mutex>& lock) {
  changed_.wait(lock, [this] { return made_ == started_.size(); });
  started_.clear();
  made_ = 0;
}

void Sums::work() noexcept {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ended_ || made_ < started_.size(); });
    if (made_ == started_.size()) return;
    const Sum sum = started_[made_];
    lock.unlock();
    const auto begin = std::chrono::steady_clock::now();
    const bool done = failed_ || (sum.shares ? group_.sumShares(sum.values, sum.count)  //
                                             : group_.sum(sum.values, sum.count));
    if (sum.seconds != nullptr)
      *sum.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    lock.lock();
    made_++;
    failed_ = failed_ || !done;
    changed_.notify_all();
  }
}

}  // namespace blasnet
