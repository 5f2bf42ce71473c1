/** Points of a curve, at most this many and the newest. The page thins in the same way. */
export const MOST_POINTS = 600;

/**
 * A curve that grows without end in bounded memory: when it is full, every second point goes, and from then on only
 * every second, fourth, … new one stays. The newest is always there.
 */
export class Curve<T extends { readonly epoch: number }> {
  points: T[] = [];
  stride = 1;
  count = 0;
  newest: T | undefined;

  add(point: T): void {
    this.newest = point;
    if (this.count++ % this.stride !== 0) return;
    this.points.push(point);
    if (this.points.length <= MOST_POINTS) return;
    this.points = this.points.filter((_, i) => i % 2 === 0);
    this.stride *= 2;
  }

  /** Forgets the points of this epoch and later ones: a training that was resumed repeats them. */
  cutAt(epoch: number): void {
    this.points = this.points.filter((point) => point.epoch < epoch);
    this.newest = this.points.at(-1);
    this.count = this.points.length * this.stride;
    // As fine as if it had never been longer.
    while (this.stride > 1 && 2 * this.count <= MOST_POINTS * this.stride) this.stride /= 2;
  }
}
