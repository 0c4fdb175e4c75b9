/**
 * The files a virtual machine needs, made in its working directory from one-word recipes.
 */

import { closeSync, copyFileSync, ftruncateSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runIn } from './qemu.mjs';
import { bootRom } from './roms.mjs';

/**
 * How each file is made:
 * - `zero:SIZE`: zeros
 * - `noise:SIZE`: bytes of no use to a compressor, the same on every run
 * - `text:SIZE`: numbered lines, no two pages alike, of much use to a compressor
 * - `rom:NAME`: a boot ROM of roms.mjs
 * - `hex:HEX`: these bytes
 * - `qcow2:SIZE`: an empty image
 * - `copy:PATH`: a file inside the root
 * - `asset:NAME`: a file beside the manifest
 * - `given:WHAT`: a file that whoever captures has to name
 *
 * @typedef {Record<string, string>} FileRecipes
 */

/**
 * @typedef {object} FileSources
 * @property {string} assets              The directory `asset:` names are relative to.
 * @property {Map<string, string>} given  Paths of the files that only the user has.
 */

/**
 * @param {import("./qemu.mjs").Workspace} workspace
 * @param {FileRecipes} recipes
 * @param {FileSources} sources
 */
export function makeFiles(workspace, recipes, { assets, given }) {
  for (const [name, recipe] of Object.entries(recipes)) {
    const colon = recipe.indexOf(':');
    const kind = recipe.slice(0, colon);
    const argument = recipe.slice(colon + 1);
    const path = join(workspace.outside, name);
    switch (kind) {
      case 'zero':
        makeSparse(path, parseSize(argument));
        break;
      case 'noise':
        writeFileSync(path, noiseOf(parseSize(argument)));
        break;
      case 'text':
        writeFileSync(path, textOf(parseSize(argument)));
        break;
      case 'rom':
        writeFileSync(path, bootRom(argument));
        break;
      case 'hex':
        writeFileSync(path, Buffer.from(argument, 'hex'));
        break;
      case 'qcow2':
        runIn(workspace, 'qemu-img', ['create', '-q', '-f', 'qcow2', name, argument]);
        break;
      case 'copy':
        copyFileSync(join(workspace.root, argument), path);
        break;
      case 'asset':
        copyFileSync(join(assets, argument), path);
        break;
      case 'given': {
        const source = given.get(name);
        if (source === undefined) throw new Error(`--file ${name}=PATH is missing: ${argument}`);
        copyFileSync(source, path);
        break;
      }
      default:
        throw new Error(`${name}: "${kind}" is not a way to make a file`);
    }
  }
}

/** @param {string} text */
function parseSize(text) {
  const match = /^(\d+)([KMG]?)$/.exec(text);
  if (match === null) throw new Error(`"${text}" is not a size`);
  return Number(match[1]) * { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[/** @type {""} */ (match[2])];
}

/**
 * @param {string} path
 * @param {number} size
 */
function makeSparse(path, size) {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, size);
  closeSync(fd);
}

/**
 * Bytes of a linear congruential generator.
 *
 * @param {number} size
 */
function noiseOf(size) {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let offset = 0; offset < size; offset++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[offset] = state >>> 24;
  }
  return bytes;
}

/** @param {number} size */
function textOf(size) {
  const bytes = Buffer.alloc(size);
  for (let offset = 0, line = 0; offset < size; line++) {
    offset += bytes.write(`This is line ${line} of a text that compresses well.\n`, offset);
  }
  return bytes;
}
