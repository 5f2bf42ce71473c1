/**
 * Share `part` of `parts` in `units` units, in runs of whole `grain`s: where it begins and ends. Larger shares come
 * first, unless the last grain is a short one. As `share` in native/kernels/share.h;
 * test/conformance/divisions.test.ts compares the two.
 */
export function share(
  units: number,
  grain: number,
  part: number,
  parts: number,
): readonly [begin: number, end: number] {
  const up = units % grain === 0 ? parts - 1 : 0;
  const boundary = (i: number) => Math.min(units, Math.floor((Math.ceil(units / grain) * i + up) / parts) * grain);
  return [boundary(part), boundary(part + 1)];
}
