/**
 * Makes dist/cli: main.js, and for each command a file with all that it needs and nothing else. A start reads one of
 * them, which `require` does in a fraction of the time that `import` takes for a graph of modules.
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src/cli');
const target = join(root, 'dist/cli');

/** @type {string[]} */
const names = JSON.parse(readFileSync(join(source, 'command-names.json'), 'utf8'));

/** @type {import('esbuild').BuildOptions} */
const options = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  // With a WebAssembly file of its own.
  external: ['iced-x86'],
  // Names stay, for reports of errors.
  minifyWhitespace: true,
  minifySyntax: true,
  define: { 'import.meta.url': 'importMetaUrl' },
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
};
const importMetaUrl = "const importMetaUrl=require('node:url').pathToFileURL(__filename).href;";

/** @param {readonly string[]} commands */
function programOf(commands) {
  const imports = commands.map((name) => `import { ${name}Command } from './${name}.ts';`);
  const list = commands.map((name) => `${name}Command`);
  return `import { runProgram } from './program.ts';\n${imports.join('\n')}\nvoid runProgram([${list.join(', ')}]);`;
}

rmSync(target, { recursive: true, force: true });
const results = await Promise.all([
  build({ ...options, entryPoints: [join(source, 'main.ts')], outdir: target }),
  ...[...names.map((name) => [name, [name]]), ['all-commands', names]].map(([name, commands]) =>
    build({
      ...options,
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

/** Folders of the packages that went in. */
const packages = new Set(
  results.flatMap(({ metafile }) =>
    Object.keys(metafile.inputs).flatMap(
      (path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
    ),
  ),
);
const licenses = [...packages].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  return `${name} ${version} (${license})\n\n${readFileSync(licenseFile(folder), 'utf8').trim()}\n`;
});
writeFileSync(join(target, 'LICENSES'), licenses.join(`\n${'-'.repeat(80)}\n\n`));

/** @param {string} folder */
function licenseFile(folder) {
  for (const name of ['LICENSE', 'LICENSE.txt', 'LICENSE.md', 'license']) {
    const path = join(root, folder, name);
    try {
      readFileSync(path);
      return path;
    } catch {
      // Another name.
    }
  }
  throw new Error(`${dirname(folder)}: ${folder} has no license file`);
}
