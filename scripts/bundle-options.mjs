/** What bundles of the command line are made with. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const source = join(root, 'src/cli');

/** @type {string[]} */
export const names = JSON.parse(readFileSync(join(source, 'command-names.json'), 'utf8'));

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

/** Another text for each state of what goes into bundles. */
function sourcesHash() {
  const hash = createHash('sha256');
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|json)$/.test(name))
    .map((name) => `src/${name}`)
    .sort();
  for (const name of ['package.json', ...sources])
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(root, name)))
      .update('\0');
  return hash.digest('hex');
}

/** @type {import('esbuild').BuildOptions} */
export const bundleOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  // Code that was compiled before cannot `import()` in Node 20.
  supported: { 'dynamic-import': false },
  // With a WebAssembly file of its own.
  external: ['iced-x86'],
  // Its other form asks for its parts at run time.
  alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
  // Names stay, for reports of errors.
  minifyWhitespace: true,
  minifySyntax: true,
  define: {
    'import.meta.url': 'importMetaUrl',
    'import.meta.dirname': '__dirname',
    VMWALK_SOURCES: JSON.stringify(sourcesHash()),
  },
  legalComments: 'none',
  plugins: [lazily('child_process', ['spawn'], /node_modules.commander/)],
  metafile: true,
  logLevel: 'warning',
};
export const importMetaUrl = "const importMetaUrl=require('node:url').pathToFileURL(__filename).href;";

/** @param {readonly string[]} commands */
export function programOf(commands) {
  const imports = commands.map((name) => `import { ${name}Command } from './${name}.ts';`);
  const list = commands.map((name) => `${name}Command`);
  return `import { runProgram } from './program.ts';\n${imports.join('\n')}\nvoid runProgram([${list.join(', ')}]);`;
}

/**
 * Name, version and license of each package that went in.
 * @param {readonly import('esbuild').Metafile[]} metafiles
 */
export function licensesOf(metafiles) {
  const folders = new Set(
    metafiles.flatMap(({ inputs }) =>
      Object.keys(inputs).flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
    ),
  );
  return [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    return `${name} ${version} (${license})\n\n${readFileSync(licenseFile(folder), 'utf8').trim()}\n`;
  });
}

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
