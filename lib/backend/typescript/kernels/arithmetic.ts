/** y = a · b, elementwise; y may be a or b. */
export function multiply(y: Float32Array, a: Float32Array, b: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) y[i] = a[i] * b[i];
}

/** y = Σ_p terms_p. */
export function sumParts(y: Float32Array, terms: Float32Array, n: number, parts: number): void {
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let part = 0; part < parts; part++) sum += terms[part * n + i];
    y[i] = sum;
  }
}
