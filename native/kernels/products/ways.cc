#include "ways.h"

#include <cstring>

namespace blasnet {

namespace {

constexpr double unlimited = 1e300, mebibyte = 1 << 20;
// What is left where few columns, a quarter or half of them are zero.
constexpr double few = 7.0 / 8, quarter = 3.0 / 4, half = 1.0 / 2;

// Zen 5. Pieces win except for some transposed right matrices. Strips read one in place if few rows or columns would
// not pay for its copy, or if its rows are a multiple of 4 KiB apart, which are slow to copy. Own tiles win where the
// depth is small, with many rows only if the result is wide, and some wide results of a small or large depth.
constexpr Rule amd512[] = {
    {Rule::transposedRight, 40, 32, 16, 0, unlimited, Way::pieces, few},
    {Rule::transposedRight, 40, 1024, 0, 0, unlimited, Way::tiles, few},
    {Rule::transposedRight, 40, 32, 0, 0, unlimited, Way::pieces, few},
    {Rule::aliasedRight, 0, 0, 0, 0, unlimited, Way::strips, few},
    {Rule::transposedRight, 24, 1500, 700, 0, unlimited, Way::tiles, few},
    {Rule::transposedRight, 0, 32, 700, 0, unlimited, Way::pieces, few},
    {Rule::transposedRight, 24, 48, 128, 0, unlimited, Way::strips, few},
    {Rule::transposedRight, 24, 48, 0, 0, unlimited, Way::pieces, few},
    {Rule::transposedRight, 0, 0, 64, 0, unlimited, Way::strips, few},
    {Rule::transposedRight, 12, 16, 0, 0, unlimited, Way::tiles, few},
    {Rule::transposedRight, 0, 0, 24, 0, unlimited, Way::strips, few},
    {Rule::transposedRight, 0, 16, 0, 0, unlimited, Way::tiles, few},
    {Rule::transposedLeft, 0, 0, 16, 0, unlimited, Way::pieces, few},
    {Rule::transposedLeft, 1500, 0, 0, 0, unlimited, Way::pieces, few},
    {Rule::transposedLeft, 0, 1500, 0, 0, unlimited, Way::tiles, few},
    {Rule::any, 0, 0, 0, 0, unlimited, Way::pieces, few},
};

// Zen 4. Pieces win except for some transposed matrices. Strips read a right one in place where few rows, or few
// columns, would not pay for its copy. Own tiles prefetch a large one while they copy it, and win where the copy then
// costs almost nothing.
constexpr Rule zen512[] = {
    {Rule::aliasedLeft, 0, 128, 384, 0, unlimited, Way::whole, few},
    {Rule::transposedRight, 192, 24, 0, 0, unlimited, Way::pieces, few},
    {Rule::transposedRight, 56, 24, 700, 0, unlimited, Way::tiles, few},
    {Rule::transposedRight, 24, 24, 192, 0, unlimited, Way::strips, few},
    {Rule::transposedRight, 24, 24, 0, 0, unlimited, Way::pieces, few},
    {Rule::transposedRight, 24, 16, 0, 0, unlimited, Way::tiles, few},
    {Rule::transposedRight, 0, 0, 64, 0, unlimited, Way::strips, few},
    {Rule::transposedRight, 8, 16, 0, 0, unlimited, Way::tiles, few},
    {Rule::transposedRight, 0, 0, 24, 0, unlimited, Way::strips, few},
    {Rule::any, 0, 0, 0, 0, unlimited, Way::pieces, few},
};

// Intel, measured on Sapphire Rapids. With AMX, parts win if no size is small. Without it, whole products win where all
// sizes are large, and earlier where the left matrix is transposed, which pieces read from far apart. Own tiles win for
// deep products of a moderate width, and for transposed right matrices that enough rows use to pay for copies.
// Otherwise pieces win, except for transposed right matrices and few rows, where strips do if the matrix is deep, and
// tiles if it is flat. Rows a multiple of 4 KiB apart are slow to copy, and others whose distance is not one of lines
// are slow to read in place. A form is left as soon as it is decided: for the smallest products, walking all rules
// takes 7 % of the time.
constexpr Rule intel512[] = {
    {Rule::transposedLeft, 128, 120, 32, 0, unlimited, Way::parts, half},
    {Rule::transposedLeft, 64, 500, 32, 0, unlimited, Way::parts, half},
    {Rule::transposedLeft, 1000, 1000, 8, 0, unlimited, Way::parts, half},
    {Rule::plainLeft, 128, 128, 64, 0, unlimited, Way::parts, half},
    {Rule::plainLeft, 64, 256, 256, 0, unlimited, Way::parts, half},
    {Rule::any, 200, 700, 700, 0, unlimited, Way::whole, quarter},
    {Rule::any, 300, 1500, 200, 0, unlimited, Way::whole, quarter},
    {Rule::plain, 0, 500, 0, 0, unlimited, Way::pieces, few},
    {Rule::plain, 0, 112, 300, 0, unlimited, Way::tiles, few},
    {Rule::plain, 192, 16, 2000, 0, unlimited, Way::tiles, few},
    {Rule::plain, 0, 0, 0, 0, unlimited, Way::pieces, few},
    {Rule::transposedLeft, 700, 48, 400, 0, unlimited, Way::whole, few},
    {Rule::transposedLeft, 300, 500, 500, 0, unlimited, Way::whole, few},
    {Rule::transposedLeft, 1000, 1000, 100, 0, unlimited, Way::whole, few},
    {Rule::transposedLeft, 0, 0, 0, 0, unlimited, Way::pieces, few},
    {Rule::transposedRight, 192, 200, 2000, 0, unlimited, Way::whole, few},
    {Rule::transposedRight, 100, 2000, 900, 0, unlimited, Way::whole, few},
    {Rule::transposedRight, 192, 16, 200, 0, unlimited, Way::tiles, few},
    {Rule::transposedRight, 64, 16, 700, 0, unlimited, Way::tiles, few},
    {Rule::transposedRight, 40, 24, 0, 0, unlimited, Way::pieces, few},
    {Rule::aliasedRight, 0, 0, 0, 0, unlimited, Way::strips, few},
    {Rule::transposedRight, 24, 48, 700, 0, unlimited, Way::pieces, few},
    {Rule::transposedRight, 24, 0, 128, 0, unlimited, Way::strips, few},
    {Rule::transposedRight, 24, 48, 0, 0, unlimited, Way::pieces, few},
    {Rule::transposedRight, 24, 16, 0, 0, unlimited, Way::tiles, few},
    {Rule::transposedRight, 0, 0, 64, 0, unlimited, Way::strips, few},
    {Rule::transposedRight, 12, 16, 0, 0, unlimited, Way::tiles, few},
    {Rule::transposedRight, 0, 0, 24, 0, unlimited, Way::strips, few},
    {Rule::transposedRight, 0, 16, 0, 0, unlimited, Way::tiles, few},
    {Rule::any, 0, 0, 0, 0, unlimited, Way::pieces, few},
};

// What was not measured, by what is common to those that were: pieces win up to about twice the second-level cache, and
// with few rows. Own tiles win where rows of the right matrix need a page each and the left one has enough rows to pay
// for copies.
constexpr Rule other512[] = {
    {Rule::plainLeft, 64, 256, 256, 513, 4 * mebibyte, Way::tiles, few},
    {Rule::any, 0, 0, 0, 0, 4 * mebibyte, Way::pieces, few},
    {Rule::any, 64, 0, 0, 0, unlimited, Way::whole, half},
    {Rule::any, 0, 0, 0, 0, unlimited, Way::pieces, half},
};

// AVX-512 kernels of OpenBLAS, but narrower ones of ours.
constexpr Rule narrow512[] = {
    {Rule::any, 0, 0, 0, 0, 4 * mebibyte, Way::pieces, few},
    {Rule::any, 0, 0, 0, 0, unlimited, Way::whole, few},
};

// OpenBLAS has no small kernels, and packing is a large part of a small product.
constexpr Rule intel256[] = {
    {Rule::any, 4, 16, 16, 0, 1.5 * mebibyte, Way::tiles, few},
    {Rule::any, 0, 0, 0, 0, unlimited, Way::whole, few},
};

// AVX2 of AMD, measured on Zen 4 with OpenBLAS's kernels for Haswell (blas_environment.cc).
constexpr Rule amd256[] = {
    {Rule::transposedLeft, 0, 16, 0, 0, mebibyte / 4, Way::tiles, few},
    {Rule::transposedLeft, 0, 0, 64, 0, unlimited, Way::whole, few},
    {Rule::transposedLeft, 1000, 16, 0, 0, 0.8 * mebibyte, Way::tiles, few},
    {Rule::transposedLeft, 0, 0, 16, 0, unlimited, Way::whole, few},
    {Rule::transposedLeft, 0, 1500, 0, 0, 4 * mebibyte, Way::tiles, few},
    {Rule::transposedLeft, 0, 0, 0, 0, unlimited, Way::whole, few},
    {Rule::plain, 0, 0, 0, 513, unlimited, Way::whole, few},
    {Rule::plain, 32, 16, 0, 0, mebibyte / 2, Way::tiles, few},
    {Rule::plain, 32, 0, 0, 0, unlimited, Way::whole, few},
    {Rule::plain, 0, 16, 0, 0, 4 * mebibyte, Way::tiles, few},
    {Rule::transposedRight, 4, 16, 24, 0, mebibyte, Way::tiles, few},
    {Rule::any, 0, 0, 0, 0, unlimited, Way::whole, few},
};

// NEON and the baseline: not measured since the tiles changed.
constexpr Rule others[] = {{Rule::any, 0, 0, 0, 0, unlimited, Way::whole, few}};

constexpr Rule forced[] = {
    {Rule::any, 0, 0, 0, 0, unlimited, Way::whole, few},
    {Rule::any, 0, 0, 0, 0, unlimited, Way::pieces, few},
    {Rule::any, 0, 0, 0, 0, unlimited, Way::strips, few},
    {Rule::any, 0, 0, 0, 0, unlimited, Way::tiles, few},
    {Rule::any, 0, 0, 0, 0, unlimited, Way::pieces, few},  // of "winograd", which is a way of convolutions
    {Rule::any, 0, 0, 0, 0, unlimited, Way::parts, few},
    {Rule::any, 0, 0, 0, 0, unlimited, Way::whole, few},  // of "parts" without AMX
};
constexpr const char* wayNames[] = {"whole", "pieces", "strips", "tiles", "winograd", "parts"};
constexpr int ways = sizeof wayNames / sizeof *wayNames;

// OpenBLAS has small kernels for these cores. They reach the machine's peak, while the general path, which packs both
// operands first, does not.
constexpr const char* smallKernelCores[] = {"SkylakeX", "Cooperlake", "Sapphirerapids"};

bool hasSmallKernels(const char* core) noexcept {
  for (const char* name : smallKernelCores) {
    if (std::strcmp(core, name) == 0) return true;
  }
  return false;
}

bool isAmd(Vendor vendor) noexcept { return vendor == Vendor::zen4 || vendor == Vendor::amd; }

bool hasForm(Rule::Form form, const Shape& s) noexcept {
  constexpr int64_t aliased = 4096 / sizeof(float);
  switch (form) {
    case Rule::any: return true;
    case Rule::plainLeft: return !s.transA;
    case Rule::plain: return !s.transA && !s.transB;
    case Rule::transposedRight: return !s.transA && s.transB;
    case Rule::transposedLeft: return s.transA && !s.transB;
    case Rule::aliasedLeft: return s.transA && !s.transB && s.lda % aliased == 0;
    case Rule::aliasedRight: return !s.transA && s.transB && s.ldb % aliased == 0;
  }
  return false;
}

}  // namespace

Vendor vendor() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_is("amdfam19h")) return Vendor::zen4;
  if (__builtin_cpu_is("amd")) return Vendor::amd;
  if (__builtin_cpu_is("intel")) return Vendor::intel;
