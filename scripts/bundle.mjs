/**
 * Makes dist/cli: main.js, and for each command a file with all that it needs and nothing else. A start reads one of
 * them, which `require` does in a fraction of the time that `import` takes for a graph of modules.
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

const target = join(root, 'dist/cli');

rmSync(target, { recursive: true, force: true });
const results = await Promise.all([
  build({ ...bundleOptions, entryPoints: [join(source, 'main.ts')], outdir: target }),
  ...[...names.map((name) => [name, [name]]), ['all-commands', names]].map(([name, commands]) =>
    build({
      ...bundleOptions,
      stdin: {
        contents: programOf(commands),
        resolveDir: source,
        sourcefile: `${name}.entry.ts`,
        loader: 'ts',
      },
      outfile: join(target, `${name}.js`),
      banner: { js: importMetaUrl },
    }),
  ),
]);

mkdirSync(target, { recursive: true });
writeFileSync(join(target, 'package.json'), '{ "type": "commonjs" }\n');

// It is read without decoding.
for (const name of readdirSync(target)) {
  if (/[^\0-\x7f]/.test(readFileSync(join(target, name), 'latin1'))) throw new Error(`${name} is not ASCII`);
}

const licenses = licensesOf(results.map(({ metafile }) => metafile));
writeFileSync(join(target, 'LICENSES'), licenses.join(`\n${'-'.repeat(80)}\n\n`));
