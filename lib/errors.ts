/** Stable codes of {@link BlasnetError}; a message may be reworded, a code stays. */
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
  | 'FILE_NOT_FOUND'
  | 'FILE_CORRUPT'
  | 'FILE_NOT_WRITTEN'
  | 'DATA_MISSING'
  | 'PACKAGE_MISSING'
  | 'OUT_OF_MEMORY'
  | 'INTERNAL';

/** Where a non-finite number was found, attached to errors of code `NON_FINITE`. */
export interface NonFiniteDetails {
  /** What holds the number: the data, or, where they are finite, only the loss, a parameter after an update or a running statistic. */
  where: 'features' | 'targets' | 'loss' | 'parameters' | 'state';
  /** Row in the dataset (or in the batch, for a synchronous step). */
  row?: number;
  column?: number;
  value?: number;
}

/** Every error that blasnet throws on purpose. */
export class BlasnetError extends Error {
  override readonly name = 'BlasnetError';
  readonly code: ErrorCode;
  readonly details: NonFiniteDetails | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: NonFiniteDetails } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details;
  }
}
