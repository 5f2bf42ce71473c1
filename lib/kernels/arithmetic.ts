/** What adds the results of parts. */
import { input, kernel, out, size } from './signature.js';

export const arithmeticKernels = {
  sumParts: kernel('n', out('y', ['n']), input('terms', ['parts', 'n']), size('n'), size('parts')),
} as const;

/** y = Σ_p terms_p. */
export function sumParts(y: Float32Array, terms: Float32Array, n: number, parts: number): void {
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let part = 0; part < parts; part++) sum += terms[part * n + i];
    y[i] = sum;
  }
}
