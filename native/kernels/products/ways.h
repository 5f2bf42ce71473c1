// The ways to compute a matrix product, and the table that says which one is fastest on a family of processors, by
// measurement (docs/decisions/0003-small-products.md, `npm run bench:products`). The bits of a result depend on the
// way, so the choice never changes within a process and is the same on all processors of a family.
#pragma once

#include <cstdint>

namespace blasnet {

enum class Way {
  whole,   // one product of BLAS
  pieces,  // cut to the size of OpenBLAS's kernels for small matrices
  strips,  // cut so that a transposed right matrix is read in place by those kernels; otherwise pieces
  tiles,   // our own
  parts,   // our own on AMX, each number as the sum of three bfloat16
};

struct Shape {
  bool transA, transB;
  int64_t m, n, k;
  int64_t lda, ldb;  // distances between rows of the left and of the right matrix
};

constexpr double unlimited = 1e300;

// What few rules set.
struct RuleDetails {
  int64_t ldb = 0;              // the smallest distance between rows of the right matrix to which the rule applies
  double maxBytes = unlimited;  // the largest size of both operands and the result together
  // The largest share of columns of a batch that are not all zero for which skipping the others pays.
  double keptShare = 7.0 / 8;
};

// Applies to products of at least these sizes.
struct Rule {
  enum Form {
    any,
    plainLeft,        // the left matrix is not transposed
    plain,            // neither is
    transposedRight,  // the right matrix is, and only that
    transposedLeft,   // the left matrix is, and only that
    aliasedLeft,      // only the left matrix is, and its rows, a multiple of 4 KiB apart, share sets of the caches
    aliasedRight,     // the same of the right matrix
  } form;
  int64_t m, n, k;
  Way way;
  RuleDetails details = {};
};

enum class Vendor {
  zen4,  // AMD's family of Zen 3 and 4, of which Zen 4 has AVX-512
  amd,   // its other ones
  intel,
  other,
};

Vendor vendor() noexcept;

// The rules of a family of processors, the last of which applies to every shape. core: OpenBLAS's name of its kernels;
// lanes: floats in a vector of ours; wish: the name of a way for all products, from BLASNET_PRODUCTS, or null.
const Rule* rulesFor(const char* core, Vendor vendor, int lanes, const char* wish) noexcept;

// Where convolutions are faster in own tiles than in BLAS's products of blocks of patches.
struct PatchTiles {
  bool manyWeights;  // also with more weights than fit a packed copy
  int64_t minWidth;  // pixels of an output row
  double winograd;   // by Winograd's algorithm, if it computes at most this many times the pixels of the output
};
PatchTiles patchTilesFor(const char* core, Vendor vendor, int lanes, const char* wish) noexcept;

// The first rule that applies; without AMX, the first that applies and does not name parts.
const Rule& chooseRule(const Rule* rules, const Shape& shape, bool hasParts) noexcept;

}  // namespace blasnet
