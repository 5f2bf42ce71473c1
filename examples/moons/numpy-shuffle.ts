/**
 * The shuffles of NumPy's legacy generator, `numpy.random.seed(seed)` and `numpy.random.permutation(n)`. The tutorial
 * draws the order of each epoch with it. MT19937 (Matsumoto and Nishimura 1998), then Fisher and Yates from the end.
 */
export function numpyPermutation(seed: number, n: number): Uint16Array {
  const word = mersenneTwister(seed);
  const order = Uint16Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    // A uniform integer from 0 to i: words under the smallest mask that covers i, drawn until one fits.
    const mask = 2 ** (32 - Math.clz32(i)) - 1;
    let j = word() & mask;
    while (j > i) j = word() & mask;
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let at = 624;
  return () => {
    if (at === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
        state[i] = state[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return y ^ (y >>> 18);
  };
}
