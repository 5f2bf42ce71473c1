import { describe, expect, it } from 'vitest';
import { blobs, circles, type Dataset, type SyntheticOptions, spirals, twoMoons } from '../../lib/data/index.js';
import { expectError } from './expect-error.js';

const makers = { twoMoons, circles, spirals, blobs };

/** Calls back with x, y and label of each row. */
function each(data: Dataset, callback: (x: number, y: number, label: number) => void): void {
  for (let i = 0; i < data.length; i++)
    callback(data.features[2 * i], data.features[2 * i + 1], data.labels?.[i] as number);
}

describe.each(Object.entries(makers))('%s', (name, make: (options?: SyntheticOptions) => Dataset) => {
  it('throws', () => {
    expectError(() => make({ samples: 1.5 }), 'INVALID_ARGUMENT', /samples/);
    expectError(() => make({ noise: -1 }), 'INVALID_ARGUMENT', /noise/);
    expectError(() => make({ seed: -1 }), 'INVALID_ARGUMENT', /seed/);
    expectError(
      () => make({ rows: 1 } as SyntheticOptions),
      'UNKNOWN_OPTION',
      new RegExp(`${name}: unknown option "rows"`),
    );
  });

  it('makes points of alternating classes in shared memory', () => {
    const data = make();
    expect(data).toMatchObject({ length: 200, shape: [2] });
    expect(data.features).toBeInstanceOf(Float32Array);
    expect(data.features.buffer).toBeInstanceOf(SharedArrayBuffer);
    const counts = make({ samples: 7 }).classCounts();
    expect(Math.max(...counts) - Math.min(...counts)).toBe(1);
    expect(make({ samples: 0 }).length).toBe(0);
  });

  it('goes by the seed, and noise is what it says', () => {
    const points = make({ seed: 5 }).features;
    expect([...make({ seed: 5 }).features]).toEqual([...points]);
    expect([...make({ seed: 6 }).features]).not.toEqual([...points]);
    const clean = make({ samples: 4000, noise: 0, seed: 1 }).features;
    const noisy = make({ samples: 4000, noise: 0.3, seed: 1 }).features;
    let [sum, squares] = [0, 0];
    for (let i = 0; i < clean.length; i++) {
      sum += noisy[i] - clean[i];
      squares += (noisy[i] - clean[i]) ** 2;
    }
    expect(Math.abs(sum / clean.length)).toBeLessThan(0.015);
    expect(Math.sqrt(squares / clean.length)).toBeCloseTo(0.3, 2);
  });
});

describe('the curves', () => {
  it('twoMoons: two half circles', () => {
    each(twoMoons({ noise: 0, samples: 50 }), (x, y, label) => {
      const [cx, cy, side] = label === 0 ? [0, 0, 1] : [1, 0.5, -1];
      expect(Math.hypot(x - cx, y - cy)).toBeCloseTo(1, 5);
      expect((y - cy) * side).toBeGreaterThanOrEqual(0);
    });
  });

  it('circles: radius 1 and factor', () => {
    expectError(() => circles({ factor: 1 }), 'INVALID_ARGUMENT', /factor/);
    each(circles({ noise: 0, factor: 0.25 }), (x, y, label) =>
      expect(Math.hypot(x, y)).toBeCloseTo(label === 0 ? 1 : 0.25, 5),
    );
  });

  it('spirals: the angle grows with the radius', () => {
    expectError(() => spirals({ classes: 0 }), 'INVALID_ARGUMENT', /classes/);
    expectError(() => spirals({ turns: 0 }), 'INVALID_ARGUMENT', /turns/);
    const data = spirals({ noise: 0, classes: 3, turns: 1.5 });
    expect(data.classes).toBe(3);
    each(data, (x, y, label) => {
      const angle = 2 * Math.PI * (1.5 * Math.hypot(x, y) + label / 3);
      expect(Math.cos(Math.atan2(y, x) - angle)).toBeCloseTo(1, 4);
    });
  });

  it('blobs: centres evenly on a circle', () => {
    expectError(() => blobs({ classes: 0 }), 'INVALID_ARGUMENT', /classes/);
    expectError(() => blobs({ radius: -1 }), 'INVALID_ARGUMENT', /radius/);
    each(blobs({ noise: 0, classes: 4, radius: 3 }), (x, y, label) => {
      const [cx, cy] = [
        [3, 0],
        [0, 3],
        [-3, 0],
        [0, -3],
      ][label];
      expect(Math.hypot(x - cx, y - cy)).toBeCloseTo(0, 5);
    });
  });
});
