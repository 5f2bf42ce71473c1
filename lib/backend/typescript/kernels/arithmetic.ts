/** y = a · b, elementwise; y may be a or b. */
export function multiply(y: Float32Array, a: Float32Array, b: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) y[i] = a[i] * b[i];
}
