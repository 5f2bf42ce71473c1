// The choice of a product's way, against what was measured on the processors that it was made for.
#include "../kernels/products/product_rules.h"

#include "test.h"

namespace {

using namespace blasnet;

struct Measured {
  int64_t rows, in, out;
  double pieces[3], whole[3];  // GFLOP/s of the forward product, the input gradient and the weight gradient
};

// An Intel Xeon (Sapphire Rapids class), OpenBLAS 0.3.21, core SkylakeX, one thread.
constexpr Measured intel[] = {
    {64, 784, 100, {176, 178, 190}, {140, 135, 153}},    {64, 100, 100, {164, 160, 197}, {162, 116, 191}},
    {64, 100, 10, {65, 119, 113}, {64, 84, 111}},        {128, 784, 512, {188, 185, 198}, {163, 162, 173}},
    {128, 512, 512, {195, 193, 211}, {174, 164, 172}},   {256, 784, 2048, {167, 162, 160}, {170, 175, 178}},
    {256, 2048, 2048, {122, 143, 115}, {171, 169, 186}}, {32, 256, 256, {139, 139, 204}, {129, 100, 137}},
    {256, 256, 256, {206, 211, 214}, {178, 174, 182}},   {1024, 1024, 1024, {145, 156, 122}, {179, 188, 175}},
    {16, 4096, 4096, {58, 62, 51}, {56, 58, 58}},
};

// Of the best way of each product, the chosen one is never more than 8 % slower than BLAS's whole product, nor much
// slower than the pieces where these win.
TEST(productRulesOnIntel) {
  const ProductRules rules = rulesFor("SkylakeX", false, nullptr);
  CHECK(rules.smallKernels);
  for (const Measured& product : intel) {
    for (int form = 0; form < 3; form++) {
      const double pieces = product.pieces[form], whole = product.whole[form];
      const double chosen = rules.isLarge(product.rows, product.out, product.in) ? whole : pieces;
      CHECK(chosen >= 0.92 * whole && chosen >= 0.92 * pieces);
    }
  }
}

TEST(productRulesOfOtherProcessors) {
  const ProductRules amd = rulesFor("Cooperlake", true, nullptr);
  CHECK(amd.smallKernels && !amd.isLarge(256, 2048, 2048) && !amd.isLarge(1 << 20, 1 << 20, 1 << 20));
  CHECK(!rulesFor("Haswell", false, nullptr).smallKernels && !rulesFor("Zen", true, nullptr).smallKernels);
  CHECK(!rulesFor("SkylakeX", false, "0").smallKernels);
  const ProductRules forced = rulesFor("Haswell", false, "1");
  CHECK(forced.smallKernels && !forced.isLarge(2048, 2048, 2048));
  CHECK(rulesFor("SkylakeX", false, "tiles").isLarge(2048, 2048, 2048));
}

}  // namespace
