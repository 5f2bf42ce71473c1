// A package registry on the loopback device: node .ci/package/registry.mjs <folder>
// It serves the folder's tarballs, with the two kinds of documents that a real registry makes of them, and prints its
// address.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [, , folder] = process.argv;
const abbreviated = 'application/vnd.npm.install-v1+json';
// What npm gets to see of a package when it installs: neither `scripts` nor `gypfile`, only whether there is an install
// script.
const kept = [
  ...['name', 'version', 'bin', 'cpu', 'os', 'libc', 'engines', 'hasInstallScript', 'dist', 'peerDependenciesMeta'],
  ...['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies', 'bundleDependencies'],
];

const tar = (...args) => execFileSync('tar', args, { encoding: 'utf8' });
const digest = (name, encoding, bytes) => createHash(name).update(bytes).digest(encoding);

function readPackage(file) {
  const path = join(folder, file);
  const bytes = readFileSync(path);
  const manifest = JSON.parse(tar('-xzOf', path, 'package/package.json'));
  const files = tar('-tzf', path).split('\n');
  const { preinstall, install, postinstall } = manifest.scripts ?? {};
  // npm publishes a binding.gyp in the root as an install script.
  const compiles = manifest.gypfile !== false && files.includes('package/binding.gyp');
  if (preinstall || install || postinstall || compiles) manifest.hasInstallScript = true;
  const integrity = `sha512-${digest('sha512', 'base64', bytes)}`;
  return {
    file,
    bytes,
    manifest,
    dist: { integrity, shasum: digest('sha1', 'hex', bytes), fileCount: files.length - 1 },
  };
}

const packages = readdirSync(folder)
  .filter((file) => file.endsWith('.tgz'))
  .map(readPackage);

function describe(name, address, short) {
  const versions = packages.filter(({ manifest }) => manifest.name === name);
  if (versions.length === 0) return undefined;
  const entries = versions.map(({ file, manifest, dist }) => {
    const whole = {
      ...manifest,
      _id: `${name}@${manifest.version}`,
      dist: { ...dist, tarball: `${address}/-/${file}` },
    };
    const entry = short
      ? Object.fromEntries(kept.filter((key) => key in whole).map((key) => [key, whole[key]]))
      : whole;
    return [manifest.version, entry];
  });
  return { name, 'dist-tags': { latest: entries.at(-1)[0] }, versions: Object.fromEntries(entries) };
}

function answer({ url, headers }) {
  const path = decodeURIComponent(url).slice(1);
  const tarball = packages.find(({ file }) => path === `-/${file}`);
  if (tarball) return ['application/octet-stream', tarball.bytes];
  // What `npm audit` asks: no advisories.
  if (path.startsWith('-/npm/v1/security/')) return ['application/json', '{}'];
  const short = headers.accept?.includes(abbreviated) ?? false;
  const document = describe(path, `http://${headers.host}`, short);
  return document && [short ? abbreviated : 'application/json', JSON.stringify(document)];
}

const server = createServer((request, response) => {
  const [type, body] = answer(request) ?? ['application/json', undefined];
  response.writeHead(body ? 200 : 404, { 'content-type': type }).end(body ?? '{"error":"not found"}');
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
