// The choice of a product's way, against what was measured on the processors that it was made for.
#include "../kernels/products/ways.h"

#include "test.h"

namespace {

using namespace blasnet;

bool isOwn(Way way) { return way == Way::tiles; }

Way wayOf(const Rule* rules, bool transA, bool transB, int64_t m, int64_t n, int64_t k) {
  return chooseRule(rules, {transA, transB, m, n, k, transA ? m : k, transB ? k : n}, false).way;
}

struct Rates {
  bool transA, transB;
  int64_t m, n, k;
  double rates[4];  // GFLOP/s in each way: whole, pieces, strips, tiles
};

template <size_t count>
void checkWays(const Rule* rules, const Rates (&measured)[count]) {
  for (const Rates& p : measured) {
    const double chosen = p.rates[static_cast<int>(wayOf(rules, p.transA, p.transB, p.m, p.n, p.k))];
    for (const double rate : p.rates) CHECK(chosen >= 0.92 * rate);
  }
}

// As it was measured on Sapphire Rapids, OpenBLAS 0.3.21, core SkylakeX.
TEST(waysOnIntel) {
  const Rule* rules = rulesFor("SkylakeX", Vendor::intel, 16, nullptr);
  const Rates measured[] = {
      {false, false, 64, 100, 784, {107, 136, 136, 129}},   {false, false, 8, 2048, 256, {48, 92, 92, 43}},
      {false, false, 32, 256, 1000, {107, 158, 158, 169}},  {false, false, 128, 512, 512, {147, 171, 171, 163}},
      {false, false, 512, 1000, 256, {157, 165, 165, 162}}, {false, false, 512, 64, 2048, {122, 137, 137, 153}},
      {false, false, 256, 2048, 784, {128, 133, 133, 126}}, {false, false, 256, 2048, 2048, {137, 123, 123, 125}},
      {false, true, 8, 256, 256, {41, 40, 151, 54}},        {false, true, 8, 64, 2048, {39, 108, 144, 65}},
      {false, true, 32, 64, 1000, {76, 111, 101, 114}},     {false, true, 32, 256, 64, {80, 135, 94, 117}},
      {false, true, 32, 256, 256, {86, 119, 147, 117}},     {false, true, 32, 1000, 2048, {73, 74, 100, 84}},
      {false, true, 64, 784, 100, {107, 142, 83, 136}},     {false, true, 128, 64, 2048, {113, 148, 131, 153}},
      {false, true, 256, 9, 32, {44, 44, 60, 45}},          {false, true, 256, 16, 32, {89, 90, 65, 111}},
      {false, true, 256, 2048, 10, {63, 78, 20, 75}},       {false, true, 512, 1000, 256, {146, 149, 121, 157}},
      {false, true, 128, 2048, 2048, {131, 112, 118, 132}}, {false, true, 256, 2048, 2048, {148, 120, 108, 131}},
      {true, false, 784, 100, 64, {129, 160, 160, 139}},    {true, false, 784, 512, 128, {155, 171, 171, 143}},
      {true, false, 2048, 64, 128, {144, 163, 163, 163}},   {true, false, 1000, 256, 512, {139, 114, 114, 101}},
      {true, false, 2048, 2048, 8, {33, 40, 40, 35}},       {true, false, 2048, 2048, 128, {130, 116, 116, 115}},
      {true, false, 2048, 2048, 256, {152, 108, 108, 120}}, {false, true, 24, 100, 32, {62, 91, 54, 85}},
      {false, true, 4, 1024, 10, {15, 15, 13, 24}},         {false, true, 4, 256, 10, {19, 19, 19, 24}},
      {false, true, 24, 32, 100, {77, 76, 79, 101}},
  };
  checkWays(rules, measured);
  // A share of the rows of the result has the way of the whole.
  CHECK(chooseRule(rules, {true, false, 392, 2048, 256, 784, 2048}, false).way == Way::whole);
}

// The same with AMX, the best of the other ways against parts.
TEST(partsOnIntel) {
  const Rule* rules = rulesFor("SkylakeX", Vendor::intel, 16, nullptr);
  const struct {
    bool transA, transB;
    int64_t m, n, k;
    double others, parts;
  } measured[] = {
      {false, false, 64, 100, 784, 136, 120}, {false, false, 64, 512, 512, 154, 178},
      {false, false, 32, 512, 512, 143, 126}, {false, false, 128, 512, 784, 131, 164},
      {false, false, 128, 64, 64, 164, 160},  {false, false, 256, 64, 288, 170, 164},
      {false, false, 512, 256, 64, 162, 220}, {false, false, 256, 2048, 2048, 121, 152},
      {false, true, 128, 512, 512, 134, 164}, {false, true, 256, 288, 64, 155, 214},
      {false, true, 48, 512, 512, 131, 123},  {false, true, 256, 2048, 2048, 141, 189},
      {true, false, 784, 512, 128, 130, 208}, {true, false, 2048, 2048, 256, 131, 160},
      {true, false, 64, 1000, 32, 147, 166},  {true, false, 2048, 1000, 8, 39, 53},
      {true, false, 784, 100, 64, 140, 142},  {true, false, 1000, 64, 512, 111, 108},
  };
  for (const auto& p : measured) {
    const Shape shape = {p.transA, p.transB, p.m, p.n, p.k, p.transA ? p.m : p.k, p.transB ? p.k : p.n};
    const bool isChosen = chooseRule(rules, shape, true).way == Way::parts;
    CHECK(isChosen ? p.parts >= 0.92 * p.others : p.others >= 0.92 * p.parts);
    CHECK(chooseRule(rules, shape, false).way != Way::parts);
  }
  CHECK(chooseRule(rulesFor("SkylakeX", Vendor::intel, 16, "parts"), {}, true).way == Way::parts);
  CHECK(chooseRule(rulesFor("SkylakeX", Vendor::intel, 16, "parts"), {}, false).way == Way::whole);
}

// As it was measured on Zen 5, OpenBLAS 0.3.21, core Cooperlake.
TEST(waysOnZen5) {
  const Rates measured[] = {
      {false, false, 64, 100, 784, {158, 201, 201, 172}},   {false, false, 8, 2048, 256, {49, 113, 113, 37}},
      {false, false, 256, 2048, 784, {176, 188, 188, 172}}, {false, true, 8, 256, 256, {45, 45, 155, 57}},
      {false, true, 8, 2048, 1000, {54, 114, 100, 63}},     {false, true, 8, 64, 2048, {25, 109, 145, 80}},
      {false, true, 8, 1024, 10, {36, 36, 29, 44}},         {false, true, 8, 256, 32, {39, 39, 77, 63}},
      {false, true, 16, 64, 32, {87, 87, 89, 100}},         {false, true, 32, 64, 1000, {101, 147, 129, 137}},
      {false, true, 32, 256, 64, {105, 147, 124, 134}},     {false, true, 32, 256, 256, {111, 155, 178, 133}},
      {false, true, 32, 1000, 2048, {92, 94, 120, 118}},    {false, true, 128, 256, 256, {160, 182, 167, 176}},
      {false, true, 256, 9, 32, {50, 50, 85, 49}},          {false, true, 256, 2048, 10, {84, 121, 26, 146}},
      {false, true, 512, 2048, 2048, {188, 195, 146, 175}}, {true, false, 784, 100, 64, {174, 201, 201, 183}},
      {true, false, 2048, 256, 512, {172, 176, 176, 162}},  {true, false, 2048, 2048, 8, {61, 93, 93, 76}},
      {true, false, 256, 2048, 8, {69, 90, 90, 111}},       {true, false, 1000, 2048, 8, {48, 93, 93, 103}},
      {true, false, 64, 2048, 8, {71, 111, 111, 110}},      {true, false, 256, 2048, 32, {146, 177, 177, 165}},
      {true, false, 2048, 1000, 8, {49, 152, 152, 114}},    {false, true, 32, 2048, 1000, {110, 106, 99, 118}},
  };
  checkWays(rulesFor("Cooperlake", Vendor::amd, 16, nullptr), measured);
}

// As it was measured on Zen 4 with the same.
TEST(waysOnZen4) {
  const Rule* rules = rulesFor("Cooperlake", Vendor::zen4, 16, nullptr);
  const Rates measured[] = {
      {false, false, 64, 100, 784, {91, 109, 109, 100}}, {false, false, 512, 2048, 256, {97, 104, 104, 98}},
      {false, true, 4, 400, 512, {28, 28, 102, 35}},     {false, true, 8, 64, 1000, {102, 102, 97, 57}},
      {false, true, 8, 256, 256, {46, 46, 99, 53}},      {false, true, 32, 1000, 2048, {52, 62, 79, 73}},
      {false, true, 64, 100, 100, {84, 98, 92, 92}},     {false, true, 256, 16, 32, {72, 71, 55, 98}},
      {false, true, 256, 9, 16, {34, 34, 27, 34}},       {false, true, 256, 6, 1000, {36, 73, 86, 36}},
      {false, true, 128, 2048, 2048, {82, 91, 89, 95}},  {false, true, 512, 2048, 2048, {96, 105, 90, 95}},
      {true, false, 784, 100, 64, {94, 110, 110, 104}},  {true, false, 2048, 256, 512, {92, 67, 67, 85}},
      {true, false, 2048, 2048, 512, {103, 78, 78, 93}}, {true, false, 2048, 2048, 256, {98, 101, 101, 93}},
  };
  checkWays(rules, measured);
  // A share of the rows of the result has the way of the whole.
  CHECK(chooseRule(rules, {true, false, 1024, 2048, 512, 2048, 2048}, false).way == Way::whole);
}

TEST(tilesOfPatches) {
  const auto is = [](PatchTiles tiles, bool manyWeights, int64_t minWidth) {
    return tiles.manyWeights == manyWeights && tiles.minWidth == minWidth;
  };
  CHECK(is(patchTilesFor("SkylakeX", Vendor::intel, 16, nullptr), true, 7));
  CHECK(is(patchTilesFor("Cooperlake", Vendor::zen4, 16, "tiles"), true, 8));
  CHECK(is(patchTilesFor("Cooperlake", Vendor::amd, 16, nullptr), true, 7));
  CHECK(is(patchTilesFor("SkylakeX", Vendor::intel, 16, "whole"), false, 8));
  CHECK(is(patchTilesFor("Haswell", Vendor::intel, 16, nullptr), false, 8));
}

// Winograd's algorithm where it was measured, without a wish or by name.
TEST(tilesByWinograd) {
  const auto most = [](Vendor vendor, int lanes, const char* wish) {
    return patchTilesFor("Cooperlake", vendor, lanes, wish).winograd;
  };
  for (const char* none : {static_cast<const char*>(nullptr), ""}) {
    for (const Vendor vendor : {Vendor::zen4, Vendor::amd, Vendor::intel}) {
      CHECK(most(vendor, 16, none) == 1.5 && most(vendor, 8, none) == 0);
    }
  }
  for (const char* way : {"whole", "pieces", "strips", "tiles"}) CHECK(most(Vendor::zen4, 16, way) == 0);
  for (const Vendor vendor : {Vendor::zen4, Vendor::amd, Vendor::intel, Vendor::other}) {
    CHECK(most(vendor, 4, "winograd") > 1e6);
  }
  CHECK(wayOf(rulesFor("Haswell", Vendor::amd, 8, "winograd"), false, false, 64, 100, 784) == Way::pieces);
}

TEST(waysOfOtherProcessors) {
  for (const char* core : {"Haswell", "Zen", "Neoversen1"}) {
    for (const int lanes : {4, 16}) {
      CHECK(wayOf(rulesFor(core, Vendor::amd, lanes, nullptr), false, false, 64, 100, 784) == Way::whole);
    }
  }
  const Rule* narrow = rulesFor("Haswell", Vendor::intel, 8, nullptr);
  CHECK(wayOf(narrow, false, false, 64, 100, 784) == Way::tiles &&
        wayOf(narrow, false, false, 1, 100, 784) == Way::whole);
  CHECK(wayOf(narrow, false, false, 256, 2048, 2048) == Way::whole);
  for (const Vendor vendor : {Vendor::zen4, Vendor::amd}) {
    const Rule* amd = rulesFor("Haswell", vendor, 8, nullptr);
    CHECK(wayOf(amd, false, false, 8, 256, 1000) == Way::tiles && wayOf(amd, false, false, 8, 1000, 64) == Way::whole);
    CHECK(wayOf(amd, false, true, 64, 100, 100) == Way::tiles && wayOf(amd, false, true, 4, 100, 16) == Way::whole);
    CHECK(wayOf(amd, true, false, 100, 100, 64) == Way::tiles && wayOf(amd, true, false, 784, 100, 64) == Way::whole);
    CHECK(wayOf(amd, true, false, 256, 2048, 8) == Way::tiles && wayOf(amd, true, false, 256, 2048, 16) == Way::whole);
    CHECK(wayOf(amd, true, false, 2048, 64, 32) == Way::tiles && wayOf(amd, true, false, 1000, 64, 128) == Way::whole);
    CHECK(wayOf(amd, false, false, 256, 2048, 2048) == Way::whole);
  }
  CHECK(wayOf(rulesFor("SkylakeX", Vendor::intel, 8, nullptr), false, false, 128, 512, 512) == Way::pieces);
  const Rule* unknown = rulesFor("SkylakeX", Vendor::other, 16, nullptr);
  CHECK(wayOf(unknown, false, true, 8, 256, 256) == Way::pieces &&
        wayOf(unknown, false, false, 32, 2048, 2048) == Way::pieces);
  CHECK(wayOf(rulesFor("SkylakeX", Vendor::other, 16, "0"), false, false, 256, 2048, 2048) == Way::whole);
  CHECK(wayOf(rulesFor("SkylakeX", Vendor::intel, 16, "whole"), false, false, 64, 100, 784) == Way::whole);
  CHECK(wayOf(rulesFor("Haswell", Vendor::amd, 8, "pieces"), false, false, 64, 100, 784) == Way::pieces);
  CHECK(isOwn(wayOf(rulesFor("Zen", Vendor::amd, 8, "tiles"), true, true, 1, 1, 1)));
  CHECK(isOwn(wayOf(rulesFor("Zen", Vendor::amd, 8, "tiles"), true, true, 1, 1, 1)));
}

}  // namespace
