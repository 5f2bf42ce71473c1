/** Functions that JavaScript's Math lacks, and the random words of dropout and shuffle. */

/** Upper tail of the error function, z ≥ 0: a series of positive terms below 3, a continued fraction above. */
function erfcPositive(z: number): number {
  if (z < 3) {
    let term = z;
    let sum = z;
    for (let n = 1; term > sum * 1e-18; n++) {
      term *= (2 * z * z) / (2 * n + 1);
      sum += term;
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
  }
  let fraction = z;
  for (let k = 120; k >= 1; k--) fraction = z + k / 2 / fraction;
  return Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction;
}

export function erfc(z: number): number {
  return z < 0 ? 2 - erfcPositive(-z) : erfcPositive(z);
}

/** Distribution function of the standard normal. */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x / Math.SQRT2);
}

const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
];

/** Threefry-2x32 with 20 rounds, straight from the paper's description. */
export function threefry2x32(key: readonly [number, number], counter: readonly [number, number]): [number, number] {
  const mask = 0xffffffffn;
  const k = [BigInt(key[0]), BigInt(key[1])];
  k.push(0x1bd11bdan ^ k[0] ^ k[1]);
  let x = (BigInt(counter[0]) + k[0]) & mask;
  let y = (BigInt(counter[1]) + k[1]) & mask;
  for (let round = 0; round < 20; round++) {
    const r = BigInt(rotations[Math.floor(round / 4) % 2][round % 4]);
    x = (x + y) & mask;
    y = (((y << r) | (y >> (32n - r))) & mask) ^ x;
    if (round % 4 === 3) {
      const s = (round + 1) / 4;
      x = (x + k[s % 3]) & mask;
      y = (y + k[(s + 1) % 3] + BigInt(s)) & mask;
    }
  }
  return [Number(x), Number(y)];
}
