// Prefetches rows of the next batch into the cache during the current one: shuffled rows are scattered over the
// dataset, where the hardware prefetcher does not help. Fetches a few rows at a time, because a core with too many
// outstanding requests stalls.
#pragma once

#include <cstdint>

namespace blasnet {

class Ahead {
 public:
  // Fetches nothing.
  Ahead() = default;
  // Fetches the bytes [from, to) of the `count` rows listed in `order`, in about `calls` calls. The dataset has `rows`
  // rows of `rowBytes` bytes each.
  Ahead(const void* source, int64_t rows, int64_t rowBytes, int64_t from, int64_t to, const int32_t* order,
        int64_t count, int64_t calls)
      : source_(static_cast<const char*>(source)),
        rows_(rows),
        rowBytes_(rowBytes),
        from_(from),
        to_(to),
        next_(order),
        end_(order + count),
        each_((count + calls - 1) / calls) {}

  void fetchSome() {
    for (int64_t i = 0; i < each_ && next_ < end_; i++) {
      const int32_t row = *next_++;
      if (row < 0 || row >= rows_) continue;
      const char* bytes = source_ + row * rowBytes_;
      for (int64_t byte = from_; byte < to_; byte += line) __builtin_prefetch(bytes + byte);
      if (to_ > from_) __builtin_prefetch(bytes + to_ - 1);
    }
  }

  bool done() const { return next_ == end_; }

 private:
  static constexpr int64_t line = 64;

  const char* source_ = nullptr;
  int64_t rows_ = 0, rowBytes_ = 0, from_ = 0, to_ = 0;
  const int32_t *next_ = nullptr, *end_ = nullptr;
  int64_t each_ = 0;
};

}  // namespace blasnet
