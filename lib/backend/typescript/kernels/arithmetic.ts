/** y = Σ_p terms_p. */
export function sumParts(y: Float32Array, terms: Float32Array, n: number, parts: number): void {
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let part = 0; part < parts; part++) sum += terms[part * n + i];
    y[i] = sum;
  }
}

/** y = x · factors, one factor per row and channel for all its pixels; y may be x. */
export function multiplyChannels(
  y: Float32Array,
  x: Float32Array,
  factors: Float32Array,
  rows: number,
  pixels: number,
  channels: number,
): void {
  for (let row = 0, o = 0; row < rows; row++) {
    const first = row * channels;
    for (let pixel = 0; pixel < pixels; pixel++) {
      for (let c = 0; c < channels; c++, o++) y[o] = x[o] * factors[first + c];
    }
  }
}
