// A thread with enough stack for kernels, which keep blocks of up to 250 KiB on it: under musl std::thread has 128 KiB.
#pragma once

#include <pthread.h>

#include <exception>
#include <memory>
#include <system_error>
#include <utility>

namespace blasnet {

class Thread {
 public:
  static constexpr size_t stackBytes = size_t{2} << 20;

  Thread() = default;
  // Runs work() on a new thread; throws std::system_error if the system refuses it.
  template <typename Work>
  explicit Thread(Work work) {
    auto owned = std::make_unique<Work>(std::move(work));
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
      error = pthread_attr_setstacksize(&attributes, stackBytes);
      if (error == 0) error = pthread_create(&thread_, &attributes, run<Work>, owned.get());
      pthread_attr_destroy(&attributes);
    }
    if (error != 0) throw std::system_error(error, std::generic_category());
    owned.release();
    joinable_ = true;
  }
  Thread(Thread&& other) noexcept : thread_(other.thread_), joinable_(std::exchange(other.joinable_, false)) {}
  Thread& operator=(Thread&& other) noexcept {
    if (joinable_) std::terminate();
    thread_ = other.thread_;
    joinable_ = std::exchange(other.joinable_, false);
    return *this;
  }
  ~Thread() {
    if (joinable_) std::terminate();
  }

  bool joinable() const { return joinable_; }
  void join() {
    pthread_join(thread_, nullptr);
    joinable_ = false;
  }

 private:
  template <typename Work>
  static void* run(void* work) {
    (*std::unique_ptr<Work>(static_cast<Work*>(work)))();
    return nullptr;
  }

  pthread_t thread_{};
  bool joinable_ = false;
};

}  // namespace blasnet
