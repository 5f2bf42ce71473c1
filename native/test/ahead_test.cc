// Rows fetched ahead (native/executor/ahead.h): all of them, a few at a time, and nothing beyond the order. What is
// fetched does not show; that the order is read within its bounds, the sanitizer sees.
#include "../executor/ahead.h"

#include <memory>

#include "test.h"

namespace blasnet::test {
namespace {

TEST(aheadFetchesAllRowsInSoManyCalls) {
  for (const int64_t count : {1, 2, 7, 64}) {
    for (const int64_t calls : {1, 3, 25, 100}) {
      const auto source = std::make_unique<char[]>(5 * 784);
      const auto order = std::make_unique<int32_t[]>(static_cast<size_t>(count));
      // Numbers that are no rows are passed over.
      for (int64_t i = 0; i < count; i++) order[static_cast<size_t>(i)] = static_cast<int32_t>(i % 9 - 2);
      Ahead ahead(source.get(), 5, 784, 400, 784, order.get(), count, calls);
      CHECK(!ahead.done());
      int64_t made = 0;
      for (; made < calls && !ahead.done(); made++) ahead.fetchSome();
      CHECK(ahead.done() && made == (count + (count + calls - 1) / calls - 1) / ((count + calls - 1) / calls));
      ahead.fetchSome();
      CHECK(ahead.done());
    }
  }
}

TEST(aheadOfNothingIsDone) {
  Ahead ahead;
  ahead.fetchSome();
  CHECK(ahead.done());
}

}  // namespace
}  // namespace blasnet::test
