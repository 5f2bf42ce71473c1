import { type Augmentation, augmentationType, resolveAugmentations } from '../augmentations.js';
import { BlasnetError } from '../errors.js';
import type { Loss, TargetKind } from '../losses/loss.js';
import { Stream } from '../random.js';
import { type Builder, elements, rows, type Shape, type Tensor, tensor } from './instructions.js';

/** The augmentations of a training, for samples of a shape. */
export interface Augment {
  readonly list: readonly Augmentation[];
  /** Shape of a sample: [height, width, channels] if one of them needs images. */
  readonly shape: Shape;
  /** Equal for lists that make the same program. */
  readonly key: string;
}

const isImage = (shape: Shape | undefined) => shape?.length === 3;

/**
 * Checks a list of augmentations; undefined if it is empty. A sample has the network's `input` shape, or that of the
 * data if only they say that it is an image. `losses` are those of the targets that mixing changes; undefined where
 * mixing is not possible. Throws `INVALID_ARGUMENT`, `UNKNOWN_OPTION` and `SHAPE_MISMATCH`.
 */
export function checkAugment(
  name: string,
  value: unknown,
  input: Shape,
  ofData: Shape | undefined,
  losses: readonly Loss[] | undefined,
): Augment | undefined {
  const list = resolveAugmentations(name, value);
  const shape = ofData !== undefined && !isImage(input) && isImage(ofData) ? ofData : input;
  for (const [i, entry] of list.entries()) {
    const { images, mixes, check } = augmentationType(entry);
    const label = `${name}[${i}]: ${entry.type}`;
    if (images && !isImage(shape)) {
      const text = `expected samples of the shape [height, width, channels], got [${shape.join(', ')}]; give the dataset that shape`;
      throw new BlasnetError('SHAPE_MISMATCH', `${label}: ${text}`);
    }
    check?.(label, entry, shape);
    if (mixes && losses === undefined)
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `${label}: it mixes rows with their targets: for networks with one input`,
      );
    const labelled = losses?.find(({ targets }) => !targets.includes('targets'));
    if (mixes && labelled !== undefined) {
      const text = `it mixes targets, but the loss ${labelled.kind} takes only labels`;
      throw new BlasnetError('INVALID_ARGUMENT', `${label}: ${text}`);
    }
  }
  return list.length === 0 ? undefined : { list, shape: [...shape], key: JSON.stringify([list, shape]) };
}

/** Distance between the streams of two inputs. */
const PER_INPUT = 0x100;

/** The random words of entry `i` of the list for an input. */
const drawsOf = (builder: Builder, input: number, i: number) =>
  ({ seed: builder.seed, stream: Stream.augment + PER_INPUT * input + i, step: { symbol: 'step' } }) as const;

/** Writes the changes of a batch `x` of an input, by its index; returns the changed batch. */
export function writeAugment(builder: Builder, { list, shape }: Augment, input: number, x: Tensor): Tensor {
  const features = elements(shape);
  return list.reduce<Tensor>((changed, entry, i) => {
    const { images, write } = augmentationType(entry);
    const y = () => tensor(`x ${entry.type}`, 'work', { perRow: features });
    return write(builder, entry, changed, y, images ? shape : [features], drawsOf(builder, input, i));
  }, x);
}

/** Writes the changes of a batch's targets or labels, as mixed rows have mixed targets; returns the changed ones. */
export function writeTargetAugment(
  builder: Builder,
  { list }: Augment,
  kind: TargetKind,
  target: Tensor,
  outputs: number,
): { kind: TargetKind; target: Tensor } {
  if (!list.some((entry) => augmentationType(entry).mixes)) return { kind, target };
  let mixed = target;
  if (kind === 'labels') {
    mixed = builder.perRow('oneHot', outputs);
    builder.emit('oneHot', { y: mixed, labels: target, rows: rows(), classes: outputs });
  }
  for (const [i, entry] of list.entries()) {
    const { mixes, write } = augmentationType(entry);
    const y = () => builder.perRow('mixed', outputs);
    if (mixes) mixed = write(builder, entry, mixed, y, [outputs], drawsOf(builder, 0, i));
  }
  return { kind: 'targets', target: mixed };
}
