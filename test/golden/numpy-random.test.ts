/** The generator that replays the shuffles of the whole runs draws what NumPy drew. */
import { expect, it } from 'vitest';
import { Golden } from './golden.js';
import { NumpyRandom } from './numpy-random.js';

function draw<T>(count: number, next: () => T): T[] {
  return Array.from({ length: count }, next);
}

it("draws NumPy's numbers", () => {
  const golden = new Golden('rng_numpy_legacy');
  const seeds = golden.numbers('inputs.seeds');
  expect(seeds).not.toHaveLength(0);
  for (const seed of seeds) {
    const group = `seed${seed}`;
    const fresh = () => new NumpyRandom(seed);
    const [words, uniforms, normals, integers] = [fresh(), fresh(), fresh(), fresh()];
    golden.exact(
      `${group}.first_words`,
      draw(4, () => words.word()),
    );
    golden.double(
      `${group}.rand`,
      draw(5, () => uniforms.uniform()),
    );
    golden.double(
      `${group}.randn`,
      draw(7, () => normals.normal()),
    );
    golden.exact(
      `${group}.randint10`,
      draw(12, () => integers.integer(9)),
    );
    golden.exact(`${group}.permutation20`, fresh().permutation(20));
  }
  golden.complete();
});
