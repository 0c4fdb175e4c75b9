/**
 * Fetches QEMU's scripts/analyze-migration.py from Debian's or Ubuntu's source package.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MEMBER = '*/scripts/analyze-migration.py';
const TAR_LIMIT = 16 << 20;

/** By ID in /etc/os-release: where sources are, and the key they are signed with. */
const distributions = {
  debian: {
    mirror: 'http://deb.debian.org/debian/',
    keyring: '/usr/share/keyrings/debian-archive-keyring.gpg',
  },
  ubuntu: {
    mirror: 'http://archive.ubuntu.com/ubuntu/',
    keyring: '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
  },
};

/**
 * The script of this distribution's QEMU, kept in `folder` for the next time. The configuration of apt and its lists
 * stay as they are: all that it writes is inside `folder`. Throws an Error with the reason when that does not work.
 *
 * @param {string} folder
 * @returns {string}  Its path.
 */
export function fetchScript(folder) {
  const script = join(folder, 'analyze-migration.py');
  if (existsSync(script)) return script;
  const private_ = join(folder, 'apt');
  try {
    download(private_);
    const archive = readdirSync(private_).find((name) => /^qemu_.*\.orig\.tar\.\w+$/.test(name));
    if (archive === undefined) throw new Error('the source package has no .orig.tar');
    const text = run('tar', ['-x', '-O', '--wildcards', '-f', join(private_, archive), MEMBER], folder);
    if (!text.startsWith('#!')) throw new Error(`${archive} does not have the script`);
    writeFileSync(script, text);
  } finally {
    rmSync(private_, { recursive: true, force: true });
  }
  return script;
}

/**
 * Downloads the source package `qemu` into a folder.
 *
 * @param {string} folder
 */
function download(folder) {
  const { ID: id = '', VERSION_CODENAME: codename = '' } = osRelease();
  const distribution = distributions[id];
  if (distribution === undefined || codename === '') throw new Error('this is neither Debian nor Ubuntu');
  for (const part of ['lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(folder, part), { recursive: true });
  }
  const { mirror, keyring } = distribution;
  const trust = existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
  const sources = join(folder, 'sources.list');
  writeFileSync(sources, `deb-src ${trust}${configuredMirror(codename) ?? mirror} ${codename} main\n`);
  const options = {
    'Dir::Etc::SourceList': sources,
    'Dir::Etc::SourceParts': '-',
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::Cache': join(folder, 'cache'),
    // The user that apt would download as may not write here.
    'APT::Sandbox::User': '',
  };
  const flags = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  run('apt-get', [...flags, '-q', 'update'], folder);
  run('apt-get', [...flags, '-q', 'source', '--download-only', 'qemu'], folder);
}

/** @returns {Record<string, string>} */
function osRelease() {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return Object.fromEntries(
    [...text.matchAll(/^(\w+)="?([^"\n]*)"?$/gm)].map(([, key, value]) => [key, value]),
  );
}

/**
 * The mirror that this system takes its packages from.
 *
 * @param {string} codename
 * @returns {string | undefined}
 */
function configuredMirror(codename) {
  const wanted = ['Created-By: Packages', `Codename: ${codename}`, 'Component: main'];
  const { status, stdout } = spawnSync('apt-get', ['indextargets', '--format', '$(REPO_URI)', ...wanted], {
    encoding: 'utf8',
  });
  return status === 0 ? stdout.split('\n').find((line) => line !== '') : undefined;
}

/**
 * What a program prints.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {string} cwd
 */
function run(program, args, cwd) {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: TAR_LIMIT,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} failed: ${stderr.trim().split('\n').at(-1)}`);
  return stdout;
}
