import { createRequire } from 'node:module';

/** blasnet's version. */
export const { version } = createRequire(import.meta.url)('blasnet/package.json') as { version: string };
