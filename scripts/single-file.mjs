/**
 * Makes one file of all that vmwalk is, for places without npm: `node scripts/single-file.mjs vmwalk.cjs`, and then
 * `node vmwalk.cjs compat …`. It has the pages that explain findings, and no built-in schemas: they are given as files.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { build } from 'esbuild';
import {
  bundleOptions,
  importMetaUrl,
  licensesOf,
  names,
  programOf,
  root,
  source,
} from './bundle-options.mjs';

const [output] = process.argv.slice(2);
if (output === undefined) {
  console.error('usage: node scripts/single-file.mjs FILE');
  process.exit(2);
}

/** @param {string} name */
const read = (name) => readFileSync(join(root, name));

/** Files of the package, by their names: folders of pages, and what is asked for by name. */
const files = Object.fromEntries([
  ['package.json', JSON.stringify({ version: JSON.parse(read('package.json').toString()).version })],
  ['schemas/index.json', '[]'],
  ...[
    'docs/diagnostics.md',
    ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((name) => /^(rules|messages\/\w+)\/.*\.md$/.test(name))
      .sort()
      .map((name) => `docs/${name}`),
  ].map((name) => [name, read(name).toString()]),
]);

/** An expression that gives bytes back. @param {string | Buffer} bytes */
const packed = (bytes) =>
  `require('node:zlib').inflateRawSync(Buffer.from('${deflateRawSync(bytes, { level: 9 }).toString('base64')}','base64'))`;

const packageFiles = `
let files;
const all = () => (files ??= JSON.parse(${packed(JSON.stringify(files))}));
export const packageText = (name) => {
  const text = all()[name];
  if (text === undefined) throw new Error(name + ' is not in this file');
  return text;
};
export const packageFolder = (name) =>
  Object.keys(all()).flatMap((each) => (each.startsWith(name) ? [each.slice(name.length)] : []));
export const packagePath = (name) => name;
`;

/** @type {import('esbuild').Plugin} */
const inOneFile = {
  name: 'in one file',
  setup(build) {
    build.onLoad({ filter: /src\/node\/package-files\.ts$/ }, () => ({
      contents: packageFiles,
      loader: 'js',
    }));
    build.onLoad({ filter: /src\/extract\/x86-64\/load-iced\.ts$/ }, () => ({
      // Not before it is asked for.
      contents: "export const loadIced = async () => require('iced-x86');",
      loader: 'js',
    }));
    build.onLoad({ filter: /iced_x86\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const reading = "require('fs').readFileSync(path)";
      if (text.split(reading).length !== 2) throw new Error(`${path} reads its WebAssembly in another way`);
      const wasm = readFileSync(path.replace(/\.js$/, '_bg.wasm'));
      return { contents: text.replace(reading, () => packed(wasm)), loader: 'js' };
    });
  },
};

const { metafile, outputFiles } = await build({
  ...bundleOptions,
  external: [],
  stdin: { contents: programOf(names), resolveDir: source, sourcefile: 'single.entry.ts', loader: 'ts' },
  banner: { js: `#!/usr/bin/env node\n${importMetaUrl}` },
  plugins: [...(bundleOptions.plugins ?? []), inOneFile],
  write: false,
});
const [{ text }] = outputFiles;
const licenses = [read('LICENSE').toString().trim(), ...licensesOf([metafile])].join(
  `\n\n${'-'.repeat(80)}\n\n`,
);
const whole = `${text}\n/*\n${licenses.replaceAll('*/', '* /').replace(/[^\0-\x7f]/g, '?')}\n*/\n`;
if (/[^\0-\x7f]/.test(whole)) throw new Error('what was made is not ASCII');
writeFileSync(output, whole, { mode: 0o755 });
