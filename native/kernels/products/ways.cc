#include "ways.h"

#include <cstring>

namespace blasnet {

namespace {

constexpr double mebibyte = 1 << 20;

// Zen 5. Pieces win except for some transposed right matrices. Strips read one in place if few rows or columns would
// not pay for its copy, or if its rows are a multiple of 4 KiB apart, which are slow to copy. Own tiles win where the
// depth is small, with many rows only if the result is wide, and some wide results of a small or large depth.
constexpr Rule amd512[] = {
    {Rule::transposedRight, 40, 32, 16, Way::pieces},
    {Rule::transposedRight, 40, 1024, 0, Way::tiles},
    {Rule::transposedRight, 40, 32, 0, Way::pieces},
    {Rule::aliasedRight, 0, 0, 0, Way::strips},
    {Rule::transposedRight, 24, 1500, 700, Way::tiles},
    {Rule::transposedRight, 0, 32, 700, Way::pieces},
    {Rule::transposedRight, 24, 48, 128, Way::strips},
    {Rule::transposedRight, 24, 48, 0, Way::pieces},
    {Rule::transposedRight, 0, 0, 64, Way::strips},
    {Rule::transposedRight, 12, 16, 0, Way::tiles},
    {Rule::transposedRight, 0, 0, 24, Way::strips},
    {Rule::transposedRight, 0, 16, 0, Way::tiles},
    {Rule::transposedLeft, 0, 0, 16, Way::pieces},
    {Rule::transposedLeft, 1500, 0, 0, Way::pieces},
    {Rule::transposedLeft, 0, 1500, 0, Way::tiles},
    // All others.
    {Rule::any, 0, 0, 0, Way::pieces},
};

// Zen 4. Pieces win except for some transposed matrices. Strips read a right one in place where few rows, or few
// columns, would not pay for its copy. Own tiles prefetch a large one while they copy it, and win where the copy then
// costs almost nothing.
constexpr Rule zen512[] = {
    {Rule::aliasedLeft, 0, 128, 384, Way::whole},
    {Rule::transposedRight, 192, 24, 0, Way::pieces},
    {Rule::transposedRight, 56, 24, 700, Way::tiles},
    {Rule::transposedRight, 24, 24, 192, Way::strips},
    {Rule::transposedRight, 24, 24, 0, Way::pieces},
    {Rule::transposedRight, 24, 16, 0, Way::tiles},
    {Rule::transposedRight, 0, 0, 64, Way::strips},
    {Rule::transposedRight, 8, 16, 0, Way::tiles},
    {Rule::transposedRight, 0, 0, 24, Way::strips},
    // All others.
    {Rule::any, 0, 0, 0, Way::pieces},
};

// Intel, measured on Sapphire Rapids. With AMX, parts win if no size is small. Without it, whole products win where all
// sizes are large, and earlier where the left matrix is transposed, which pieces read from far apart. Own tiles win for
// deep products of a moderate width, and for transposed right matrices that enough rows use to pay for copies.
// Otherwise pieces win, except for transposed right matrices and few rows, where strips do if the matrix is deep, and
// tiles if it is flat. Rows a multiple of 4 KiB apart are slow to copy, and others whose distance is not one of lines
// are slow to read in place. A form is left as soon as it is decided: for the smallest products, walking all rules
// takes 7 % of the time.
constexpr Rule intel512[] = {
    {Rule::transposedLeft, 128, 120, 32, Way::parts, {.keptShare = 1.0 / 2}},
    {Rule::transposedLeft, 64, 500, 32, Way::parts, {.keptShare = 1.0 / 2}},
    {Rule::transposedLeft, 1000, 1000, 8, Way::parts, {.keptShare = 1.0 / 2}},
    {Rule::plainLeft, 128, 128, 64, Way::parts, {.keptShare = 1.0 / 2}},
    {Rule::plainLeft, 64, 256, 256, Way::parts, {.keptShare = 1.0 / 2}},
    {Rule::any, 200, 700, 700, Way::whole, {.keptShare = 3.0 / 4}},
    {Rule::any, 300, 1500, 200, Way::whole, {.keptShare = 3.0 / 4}},
    {Rule::plain, 0, 500, 0, Way::pieces},
    {Rule::plain, 0, 112, 300, Way::tiles},
    {Rule::plain, 192, 16, 2000, Way::tiles},
    {Rule::plain, 0, 0, 0, Way::pieces},
    {Rule::transposedLeft, 700, 48, 400, Way::whole},
    {Rule::transposedLeft, 300, 500, 500, Way::whole},
    {Rule::transposedLeft, 1000, 1000, 100, Way::whole},
    {Rule::transposedLeft, 0, 0, 0, Way::pieces},
    {Rule::transposedRight, 192, 200, 2000, Way::whole},
    {Rule::transposedRight, 100, 2000, 900, Way::whole},
    {Rule::transposedRight, 192, 16, 200, Way::tiles},
    {Rule::transposedRight, 64, 16, 700, Way::tiles},
    {Rule::transposedRight, 40, 24, 0, Way::pieces},
    {Rule::aliasedRight, 0, 0, 0, Way::strips},
    {Rule::transposedRight, 24, 48, 700, Way::pieces},
    {Rule::transposedRight, 24, 0, 128, Way::strips},
    {Rule::transposedRight, 24, 48, 0, Way::pieces},
    {Rule::transposedRight, 24, 16, 0, Way::tiles},
    {Rule::transposedRight, 0, 0, 64, Way::strips},
    {Rule::transposedRight, 12, 16, 0, Way::tiles},
    {Rule::transposedRight, 0, 0, 24, Way::strips},
    {Rule::transposedRight, 0, 16, 0, Way::tiles},
    {Rule::any, 0, 0, 0, Way::pieces},
};

// What was not measured, by what is common to those that were: pieces win up to about twice the second-level cache, and
// with few rows. Own tiles win where rows of the right matrix need a page each and the left one has enough rows to pay
// for copies.
constexpr Rule other512[] = {
    {Rule::plainLeft, 64, 256, 256, Way::tiles, {.ldb = 513, .maxBytes = 4 * mebibyte}},
    {Rule::any, 0, 0, 0, Way::pieces, {.maxBytes = 4 * mebibyte}},
    {Rule::any, 64, 0, 0, Way::whole, {.keptShare = 1.0 / 2}},
    {Rule::any, 0, 0, 0, Way::pieces, {.keptShare = 1.0 / 2}},
};

// AVX-512 kernels of OpenBLAS, but narrower ones of ours.
constexpr Rule narrow512[] = {
    {Rule::any, 0, 0, 0, Way::pieces, {.maxBytes = 4 * mebibyte}},
    {Rule::any, 0, 0, 0, Way::whole},
};

// OpenBLAS has no small kernels, and packing is a large part of a small product.
constexpr Rule intel256[] = {
    {Rule::any, 4, 16, 16, Way::tiles, {.maxBytes = 1.5 * mebibyte}},
    {Rule::any, 0, 0, 0, Way::whole},
};

// AVX2 of AMD, measured on Zen 4 with OpenBLAS's kernels for Haswell (blas_environment.cc).
constexpr Rule amd256[] = {
    {Rule::transposedLeft, 0, 16, 0, Way::tiles, {.maxBytes = mebibyte / 4}},
    {Rule::transposedLeft, 0, 0, 64, Way::whole},
    {Rule::transposedLeft, 1000, 16, 0, Way::tiles, {.maxBytes = 0.8 * mebibyte}},
    {Rule::transposedLeft, 0, 0, 16, Way::whole},
    {Rule::transposedLeft, 0, 1500, 0, Way::tiles, {.maxBytes = 4 * mebibyte}},
    {Rule::transposedLeft, 0, 0, 0, Way::whole},
    {Rule::plain, 0, 0, 0, Way::whole, {.ldb = 513}},
    {Rule::plain, 32, 16, 0, Way::tiles, {.maxBytes = mebibyte / 2}},
    {Rule::plain, 32, 0, 0, Way::whole},
    {Rule::plain, 0, 16, 0, Way::tiles, {.maxBytes = 4 * mebibyte}},
    {Rule::transposedRight, 4, 16, 24, Way::tiles, {.maxBytes = mebibyte}},
    {Rule::any, 0, 0, 0, Way::whole},
};

// NEON and the baseline: not measured since the tiles changed.
constexpr Rule others[] = {{Rule::any, 0, 0, 0, Way::whole}};

// What BLASNET_PRODUCTS may name. The second rule is for machines without AMX.
struct NamedRules {
  const char* name;
  Rule rules[2];
};
constexpr Rule always(Way way) { return {Rule::any, 0, 0, 0, way}; }
constexpr NamedRules forced[] = {
    {"whole", {always(Way::whole)}},
    {"pieces", {always(Way::pieces)}},
    {"strips", {always(Way::strips)}},
    {"tiles", {always(Way::tiles)}},
    {"winograd", {always(Way::pieces)}},  // a way of convolutions only
    {"parts", {always(Way::parts), always(Way::whole)}},
};

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
  for (const NamedRules& named : forced) {
    if (wish != nullptr && std::strcmp(wish, named.name) == 0) return named.rules;
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
    return hasForm(r.form, s) && s.m >= r.m && s.n >= r.n && s.k >= r.k && s.ldb >= r.details.ldb &&
           bytes <= r.details.maxBytes && (hasParts || r.way != Way::parts);
  };
  while (!applies(*rule)) rule++;
  return *rule;
}

}  // namespace blasnet
