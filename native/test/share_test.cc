// How work is shared out (native/kernels/share.h): nothing is skipped, nothing done twice, and no share is much larger.
#include "../kernels/share.h"

#include <algorithm>

#include "test.h"

namespace blasnet::test {
namespace {

TEST(sharesCoverAllUnitsAndDifferByLessThanTwoGrains) {
  for (const int64_t grain : {1, 3, 16, 1600}) {
    for (int64_t parts = 1; parts <= 9; parts++) {
      for (int64_t units = 0; units < 9 * grain; units += grain < 100 ? 1 : 37) {
        int64_t at = 0, most = 0, least = units;
        for (int64_t part = 0; part < parts; part++) {
          const Share mine = share(units, grain, part, parts);
          CHECK(mine.begin == at && mine.end >= mine.begin && (mine.end % grain == 0 || mine.end == units));
          at = mine.end;
          most = std::max(most, mine.end - mine.begin);
          least = std::min(least, mine.end - mine.begin);
        }
        CHECK(at == units);
        CHECK(most - least < 2 * grain && most <= ((units + grain - 1) / grain + parts - 1) / parts * grain);
      }
    }
  }
  CHECK(share(784, 16, 0, 2).end == 400 && share(100, 16, 0, 2).end == 48 && share(100, 16, 6, 8).end == 96);
}

// A piece of memory and the matrix that it is: rows in runs of 16, elements in runs of 16 rows.
TEST(sharesOfElementsAreThoseOfTheirRows) {
  for (const int64_t width : {1, 7, 10, 100}) {
    for (int64_t rows = 0; rows < 200; rows++) {
      for (int64_t parts = 1; parts <= 5; parts++) {
        for (int64_t part = 0; part < parts; part++) {
          const Share ofRows = share(rows, 16, part, parts), ofElements = share(rows * width, 16 * width, part, parts);
          CHECK(ofElements.begin == ofRows.begin * width && ofElements.end == ofRows.end * width);
        }
      }
    }
  }
}

TEST(sharesOfTheLargestSizesDoNotOverflow) {
  constexpr int64_t most = INT32_MAX;
  for (int64_t part = 0; part < 256; part++) {
    for (const int64_t grain : {most, 16 * most}) {
      const Share large = share(most, grain, part, 256);
      CHECK(large.begin >= 0 && large.end <= most);
    }
  }
  CHECK(share(most, 1, 255, 256).end == most);
}

TEST(partsAreMultiplesOfFourAndEnough) {
  for (int64_t total = 1; total < 700; total++) {
    for (const int64_t most : {96, 128, 256}) {
      const int64_t part = partOf(total, most);
      CHECK(part % 4 == 0 && part <= most && (total + part - 1) / part == (total + most - 1) / most);
    }
  }
}

}  // namespace
}  // namespace blasnet::test
