// Memory of a thread for copies of operands, larger than what fits on a stack.
#pragma once

#include <cstddef>
#include <cstdint>

namespace blasnet {

struct Scratch {
  void* memory;
  int64_t bytes;
};

namespace {

// Takes the first `count` elements of scratch that has them, in whole lines of a cache.
template <typename T>
T* take(Scratch& scratch, int64_t count) {
  void* taken = scratch.memory;
  const int64_t used = (count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
  scratch = {static_cast<char*>(taken) + used, scratch.bytes - used};
  return static_cast<T*>(taken);
}

// Copies of images at most this large stay in the second-level cache until they are multiplied.
constexpr int64_t heldBytes = int64_t{512} << 10;

// As many images, of `wanted`, as bytesFor(images) lets into the memory; more bytes than one takes only as far as they
// stay in the cache.
template <typename BytesFor>
int64_t imagesAtOnce(int64_t wanted, int64_t room, BytesFor bytesFor) {
  if (bytesFor(1) > room) return 0;
  // Positions of tiles are rounded up, so that a few small images may take no more than one.
  const int64_t held = room < heldBytes ? room : heldBytes, one = bytesFor(1), most = held < one ? one : held;
  int64_t images = 1;
  while (images < wanted && bytesFor(images + 1) <= most) images++;
  return images;
}

}  // namespace

constexpr int64_t smallScratch = 96 << 10;
constexpr int64_t largeScratch = 7 << 18;  // 1.75 MiB

// A thread has one for each: products may need memory while a caller holds copies of their operands.
enum class Use { packing, copies };

// Large scratch that a thread keeps from its first call on; null if there is no memory.
Scratch threadScratch(Use use) noexcept;

template <typename Work>
[[gnu::noinline]] void withSmallScratch(Work work) {
  alignas(64) char memory[smallScratch];
  work(Scratch{memory, smallScratch});
}

// The same, but null while it is in use; each borrower returns it. Functions, as kernels must not have destructors:
// code that unwinds is shared between instruction sets.
Scratch borrowScratch(Use use) noexcept;
void returnScratch(Use use) noexcept;

// Calls work(Scratch) with a thread's memory, or where there is none, or a caller uses it, with some of the stack.
template <typename Work>
void withScratch(Use use, Work work) {
  const Scratch scratch = borrowScratch(use);
  if (scratch.memory == nullptr) return withSmallScratch(work);
  work(scratch);
  returnScratch(use);
}

}  // namespace blasnet
