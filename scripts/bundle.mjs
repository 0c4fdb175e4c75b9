/**
 * Makes dist/cli: main.js, and for each command a file with all that it needs and nothing else. A start reads one of
 * them, which `require` does in a fraction of the time that `import` takes for a graph of modules.
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src/cli');
const target = join(root, 'dist/cli');

/** @type {string[]} */
const names = JSON.parse(readFileSync(join(source, 'command-names.json'), 'utf8'));

/**
 * A built-in module of which a package takes some functions is only loaded when one is asked for.
 * @param {string} name
 * @param {readonly string[]} functions
 * @param {RegExp} importer
 * @returns {import('esbuild').Plugin}
 */
function lazily(name, functions, importer) {
  return {
    name: `lazy ${name}`,
    setup(build) {
      build.onResolve({ filter: new RegExp(`^node:${name}$`) }, (wanted) =>
        importer.test(wanted.importer) ? { path: name, namespace: 'lazy' } : undefined,
      );
      build.onLoad({ filter: new RegExp(`^${name}$`), namespace: 'lazy' }, () => ({
        contents: functions
          .map((each) => `exports.${each} = (...all) => require('node:${name}').${each}(...all);`)
          .join('\n'),
      }));
    },
  };
}

/** @type {import('esbuild').BuildOptions} */
const options = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  // Code that was compiled before cannot `import()` in Node 20.
  supported: { 'dynamic-import': false },
  // With a WebAssembly file of its own.
  external: ['iced-x86'],
  // Names stay, for reports of errors.
  minifyWhitespace: true,
  minifySyntax: true,
  define: { 'import.meta.url': 'importMetaUrl', 'import.meta.dirname': '__dirname' },
  legalComments: 'none',
  plugins: [lazily('child_process', ['spawn'], /node_modules.commander/)],
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

// It is read without decoding.
for (const name of readdirSync(target)) {
  if (/[^\0-\x7f]/.test(readFileSync(join(target, name), 'latin1'))) throw new Error(`${name} is not ASCII`);
}

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
