import { expect, it } from 'vitest';
import { AdaGrad, Adam, type Network, type Optimizer } from '../../lib/index.js';
import { flat, forms, values } from './optimizer-support.js';
import { classData, classifier, expectError, expectSameBits, onBackends } from './support.js';

const any = (value: unknown) => value as never;

onBackends("an optimizer's state", (backend) => {
  const options = {
    learningRate: ({ step }: { step: number }) => 0.05 / (1 + 0.1 * step),
    groups: [{ match: '2.bias', learningRate: 0.01 }],
  };
  const data = classData(160);
  const batch = (i: number) => data.slice(16 * (i % 10), 16 * (i % 10) + 16);
  const train = (of: Network, optimizer: Optimizer, from: number, to: number) => {
    for (let i = from; i < to; i++) of.trainBatch(batch(i), any(undefined), optimizer);
  };

  /** A network with the same parameters and state, and another seed. */
  function copyOf(of: Network): Network {
    const copy = classifier(backend, { seed: 99 });
    for (const [i, { value }] of of.parameters.entries()) copy.parameters[i].value.set(value);
    return copy;
  }

  it.each(forms)(
    '%s: a run goes on from its middle with the same bits, restored before or after the first use',
    (_, make) => {
      const [of, optimizer] = [classifier(backend), make(options)];
      train(of, optimizer, 0, 10);
      optimizer.rateFactor = 0.5;
      const saved = optimizer.save();
      const [early, late, byHand] = [copyOf(of), copyOf(of), copyOf(of)];
      const copies = [make(options), make(options), make(options)];
      copies[0].restore(saved);
      train(late, copies[1], 3, 6);
      copies[1].restore(saved);
      for (const [i, { value }] of of.parameters.entries()) late.parameters[i].value.set(value);
      train(byHand, copies[2], 3, 6);
      for (const [name, moment] of copies[2].moments) moment.set(optimizer.moments.get(name) as Float32Array);
      copies[2].steps = optimizer.steps;
      copies[2].rateFactor = optimizer.rateFactor;
      for (const [i, { value }] of of.parameters.entries()) byHand.parameters[i].value.set(value);

      train(of, optimizer, 10, 20);
      [early, late, byHand].forEach((copy, i) => {
        train(copy, copies[i], 10, 20);
        expectSameBits(values(copy), values(of));
        expectSameBits([...copies[i].moments.values()], [...optimizer.moments.values()]);
        expect(copies[i].steps).toBe(20);
      });
    },
  );

  it('a saved state is a copy, and one from before the first use starts again', () => {
    const [of, optimizer] = [classifier(backend), new Adam(options)];
    const fresh = optimizer.save();
    expect(fresh).toEqual({ steps: 0, rateFactor: 1 });
    train(of, optimizer, 0, 2);
    const saved = optimizer.save();
    const kept = Object.values(saved.moments ?? {}).map((moment) => Array.from(moment));
    train(of, optimizer, 2, 4);
    expect(Object.values(saved.moments ?? {}).map((moment) => Array.from(moment))).toEqual(kept);
    optimizer.restore(fresh);
    expect(optimizer.steps).toBe(0);
    expect(flat([...optimizer.moments.values()]).every((value) => value === 0)).toBe(true);
    const other = new AdaGrad({ initialAccumulator: 0.5 });
    other.restore({ steps: 3, rateFactor: 1 });
    classifier(backend).applyGradients(other);
    expect((other.moments.get('accumulator') as Float32Array).every((value) => value >= 0.5)).toBe(true);
    const pending = new Adam();
    pending.restore(saved);
    const given = pending.save();
    expect(given).toEqual(saved);
    for (const moment of Object.values(saved.moments ?? {})) moment.fill(9);
    expect(pending.save(), 'restore copies').toEqual(given);
  });

  it('refuses a state of something else, and changes nothing then', () => {
    const [of, optimizer] = [classifier(backend), new Adam()];
    train(of, optimizer, 0, 2);
    const saved = optimizer.save();
    const moments = saved.moments as Record<string, Float32Array>;
    const bad: [unknown, RegExp][] = [
      [undefined, /^restore: state: expected what save\(\) returned/],
      [{ ...saved, steps: -1 }, /^restore: steps/],
      [{ ...saved, rateFactor: Number.NaN }, /^restore: rateFactor/],
      [{ ...saved, moments: { m: moments.m } }, /^restore: moments: expected a Float32Array for each of: m, v/],
      [{ ...saved, moments: { ...moments, vMax: moments.v } }, /^restore: moments/],
      [{ ...saved, moments: { m: moments.m, v: [...moments.v] } }, /^restore: moments/],
      [{ ...saved, moments: null }, /^restore: moments/],
    ];
    for (const [state, message] of bad) {
      expectError(() => optimizer.restore(any(state)), 'INVALID_ARGUMENT', message);
      expectError(() => new Adam().restore(any(state)), 'INVALID_ARGUMENT', message);
    }
    const short = { ...saved, steps: 7, moments: { m: moments.m, v: moments.v.slice(1) } };
    expectError(
      () => optimizer.restore(short),
      'SHAPE_MISMATCH',
      /^restore: moments: v: expected \d+ elements, got \d+/,
    );
    expect(optimizer.save()).toEqual(saved);
    const later = new Adam();
    later.restore(short);
    expectError(() => classifier(backend).applyGradients(later), 'SHAPE_MISMATCH', /^restore: moments: v/);
    expectError(() => (optimizer.rateFactor = -1), 'INVALID_ARGUMENT', /^rateFactor/);
    expectError(() => new Adam().moments, 'INVALID_ARGUMENT', /no moments before its first use/);
  });
});
