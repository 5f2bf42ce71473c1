// Sleeping until an atomic number changes.
#pragma once

#include <atomic>

#if defined(_WIN32)
#include <windows.h>
#endif

namespace blasnet {

#if defined(_WIN32)

// Uses the system's own calls: std::atomic::wait of MinGW's library reads the value before it takes its lock, and
// misses a change in between.
template <typename T>
void sleepWhile(const std::atomic<T>& value, T old) {
  while (value.load(std::memory_order_acquire) == old) {
    WaitOnAddress(const_cast<std::atomic<T>*>(&value), &old, sizeof old, INFINITE);
  }
}
template <typename T>
void wakeAll(std::atomic<T>& value) {
  WakeByAddressAll(&value);
}

#else

// Returns once `value` differs from `old`.
template <typename T>
void sleepWhile(const std::atomic<T>& value, T old) {
  value.wait(old, std::memory_order_acquire);
}
// Wakes the threads that sleep on `value`, which has changed.
template <typename T>
void wakeAll(std::atomic<T>& value) {
  value.notify_all();
}

#endif

}  // namespace blasnet
