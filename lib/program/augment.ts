import { type Augmentation, augmentationType, resolveAugmentations } from '../augmentations.js';
import { BlasnetError } from '../errors.js';
import type { Loss, TargetKind } from '../losses/loss.js';
import { Stream } from '../random.js';
import { type Builder, elements, rows, type Shape, type Tensor, tensor } from './instructions.js';
import type { ModelInput } from './model.js';

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
 * Checks a list of augmentations; undefined if it is empty. A sample has the shape of the network's `input`, or
 * that of the data if only they say that it is an image. `losses` are those of the targets that mixing changes. Throws
 * `INVALID_ARGUMENT`, `UNKNOWN_OPTION` and `SHAPE_MISMATCH`.
 */
export function checkAugment(
  name: string,
  value: unknown,
  input: Pick<ModelInput, 'shape' | 'vocabulary'>,
  ofData: Shape | undefined,
  losses: readonly Loss[],
): Augment | undefined {
  const list = resolveAugmentations(name, value);
  if (input.vocabulary !== undefined && list.length > 0) {
    const text = `${list[0].type} is not possible with an input of indices`;
    throw new BlasnetError('INVALID_ARGUMENT', `${name}[0]: ${text}`);
  }
  const shape = ofData !== undefined && !isImage(input.shape) && isImage(ofData) ? ofData : input.shape;
  for (const [i, entry] of list.entries()) {
    const { images, check } = augmentationType(entry);
    const label = `${name}[${i}]: ${entry.type}`;
    if (images && !isImage(shape)) {
      const text = `expected samples of the shape [height, width, channels], got [${shape.join(', ')}]; give the dataset that shape`;
      throw new BlasnetError('SHAPE_MISMATCH', `${label}: ${text}`);
    }
    check?.(label, entry, shape);
    const labelled = losses.find(({ targets }) => !targets.includes('targets'));
    if (mixes(entry) && labelled !== undefined) {
      const text = `it mixes targets, but the loss ${labelled.kind} takes only labels`;
      throw new BlasnetError('INVALID_ARGUMENT', `${label}: ${text}`);
    }
  }
  return list.length === 0 ? undefined : { list, shape: [...shape], key: JSON.stringify([list, shape]) };
}

/** The lists of all inputs, in the network's order; undefined for an input without one. */
export type Augments = readonly (Augment | undefined)[];

const mixes = (entry: Augmentation) => augmentationType(entry).mixes;

/**
 * Checks that the inputs are mixed alike, as their rows belong together. Throws `INVALID_ARGUMENT` with the first input
 * whose list has other mixing entries than another's, and if one of them is of indices, which can't be mixed.
 */
export function checkMixing(name: string, inputs: readonly ModelInput[], augments: Augments): void {
  const mixing = augments.map((augment) => JSON.stringify(augment?.list.filter(mixes) ?? []));
  const mixed = mixing.findIndex((text) => text !== '[]');
  const other = mixing.findIndex((text) => text !== mixing[mixed]);
  if (mixed < 0 || other < 0) return;
  const indexed = inputs.find(({ vocabulary }) => vocabulary !== undefined);
  const [place, text] =
    indexed === undefined
      ? [other, `expected the same mixUp as in the list of ${inputs[mixed].name}`]
      : [mixed, `mixUp is not possible with an input of indices, which ${indexed.name} is`];
  throw new BlasnetError(
    'INVALID_ARGUMENT',
    `${name}: ${inputs[place].name}: the rows of all inputs are mixed alike: ${text}`,
  );
}

/** Distance between the streams of two inputs. */
const PER_INPUT = 0x100;

/** The random words of entry `i` of the list for an input. What mixes has those of the first input, in all lists. */
function drawsOf(builder: Builder, augments: Augments, input: number, i: number) {
  const mixing = (of: number) => (augments[of]?.list ?? []).flatMap((entry, at) => (mixes(entry) ? [at] : []));
  const turn = mixing(input).indexOf(i);
  const place = turn < 0 ? PER_INPUT * input + i : mixing(0)[turn];
  return { seed: builder.seed, stream: Stream.augment + place, step: { symbol: 'step' } } as const;
}

/** Writes the changes of a batch `x` of an input, by its index; returns the changed batch. */
export function writeAugment(builder: Builder, augments: Augments, input: number, x: Tensor): Tensor {
  const augment = augments[input];
  if (augment === undefined) return x;
  const { list, shape } = augment;
  const features = elements(shape);
  return list.reduce<Tensor>((changed, entry, i) => {
    const { images, write } = augmentationType(entry);
    const y = () => tensor(`x ${entry.type}`, 'work', { perRow: features });
    return write(builder, entry, changed, y, images ? shape : [features], drawsOf(builder, augments, input, i));
  }, x);
}

/** Writes the changes of a batch's targets or labels, as mixed rows have mixed targets; returns the changed ones. */
export function writeTargetAugment(
  builder: Builder,
  augments: Augments,
  kind: TargetKind,
  target: Tensor,
  outputs: number,
): { kind: TargetKind; target: Tensor } {
  const list = augments[0]?.list ?? [];
  if (!list.some(mixes)) return { kind, target };
  let mixed = target;
  if (kind === 'labels') {
    mixed = builder.perRow('oneHot', outputs);
    builder.emit('oneHot', { y: mixed, labels: target, rows: rows(), classes: outputs });
  }
  for (const [i, entry] of list.entries()) {
    const y = () => builder.perRow('mixed', outputs);
    if (mixes(entry))
      mixed = augmentationType(entry).write(builder, entry, mixed, y, [outputs], drawsOf(builder, augments, 0, i));
  }
  return { kind: 'targets', target: mixed };
}