#endif
  return Vendor::other;
}

const Rule* rulesFor(const char* core, Vendor vendor, int lanes, const char* wish) noexcept {
  for (int way = 0; wish != nullptr && way < ways; way++) {
    if (std::strcmp(wish, wayNames[way]) == 0) return &forced[way];
  }
  if (hasSmallKernels(core)) {
    if (lanes < 16) return narrow512;
    switch (vendor) {
      case Vendor::zen4: return zen512;
      case Vendor::amd: return amd512;
      case Vendor::intel: return intel512;
      case Vendor::other: return other512;
    }
  }
  if (lanes != 8) return others;
  return vendor == Vendor::intel ? intel256 : isAmd(vendor) ? amd256 : others;
}

PatchTiles patchTilesFor(const char* core, Vendor vendor, int lanes, const char* wish) noexcept {
  const auto is = [wish](const char* name) { return wish != nullptr && std::strcmp(wish, name) == 0; };
  const bool isNamed = wish != nullptr && *wish != '\0';
  // A named way is for all products, of which Winograd's algorithm has others.
  const double winograd = is("winograd") ? unlimited : lanes == 16 && !isNamed ? 1.5 : 0;
  if (is("whole") || !hasSmallKernels(core)) return {false, 8, winograd};
  return {true, vendor == Vendor::zen4 ? 8 : 7, winograd};
}

const Rule& chooseRule(const Rule* rule, const Shape& s, bool hasParts) noexcept {
  const double m = static_cast<double>(s.m), n = static_cast<double>(s.n), k = static_cast<double>(s.k);
  const double bytes = sizeof(float) * (m * k + k * n + m * n);
  const auto applies = [&](const Rule& r) {
    return hasForm(r.form, s) && s.m >= r.m && s.n >= r.n && s.k >= r.k && s.ldb >= r.ldb && bytes <= r.mostBytes &&
           (hasParts || r.way != Way::parts);
  };
  while (!applies(*rule)) rule++;
  return *rule;
}

}  // namespace blasnet
