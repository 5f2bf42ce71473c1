import { BlasnetError } from './errors.js';

/**
 * An optional peer dependency, loaded when something needs it: `loadPackage('imageFolder', 'sharp', () => import('sharp'))`.
 * Throws `PACKAGE_MISSING`, naming the command that installs it, or saying why the installed one does not load.
 */
export async function loadPackage<T>(caller: string, name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const missing = code === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${name}'`);
    const reason = missing ? 'is not installed' : `does not load (${message.split('\n', 1)[0]})`;
    throw new BlasnetError('PACKAGE_MISSING', `${caller}: the package ${name} ${reason}; run \`npm install ${name}\``, { cause });
  }
}
