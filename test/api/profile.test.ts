import { expect, it } from 'vitest';
import { twoMoons } from '../../lib/data/index.js';
import { Adam, batchNorm, dense, Network, relu, softmaxCrossEntropy } from '../../lib/index.js';
import { onBackends } from './support.js';

onBackends('a profile', (backend) => {
  const network = () =>
    new Network({
      input: [2],
      layers: [dense(16), batchNorm(), relu(), dense(2)],
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend,
    });
  const data = twoMoons({ samples: 200, noise: 0.1, seed: 1 });

  it('refuses what is not true or false', async () => {
    await expect(network().fit(data, { profile: 1 as never })).rejects.toThrow(
      /fit: profile: expected true or false, got 1/,
    );
  });

  it('is absent unless asked for', async () => {
    expect((await network().fit(data)).profile).toBeUndefined();
  });

  it('has a line for each instruction of the program, with its time and rate', async () => {
    const trained = network();
    const history = await trained.fit(data, { epochs: 3, batchSize: 50, optimizer: new Adam(), profile: true });
    const lines = history.profile?.instructions ?? [];
    expect(lines.map((line) => line.kernel)).toEqual(trained.program.instructions.map((line) => line.kernel));
    expect(history.profile?.steps).toBe(12);
    for (const line of lines) {
      expect(line.seconds).toBeGreaterThan(0);
      expect(line.seconds).toBeLessThan(history.seconds);
    }
    expect(lines.reduce((sum, line) => sum + line.share, 0)).toBeCloseTo(1, 6);
    const text = String(history.profile).split('\n');
    expect(text).toHaveLength(lines.length + 1);
    expect(text[0]).toMatch(/^kernel +output +calls +µs a call +waited +share +rate$/);
    expect(text[2]).toMatch(/^denseForward +0\.y\[50×16\] +12 .* GFLOP\/s$/);
  });

  it('changes no result', async () => {
    const [plain, profiled] = [network(), network()];
    await plain.fit(data, { epochs: 2, batchSize: 64 });
    await profiled.fit(data, { epochs: 2, batchSize: 64, profile: true });
    for (const [i, parameter] of plain.parameters.entries())
      expect(profiled.parameters[i].value).toEqual(parameter.value);
  });
});
