#include "../executor/call.h"

#include <cmath>
#include <limits>

#include "test.h"

namespace blasnet::test {
namespace {

Operand number(double value) {
  Operand operand;
  operand.kind = Operand::Kind::number;
  operand.number = value;
  return operand;
}

Operand buffer(Element element, void* data, size_t length) {
  Operand operand;
  operand.kind = Operand::Kind::buffer;
  operand.element = element;
  operand.data = data;
  operand.length = length;
  return operand;
}

// The reason for refusing a call, or "".
std::string reasonFor(double kernel, const std::vector<Operand>& operands) {
  KernelCall call;
  std::string error;
  return call.prepare(bestKernelSet(), kernel, operands.data(), operands.size(), error) ? "" : error;
}

TEST(kernelCallChecksItsArguments) {
  constexpr double relu = static_cast<double>(Kernel::relu);
  std::vector<float> x = {-1, 2, -3}, y(3);
  const Operand in = buffer(Element::f32, x.data(), 3), out = buffer(Element::f32, y.data(), 3);
  KernelCall call;
  std::string error;
  const Operand good[] = {out, in, number(3)};
  CHECK(call.prepare(bestKernelSet(), relu, good, 3, error));
  call.run();
  CHECK(y[0] == 0 && y[1] == 2 && y[2] == 0);

  for (const double kernel : {-1.0, 0.5, static_cast<double>(kernelCount), 1e300, std::nan("")}) {
    CHECK(reasonFor(kernel, {out, in, number(3)}) == "unknown kernel");
  }
  CHECK(reasonFor(relu, {out, in}) == "wrong number of arguments");
  CHECK(reasonFor(relu, {out, number(1), number(3)}) == "x: expected a typed array");
  CHECK(reasonFor(relu, {out, Operand(), number(3)}) == "x: expected a typed array");
  CHECK(reasonFor(relu, {out, buffer(Element::i32, x.data(), 3), number(3)}) == "x: wrong type of array");
  CHECK(reasonFor(relu, {out, in, in}) == "n: expected a number");
  for (const double n : {-1.0, 1.5, 2147483648.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    CHECK(reasonFor(relu, {out, in, number(n)}) == "n: out of range");
  }
  CHECK(reasonFor(relu, {out, in, number(4)}) == "y: too short");
  CHECK(reasonFor(relu, {out, buffer(Element::f32, x.data(), 2), number(3)}) == "x: too short");
}

// 2^16 in each of four dimensions: a product that wraps around to 0, which every buffer would be long enough for.
TEST(kernelCallRefusesALengthThatOverflows) {
  constexpr Kernel kernel = Kernel::avgPool2dForward;
  const Signature& signature = signatures[static_cast<int>(kernel)];
  float value = 0;
  std::vector<Operand> operands;
  for (int i = 0; i < signature.count; i++) {
    operands.push_back(signature.parameters[i].isBuffer() ? buffer(Element::f32, &value, 1) : number(65536));
  }
  CHECK(reasonFor(static_cast<double>(kernel), operands) == "y: its length overflows");
}

TEST(aCallWithTooFewArgumentsEndsItsCase) {
  Buffer<float> y(3), x(3);
  std::string reason;
  try {
    Call(bestKernelSet(), Kernel::relu, y, x);
  } catch (const Stopped& stopped) {
    reason = stopped.what();
  }
  CHECK(reason == "relu takes 3 arguments, not 2");
}

}  // namespace
}  // namespace blasnet::test
