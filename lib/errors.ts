import { cut } from './text.js';

/** Maximum message length. Values are shortened further, so that the expectation fits. */
const MAX_MESSAGE = 2000;

/** Stable codes of {@link BlasnetError}. Messages may be reworded; codes don't change. */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'UNKNOWN_OPTION'
  | 'SHAPE_MISMATCH'
  | 'LABEL_OUT_OF_RANGE'
  | 'EMPTY_DATA'
  | 'DETACHED_BUFFER'
  | 'RESIZABLE_BUFFER'
  | 'ALIASED_BUFFERS'
  | 'NON_FINITE'
  | 'NETWORK_BUSY'
  | 'NETWORK_DISPOSED'
  | 'BACKEND_UNAVAILABLE'
  | 'GROUP_FAILED'
  | 'FILE_NOT_FOUND'
  | 'FILE_CORRUPT'
  | 'FILE_NOT_WRITTEN'
  | 'DATA_MISSING'
  | 'PACKAGE_MISSING'
  | 'OUT_OF_MEMORY'
  | 'INTERNAL';

/** Where a non-finite number was found; attached to errors of code `NON_FINITE`. */
export interface NonFiniteDetails {
  /**
   * What contains the number: the data or, if they are finite, only the loss, a parameter after an update or a running
   * statistic. For `applyGradients`, the gradients.
   */
  where: 'features' | 'targets' | 'weights' | 'loss' | 'parameters' | 'state' | 'gradients';
  /** Name of the input or output, if there are several. */
  name?: string;
  /** Name of the parameter the gradient belongs to. */
  parameter?: string;
  /** Row in the dataset, or in the batch for synchronous steps. */
  row?: number;
  column?: number;
  value?: number;
}

/**
 * The class of all errors blasnet throws on purpose. Messages have at most 2000 characters; longer ones are shortened
 * in the middle.
 */
export class BlasnetError extends Error {
  override readonly name = 'BlasnetError';
  /** What went wrong; stable, unlike the message. */
  readonly code: ErrorCode;
  /** Where the number is, for `NON_FINITE`; undefined for other codes. */
  readonly details: NonFiniteDetails | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: NonFiniteDetails } = {}) {
    super(cut(String(message), MAX_MESSAGE), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details;
  }
}
