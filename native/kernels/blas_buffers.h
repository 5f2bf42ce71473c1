// OpenBLAS takes a buffer per product from a fixed-size table. If a buffer can't be allocated, it retries until there
// is memory; if more threads multiply than it has slots, it writes outside its tables. So buffers are created before a
// run, while an error can still be thrown, and excess threads wait for one.
#pragma once

namespace blasnet {

// Lets some threads multiply while it lives.
class BlasBuffers {
 public:
  // Throws std::bad_alloc if there is not enough memory for the buffers.
  explicit BlasBuffers(int threads);
  ~BlasBuffers();
  BlasBuffers(const BlasBuffers&) = delete;
  BlasBuffers& operator=(const BlasBuffers&) = delete;

 private:
  int threads_;
};

// Held during a product. Waits if more threads multiply than OpenBLAS has buffers for.
class BlasTurn {
 public:
  BlasTurn() noexcept;
  ~BlasTurn();
  BlasTurn(const BlasTurn&) = delete;
  BlasTurn& operator=(const BlasTurn&) = delete;

 private:
  bool counted_;
};

}  // namespace blasnet
